"""Collaborative channels: each against a naive dense calculation, and what a reader would expect of planted histories."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from retrieval.collaborative import (
    ALPHA,
    CHANNELS,
    ENOUGH,
    FACTORS,
    RECENT,
    REGULARIZATION,
    WINDOW,
    Collaborative,
    interactions,
)
from retrieval.pasts import Pasts

ITEMS = 40
HISTORY = [7, 3, 30, 12, 25, 8, 1]  # longer than RECENT


def histories(users: int = 60, items: int = ITEMS, longest: int = 15, seed: int = 0) -> list[list[int]]:
    """Distinct item rows a user, longer than WINDOW for some; the upper fifth of the items is never touched."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest + 1, users)
    return [rng.permutation(items * 4 // 5)[:length].tolist() for length in lengths]


SEQUENCES = histories()


def dense(sequences: Sequence[Sequence[int]], items: int = ITEMS) -> NDArray[np.float64]:
    touched = np.zeros((len(sequences), items))
    for user, sequence in enumerate(sequences):
        touched[user, list(sequence)] = 1.0
    return touched


def everywhere(crowd: Collaborative, history: Sequence[int]) -> dict[str, NDArray[np.float64]]:
    """The scores of all items for one history."""
    found = crowd.channels(Pasts.of([history]), np.arange(len(crowd.counts)))
    return {name: scores[0] for name, scores in found.items()}


def channel(name: str, sequences: Sequence[Sequence[int]] = SEQUENCES) -> NDArray[np.float64]:
    return everywhere(Collaborative(sequences, ITEMS), HISTORY)[name]


def test_counts_are_users_per_item() -> None:
    touched = dense(SEQUENCES)
    assert np.array_equal(Collaborative(SEQUENCES, ITEMS).counts, touched.sum(axis=0))
    assert np.array_equal(interactions(SEQUENCES, ITEMS).toarray(), touched)


def test_recent_is_the_sum_of_cosines_to_the_latest_items() -> None:
    touched = dense(SEQUENCES)
    weighted = touched / touched.sum(axis=1, keepdims=True) ** 0.25  # squared: users count by 1 / sqrt(length)

    def cosine(one: int, other: int) -> float:
        a, b = weighted[:, one], weighted[:, other]
        return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b))) if a.any() and b.any() else 0.0

    expected = [sum(cosine(item, past) for past in HISTORY[-RECENT:]) for item in range(ITEMS)]
    assert channel("recent") == pytest.approx(np.array(expected))


def test_next_adds_up_what_followed() -> None:
    counts = dense(SEQUENCES).sum(axis=0)
    expected = np.zeros(ITEMS)
    for age, past in enumerate(reversed(HISTORY), start=1):
        for sequence in SEQUENCES:
            for at, before in enumerate(sequence):
                for distance, after in enumerate(sequence[at + 1 : at + 1 + WINDOW], start=1):
                    if before == past:
                        expected[after] += 1 / age / distance / math.sqrt((counts[past] + 1) * (counts[after] + 1))
    assert channel("next") == pytest.approx(np.log(expected + 1e-3))


def test_walk_is_two_steps_of_a_transition_matrix_over_the_root_of_chance() -> None:
    touched = dense(SEQUENCES)
    counts = touched.sum(axis=0)
    to_users = touched.T / np.maximum(counts, 1)[:, None]
    step = to_users @ (touched / touched.sum(axis=1, keepdims=True))
    start = np.bincount(HISTORY, minlength=ITEMS) / len(HISTORY)
    reached = start @ np.linalg.matrix_power(step, 2)
    assert reached.sum() == pytest.approx(1.0)
    lift = np.divide(reached * ITEMS, np.sqrt(counts / counts.mean()), out=np.zeros(ITEMS), where=counts > 0)
    assert channel("walk") == pytest.approx(np.log(lift + 0.1))


def test_latent_solves_the_normal_equations_of_implicit_als() -> None:
    touched = dense(SEQUENCES)
    ridge = REGULARIZATION * touched.sum() / ENOUGH
    model = AlternatingLeastSquares(FACTORS, ridge, ALPHA, num_threads=1, random_state=0)
    with threadpool_limits(1, "blas"):
        model.fit(sparse.csr_matrix(touched.astype(np.float32)), show_progress=False)
    factors = model.item_factors.astype(np.float64)
    asked = np.bincount(HISTORY, minlength=ITEMS)
    confidence = np.diag(1.0 + ALPHA * asked)
    normal = factors.T @ confidence @ factors + ridge * np.eye(FACTORS)
    expected = factors @ np.linalg.inv(normal) @ factors.T @ confidence @ asked
    assert channel("latent") == pytest.approx(expected)


@pytest.mark.parametrize("name", CHANNELS)
def test_the_order_of_the_users_does_not_matter(name: str) -> None:
    """For "latent" up to what conjugate gradients leave of their random start."""
    tolerance = 1e-2 if name == "latent" else 1e-9
    assert channel(name) == pytest.approx(channel(name, SEQUENCES[::-1]), abs=tolerance)


@pytest.mark.parametrize("name", CHANNELS)
def test_the_same_histories_give_the_same_scores_twice(name: str) -> None:
    assert np.array_equal(channel(name), channel(name))


def test_the_order_within_histories_only_matters_for_next() -> None:
    forwards = everywhere(Collaborative(SEQUENCES, ITEMS), HISTORY)
    backwards = everywhere(Collaborative([sequence[::-1] for sequence in SEQUENCES], ITEMS), HISTORY)
    different = {name for name in CHANNELS if not np.allclose(forwards[name], backwards[name], atol=1e-4)}
    assert different == {"next"}


def test_a_crowd_with_two_tastes_is_told_apart_by_every_channel() -> None:
    rng = np.random.default_rng(1)
    sequences = [[int(row) + 20 * (user % 2) for row in rng.permutation(20)[:8]] for user in range(200)]
    scores = everywhere(Collaborative(sequences, ITEMS), [2, 5, 11])
    others = [row for row in range(20) if row not in (2, 5, 11)]
    for name in CHANNELS:
        assert np.median(scores[name][others]) > scores[name][20:].max(), name


def test_next_knows_the_direction() -> None:
    scores = everywhere(Collaborative([[0, 1, 2]] * 9, 4), [1])["next"]
    assert scores[2] > scores[0] == scores[3]


def test_walk_reaches_what_shares_no_user_with_the_history() -> None:
    scores = everywhere(Collaborative([[0, 1], [1, 2], [3, 4]], 5), [0])
    assert scores["recent"][2] == scores["recent"][3] == 0
    assert scores["walk"][2] > scores["walk"][3]


@pytest.mark.parametrize("sequences", [[], [[]], [[], []]], ids=["no user", "one idle user", "two"])
def test_where_nobody_has_touched_anything_there_is_no_opinion(sequences: list[list[int]]) -> None:
    crowd = Collaborative(sequences, 3)
    assert everywhere(crowd, [0, 1]) == {}
    assert crowd.counts.tolist() == [0, 0, 0]


def test_several_histories_get_the_scores_that_each_would_get() -> None:
    crowd, rows = Collaborative(SEQUENCES, ITEMS), np.array([30, 2, 7])
    several = [HISTORY, HISTORY[1:], [9], [*HISTORY[:3], 20]]
    found = crowd.channels(Pasts.of(several), rows)
    for place, history in enumerate(several):
        alone = everywhere(crowd, history)
        assert all(found[name][place] == pytest.approx(alone[name][rows]) for name in CHANNELS)


@pytest.mark.parametrize(
    "sequences",
    [[[0]], [[0, 1, 2]], [[0], [1], [0]], [[2], []]],
    ids=["one touch", "one user", "one item each", "idle"],
)
@pytest.mark.parametrize("history", [[0], [3], [2, 1, 0]], ids=["touched", "untouched", "both"])
def test_next_to_nothing_gives_finite_scores(sequences: list[list[int]], history: list[int]) -> None:
    scores = everywhere(Collaborative(sequences, 4), history)
    assert tuple(scores) == CHANNELS
    assert all(np.isfinite(values).all() and values.shape == (4,) for values in scores.values())


@settings(max_examples=25)
@given(st.integers(0, 999), st.permutations(range(10)))
def test_the_numbering_of_the_items_does_not_matter(seed: int, renamed: list[int]) -> None:
    """But for "latent", whose random start goes by row."""
    sequences, history = histories(8, 10, 6, seed), [1, 4, 9]
    before = everywhere(Collaborative(sequences, 10), history)
    after = everywhere(
        Collaborative([[renamed[row] for row in one] for one in sequences], 10), [renamed[r] for r in history]
    )
    for name in ("recent", "next", "walk"):
        assert after[name][renamed] == pytest.approx(before[name]), name
