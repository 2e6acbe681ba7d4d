"""From cold to warm: words are heard first, and acts outweigh them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.records import Event, EventKind
from retrieval.warmth import N0, seen, warmth

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def act(number: int, item: str | None, kind: EventKind) -> Event:
    return Event(str(number), "ann", kind, T0, item)


def test_before_the_first_event_only_words_count_and_after_n0_events_half() -> None:
    assert warmth(0) == 1.0
    assert warmth(N0) == 0.5
    assert warmth(3, n0=6) == pytest.approx(6 / 9)


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_more_events_never_make_words_count_more(few: float, more: float) -> None:
    low, high = sorted((few, more))
    assert 0 < warmth(high) <= warmth(low) <= 1


def test_a_look_is_half_an_event_and_an_item_counts_once() -> None:
    events = [act(1, "a", EventKind.VIEW), act(2, "a", EventKind.LIKE), act(3, "b", EventKind.CLICK)]
    assert seen(events) == 1.5
    assert seen([*events, *events, act(4, None, EventKind.SEARCH)]) == 1.5
