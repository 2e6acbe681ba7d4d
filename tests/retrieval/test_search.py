"""Search: the arithmetic holds as properties; the channels work together on a small catalogue."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.embed import HashEmbedder, item_text, unit
from retrieval.exact import ExactIndex
from retrieval.fusion import FusionWeights, bounded, fuse, mmr, quotas, zscores
from retrieval.lexical import Lexical
from retrieval.records import Item, Polarity, Theme
from retrieval.search import Shares, Wants, candidates, propose, score

NUMBERS = st.floats(-1e6, 1e6)
EMBEDDER = HashEmbedder(128)
TOPICS = {"crime": "crime heist detective", "snow": "snow mountain winter", "bread": "bread baking oven"}
ITEMS = [Item(f"{topic}{n:02}", f"{words} number{n}") for topic, words in TOPICS.items() for n in range(20)]
INDEX = ExactIndex([item.id for item in ITEMS], EMBEDDER.embed([item_text(item) for item in ITEMS]))
LEXICAL = Lexical(ITEMS)


def theme(topic: str, importance: float = 1.0, polarity: Polarity = Polarity.LIKE) -> Theme:
    vector = EMBEDDER.embed([TOPICS[topic]])[0]
    return Theme(topic, "u", topic, "", polarity, ("s",), "s", tuple(vector.tolist()), importance)


def topics(ids: list[str]) -> dict[str, int]:
    return {topic: sum(item.startswith(topic) for item in ids) for topic in TOPICS}


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


# --- candidates -----------------------------------------------------------------------------------------------------


def test_each_theme_gets_its_quota() -> None:
    wants = Wants(themes=[theme("crime", 3.0), theme("snow", 1.0)])
    found = candidates(wants, INDEX, LEXICAL, pool=16)
    counted = topics([c.item for c in found])
    assert len(found) == 16
    assert counted["crime"] == 12
    assert counted["snow"] == 4
    assert all(c.item.startswith(str(c.theme)) for c in found)
    assert [c.prior for c in found] == sorted((c.prior for c in found), reverse=True)


def test_the_least_theme_has_a_place_beside_other_channels() -> None:
    wants = Wants(
        themes=[theme("crime", 50.0), theme("bread", 0.1)], popularity={f"snow{n:02}": n + 1.0 for n in range(20)}
    )
    ids = propose(wants, INDEX, LEXICAL, 12, Shares())
    assert min(topics(ids).values()) >= 1


def test_excluded_items_stay_away_and_their_places_are_filled() -> None:
    seen = frozenset(f"crime{n:02}" for n in range(18))
    wants = Wants(themes=[theme("crime"), theme("snow")], exclude=seen, popularity={"crime00": 9.0}, fresh=["crime01"])
    found = [c.item for c in candidates(wants, INDEX, LEXICAL, pool=20)]
    assert not seen & set(found)
    assert len(found) == len(set(found)) == 20
    assert {"crime18", "crime19"} <= set(found)


def test_every_candidate_has_every_score() -> None:
    wants = Wants(
        themes=[theme("crime"), theme("bread", polarity=Polarity.DISLIKE)],
        theme_texts={"crime": "Likes a heist"},
        popularity={f"snow{n:02}": float(n) for n in range(20)},
    )
    found = candidates(wants, INDEX, LEXICAL, pool=30)
    assert all({"theme", "bm25", "popular", "dislike"} == set(c.channels) for c in found)
    assert {"crime", "snow"} <= {c.item[:-2] for c in found}


def test_a_disliked_theme_pushes_down() -> None:
    wants = Wants(themes=[theme("crime")], popularity={item.id: 1.0 for item in ITEMS})
    before = score(wants, [item.id for item in ITEMS], INDEX)
    after = score(
        replace(wants, themes=[*wants.themes, theme("snow", polarity=Polarity.DISLIKE)]), [i.id for i in ITEMS], INDEX
    )
    place = {c.item: n for n, c in enumerate(after)}
    assert all(place[c.item] >= 40 for c in before if c.item.startswith("snow"))


def test_a_query_decides_and_themes_personalise() -> None:
    wants = Wants(
        themes=[theme("crime", 9.0)],
        query="baking bread",
        query_vector=EMBEDDER.embed(["baking bread"])[0],
        popularity={f"crime{n:02}": 100.0 for n in range(20)},
    )
    found = [c.item for c in candidates(wants, INDEX, LEXICAL, pool=40)]
    assert topics(found[:10])["bread"] == 10
    assert topics(found)["crime"] > 0


def test_words_alone_are_a_query_too() -> None:
    found = candidates(Wants(query="winter number7"), INDEX, LEXICAL, pool=5)
    assert found[0].item == "snow07"


@pytest.mark.parametrize("index", [INDEX, ExactIndex()], ids=["full", "empty"])
def test_nothing_known_is_no_problem(index: ExactIndex) -> None:
    assert candidates(Wants(), index) == []
    assert candidates(Wants(themes=[theme("crime")]), ExactIndex()) == []
    fresh = candidates(Wants(fresh=["snow03", "bread01", "new"]), index, pool=2)
    assert [c.item for c in fresh] == ["snow03", "bread01"]
    popular = candidates(Wants(popularity={"snow03": 2.0, "bread01": 5.0}), index)
    assert [c.item for c in popular] == ["bread01", "snow03"]
    assert candidates(Wants(fresh=["snow03"]), index, pool=0) == []


def test_an_item_that_is_not_indexed_is_neutral_not_last() -> None:
    wants = Wants(themes=[theme("crime")])
    found = score(wants, ["crime01", "unknown", "bread01"], INDEX, LEXICAL)
    assert [c.item for c in found] == ["crime01", "unknown", "bread01"]
    assert found[1].theme is None
    assert found[1].channels == {}


def test_muted_themes_are_silent_and_medoids_replace_the_centroid() -> None:
    muted = replace(theme("crime"), active=False)
    assert candidates(Wants(themes=[muted]), INDEX) == []
    wants = Wants(themes=[theme("crime")], theme_vectors={"crime": EMBEDDER.embed([TOPICS["snow"], TOPICS["bread"]])})
    assert topics([c.item for c in candidates(wants, INDEX, pool=20)])["crime"] == 0


def test_equal_input_gives_equal_output_whatever_its_order() -> None:
    themes = [theme("crime"), theme("snow"), theme("bread")]
    popularity = {item.id: 1.0 for item in ITEMS}
    one = candidates(Wants(themes=themes, popularity=popularity), INDEX, LEXICAL, pool=15)
    two = candidates(Wants(themes=themes[::-1], popularity=dict(reversed(popularity.items()))), INDEX, LEXICAL, pool=15)
    assert [c.item for c in one] == [c.item for c in two]
