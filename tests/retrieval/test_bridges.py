"""Bridges from histories to untouched items: against naive pair counting and an explicit regression; planted kinds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

from retrieval import bridges
from retrieval.bridges import LEAST_ITEMS, RIDGE, SHRINK, VectorBridge, WordLinks
from retrieval.embed import Vectors, unit
from retrieval.pasts import Pasts

ITEMS, WORDS = 20, 9


def histories(users: int = 30, items: int = ITEMS, longest: int = 7, seed: int = 0) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    return [rng.permutation(items)[:length].tolist() for length in rng.integers(1, longest + 1, users)]


def words(items: int = ITEMS, seed: int = 0) -> NDArray[np.float64]:
    """(items, WORDS): one word that everything has, one that nothing has, one that is too rare, and some at random."""
    table = (np.random.default_rng(seed).random((items, WORDS)) < 0.4).astype(np.float64)
    table[:, 0], table[:, 1], table[:, 2] = 1.0, 0.0, 0.0
    table[: LEAST_ITEMS - 1, 2] = 1.0
    return table


def vectors(items: int = ITEMS, seed: int = 0) -> Vectors:
    """Unit rows around a common direction, as sentence embeddings lie."""
    rows = np.random.default_rng(seed).normal(size=(items, 6))
    rows[:, 0] += 1.0
    return unit(rows)


def naive_links(table: NDArray[np.float64], sequences: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    seen = np.zeros((table.shape[1], table.shape[1]))
    for sequence in sequences:
        for one, other in permutations(sequence, 2):  # never an item with itself
            seen += np.outer(table[one], table[other]) / len(sequence) ** 0.5
    margin = seen.sum(axis=0)
    expected = np.outer(margin, margin) / max(margin.sum(), 1e-12)
    found: NDArray[np.float64] = np.log((seen + 2) / (expected + 2))
    return found


def test_words_are_scored_by_counting_pairs() -> None:
    table, history = words(), [3, 8, 1]
    kept = table[:, table.sum(axis=0) >= LEAST_ITEMS]
    links = naive_links(kept, histories())
    spoken = Counter({word: int(kept[history, word].sum()) for word in range(kept.shape[1])})
    expected = [
        sum(spoken[a] * links[a, b] for a in spoken for b in np.flatnonzero(row)) / spoken.total() / row.sum()
        for row in kept
    ]
    found = WordLinks(sparse.csr_matrix(table), histories()).scores(Pasts.of([history]), np.arange(ITEMS))[0]
    assert found == pytest.approx(np.array(expected), abs=1e-6)


def test_a_word_goes_over_to_items_that_nobody_touched() -> None:
    # items: 0-2 "crime", 3-5 "snow", 6-8 "bread"; who likes crime likes snow, and nobody touched 2, 5 or 8
    table = sparse.csr_matrix(np.repeat(np.eye(3), 3, axis=0))
    links = WordLinks(table, [[0, 1, 3, 4]] * 20 + [[6, 7]] * 20)
    snow, bread = links.scores(Pasts.of([[2]]), np.array([5, 8]))[0]
    assert snow > 0 > bread


def test_only_the_most_frequent_words_are_linked(monkeypatch: pytest.MonkeyPatch) -> None:
    table, history = words(), [3, 8, 1]
    most = int(np.argmax(table[:, 3:].sum(axis=0))) + 3
    monkeypatch.setattr(bridges, "MOST_WORDS", 2)  # the word of all items and the next one
    found = WordLinks(sparse.csr_matrix(table), histories()).scores(Pasts.of([history]), np.arange(ITEMS))[0]
    two = WordLinks(sparse.csr_matrix(table[:, [0, most]]), histories()).scores(Pasts.of([history]), np.arange(ITEMS))[
        0
    ]
    assert np.array_equal(found, two)


@pytest.mark.parametrize("sequences", [[], [[]], [[0], [1], [2]]], ids=["nobody", "idle", "one item each"])
def test_without_pairs_every_word_is_at_chance(sequences: list[list[int]]) -> None:
    assert not WordLinks(sparse.csr_matrix(words()), sequences).scores(Pasts.of([[0, 1]]), np.arange(ITEMS))[0].any()


@pytest.mark.parametrize("table", [np.zeros((4, 0)), np.zeros((4, 3)), np.eye(4)], ids=["empty", "unused", "all rare"])
def test_without_shared_words_there_is_nothing_to_say(table: NDArray[np.float64]) -> None:
    assert WordLinks(sparse.csr_matrix(table), [[0, 1, 2]]).scores(Pasts.of([[0]]), np.arange(4))[0].tolist() == [
        0,
        0,
        0,
        0,
    ]


def test_an_empty_history_says_no_word() -> None:
    assert not WordLinks(sparse.csr_matrix(words()), histories()).scores(Pasts.of([[]]), np.arange(ITEMS))[0].any()


def naive_bridge(items: Vectors, sequences: Sequence[Sequence[int]], history: list[int]) -> NDArray[np.float64]:
    centred = items.astype(np.float64) - items.mean(axis=0, dtype=np.float64)
    long = [sequence for sequence in sequences if len(sequence) > 1]
    pairs = [(np.mean([centred[o] for o in one if o != item], axis=0), centred[item]) for one in long for item in one]
    others, outputs = (np.array(side) for side in zip(*pairs, strict=True))
    dim = items.shape[1]
    gram = others.T @ others
    mapped = (
        np.linalg.inv(gram + RIDGE * np.trace(gram) / dim * np.eye(dim)) @ others.T @ (outputs - outputs.mean(axis=0))
    )
    covariance = centred.T @ centred / len(items)
    metric = np.linalg.inv(covariance + SHRINK * np.trace(covariance) / dim * np.eye(dim))
    found: NDArray[np.float64] = centred @ (centred[history].mean(axis=0) @ mapped @ metric)
    return found


@pytest.mark.parametrize("sequences", [histories(), [[3, 5]], [[0, 1, 2, 3], [7]]], ids=["many", "a pair", "one user"])
def test_bridge_is_a_ridge_regression_over_explicit_pairs(sequences: list[list[int]]) -> None:
    items, history = vectors(), [3, 8, 1]
    found = VectorBridge(items, sequences).scores(items[history], items)
    assert found == pytest.approx(naive_bridge(items, sequences, history), rel=1e-4, abs=1e-5)


def test_bridge_leads_to_what_goes_along_and_not_to_what_is_alike() -> None:
    """Who touches the first kind of thing goes on to the second; both are far apart as texts."""
    rng = np.random.default_rng(3)
    kinds = np.repeat(np.eye(4), 10, axis=0)
    items = unit(kinds + 0.1 * rng.normal(size=kinds.shape))
    sequences = [[int(rng.integers(0, 8)), 10 + int(rng.integers(0, 8))] for _ in range(100)]
    sequences += [[20 + int(rng.integers(0, 8)), 30 + int(rng.integers(0, 8))] for _ in range(100)]
    scores = VectorBridge(items, sequences).scores(items[[9]], items)  # an item that nobody touched
    assert scores[10:20].min() > scores[20:].max()
    assert scores[18:20].min() > scores[:10].max()


@pytest.mark.parametrize("sequences", [[], [[]], [[0], [1]]], ids=["nobody", "idle", "one item each"])
def test_without_pairs_the_bridge_leads_nowhere(sequences: list[list[int]]) -> None:
    assert not VectorBridge(vectors(), sequences).scores(vectors()[[0]], vectors()).any()


def test_zero_vectors_and_equal_vectors_score_alike() -> None:
    for items in (np.zeros((4, 6), dtype=np.float32), np.repeat(vectors(1), 4, axis=0)):
        assert np.ptp(VectorBridge(items, [[0, 1], [2, 3, 0]]).scores(items[[0]], items)) == 0


@pytest.mark.parametrize("dim", [0, 6])
def test_an_empty_catalogue(dim: int) -> None:
    nothing = np.zeros((0, dim), dtype=np.float32)
    assert VectorBridge(nothing, []).scores(np.zeros((1, dim), dtype=np.float32), nothing).shape == (0,)


@settings(max_examples=25)
@given(st.integers(0, 999), st.permutations(range(12)))
def test_the_numbering_of_the_items_does_not_matter(seed: int, renamed: list[int]) -> None:
    sequences, history = histories(8, 12, 5, seed), [1, 4, 9]
    again, past = [[renamed[row] for row in one] for one in sequences], [renamed[row] for row in history]
    order = np.argsort(renamed)
    table, items = words(12, seed), vectors(12, seed)
    before = WordLinks(sparse.csr_matrix(table), sequences).scores(Pasts.of([history]), np.arange(12))[0]
    after = WordLinks(sparse.csr_matrix(table[order]), again).scores(Pasts.of([past]), np.arange(12))[0]
    assert after[renamed] == pytest.approx(before, abs=1e-6)
    before = VectorBridge(items, sequences).scores(items[history], items)
    after = VectorBridge(items[order], again).scores(items[order][past], items[order])
    assert after[renamed] == pytest.approx(before, rel=1e-3, abs=1e-4)
