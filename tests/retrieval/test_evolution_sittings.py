"""Sittings: what is done in one belongs together where an embedding does not see it, and only where they tell anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retrieval.evolution import EvolutionRules, Point, State, replay
from retrieval.evolution.groups import Group
from retrieval.evolution.model import Member
from retrieval.evolution.sittings import companion, mixed, scattered, strangers
from retrieval.records import Polarity
from tests.retrieval.planted import T0

RULES = EvolutionRules()


def group(serial: int, sittings: Sequence[int], axis: int = 0) -> Group:
    """Points along one of four axes, one in each of `sittings`."""
    row = np.eye(4, dtype=np.float32)[axis]
    window = tuple(Member(f"{serial}-{n}", n, n, T0, row, sitting) for n, sitting in enumerate(sittings))
    total = row * len(sittings)
    return Group(serial, f"t{serial}", Polarity.LIKE, T0, total, count=float(len(sittings)), window=window)


def test_a_bud_belongs_to_the_theme_in_whose_sittings_it_comes() -> None:
    bud, theme, other = group(3, [1, 2, 3]), group(1, [1, 2, 8, 9]), group(2, [4, 5, 6])
    assert companion(bud, [theme, other], RULES) is theme
    assert companion(bud, [other], RULES) is None
    assert companion(bud, [], RULES) is None


def test_a_bud_that_comes_with_everything_belongs_to_nothing() -> None:
    bud, theme, other = group(3, [1, 2, 3]), group(1, [1, 2, 8]), group(2, [1, 3, 9])
    assert companion(bud, [theme, other], RULES) is None


def test_a_bud_about_quite_another_thing_is_no_part_of_the_theme_beside_it() -> None:
    assert companion(group(3, [1, 2, 3], axis=1), [group(1, [1, 2, 3])], RULES) is None


def test_two_themes_are_strangers_where_sittings_are_of_several_and_none_of_both() -> None:
    several, apart, together, single = (
        group(1, [1, 1, 2, 2]),
        group(2, [3, 3, 4]),
        group(3, [2, 3]),
        group(4, [5, 6, 7]),
    )
    assert strangers(several, apart, look=12)
    assert not strangers(several, together, look=12)
    assert not strangers(single, group(5, [8, 9]), look=12)  # who never does two things at once tells nothing by it


def test_what_comes_one_by_one_is_chance_where_interests_come_several_at_a_time() -> None:
    one_by_one, several = group(3, [4, 7, 9]).window, group(4, [4, 7, 7]).window
    sessions, singles = group(1, [1, 1, 2, 2]), group(2, [3, 5, 6])
    assert scattered(one_by_one, [sessions])
    assert not scattered(several, [sessions])
    assert not scattered(one_by_one, [singles])  # who always does one thing at a time
    assert not scattered(one_by_one, [])  # nobody knows yet how this person goes about things


def test_acts_one_by_one_are_no_interest_of_somebody_whose_interests_come_in_sessions() -> None:
    assert len(lived(alone=5).themes) == 1
    assert len(lived(alone=8).themes) == 2


def lived(alone: int) -> State:
    """An interest of three acts a session, and as many acts on something else, each on a day of its own."""
    one, other = np.eye(64, dtype=np.float32)[:2]
    rng = np.random.default_rng(3)
    told = [(T0 + timedelta(days=4 * n, minutes=5 * k), one) for n in range(8) for k in range(3)]
    told += [(T0 + timedelta(days=4 * n + 2), other) for n in range(alone)]
    told.sort(key=lambda row: row[0])
    rows = np.array([vector for _, vector in told]) + 0.1 * rng.normal(size=(len(told), 64)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    points = [Point(f"p{n:02}", at) for n, (at, _) in enumerate(told)]
    return replay("u", points, rows.astype(np.float32), points[-1].at)


@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=24))
def test_mixed_is_a_share_of_the_sittings_of_several(rows: list[tuple[int, bool]]) -> None:
    members = group(1, [sitting for sitting, _ in rows]).window
    sides = np.array([side for _, side in rows])
    assert 0 <= mixed(members, sides) <= 1
    assert mixed(members, np.zeros(len(rows), dtype=np.bool_)) == 0
    assert mixed(members, ~sides) == mixed(members, sides)


def told(gap: timedelta) -> State:
    """Two sides of a subject that have little in common, a point of each on every third day, `gap` apart."""
    rng = np.random.default_rng(0)
    rows, points = [], []
    for n in range(20):
        for side in (0, 1):
            row = np.concatenate([[0.25], 0.7 * np.eye(2)[side], 0.35 * rng.normal(size=5) / np.sqrt(5)])
            rows.append(row / np.linalg.norm(row))
            points.append(Point(f"{side}-{n:02}", T0 + timedelta(days=3 * n) + side * gap))
    return replay("u", points, np.array(rows, dtype=np.float32), points[-1].at)


def test_what_is_always_done_together_is_one_theme_and_else_two() -> None:
    assert len(told(timedelta(minutes=5)).themes) == 1
    assert len(told(timedelta(hours=12)).themes) == 2


def test_without_sittings_the_rules_about_them_change_nothing() -> None:
    others = replace(RULES, ease=1.0, beside=9.0, mixed=1.0)
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(60, 4)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    points = [Point(f"p{n:02}", T0 + timedelta(hours=9 * n)) for n in range(60)]
    one, two = (replay("u", points, rows, points[-1].at, rules) for rules in (RULES, others))
    assert one.assignment == two.assignment
    assert one.events == two.events
