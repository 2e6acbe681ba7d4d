"""Echoes of our own recommendations count for less."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from retrieval.echo import ECHO, is_echo, weighed_items, weight
from retrieval.merge import confidence
from retrieval.records import Event, EventKind

ACT = Event("e", "ann", EventKind.LIKE, datetime(2026, 1, 1, tzinfo=UTC), "film-1")


@pytest.mark.parametrize(
    ("context", "echo"),
    [({}, False), ({"recommended": False}, False), ({"recommended": True}, True), ({"impression": 7}, True)],
)
def test_what_we_had_shown_is_an_echo(context: dict[str, object], echo: bool) -> None:
    event = replace(ACT, context=context)
    assert is_echo(event) is echo
    assert weight(event) == (ECHO if echo else 1.0)


def test_an_item_counts_once_and_as_its_weightiest_act() -> None:
    echo = replace(ACT, id="f", context={"recommended": True})
    other = replace(echo, id="g", item="film-2")
    assert weighed_items([ACT, echo, other]) == 1 + ECHO
    assert confidence(weighed_items([echo, other])) < confidence(2)
