"""The arithmetic of ranking as properties: shares add up, silence is neutral, orders are permutations and keep bounds."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.embed import unit
from retrieval.fusion import FusionWeights, bounded, contributions, fuse, load_weights, mmr, quotas, zscores

NUMBERS = st.floats(-1e6, 1e6)


# --- quotas ---------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=12), st.integers(0, 300))
def test_quotas_sum_up_and_give_everybody_a_place(importance: list[float], total: int) -> None:
    shares = quotas(importance, total)
    assert len(shares) == len(importance)
    assert sum(shares) == (total if importance else 0)
    assert min(shares, default=0) >= int(total >= len(importance) > 0)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=12), st.integers(1, 300))
def test_more_importance_never_means_fewer_places(importance: list[float], total: int) -> None:
    by_importance = sorted(zip(importance, quotas(importance, total), strict=True))
    # one place of slack for equals, whose order decides
    assert all(a[1] <= b[1] + (a[0] == b[0]) for a, b in pairwise(by_importance))


def test_quotas_are_proportional() -> None:
    assert quotas([3, 1], 10) == [7, 3]
    assert quotas([0, 0], 4) == [2, 2]
    assert quotas([1, 5, 3], 2) == [0, 1, 1]


# --- z-scores and fusion ----------------------------------------------------------------------------------------------


@given(st.lists(NUMBERS | st.just(float("nan")), max_size=20))
def test_zscores_are_standard_and_silence_is_neutral(values: list[float]) -> None:
    array = np.array(values)
    scores = zscores(array)
    assert np.isfinite(scores).all()
    assert (scores[np.isnan(array)] == 0).all()
    if scores.any():
        known = scores[~np.isnan(array)]
        assert abs(known.mean()) < 1e-6
        assert known.std() == pytest.approx(1)


@given(
    st.integers(0, 5).flatmap(
        lambda n: st.lists(st.lists(NUMBERS | st.just(float("nan")), min_size=n, max_size=n), min_size=1, max_size=4)
    )
)
def test_zscores_along_an_axis_are_those_of_each_row(rows: list[list[float]]) -> None:
    array = np.array(rows)
    expected = np.array([zscores(row) for row in array])
    assert np.array_equal(zscores(array, axis=1), expected)
    assert np.array_equal(zscores(array.T, axis=0).T, expected)
    assert np.array_equal(zscores(array[:, :, None], axis=1)[:, :, 0], expected)


def test_fusion_adds_channels_and_takes_dislikes_off() -> None:
    weights = FusionWeights()
    theme_cosine = np.array([0.9, 0.5, 0.1])
    assert np.argsort(-fuse({"theme": theme_cosine}, weights, False)).tolist() == [0, 1, 2]
    disliked = np.array([0.95, 0.1, 0.1])
    assert fuse({"theme": theme_cosine, "dislike": disliked}, weights, False).argmax() == 1
    below = np.full(3, weights.dislike_margin)
    plain = fuse({"theme": theme_cosine}, weights, False)
    assert np.array_equal(fuse({"theme": theme_cosine, "dislike": below}, weights, False), plain)
    assert np.array_equal(fuse({"theme": theme_cosine, "unheard of": disliked}, weights, False), plain)


def test_a_query_outweighs_everything_personal() -> None:
    channels = {"query": np.array([0.1, 0.8]), "theme": np.array([0.9, 0.1]), "popular": np.array([900.0, 0.0])}
    assert fuse(channels, FusionWeights(), asked=True).argmax() == 1


PAST = {"taste": np.array([0.1, 0.5, 0.9]), "bm25": np.array([2.0, 1.0, 3.0]), "popular": np.array([0.0, 9.0, 99.0])}


def weighted(**gains: float) -> NDArray[np.float64]:
    raw = {**PAST, "popular": np.log1p(PAST["popular"]), "query": np.array([3.0, 2.0, 1.0])}
    return np.sum([gain * zscores(raw[name]) for name, gain in gains.items()], axis=0)


def test_a_known_history_is_weighed_by_what_was_learnt() -> None:
    weights = FusionWeights({"taste": 2.0, "popular": 0.5})  # "bm25" was not learnt, and adds nothing
    assert fuse(PAST, weights, asked=False) == pytest.approx(weighted(taste=2.0, popular=0.5))


def test_a_stranger_is_weighed_by_hand() -> None:
    heard = {name: raw for name, raw in PAST.items() if name != "taste"}
    weights = FusionWeights({"taste": 2.0, "popular": 0.5}, stranger={"bm25": 3.0, "popular": 1.0})
    assert fuse(heard, weights, asked=False) == pytest.approx(weighted(bm25=3.0, popular=1.0))


def test_words_that_were_said_count_for_their_share_beside_a_history() -> None:
    given = {**PAST, "said_words": np.array([0.0, 1.0, 5.0])}
    weights = FusionWeights({"taste": 2.0, "bm25": 1.0}, stranger={"bm25": 9.0, "said_words": 4.0}, theme=0.0)
    half = contributions(given, weights.warmed(0.25), asked=False)
    assert half["taste"] == pytest.approx(0.75 * 2.0 * zscores(PAST["taste"]))
    assert half["said_words"] == pytest.approx(0.25 * 4.0 * zscores(given["said_words"]))
    assert half["bm25"] == pytest.approx(0.75 * zscores(PAST["bm25"]))  # of the history, which has nothing of the words
    assert fuse(given, weights, asked=False) == pytest.approx(fuse(PAST, weights, asked=False))


@pytest.mark.parametrize("known", [True, False], ids=["history", "stranger"])
def test_a_question_decides_and_the_rest_is_scaled(known: bool) -> None:
    given = {**PAST, "query": np.array([3.0, 2.0, 1.0])}
    if not known:
        del given["taste"]
    weights = FusionWeights(
        {"taste": 2.0, "popular": 0.5, "bm25": 9.0}, stranger={"popular": 0.5, "bm25": 9.0}, query=4.0, personal=0.1
    )
    expected = weighted(query=4.0, bm25=weights.query_words, popular=0.05) + known * weighted(taste=0.2)
    assert fuse(given, weights, asked=True) == pytest.approx(expected)


def test_what_nobody_asked_is_not_answered() -> None:
    assert np.array_equal(
        fuse({**PAST, "query": np.arange(3.0)}, FusionWeights(), False), fuse(PAST, FusionWeights(), False)
    )


def test_freshness_is_a_nudge_and_silence_is_none() -> None:
    fresh = np.array([np.nan, 1.0, 0.5])
    assert fuse({"fresh": fresh}, FusionWeights(fresh=0.2), False) == pytest.approx([0.0, 0.2, 0.1])


# --- diversity ------------------------------------------------------------------------------------------------------


@given(st.lists(NUMBERS, max_size=12), st.integers(0, 15), st.floats(0, 1), st.integers(0, 999))
def test_mmr_gives_the_beginning_of_a_permutation(relevance: list[float], k: int, trade_off: float, seed: int) -> None:
    n = len(relevance)
    vectors = unit(np.random.default_rng(seed).normal(size=(n, 4)))
    order = mmr(np.array(relevance), vectors, k, trade_off)
    assert len(order) == min(k, n) == len(set(order))
    assert set(order) <= set(range(n))
    assert order == mmr(np.array(relevance), vectors, n, trade_off)[:k]
    if order and trade_off < 1:
        assert relevance[order[0]] == pytest.approx(max(relevance), abs=1e-6)


@given(st.lists(st.integers(0, 50), max_size=12))
def test_mmr_without_trade_off_is_relevance(relevance: list[int]) -> None:
    values = np.array(relevance, dtype=float)
    assert mmr(values, np.ones((len(values), 1)), len(values), 0.0) == np.argsort(-values, kind="stable").tolist()


def test_mmr_prefers_something_else_to_a_twin() -> None:
    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert mmr(np.array([1.0, 0.99, 0.9]), vectors, 3, 0.5) == [0, 2, 1]
    assert mmr(np.array([1.0, 0.99, 0.9]), vectors, 3, 0.0) == [0, 1, 2]


# --- bounded movement -----------------------------------------------------------------------------------------------

SCORES = st.lists(NUMBERS | st.just(float("nan")), max_size=25)


@given(SCORES, st.floats(0, 1e3), st.integers(0, 30))
def test_bounded_is_a_permutation_and_keeps_its_bound(llm: list[float], weight: float, max_rise: int) -> None:
    prior = [f"i{n}" for n in range(len(llm))]
    order = bounded(prior, dict(zip(prior, llm, strict=True)), weight, max_rise)
    assert sorted(order) == sorted(prior)
    assert all(prior.index(item) - place <= max_rise for place, item in enumerate(order))


@given(st.lists(NUMBERS, max_size=25), SCORES, st.integers(0, 30))
def test_no_weight_or_no_room_is_the_prior_order(prior: list[float], llm: list[float], max_rise: int) -> None:
    scores = sorted(prior, reverse=True)
    ids = [f"i{n}" for n in range(len(scores))]
    heard = dict(zip(ids, llm, strict=False))
    assert bounded(ids, heard, 0.0, max_rise, scores) == ids
    assert bounded(ids, heard, 5.0, 0, scores) == ids
    assert bounded(ids, {}, 5.0, max_rise, scores) == ids


def test_the_llm_moves_what_it_praises_as_far_as_it_may() -> None:
    ids = list("abcdef")
    assert bounded(ids, {**dict.fromkeys(ids, 0.0), "f": 9.0}, 100.0, 2) == list("abcfde")
    assert bounded(ids, {**dict.fromkeys(ids, 0.0), "f": 9.0}, 100.0, 9)[0] == "f"


def test_what_few_others_chose_counts_in_proportion_until_weights_are_learnt() -> None:
    shipped = load_weights()
    few, many = shipped.among(25), shipped.among(1000)
    assert few.channels["walk"] == pytest.approx(shipped.channels["walk"] / 4)
    assert few.channels["taste"] == shipped.channels["taste"]  # a history needs nobody else
    assert many == shipped
    learnt = replace(shipped, shipped=False)
    assert learnt.among(25).channels == learnt.channels
    # of strangers nothing is learnt
    assert learnt.among(25).stranger["popular"] == pytest.approx(learnt.stranger["popular"] / 4)


def test_what_was_learnt_and_saved_is_not_taken_for_shipped(tmp_path: Path) -> None:
    load_weights().save(tmp_path / "weights.json")
    assert load_weights().shipped
    assert not load_weights(tmp_path / "weights.json").shipped
