"""Signals: every channel speaks where it can, NaN only where an item is unknown, and nothing is kept between calls."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.embed import HashEmbedder, Vectors, item_text, unit
from retrieval.lexical import Lexical
from retrieval.records import Item
from retrieval.signals import CHANNELS, HISTORY, NOISE, SHARPNESS, Signals, kernel

TOPICS = {"crime": "crime heist detective", "snow": "snow mountain winter", "bread": "bread baking oven"}
ITEMS = [Item(f"{topic}{n:02}", f"{words} number{n}") for topic, words in TOPICS.items() for n in range(30)]
IDS = [item.id for item in ITEMS]
VECTORS = HashEmbedder(64).embed([item_text(item) for item in ITEMS])


def sequences(users: int = 40, seed: int = 0) -> list[list[str]]:
    """Each user keeps to one topic, and nobody touches the last five items of any."""
    rng = np.random.default_rng(seed)
    topics = list(TOPICS)
    return [[f"{topics[user % 3]}{n:02}" for n in rng.permutation(25)[: 1 + user % 9]] for user in range(users)]


def build(items: Sequence[Item], vectors: Vectors, histories: Sequence[Sequence[str]]) -> Signals:
    return Signals(items, vectors, Lexical(items), histories)


SIGNALS = build(ITEMS, VECTORS, sequences())


def test_every_channel_speaks_of_every_known_item() -> None:
    scores = SIGNALS.channels(["crime00", "crime29"], IDS)
    assert tuple(scores) == CHANNELS
    assert all(values.shape == (90,) and np.isfinite(values).all() for values in scores.values())


@pytest.mark.parametrize("name", [name for name in CHANNELS if name != "popular"])
def test_every_channel_but_popularity_tells_the_topic_of_a_history(name: str) -> None:
    scores = SIGNALS.channels(["crime01", "crime05", "crime14"], IDS)[name]
    assert scores[:30].mean() > scores[30:].mean()


@pytest.mark.parametrize("name", ["words", "bridge", "bm25", "taste"])
def test_items_that_nobody_touched_are_told_apart_by_what_they_are(name: str) -> None:
    scores = SIGNALS.channels(["crime01", "crime05"], ["crime29", "snow29", "bread29"])[name]
    assert scores.argmax() == 0


def test_scores_are_in_the_order_of_the_candidates() -> None:
    asked = ["snow03", "crime07", "bread29", "crime07"]
    some, whole = SIGNALS.channels(["crime01"], asked), SIGNALS.channels(["crime01"], IDS)
    for name in CHANNELS:
        assert some[name] == pytest.approx(whole[name][[IDS.index(item) for item in asked]], rel=1e-5, abs=1e-6), name


def test_only_unknown_items_have_no_score() -> None:
    scores = SIGNALS.channels(["crime01"], ["new", "snow00", "newer", "crime02"])
    assert len(scores) == len(CHANNELS)
    assert all(np.isnan(values).tolist() == [True, False, True, False] for values in scores.values())


def test_unknown_items_of_a_history_are_passed_over() -> None:
    some = SIGNALS.channels(["new", "crime01", "newer"], IDS)
    assert all(np.array_equal(some[name], values) for name, values in SIGNALS.channels(["crime01"], IDS).items())


@pytest.mark.parametrize("history", [[], ["new"]], ids=["empty", "unknown"])
def test_of_somebody_unknown_only_popularity_is_said(history: list[str]) -> None:
    scores = SIGNALS.channels(history, IDS)
    assert list(scores) == ["popular"]
    assert dict(zip(IDS, scores["popular"], strict=True)) == SIGNALS.popularity()


def test_popularity_is_how_many_users_touched_an_item() -> None:
    touched = [item for sequence in sequences() for item in sequence]
    assert SIGNALS.popularity() == {item: touched.count(item) for item in IDS}


def test_the_latest_items_of_a_long_history_count() -> None:
    latest = IDS[-HISTORY:]
    whole, part = SIGNALS.channels(IDS, IDS), SIGNALS.channels(latest, IDS)
    assert all(np.array_equal(whole[name], part[name]) for name in CHANNELS)
    assert not np.allclose(whole["taste"], SIGNALS.channels(latest[1:], IDS)["taste"])


def test_several_histories_are_told_at_once_what_each_would_be_told() -> None:
    long = IDS[::-1]
    several = [long, long[:-1], ["crime01", "new", "snow02"], [], ["new"], ["bread29"]]
    found = SIGNALS.compare(several, ["snow00", "new", "crime02"])
    assert list(found) == list(CHANNELS)
    for place, history in enumerate(several):
        alone = SIGNALS.channels(history, ["snow00", "new", "crime02"])
        for name in CHANNELS:
            expected = alone.get(name, np.full(3, np.nan))
            assert found[name][place] == pytest.approx(expected, rel=1e-5, abs=1e-6, nan_ok=True), name


@pytest.mark.parametrize("candidates", [[], ["new"]], ids=["none", "unknown"])
def test_of_no_known_item_nothing_is_said(candidates: list[str]) -> None:
    assert SIGNALS.channels(["crime01"], candidates) == {}


@pytest.mark.parametrize("histories", [[], [[]], [["new"]]], ids=["no user", "one idle user", "unknown items only"])
def test_where_nobody_has_touched_anything_content_still_speaks(histories: list[list[str]]) -> None:
    scores = build(ITEMS, VECTORS, histories).channels(["crime01"], IDS)
    assert list(scores) == ["popular", "words", "bridge", "bm25", "taste"]
    assert not any(scores[name].any() for name in ("popular", "words", "bridge"))
    assert all(scores[name][:30].mean() > scores[name][30:].max() for name in ("bm25", "taste"))


@pytest.mark.parametrize(
    ("items", "histories"),
    [(ITEMS[:1], [["crime00"]]), (ITEMS, [["crime00", "snow00"]]), (ITEMS, [["crime00"], ["snow00"], ["crime00"]])],
    ids=["one item", "one user", "one item each"],
)
@pytest.mark.parametrize("blank", [False, True], ids=["vectors", "zero vectors"])
def test_next_to_nothing_gives_finite_scores(items: list[Item], histories: list[list[str]], blank: bool) -> None:
    vectors = VECTORS[: len(items)] * (not blank)
    scores = build(items, vectors, histories).channels(["crime00"], [item.id for item in items])
    assert tuple(scores) == CHANNELS
    assert all(np.isfinite(values).all() for values in scores.values())


@pytest.mark.parametrize("dim", [0, 64])
def test_an_empty_catalogue_has_nothing_to_say(dim: int) -> None:
    signals = build([], np.zeros((0, dim), dtype=np.float32), sequences())
    assert signals.channels(["crime00"], ["crime01"]) == {}
    assert signals.popularity() == {}


def test_the_nearest_are_those_that_the_factors_favour() -> None:
    latent = dict(zip(IDS, SIGNALS.channels(["crime01"], IDS)["latent"], strict=True))
    ranked = sorted((item for item in IDS if latent[item] > NOISE), key=lambda item: (-latent[item], item))
    assert SIGNALS.nearest(["crime01"], 99, exclude={"crime01"}) == [item for item in ranked if item != "crime01"][:99]
    assert all(item.startswith("crime") for item in SIGNALS.nearest(["crime01"], 5))


@pytest.mark.parametrize("history", [[], ["new"], ["crime29"]], ids=["empty", "unknown", "untouched"])
def test_nothing_is_near_to_what_nobody_touched(history: list[str]) -> None:
    assert SIGNALS.nearest(history, 5) == []


def test_taste_is_a_kernel_density_around_the_history_less_what_all_items_share() -> None:
    vectors = unit(np.random.default_rng(0).normal(size=(90, 8)) + 1.0)
    history, centred = [4, 31, 8], vectors - vectors.mean(axis=0)
    centred = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    expected = [np.mean([np.exp(SHARPNESS * (one @ centred[past])) for past in history]) for one in centred]
    found = build(ITEMS, vectors, []).channels([IDS[row] for row in history], IDS)["taste"]
    assert found == pytest.approx(np.array(expected), rel=1e-4)


def test_the_kernel_prefers_a_close_match_to_a_middling_one() -> None:
    history = np.eye(2, dtype=np.float32)
    [[close, middling]] = kernel(unit(np.array([[1.0, 0.0], [1.0, 1.0]])), history, np.array([[0.5, 0.5]]))
    assert close > middling


def test_a_call_leaves_nothing_behind() -> None:
    first = SIGNALS.channels(["crime01", "snow02"], IDS)
    kept = {name: values.copy() for name, values in first.items()}
    for values in SIGNALS.channels(["bread01"], IDS).values():
        values[:] = -1.0  # what a caller does with the answer
    again = SIGNALS.channels(["crime01", "snow02"], IDS)
    assert all(np.array_equal(first[name], kept[name]) and np.array_equal(again[name], kept[name]) for name in CHANNELS)


def test_threads_get_the_answers_that_one_would_get() -> None:
    histories = [IDS[start : start + 5] for start in range(60)]
    expected = [SIGNALS.channels(history, IDS) for history in histories]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda history: SIGNALS.channels(history, IDS), histories))
    for one, other in zip(found, expected, strict=True):
        assert all(one[name] == pytest.approx(other[name]) for name in CHANNELS)


@settings(max_examples=8)
@given(st.permutations(range(len(ITEMS))))
def test_the_order_of_the_catalogue_does_not_matter(order: list[int]) -> None:
    """But for "latent", whose random start goes by row."""
    history = ["crime01", "snow02", "bread29"]
    expected = SIGNALS.channels(history, IDS)
    found = build([ITEMS[row] for row in order], VECTORS[order], sequences()).channels(history, IDS)
    for name in set(CHANNELS) - {"latent"}:
        assert found[name] == pytest.approx(expected[name], rel=1e-3, abs=1e-4), name


def test_an_item_that_is_not_indexed_scores_as_if_it_were() -> None:
    history = ["crime01", "snow02"]
    indexed = SIGNALS.channels(history, IDS)
    found = SIGNALS.unseen(history, ITEMS, VECTORS)
    assert set(found) == {"words", "bridge", "bm25", "taste"}
    for name, scores in found.items():
        assert scores == pytest.approx(indexed[name], rel=1e-4, abs=1e-6), name
    assert SIGNALS.unseen([], ITEMS, VECTORS) == {}
