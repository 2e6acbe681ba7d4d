"""The records: shared between stages, so they must not change, and times must mean one thing."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, is_dataclass
from datetime import UTC, datetime, timedelta, timezone

import pytest

from retrieval import records
from retrieval.records import Event, EventKind, Item, Profile, utc

RECORDS = [found for found in vars(records).values() if isinstance(found, type) and is_dataclass(found)]


@pytest.mark.parametrize("record", RECORDS)
def test_records_cannot_be_changed(record: type) -> None:
    made: object = object.__new__(record)
    with pytest.raises((FrozenInstanceError, AttributeError)):
        setattr(made, fields(record)[0].name, "x")


def test_records_can_be_put_into_sets() -> None:
    event = Event("e", "u", EventKind.VIEW, datetime(2026, 1, 1, tzinfo=UTC), context={"page": 1})
    assert len({event, event}) == 1
    assert len({Item("i", "t"), Item("i", "t")}) == 1


def test_a_time_of_another_zone_is_the_same_moment() -> None:
    there = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert utc(there) == there
    assert utc(there).tzinfo is UTC
    assert utc(there).hour == 0


def test_a_time_without_a_zone_is_utc() -> None:
    assert utc(datetime(2026, 1, 1, 2)) == datetime(2026, 1, 1, 2, tzinfo=UTC)


def test_an_unknown_statement_is_none() -> None:
    assert Profile("u", datetime(2026, 1, 1, tzinfo=UTC), 1).statement("s") is None


def test_words_of_the_domain_are_what_is_stored() -> None:
    assert f"{EventKind.RATE}" == "rate"
    assert EventKind("hide") is EventKind.HIDE
