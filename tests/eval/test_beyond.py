"""Beyond accuracy: hand-made examples, an independent computation of each formula, and its bounds."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy

from eval.beyond import coverage, distribution, diversity, miscalibration, novelty, serendipity
from eval.metrics import precision
from retrieval.embed import unit

IDS = [f"i{n}" for n in range(8)]
RANKED = st.permutations(IDS)
CUT = st.integers(1, 10)
WEIGHTS = st.dictionaries(st.sampled_from("abcdef"), st.floats(0.01, 100), min_size=1)


# --- coverage -------------------------------------------------------------------------------------------------------


def test_coverage_counts_what_anyone_is_shown() -> None:
    catalogue = set("abcdefgh")
    assert coverage([list("abc"), list("bad")], catalogue, 2) == 2 / 8
    assert coverage([list("abc"), list("bad")], catalogue, 3) == 4 / 8
    assert coverage([list("abz")], catalogue, 3) == 2 / 8
    assert coverage([], catalogue, 3) == 0
    with pytest.raises(ValueError, match="empty catalogue"):
        coverage([["a"]], set(), 1)


# --- diversity ------------------------------------------------------------------------------------------------------


@given(st.integers(2, 9), st.integers(2, 12), st.integers(0, 999))
def test_diversity_is_the_mean_over_all_pairs(n: int, k: int, seed: int) -> None:
    vectors = unit(np.random.default_rng(seed).normal(size=(n, 3)))
    pairs = list(combinations(vectors[:k], 2))
    assert diversity(vectors, k) == pytest.approx(sum(1 - float(a @ b) for a, b in pairs) / len(pairs), abs=1e-6)


def test_diversity_of_twins_strangers_and_opposites() -> None:
    twins = unit(np.tile(np.array([[0.3, 0.4, 0.5]], dtype=np.float32), (10, 1)))
    assert 0 <= diversity(twins, 10) < 1e-6
    assert diversity(np.eye(4), 4) == pytest.approx(1)
    assert diversity(np.array([[1.0, 0.0], [-1.0, 0.0]]), 2) == pytest.approx(2)


@pytest.mark.parametrize(("rows", "k"), [(0, 5), (1, 5), (4, 1)])
def test_a_list_without_pairs_has_no_diversity(rows: int, k: int) -> None:
    assert math.isnan(diversity(np.eye(4)[:rows], k))


# --- novelty --------------------------------------------------------------------------------------------------------


def test_novelty_is_the_surprise_in_bits() -> None:
    counts = {"all": 64, "half": 32, "few": 4, "one": 1}
    assert novelty(["all"], counts, 64, 10) == 0
    assert novelty(["all", "half", "few"], counts, 64, 10) == pytest.approx((0 + 1 + 4) / 3)
    assert novelty(["all", "half", "few"], counts, 64, 2) == pytest.approx(1 / 2)
    assert novelty(["one"], counts, 64, 1) == novelty(["untouched"], counts, 64, 1) == 6
    assert math.isnan(novelty([], counts, 64, 3))


# --- serendipity ----------------------------------------------------------------------------------------------------


@given(RANKED, st.sets(st.sampled_from(IDS), min_size=1), RANKED, CUT)
def test_serendipity_is_what_precision_owes_to_the_unexpected(
    ranked: list[str], relevant: set[str], primitive: list[str], k: int
) -> None:
    surprising = serendipity(ranked, relevant, primitive, k)
    expected = sum(item in relevant and item in primitive[:k] for item in ranked[:k]) / k
    assert surprising + expected == pytest.approx(precision(ranked, relevant, k))
    assert serendipity(primitive, relevant, primitive, k) == 0


# --- calibration ----------------------------------------------------------------------------------------------------


def test_an_item_is_split_over_its_groups() -> None:
    assert distribution([["crime", "drama"], [], ["crime"]]) == pytest.approx({"crime": 0.75, "drama": 0.25})
    assert distribution([[], []]) == distribution([]) == {}


@given(WEIGHTS, WEIGHTS)
def test_miscalibration_is_the_divergence_from_the_smoothed_list(
    history: dict[str, float], listed: dict[str, float]
) -> None:
    p, q = (np.array([one.get(group, 0.0) for group in "abcdef"]) for one in (history, listed))
    smoothed = 0.99 * q / q.sum() + 0.01 * p / p.sum()
    found = miscalibration(history, listed)
    assert found == pytest.approx(entropy(p / p.sum(), smoothed), abs=1e-9)
    assert 0 <= found <= -math.log(0.01) + 1e-9


@given(WEIGHTS)
def test_a_list_like_the_history_is_calibrated(history: dict[str, float]) -> None:
    assert miscalibration(history, {group: 7 * weight for group, weight in history.items()}) == pytest.approx(
        0, abs=1e-9
    )


def test_miscalibration_at_its_ends() -> None:
    assert miscalibration({"crime": 1.0}, {"drama": 1.0}) == pytest.approx(-math.log(0.01))
    assert miscalibration({"crime": 1.0}, {"drama": 1.0}, alpha=0.5) == pytest.approx(math.log(2))
    mixed = {"crime": 0.7, "drama": 0.3}
    assert miscalibration(mixed, {"crime": 1.0}) > miscalibration(mixed, {"crime": 0.8, "drama": 0.2}) > 0
    assert math.isnan(miscalibration({}, mixed))
    assert math.isnan(miscalibration(mixed, {}))
