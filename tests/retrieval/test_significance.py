"""Chance: unrelated things yield nothing, however many features are looked at; what is shared by many is found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.embed import unit
from retrieval.significance import LEVEL, LIKENESS_LEVEL, Null, by_feature, by_likeness

TAGS = [f"tag-{n}" for n in range(200)]
NULL = Null(dict.fromkeys(TAGS, 0.02) | {"drama": 0.4}, np.zeros((0, 4), np.float32), np.zeros((1, 0)))


def drawn(dice: np.random.Generator, size: int) -> list[tuple[str, ...]]:
    """Items that have each tag with its share, independently."""
    return [tuple(tag for tag in TAGS if dice.random() < 0.02) for _ in range(size)]


@pytest.mark.parametrize("size", [3, 10, 30])
def test_unrelated_items_seldom_yield_anything(size: int) -> None:
    dice = np.random.default_rng(size)
    found = [min(by_feature(drawn(dice, size), NULL).values(), default=1.0) <= LEVEL for _ in range(60)]
    assert sum(found) <= 0.15 * len(found) + 4  # the level, and two standard deviations


def test_what_half_of_the_items_share_is_no_chance() -> None:
    q = by_feature([("tag-1",)] * 5 + [("tag-2",), ("tag-3",), (), ()], NULL)
    assert q["tag-1"] < 0.001
    assert q["tag-2"] > LEVEL


def test_what_is_frequent_everywhere_says_nothing() -> None:
    assert by_feature([("drama",)] * 5 + [()] * 5, NULL)["drama"] > LEVEL


def test_an_unknown_feature_is_no_finding() -> None:
    assert by_feature([("new",)] * 5, NULL) == {"new": 1.0}


def test_nothing_is_found_in_nothing() -> None:
    assert by_feature([], NULL) == {}
    assert by_feature([(), ()], NULL) == {}


@given(st.lists(st.lists(st.sampled_from([*TAGS[:5], "drama"]), unique=True, max_size=3), min_size=1, max_size=12))
def test_a_more_frequent_of_two_equal_features_is_never_less_significant(items: list[list[str]]) -> None:
    q = by_feature(items, NULL)
    counts = {tag: sum(tag in item for item in items) for tag in q if tag != "drama"}
    assert all(0 <= value <= 1 for value in q.values())
    assert all(q[a] <= q[b] for a in counts for b in counts if counts[a] >= counts[b])


@given(st.floats(1e-9, 1.0), st.floats(1e-9, 1.0), st.integers(1, 20))
def test_chance_brings_more_of_what_is_less_extreme_and_never_more_than_the_simple_bound(
    a: float, b: float, size: int
) -> None:
    low, high = sorted((a, b))
    assert NULL.expected(low, size) <= NULL.expected(high, size)
    assert NULL.expected(low, size) <= low * len(NULL.shares) * (1 + 1e-9)


def likeness(alike: int, others: int) -> np.ndarray:
    """Items of one subject and items in directions of their own, in a catalogue of which 2 % are about each subject."""
    directions = np.eye(50, dtype=np.float32)
    null = Null({}, directions, np.full((1, 50), 1 / 50))
    return by_likeness(np.concatenate([directions[[0] * alike], directions[1 : others + 1]]), null)


def test_items_about_one_thing_are_found_without_a_common_tag() -> None:
    q = likeness(4, 12)
    assert (q[:4] <= LIKENESS_LEVEL).all()
    assert (q[4:] > LIKENESS_LEVEL).all()


def test_two_alike_among_many_are_chance() -> None:
    assert (likeness(2, 20) > LIKENESS_LEVEL).all()


def test_items_without_words_are_like_nothing() -> None:
    null = Null({}, np.eye(3, dtype=np.float32), np.full((1, 3), 1 / 3))
    assert by_likeness(np.zeros((4, 3), np.float32), null).tolist() == [1.0] * 4
    assert by_likeness(unit(np.ones((1, 3), np.float32)), null).tolist() == [1.0]


def test_following_the_crowd_is_no_taste() -> None:
    """What is rare in the catalogue but what everybody takes is weighed by what they take."""
    subjects = np.eye(20, dtype=np.float32)
    uniform, taken = np.full(20, 1 / 20), np.array([0.6, *[0.4 / 19] * 19])
    history = subjects[[0, 0, 0, 1, 2, 3]]
    assert (by_likeness(history, Null({}, subjects, uniform[None]))[:3] <= LIKENESS_LEVEL).all()
    assert (by_likeness(history, Null({}, subjects, np.stack([uniform, taken]))) > LIKENESS_LEVEL).all()
