"""Statistics: the interval covers as often as it says, p is honest when nothing differs, and Holm is closed testing."""

from __future__ import annotations

import math
import tracemalloc
from itertools import combinations, product
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.stats import bootstrap_ci, holm, paired, wilson

# ndcg@10 with one relevant item takes eleven values: what the intervals are made for
GAINS = np.append(1 / np.log2(np.arange(2, 12)), 0.0)
FIGURES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def figures(rng: np.random.Generator, users: int, skill: float = 0.3) -> np.ndarray:
    """ndcg@10 of simulated users: place 1 with probability `skill`, else any of the eleven outcomes."""
    return np.where(rng.random(users) < skill, 1.0, GAINS[rng.integers(11, size=users)])


# --- the interval ---------------------------------------------------------------------------------------------------


@given(FIGURES, st.integers(0, 99))
def test_the_interval_lies_within_the_figures_and_can_be_repeated(values: list[float], seed: int) -> None:
    low, high = bootstrap_ci(values, seed, resamples=50)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    assert (low, high) == bootstrap_ci(values, seed, resamples=50)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    truth = 0.3 + 0.7 * GAINS.mean()
    found = [bootstrap_ci(figures(rng, 60), seed, resamples=400) for seed in range(600)]
    assert sum(low <= truth <= high for low, high in found) / 600 == pytest.approx(0.95, abs=0.03)


def test_the_interval_is_that_of_the_normal_distribution_for_many_users() -> None:
    values = figures(np.random.default_rng(2), 3000)
    reach = 1.96 * values.std() / math.sqrt(3000)
    low, high = bootstrap_ci(values, 0, resamples=4000)
    assert low == pytest.approx(values.mean() - reach, abs=reach / 10)
    assert high == pytest.approx(values.mean() + reach, abs=reach / 10)


def test_a_higher_level_is_wider_and_more_users_are_narrower() -> None:
    values = figures(np.random.default_rng(3), 200)
    low, high = bootstrap_ci(values, 0, level=0.95)
    wide_low, wide_high = bootstrap_ci(values, 0, level=0.99)
    assert wide_low < low < high < wide_high
    many_low, many_high = bootstrap_ci(np.tile(values, 4), 0)
    assert many_high - many_low == pytest.approx((high - low) / 2, rel=0.1)


def test_many_users_need_little_memory() -> None:
    values = figures(np.random.default_rng(4), 6000)
    tracemalloc.start()
    try:
        paired(values, values[::-1], 0, resamples=1000)
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()


# --- the paired comparison ------------------------------------------------------------------------------------------


def test_a_clear_difference_is_found() -> None:
    rng = np.random.default_rng(5)
    good, bad = figures(rng, 300, 0.8), figures(rng, 300, 0.1)
    found = paired(good, bad, 0)
    assert found.mean == pytest.approx(good.mean() - bad.mean())
    assert 0 < found.ci95[0] < found.mean < found.ci95[1]
    assert found.users == 300
    assert found.p == 1 / 10_001  # the least there is, and not 0


def test_pairing_finds_what_two_separate_intervals_hide() -> None:
    """Users differ more than systems do."""
    rng = np.random.default_rng(6)
    users = rng.random(200)
    better = users + rng.normal(0.02, 0.02, 200)
    assert bootstrap_ci(better, 0)[0] < bootstrap_ci(users, 0)[1]
    assert paired(better, users, 0).ci95[0] > 0
    assert paired(better, users, 0).p < 0.001


@given(FIGURES, st.randoms())
def test_swapping_the_systems_swaps_the_sign_only(values: list[float], rng: Random) -> None:
    other = [rng.random() for _ in values]
    one, two = paired(values, other, 3, resamples=40), paired(other, values, 3, resamples=40)
    assert one.mean == pytest.approx(-two.mean)
    assert one.ci95 == pytest.approx((-two.ci95[1], -two.ci95[0]))
    assert one.p == two.p
    assert 1 / 41 <= one.p <= 1


def test_equal_systems_have_no_difference() -> None:
    values = figures(np.random.default_rng(7), 50)
    found = paired(values, values, 0)
    assert (found.mean, found.ci95, found.p) == (0.0, (0.0, 0.0), 1.0)


@pytest.mark.parametrize("seed", range(4))
def test_p_is_that_of_all_sign_flips(seed: int) -> None:
    """Nine users with few distinct figures, so that many flips tie with what was observed."""
    a, b = np.random.default_rng(seed).integers(4, size=(2, 9)) / 10
    sums = [math.fsum(flips * (a - b)) for flips in product([-1, 1], repeat=9)]
    exact = sum(abs(total) >= abs(math.fsum(a - b)) - 1e-9 for total in sums) / 2**9
    assert paired(a, b, seed).p == pytest.approx(exact, abs=0.02)


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=30))
def test_p_does_not_depend_on_the_unit(gains: list[int]) -> None:
    """Whole numbers add up exactly and tenths do not: rounding must not break ties."""
    tenths, nothing = [gain / 10 for gain in gains], [0.0] * len(gains)
    assert paired(tenths, nothing, 0, resamples=200).p == paired(gains, nothing, 0, resamples=200).p


def test_p_is_uniform_when_nothing_differs() -> None:
    rng = np.random.default_rng(8)
    p = np.array([paired(figures(rng, 40), figures(rng, 40), seed, resamples=199).p for seed in range(800)])
    for level in (0.05, 0.25, 0.5, 0.75):
        assert (p <= level).mean() == pytest.approx(level, abs=3.5 * math.sqrt(level * (1 - level) / 800))


# --- many comparisons -----------------------------------------------------------------------------------------------

P_VALUES = st.lists(st.floats(0, 1), max_size=6)


@given(P_VALUES)
def test_holm_is_the_closure_of_bonferroni(p_values: list[float]) -> None:
    """The definition of a closed test: adjusted by the worst of all sets of hypotheses that hold this one."""
    sets = [chosen for size in range(1, 7) for chosen in combinations(range(len(p_values)), size)]
    expected = [
        max(min(1.0, len(chosen) * min(p_values[i] for i in chosen)) for chosen in sets if row in chosen)
        for row in range(len(p_values))
    ]
    assert holm(p_values) == pytest.approx(tuple(expected))


def test_holm_of_a_known_case() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.2]) == (0.2,)


# --- what cannot be told is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [[], [0.1, math.nan], [math.inf], [[0.1, 0.2]]], ids=str)
def test_figures_that_say_nothing_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="one finite figure a user"):
        bootstrap_ci(values, 0)
    with pytest.raises(ValueError, match="one finite figure a user"):
        paired(values, values, 0)


def test_only_the_same_users_can_be_paired() -> None:
    with pytest.raises(ValueError, match="2 figures against 1"):
        paired([0.1, 0.2], [0.1], 0)


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_holm_refuses_what_is_no_probability(p: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.5, p])


# --- a share --------------------------------------------------------------------------------------------------------


@given(st.integers(1, 2000), st.data())
def test_the_interval_of_a_share_holds_the_share(n: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, n))
    low, high = wilson(successes, n)
    assert 0.0 <= low <= successes / n <= high <= 1.0


def test_none_of_a_thousand_is_less_than_half_a_percent() -> None:
    low, high = wilson(0, 1000)
    assert low == 0.0
    assert high == pytest.approx(0.00383, abs=1e-5)  # z² / (n + z²)


def test_of_nothing_nothing_is_known() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_more_successes_than_tries_are_refused() -> None:
    with pytest.raises(ValueError, match="k"):
        wilson(3, 2)
