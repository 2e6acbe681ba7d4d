"""What people in general choose, counted in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.features import features
from retrieval.population import MOST, Population, count
from retrieval.records import Item

ITEMS = [
    Item("a", "A", categories=("film", "drama")),
    Item("b", "B", categories=("film", "drama"), tags=("arctic",)),
    Item("c", "C", categories=("book", "crime")),
    Item("d", "D"),
]


def test_what_most_people_do_as_often_is_common() -> None:
    people = count(ITEMS, [("a", "b"), ("a", "c"), ("a", "b", "c", "d"), ("c",)])
    assert people.people == 4
    assert people.common("drama", 1.0) == pytest.approx(1 / 4)
    assert people.common("drama", 0.5) == pytest.approx(3 / 4)
    assert people.common("crime", 1.0) == pytest.approx(1 / 4)


def test_what_few_people_touch_cannot_be_common() -> None:
    people = count(ITEMS, [("a",), ("b",), ("c",)])
    assert people.common("arctic", 0.0) == 0.0


def test_shares_and_choices_are_of_touches() -> None:
    people = count(ITEMS, [("a", "b"), ("c", "unknown"), ("a",), ("unknown",)])
    assert people.people == 3
    assert people.choices == {"a": 2, "b": 1, "c": 1, "d": 0}
    assert people.touched == pytest.approx({"drama": 3 / 4, "arctic": 1 / 4, "crime": 1 / 4})


@pytest.mark.parametrize(("items", "sequences"), [([], []), (ITEMS, []), ([], [("a",)]), ([Item("a", "A")], [("a",)])])
def test_nobody_and_nothing_are_fine(items: list[Item], sequences: list[Sequence[str]]) -> None:
    assert count(items, sequences).common("drama", 0.5) == 0.0


def rate(sequence: Sequence[str], feature: str, known: Mapping[str, Item]) -> float:
    return sum(feature in features(known[i]) for i in sequence) / len(sequence)


@given(st.lists(st.lists(st.sampled_from("abcd"), min_size=1, unique=True), min_size=1, max_size=12))
def test_the_count_is_that_of_going_through_everybody(sequences: list[list[str]]) -> None:
    known = {item.id: item for item in ITEMS}
    people: Population = count(ITEMS, sequences)
    for feature in ("drama", "arctic", "crime"):
        touched = sum(rate(s, feature, known) > 0 for s in sequences)
        for asked in (0.2, 0.5, 1.0):
            share = sum(rate(s, feature, known) >= asked for s in sequences) / len(sequences)
            assert people.common(feature, asked) == pytest.approx(share if touched > MOST * len(sequences) else 0.0)
