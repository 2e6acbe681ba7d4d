"""How sure is a mean over users, and is one system better than another? Resampling, so no shape of the figures is assumed.

    low, high = bootstrap_ci(ndcg_of_each_user, seed=0)
    paired(ndcg_of_full, ndcg_of_bm25, seed=0)  # the same users in the same order
    holm([difference.p for difference in differences])

Figures go in and come out as they are (0 to 1, not percent). Equal seeds give equal answers. Values that are empty or not
finite raise ValueError: whoever leaves a user out does so in the open.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

# The smallest p is 1 / (RESAMPLES + 1): low enough that Holm over a hundred comparisons can still find one significant.
RESAMPLES = 10_000
_CELLS = 2**18  # numbers drawn at once: 3 MB, which stays in the cache

Values = Sequence[float] | NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Difference:
    """System a minus system b over the same `users`: above 0, a is better. `ci95` is (low, high) of the mean."""

    mean: float
    ci95: tuple[float, float]
    p: float
    users: int


def bootstrap_ci(values: Values, seed: int, resamples: int = RESAMPLES, level: float = 0.95) -> tuple[float, float]:
    """(low, high) of the mean over users: the percentile bootstrap. `values` has one figure a user, shape (n,).

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    sample = _checked(values)
    rng = np.random.default_rng(seed)
    n = len(sample)
    means = [sample[rng.integers(n, size=(rows, n), dtype=np.int32)].mean(axis=1) for rows in _blocks(resamples, n)]
    tail = (1.0 - level) / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1.0 - tail])
    return float(low), float(high)


def paired(a: Values, b: Values, seed: int, resamples: int = RESAMPLES) -> Difference:
    """How much better is system `a` than `b` on the same users, in the same order, shape (n,) each?

    The interval is the bootstrap over users of their differences, p the two-sided paired randomisation test. They rest
    on different ideas, and so may disagree at the edge. Raises ValueError when the lengths differ.
    """
    first, second = _checked(a), _checked(b)
    if len(first) != len(second):
        raise ValueError(f"a paired test needs the same users: {len(first)} figures against {len(second)}")
    gains = first - second
    ci95 = bootstrap_ci(gains, seed, resamples)
    return Difference(float(gains.mean()), ci95, _randomisation(gains, seed, resamples), len(gains))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Each p adjusted for being one of many, in the given order: below 0.05, it holds at a family-wise error of 5 %.

    Source: Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6(2), 1979.
    Raises ValueError for a p outside [0, 1].
    """
    p = np.asarray(p_values, dtype=np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("a p value lies between 0 and 1")
    rising = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[rising] = np.maximum.accumulate(p[rising] * np.arange(len(p), 0, -1)).clip(max=1.0)
    return tuple(adjusted.tolist())


def wilson(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """(low, high) of a share: `successes` of `n`. Holds where none or all are successes, too; (0, 1) for an `n` of 0.

    Source: Wilson, Probable inference, the law of succession, and statistical inference, JASA 22, 1927. Raises ValueError
    for more successes than tries.
    """
    if n == 0 and successes == 0:
        return 0.0, 1.0
    found = binomtest(successes, n).proportion_ci(level, method="wilson")
    return float(found.low), float(found.high)


def _randomisation(gains: NDArray[np.float64], seed: int, resamples: int) -> float:
    """p of the sign-flip test: were a and b the same, each user's gain might as well have the other sign.

    Source: Fisher, The Design of Experiments, 1935; for retrieval, Smucker, Allan and Carterette, CIKM 2007. The +1 counts
    what was observed as one of the draws, so p is never 0: Phipson and Smyth, Permutation p-values should never be zero,
    Statistical Applications in Genetics and Molecular Biology 9(1), 2010.
    """
    rng = np.random.default_rng([seed, 1])  # not the stream of the interval
    n, total = len(gains), gains.sum()
    # Metrics take few values, so draws often equal what was observed, and rounding must not decide those.
    bound = abs(total) - 1e-12 * np.abs(gains).sum()
    extreme = 0
    for rows in _blocks(resamples, n):
        kept = rng.integers(2, size=(rows, n), dtype=np.bool_) @ gains
        extreme += int((np.abs(2 * kept - total) >= bound).sum())
    return (extreme + 1) / (resamples + 1)


def _blocks(resamples: int, n: int) -> Iterator[int]:
    """Numbers of resamples of `n` users to draw at once, so that memory does not grow with either."""
    rows = max(1, _CELLS // n)
    for start in range(0, resamples, rows):
        yield min(rows, resamples - start)


def _checked(values: Values) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array) or not np.isfinite(array).all():
        raise ValueError("one finite figure a user is needed, and at least one user")
    return array
