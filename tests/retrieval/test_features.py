"""Features: what a few items share that the catalogue does not, checked by hand on five items."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.features import catalogue_stats, distinctive, domain, domains, features
from retrieval.records import Item

FIVE = [
    Item("1", "a", categories=("film", "mystery"), tags=("arctic",)),
    Item("2", "b", categories=("film", "mystery"), tags=("arctic", "long")),
    Item("3", "c", categories=("book", "romance"), tags=("long",)),
    Item("4", "d", categories=("book", "romance"), tags=("long", "paris")),
    Item("5", "e", categories=("game",), tags=("long",)),
]
STATS = catalogue_stats(FIVE)


def test_features_are_categories_and_tags_without_the_kind() -> None:
    assert features(Item("1", "a", categories=("Film", "Mystery"), tags=(" arctic ", "MYSTERY", ""))) == (
        "mystery",
        "arctic",
    )


def test_the_catalogue_is_counted_once_an_item() -> None:
    assert STATS.items == 5
    assert dict(STATS.counts) == {"mystery": 2, "arctic": 2, "romance": 2, "long": 4, "paris": 1}


def test_a_feature_weighs_its_share_times_the_log_of_its_lift() -> None:
    # mystery: in 2 of 2 items, catalogue share (2 + .5) / (5 + 1); "long" is in 1 of 2, less than in the catalogue
    weight = 1.0 * math.log(1.0 / (2.5 / 6))
    found = distinctive(FIVE[:2], STATS)
    assert [feature for feature, _ in found] == ["arctic", "mystery"]
    assert [w for _, w in found] == pytest.approx([weight, weight])


def test_what_is_true_of_everything_weighs_nothing() -> None:
    assert "long" not in dict(distinctive(FIVE[1:], STATS))


def test_a_feature_of_one_item_among_three_does_not_count() -> None:
    assert "paris" not in dict(distinctive([FIVE[2], FIVE[3], FIVE[4]], STATS))
    assert "paris" in dict(distinctive([FIVE[3]], STATS))


def test_nothing_is_distinctive_about_nothing() -> None:
    assert distinctive([], STATS) == []
    assert distinctive([Item("x", "bare")], STATS) == []


def test_an_unseen_feature_has_a_share_all_the_same() -> None:
    assert 0 < STATS.share("unseen") < STATS.share("paris")
    assert catalogue_stats([]).share("x") > 0


def test_the_kind_of_thing_is_a_plural_noun() -> None:
    assert domain(FIVE[0]) == "films"
    assert domain(Item("x", "y", categories=("Book",))) == "books"
    assert domain(Item("x", "y", categories=("mystery",))) is None


def test_the_most_frequent_kind_comes_first() -> None:
    assert domains(FIVE[1:]) == ["books", "films", "games"]


ITEMS = st.builds(
    Item,
    id=st.text(min_size=1, max_size=3),
    title=st.text(max_size=5),
    categories=st.lists(st.sampled_from(["film", "Mystery", "jazz", "", " x "]), max_size=3).map(tuple),
    tags=st.lists(st.text(max_size=4), max_size=3).map(tuple),
)


@given(st.lists(ITEMS, min_size=1, max_size=8), st.integers(1, 8))
def test_weights_are_positive_and_fall(items: list[Item], count: int) -> None:
    found = distinctive(items[:count], catalogue_stats(items))
    weights = [weight for _, weight in found]
    assert weights == sorted(weights, reverse=True)
    assert all(weight > 0 for weight in weights)
    assert {feature for feature, _ in found} <= {f for item in items[:count] for f in features(item)}
