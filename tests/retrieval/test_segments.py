"""Segments: coherent, bounded, and settled once written, whatever comes later."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.embed import unit
from retrieval.records import Event, EventKind, Polarity, Segment
from retrieval.segments import SegmentRules, polarities, segment, segment_key, verdict

T0 = datetime(2026, 1, 1, tzinfo=UTC)
RULES = SegmentRules()
TOPICS = np.eye(4, dtype=np.float32)
LIKE, DISLIKE = Polarity.LIKE, Polarity.DISLIKE


def event(
    number: int,
    item: str | None,
    kind: EventKind = EventKind.LIKE,
    value: float | None = None,
    day: float | None = None,
) -> Event:
    at = T0 + timedelta(days=number if day is None else day)
    return Event(f"e{number:03}", "u", kind, at, item, value)


def cut(events: list[Event], topics: list[int], rules: SegmentRules = RULES) -> list[Segment]:
    return segment(events, TOPICS[topics], rules)


def ids(found: list[Segment]) -> list[list[str]]:
    return [[e.item or "" for e in s.events] for s in found]


# --- what an act says -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        (EventKind.LIKE, None, LIKE),
        (EventKind.SHARE, None, LIKE),
        (EventKind.DISLIKE, None, DISLIKE),
        (EventKind.HIDE, None, DISLIKE),
        (EventKind.RATE, 5, LIKE),
        (EventKind.RATE, 3.5, LIKE),
        (EventKind.RATE, 3, None),
        (EventKind.RATE, 2.5, DISLIKE),
        (EventKind.RATE, None, None),
        (EventKind.VIEW, None, None),
        (EventKind.PURCHASE, None, None),
    ],
)
def test_an_act_speaks_for_itself(kind: EventKind, value: float | None, says: Polarity | None) -> None:
    assert verdict(event(0, "a", kind, value)) is says


def test_a_look_before_a_dislike_was_no_liking() -> None:
    events = [event(0, "a", EventKind.VIEW), event(1, "b", EventKind.VIEW), event(2, "a", EventKind.DISLIKE)]
    assert polarities(events) == [DISLIKE, LIKE, DISLIKE]


def test_a_look_after_a_dislike_is_interest_again() -> None:
    events = [event(0, "a", EventKind.DISLIKE), event(1, "a", EventKind.VIEW)]
    assert polarities(events) == [DISLIKE, LIKE]


def test_the_next_verdict_decides_and_not_the_last() -> None:
    kinds = [EventKind.VIEW, EventKind.LIKE, EventKind.VIEW, EventKind.HIDE]
    assert polarities([event(n, "a", kind) for n, kind in enumerate(kinds)]) == [LIKE, LIKE, DISLIKE, DISLIKE]


def test_a_middling_rating_says_nothing() -> None:
    events = [event(0, "a", EventKind.VIEW), event(1, "a", EventKind.RATE, 3.0)]
    assert polarities(events) == [LIKE, None]
    assert ids(cut(events, [0, 0])) == [["a"]]


def test_a_search_shows_interest() -> None:
    assert polarities([event(0, None, EventKind.SEARCH)]) == [LIKE]


# --- cutting --------------------------------------------------------------------------------------------------------


def test_events_of_two_topics_come_apart() -> None:
    events = [event(n, f"i{n}") for n in range(4)]
    assert ids(cut(events, [0, 1, 0, 1])) == [["i0", "i2"], ["i1", "i3"]]


def test_likes_and_dislikes_come_apart() -> None:
    events = [event(0, "a"), event(1, "b", EventKind.DISLIKE), event(2, "c")]
    found = cut(events, [0, 0, 0])
    assert [(s.polarity, len(s.events)) for s in found] == [(LIKE, 2), (DISLIKE, 1)]


def test_a_full_segment_is_closed() -> None:
    events = [event(n, f"i{n}") for n in range(10)]
    assert [len(s.events) for s in cut(events, [0] * 10, SegmentRules(most=4))] == [4, 4, 2]


def test_a_long_pause_opens_a_new_segment() -> None:
    rules = SegmentRules(gap=timedelta(days=10))
    events = [event(0, "a", day=0), event(1, "b", day=10), event(2, "c", day=20.1)]
    assert ids(cut(events, [0, 0, 0], rules)) == [["a", "b"], ["c"]]


def test_the_same_item_joins_its_segment_however_full() -> None:
    events = [event(0, "a"), event(1, "b"), event(2, "a")]
    assert ids(cut(events, [0, 0, 1], SegmentRules(most=2))) == [["a", "b", "a"]]


def test_an_event_joins_what_it_resembles_most() -> None:
    mixed = unit(np.array([[1.0, 0.6, 0, 0]], dtype=np.float32))
    vectors = np.concatenate([TOPICS[[1, 0]], mixed])
    assert ids(segment([event(n, f"i{n}") for n in range(3)], vectors, RULES)) == [["i0"], ["i1", "i2"]]


def test_blank_vectors_join_nothing_and_break_nothing() -> None:
    vectors = np.zeros((2, 4), dtype=np.float32)
    assert ids(segment([event(0, "a"), event(1, "b")], vectors, RULES)) == [["a"], ["b"]]


def test_no_events_make_no_segments() -> None:
    assert segment([], np.zeros((0, 4), dtype=np.float32), RULES) == []


def test_a_key_depends_on_the_events_and_the_side_alone() -> None:
    events = [event(0, "a"), event(1, "b")]
    moved = [replace(e, at=e.at + timedelta(days=99), text="x") for e in events]
    assert segment_key(LIKE, events) == segment_key(LIKE, moved)
    keys = {segment_key(LIKE, events), segment_key(DISLIKE, events), segment_key(LIKE, events[:1])}
    assert len(keys) == 3


# --- properties -----------------------------------------------------------------------------------------------------

# Items that are looked at ("v...") and items that are judged ("j...") are kept apart: a later verdict may move a look.
ACTS = st.one_of(
    st.tuples(st.sampled_from([EventKind.VIEW, EventKind.PURCHASE]), st.integers(0, 9).map("v{}".format), st.none()),
    st.tuples(st.sampled_from([EventKind.LIKE, EventKind.HIDE]), st.integers(0, 9).map("j{}".format), st.none()),
    st.tuples(st.just(EventKind.RATE), st.integers(0, 9).map("j{}".format), st.sampled_from([1.0, 3.0, 5.0])),
    st.tuples(st.just(EventKind.SEARCH), st.none(), st.none()),
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Event], NDArray[np.float32]]:
    acts = draw(st.lists(st.tuples(ACTS, st.floats(0, 90), st.integers(0, 5)), max_size=25))
    events, day = [], 0.0
    for number, ((kind, item, value), pause, _) in enumerate(acts):
        day += pause
        events.append(event(number, item, kind, value, day))
    corners = np.concatenate([TOPICS, unit(np.array([[1, 1, 0, 0], [0, 1, 1, 1]], dtype=np.float32))])
    return events, corners[[topic for _, _, topic in acts]].reshape(-1, 4)


SMALL = SegmentRules(similarity=0.5, most=3, gap=timedelta(days=30))


@given(histories(), st.integers(0, 25))
def test_what_comes_later_does_not_move_what_was(history: tuple[list[Event], NDArray[np.float32]], n: int) -> None:
    events, vectors = history
    before = segment(events[:n], vectors[:n], SMALL)
    after = segment(events, vectors, SMALL)
    past = {e.id for e in events[:n]}
    grown = [tuple(e for e in s.events if e.id in past) for s in after]
    assert [s.events for s in before] == [events for events in grown if events]


@given(histories(), st.integers(0, 25))
def test_a_segment_that_got_nothing_new_keeps_its_key(history: tuple[list[Event], NDArray[np.float32]], n: int) -> None:
    events, vectors = history
    past = {e.id for e in events[:n]}
    before = {s.key for s in segment(events[:n], vectors[:n], SMALL)}
    for later in segment(events, vectors, SMALL):
        assert (later.key in before) == all(e.id in past for e in later.events)


@given(histories())
def test_every_event_that_says_something_is_in_one_segment(history: tuple[list[Event], NDArray[np.float32]]) -> None:
    events, vectors = history
    found = segment(events, vectors, SMALL)
    placed = [(e.id, s.polarity) for s in found for e in s.events]
    says = zip(events, polarities(events), strict=True)
    assert sorted(placed) == sorted((e.id, p) for e, p in says if p is not None)


@given(histories())
def test_segments_are_bounded_and_in_time_order(history: tuple[list[Event], NDArray[np.float32]]) -> None:
    for found in segment(*history, SMALL):
        assert len({e.item for e in found.events if e.item}) <= SMALL.most
        times = [e.at for e in found.events]
        assert times == sorted(times)
        assert all(b - a <= SMALL.gap for a, b in pairwise(times))
