"""The same points give the same state, to the byte: in any order, in any batches, late, twice, or after a restart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from time import process_time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.evolution import (
    EvolutionRules,
    HistoryNeededError,
    Point,
    State,
    advance,
    from_json,
    replay,
    to_json,
)
from retrieval.evolution.model import Vectors
from retrieval.evolution.saving import VERSION
from retrieval.records import Polarity, ThemeEventKind
from tests.retrieval.planted import DIM, Life

Kind = ThemeEventKind
DAY = timedelta(days=1)
SMALL = EvolutionRules(keep=16)  # snapshots and forgetting within a short life


def eventful(seed: int = 0) -> Life:
    """A life with a birth, a fade, a return, a merge, a split and a gift."""
    life = Life(seed)
    life.live(40, "jazz", "bread")
    life.burst(4, "football")
    life.live(35, "jazz", "noir")
    life.join("jazz", "noir", "club")
    life.live(12, "club", "bread")
    life.part("club", "swing", "free")
    life.live(30, "swing", "free", "bread")
    return life


LIFE = eventful()
END = LIFE.now


def some(state: State, rows: Sequence[int], rules: EvolutionRules | None = None, life: Life = LIFE) -> State:
    return advance(state, [life.points[i] for i in rows], life.vectors[list(rows)], life.now, rules)


def whole() -> str:
    return to_json(LIFE.state())


def test_the_life_of_these_tests_is_eventful() -> None:
    told = {event.kind for event in LIFE.state().events}
    assert told >= {Kind.BORN, Kind.GREW, Kind.MERGED, Kind.SPLIT, Kind.FADED, Kind.REVIVED}


@settings(max_examples=8, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 60))
def test_any_order_and_any_batches_give_the_same_state(random: np.random.RandomState, size: int) -> None:
    rows = list(range(len(LIFE.points)))
    random.shuffle(rows)
    state = State.empty("u")
    for start in range(0, len(rows), size):
        state = some(state, rows[start : start + size])
    assert to_json(state) == whole()


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 40), st.integers(2, 40))
def test_batches_in_time_order_need_no_history(size: int, keep: int) -> None:
    rules = EvolutionRules(keep=keep)
    state = State.empty("u")
    for start in range(0, len(LIFE.points), size):
        rows = list(range(start, min(start + size, len(LIFE.points))))
        state = advance(state, [LIFE.points[i] for i in rows], LIFE.vectors[rows], LIFE.points[rows[-1]].at, rules)
    assert to_json(some(state, [])) == to_json(LIFE.state(rules))


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 120))
def test_a_stored_state_goes_on_as_if_it_had_never_been_stored(cut: int) -> None:
    state = some(State.empty("u"), range(cut), SMALL)
    stored = from_json(to_json(state))
    assert stored == state
    assert to_json(some(stored, range(cut, len(LIFE.points)))) == to_json(LIFE.state(SMALL))


def test_no_news_changes_nothing() -> None:
    for keep in (len(LIFE.points), 16):
        state = LIFE.state(EvolutionRules(keep=keep))
        assert to_json(some(state, [])) == to_json(from_json(to_json(state))) == to_json(state)


def test_a_point_that_comes_twice_counts_once() -> None:
    again = [0, *range(len(LIFE.points)), 5]
    assert to_json(some(some(State.empty("u"), again), again)) == whole()


def test_a_late_point_goes_to_its_place() -> None:
    late = len(LIFE.points) - 5
    state = some(State.empty("u"), [i for i in range(len(LIFE.points)) if i != late], SMALL)
    assert to_json(some(state, [late])) == to_json(LIFE.state(SMALL))


def test_a_point_older_than_what_is_kept_asks_for_all_points() -> None:
    state = some(State.empty("u"), range(1, len(LIFE.points)), SMALL)
    with pytest.raises(HistoryNeededError, match="pass all points"):
        some(state, [0])
    assert to_json(some(state, range(len(LIFE.points)))) == to_json(LIFE.state(SMALL))


def test_points_of_the_future_wait() -> None:
    half = LIFE.points[60].at
    state = advance(State.empty("u"), LIFE.points, LIFE.vectors, half)
    assert state.themes == replay("u", LIFE.points[:61], LIFE.vectors[:61], half).themes
    assert to_json(from_json(to_json(state))) == to_json(state)
    assert to_json(some(state, [])) == whole()


def test_time_does_not_run_backwards() -> None:
    state = LIFE.state()
    assert advance(state, [], LIFE.vectors[:0], END - 100 * DAY) == state


def test_a_deleted_event_is_gone_with_all_that_it_led_to() -> None:
    kept = [i for i, point in enumerate(LIFE.points) if LIFE.truth[point.id] != "bread"]
    state = some(State.empty("u"), kept)
    assert not {i for i, topic in LIFE.truth.items() if topic == "bread"} & set(to_json(state).split('"'))


def test_other_rules_need_a_replay() -> None:
    with pytest.raises(ValueError, match="other rules"):
        some(LIFE.state(), [], SMALL)


def test_a_state_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version 0"):
        from_json(whole().replace(f'"version":{VERSION}', '"version":0'))


def test_nobody_is_an_empty_state() -> None:
    assert from_json(to_json(State.empty("u"))) == State.empty("u")
    assert replay("u", [], np.zeros((0, DIM), np.float32), END).themes == ()


POINTS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 3), st.floats(0, 40), st.sampled_from(list(Polarity))), max_size=60
)


def wild(found: list[tuple[int, int, float, Polarity]]) -> tuple[list[Point], Vectors]:
    """Points on six topics with four items each, at any gaps."""
    items = np.random.default_rng(1).normal(size=(6, 4, 16)) + 3 * np.random.default_rng(2).normal(size=(6, 1, 16))
    at, points = LIFE.points[0].at, []
    for number, (_, _, gap, says) in enumerate(found):
        at += gap * DAY
        points.append(Point(f"p{number}", at, says))
    rows = np.array([items[topic, item] for topic, item, _, _ in found], np.float32).reshape(-1, 16)
    return points, rows / np.linalg.norm(rows, axis=1, keepdims=True)


@settings(max_examples=40, deadline=None)
@given(POINTS)
def test_ids_are_never_used_again_and_every_theme_has_points(found: list[tuple[int, int, float, Polarity]]) -> None:
    points, vectors = wild(found)
    state, begun, gone = State.empty("u"), [], set()
    for n, point in enumerate(points):
        state = advance(state, [point], vectors[n : n + 1], point.at)
        ids = [theme.id for theme in state.themes]
        assert len(set(ids)) == len(ids)
        assert not gone & set(ids)
        assert all(theme.points for theme in state.themes)
        assert state.assignment == {id_: theme.id for theme in state.themes for id_ in theme.points}
        assert {theme.polarity for theme in state.themes if point.id in theme.points} <= {point.polarity}
        begun = [event.theme for event in state.events if event.kind in (Kind.BORN, Kind.SPLIT)]
        assert len(set(begun)) == len(begun)
        gone |= {id_ for event in state.events if event.kind is Kind.MERGED for id_ in event.sources}
        assert {theme.id for theme in state.themes if not theme.session} == set(begun) - gone


@settings(max_examples=20, deadline=None)
@given(POINTS)
def test_active_is_what_the_events_say(found: list[tuple[int, int, float, Polarity]]) -> None:
    points, vectors = wild(found)
    state = replay("u", points, vectors, END + 4000 * DAY)
    last = {event.theme: event.kind for event in state.events if event.kind is not Kind.GREW}
    assert {t.id: t.active for t in state.themes if not t.session} == {
        t.id: last[t.id] is not Kind.FADED for t in state.themes if not t.session
    }


def test_a_stored_state_with_many_events_takes_a_few_more_quickly() -> None:
    life = Life(4, per_day=20)
    life.live(3000, "jazz", "bread", "noir", "chess")
    stored = to_json(some(State.empty("u"), range(2995), None, life))
    start = process_time()
    state = some(from_json(stored), range(2995, 3000), None, life)
    assert process_time() - start < 1
    assert len(stored) < 4_000_000
    assert sum(not theme.session for theme in state.themes) == 4
