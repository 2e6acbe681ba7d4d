"""The ranker: one formula for learning and for serving, and trees only where they apply."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.fusion import FusionWeights, fuse
from retrieval.learn import Examples, learn
from retrieval.ranker import prior, tree_features, zscored

NAMES = ("taste", "popular", "walk")  # not in the order of the alphabet: trees read the channels by place


def lists(number: int, items: int = 8, seed: int = 0) -> NDArray[np.float64]:
    """(lists, items, channels) where the item with the best product of "taste" and "walk" was taken: no sum shows that."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=(number, items, len(NAMES)))
    raw[:, :, 1] = rng.poisson(5, (number, items))
    best = (raw[:, :, 0] * raw[:, :, 2]).argmax(axis=1)
    rows = np.arange(number)
    raw[rows, 0], raw[rows, best] = raw[rows, best], raw[rows, 0].copy()
    return raw


RAW = lists(600)
WEIGHTS = FusionWeights({"taste": 0.7, "popular": -0.2, "walk": 0.4})
WITH_TREES = learn(Examples(NAMES, RAW))


def channels(one: NDArray[np.float64]) -> dict[str, NDArray[np.floating]]:
    return {name: one[:, place] for place, name in enumerate(NAMES)}


def test_what_is_served_is_what_was_learnt() -> None:
    raw = RAW.copy()
    raw[:, 3, :] = np.nan  # an item of which nothing is known
    expected = zscored(NAMES, raw) @ [0.7, -0.2, 0.4]
    found = np.array([prior(channels(one), WEIGHTS, asked=False) for one in raw])
    assert found == pytest.approx(expected)
    assert not found[:, 3].any()


def test_counts_are_read_in_logs_and_only_those() -> None:
    raw = np.array([[[0.0, 0.0], [9.0, 9.0], [99.0, 99.0]]])
    scaled = zscored(("taste", "popular"), raw)[0]
    assert scaled[:, 1] == pytest.approx([-np.sqrt(1.5), 0, np.sqrt(1.5)])
    assert scaled[1, 0] < -0.5
    assert raw[0, 1].tolist() == [9, 9]  # what was given stays as it is


def test_trees_see_the_scores_as_they_are_and_beside_the_rest_of_the_list() -> None:
    features = tree_features(NAMES, RAW)
    assert np.array_equal(features[:, :, 0], RAW[:, :, 0])
    assert np.array_equal(features[:, :, 1], np.log1p(RAW[:, :, 1]))
    assert np.array_equal(features[:, :, 3:], zscored(NAMES, RAW))


def test_trees_find_what_a_weighted_sum_cannot() -> None:
    def first(weights: FusionWeights) -> float:
        return float(np.mean([prior(channels(one), weights, asked=False).argmax() == 0 for one in lists(300, seed=1)]))

    assert WITH_TREES.trees
    assert first(replace(WITH_TREES, trees=None)) < 0.5
    assert first(WITH_TREES) > 0.8


def test_trees_are_silent_where_they_do_not_apply() -> None:
    given = channels(RAW[0])
    del given["walk"]
    plain = replace(WITH_TREES, trees=None)
    assert np.array_equal(prior(given, WITH_TREES, asked=False), fuse(given, plain, asked=False))
    given = {**channels(RAW[0]), "query": np.arange(8.0)}
    assert np.array_equal(prior(given, WITH_TREES, asked=True), fuse(given, plain, asked=True))


@pytest.mark.parametrize("weights", [WEIGHTS, WITH_TREES], ids=["sum", "trees"])
def test_several_lists_at_once_are_scored_each_by_itself(weights: FusionWeights) -> None:
    alone = np.array([prior(channels(one), weights, asked=False) for one in RAW[:5]])
    several = {name: RAW[:5, :, place] for place, name in enumerate(NAMES)}
    assert prior(several, weights, asked=False) == pytest.approx(alone)
    same = {**several, "popular": RAW[0, :, 1]}  # a channel that is the same for all
    assert prior(same, weights, asked=False)[0] == pytest.approx(alone[0])


def test_trees_take_channels_by_name_and_leave_others_alone() -> None:
    given = channels(RAW[0])
    expected = prior(given, WITH_TREES, asked=False)
    shuffled = {**dict(reversed(given.items())), "unheard of": np.arange(8.0)}
    assert prior(shuffled, WITH_TREES, asked=False) == pytest.approx(expected)


def test_trees_take_silence(capfd: pytest.CaptureFixture[str]) -> None:
    given = channels(np.where(np.arange(8)[:, None] == 3, np.nan, RAW[0]))
    assert np.isfinite(prior(given, WITH_TREES, asked=False)).all()
    assert capfd.readouterr() == ("", "")
