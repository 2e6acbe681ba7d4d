"""Orders that are steered and explored: what moves, what stays, and how probable it was."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.steer import LEAST, explored, steered

ITEMS = [f"i{n:02}" for n in range(40)]
ORDERS = st.permutations(ITEMS)
GROUPS = st.lists(st.frozensets(st.sampled_from(ITEMS), max_size=20), min_size=1, max_size=3)


@given(ORDERS, GROUPS, st.integers(1, 20))
def test_nothing_is_lost_and_each_kind_stays_in_its_order(
    order: list[str], groups: list[frozenset[str]], k: int
) -> None:
    found = steered(order, groups, k)
    assert sorted(found) == ITEMS
    rest = [i for i in order if not any(i in g for g in groups)]
    assert [i for i in found[:k] if i in rest] == rest[: sum(i in rest for i in found[:k])]


@given(ORDERS, st.frozensets(st.sampled_from(ITEMS), max_size=20), st.integers(2, 20))
def test_a_boosted_group_doubles_where_it_can(order: list[str], group: frozenset[str], k: int) -> None:
    before = sum(i in group for i in order[:k])
    found = steered(order, [group], k)
    assert sum(i in group for i in found[:k]) == min(max(2 * before, LEAST), len(group), k)
    own = [i for i in order if i in group]
    assert [i for i in found[:k] if i in group] == own[: sum(i in group for i in found[:k])]


def test_nothing_boosted_changes_nothing() -> None:
    assert steered(ITEMS, [], 10) == ITEMS
    assert steered(ITEMS, [frozenset()], 10) == ITEMS


def test_without_exploration_all_is_certain() -> None:
    assert explored(ITEMS, 10, 0.0, random.Random(0)) == (ITEMS[:10], [1.0] * 10)
    assert explored(ITEMS[:3], 10, 1.0, random.Random(0)) == (ITEMS[:3], [1.0] * 3)


@pytest.mark.parametrize("share", [0.2, 1.0])
def test_a_propensity_is_how_often_the_item_is_shown_there(share: float) -> None:
    dice, drawn, told = random.Random(7), Counter[str](), {}
    for _ in range(20_000):
        shown, chances = explored(ITEMS, 5, share, dice)
        assert shown[:4] == ITEMS[:4]
        assert chances[:4] == [1.0] * 4
        drawn[shown[4]] += 1
        told[shown[4]] = chances[4]
    assert sum(told.values()) == pytest.approx(1.0)
    for item, chance in told.items():
        assert drawn[item] / 20_000 == pytest.approx(chance, abs=0.015)


def test_the_same_seed_explores_alike() -> None:
    one, other = ([explored(ITEMS, 5, 0.5, dice) for _ in range(20)] for dice in (random.Random(1), random.Random(1)))
    assert one == other
