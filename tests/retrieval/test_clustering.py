"""Clustering: planted groups come back, whatever the order of the rows, and odd input has an answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, silhouette_score

from retrieval.clustering import ALGORITHMS, Algorithm, Rules, Vectors, by_first_appearance, group
from retrieval.embed import unit

every_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)
TREES: tuple[Algorithm, ...] = ("ward", "average")


def planted(groups: int, each: int, cosine: float, seed: int = 0, dim: int = 96) -> tuple[Vectors, list[int]]:
    """Unit rows around `groups` random directions, with about the given mean cosine inside a group, and the truth."""
    dice = np.random.default_rng(seed)
    centres = np.repeat(dice.standard_normal((groups, dim)), each, axis=0)
    rows = unit(centres) + (1 / cosine - 1) ** 0.5 * unit(dice.standard_normal(centres.shape))
    return unit(rows), [row // each for row in range(groups * each)]


@every_algorithm
def test_tight_groups_are_found(algorithm: Algorithm) -> None:
    vectors, truth = planted(4, 8, 0.9)
    found = group(vectors, algorithm)
    assert adjusted_rand_score(truth, found.labels) > 0.95
    assert found.algorithm == algorithm


@pytest.mark.parametrize("algorithm", TREES)
@pytest.mark.parametrize("each", [4, 40])
def test_more_statements_of_the_same_interests_are_not_more_themes(algorithm: Algorithm, each: int) -> None:
    vectors, truth = planted(5, each, 0.45)
    assert adjusted_rand_score(truth, group(vectors, algorithm).labels) > 0.95


@pytest.mark.parametrize("algorithm", TREES)
def test_one_interest_is_one_theme(algorithm: Algorithm) -> None:
    assert group(planted(1, 20, 0.5)[0], algorithm).clusters == 1


@every_algorithm
def test_the_silhouette_is_that_of_scikit_learn(algorithm: Algorithm) -> None:
    vectors, _ = planted(3, 6, 0.6)
    found = group(vectors, algorithm)
    assert found.silhouette == pytest.approx(silhouette_score(vectors, found.labels), abs=1e-4)


@every_algorithm
def test_nothing_one_and_two_rows_have_an_answer(algorithm: Algorithm) -> None:
    for n in range(3):
        found = group(np.eye(3, dtype=np.float32)[:n], algorithm)
        assert len(found.labels) == n
        assert set(found.labels.tolist()) == set(range(found.clusters))


@every_algorithm
def test_two_rows_with_nothing_in_common_are_two_themes(algorithm: Algorithm) -> None:
    assert group(np.eye(3, dtype=np.float32)[:2], algorithm).clusters == 2


@every_algorithm
def test_one_event_ten_thousand_times_is_one_theme(algorithm: Algorithm) -> None:
    found = group(np.repeat(np.eye(4, dtype=np.float32)[:1], 10_000, axis=0), algorithm)
    assert (found.clusters, found.silhouette, found.labels.max()) == (1, None, 0)


@every_algorithm
@given(seed=st.integers(0, 1000), repeated=st.integers(0, 3))
@settings(max_examples=4, deadline=None)
def test_the_order_of_the_rows_and_repetition_change_nothing(algorithm: Algorithm, seed: int, repeated: int) -> None:
    vectors, _ = planted(3, 4, 0.5, seed)
    order = np.random.default_rng(seed).permutation(len(vectors))
    straight = group(vectors, algorithm)
    shuffled = group(np.concatenate([vectors[order], vectors[order[:repeated]]]), algorithm)
    assert by_first_appearance(straight.labels[order]).tolist() == shuffled.labels[: len(order)].tolist()
    assert shuffled.labels[len(order) :].tolist() == shuffled.labels[:repeated].tolist()
    assert (straight.rule, straight.silhouette) == (shuffled.rule, shuffled.silhouette)


@every_algorithm
@given(st.lists(st.lists(st.integers(-2, 2), min_size=3, max_size=3), max_size=12))
@settings(max_examples=8, deadline=None)
def test_labels_count_up_from_nought_in_order_of_appearance(algorithm: Algorithm, grid: list[list[int]]) -> None:
    rows = np.array(grid, dtype=np.float32).reshape(-1, 3)
    found = group(unit(rows), algorithm)
    _, first = np.unique(found.labels, return_index=True)
    assert (np.diff(first) > 0).all()
    assert found.labels.max(initial=-1) + 1 == found.clusters
    assert found.silhouette is None or -1 <= found.silhouette <= 1


@pytest.mark.parametrize("algorithm", TREES)
@given(seed=st.integers(0, 100), cut=st.floats(0.1, 0.8))
@settings(max_examples=10, deadline=None)
def test_the_halves_of_a_theme_are_as_alike_as_the_rule_says(algorithm: Algorithm, seed: int, cut: float) -> None:
    vectors, _ = planted(3, 3, 0.5, seed)
    labels = group(vectors, algorithm, Rules((cut, cut))).labels
    pairs = [vectors[labels == label] for label in set(labels.tolist()) if (labels == label).sum() == 2]
    assert all(float(a @ b) >= cut - 1e-5 for a, b in pairs)


def test_a_theme_of_ward_is_cut_where_the_mean_cosine_falls_below_the_rule() -> None:
    """Rows at 0, 10 and 50 degrees: the last has the cosines .64 and .77 to the others, .70 in the mean."""
    angles = np.radians([0, 10, 50])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    for algorithm in TREES:
        assert group(vectors, algorithm, Rules((0.7, 0.7))).clusters == 1
        assert group(vectors, algorithm, Rules((0.71, 0.71))).labels.tolist() == [0, 0, 1]


def test_the_cut_that_was_chosen_can_be_held() -> None:
    vectors, _ = planted(4, 6, 0.4)
    chosen = group(vectors)
    assert chosen.cut is not None
    assert group(vectors, rules=Rules((chosen.cut, chosen.cut))).labels.tolist() == chosen.labels.tolist()


def test_the_rule_is_told_in_words_with_its_figure() -> None:
    vectors, _ = planted(3, 6, 0.9)
    assert group(vectors, "kmeans").rule.startswith("k = 3, of ")
    assert "mean cosine of 0." in group(vectors).rule


@pytest.mark.parametrize("algorithm", ["dbscan", "hdbscan"])
def test_what_is_like_nothing_is_a_theme_of_its_own(algorithm: Algorithm) -> None:
    vectors, _ = planted(2, 8, 0.9)
    alone = planted(2, 1, 0.9, seed=5)[0]
    labels = group(np.concatenate([vectors, alone]), algorithm).labels
    assert len(set(labels[16:].tolist()) - set(labels[:16].tolist())) == 2


def test_rows_without_words_are_like_nothing() -> None:
    vectors, _ = planted(2, 5, 0.9)
    labels = group(np.concatenate([vectors, np.zeros((2, 96), dtype=np.float32)])).labels
    assert labels.tolist() == [0] * 5 + [1] * 5 + [2, 2]


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        group(np.full((3, 2), np.nan, dtype=np.float32))
    with pytest.raises(ValueError, match="none of ward"):
        group(np.eye(3, dtype=np.float32), "spectral")  # type: ignore[arg-type]
    angles = np.linspace(0, 1, 10_001)
    many = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    with pytest.raises(ValueError, match="at most 10000"):
        group(many)
