"""Is what a history has in common more than chance? Pure functions on counts and arrays.

    null = Null(shares, vectors)                     # what unrelated things would look like
    by_feature(histories, null)["mystery"] <= LEVEL  # is it more frequent here than in things taken at random?
    by_likeness(vectors, null)[row] <= LIKENESS_LEVEL

Both tests give q-values: the share of findings at least as extreme that chance alone would bring. Among unrelated things
everything that is found is chance, so the share of such histories in which anything passes is about the level; where much
is shared, more is let through than by a correction for each test (Benjamini and Hochberg 1995).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from retrieval.embed import Vectors

LEVEL = 0.15  # of a feature, and
LIKENESS_LEVEL = 0.1  # of likeness: chosen on planted and on random histories (`python -m eval.calibrate chance`)
LIKE = 0.3  # cosine of two topic vectors that are about the same thing
_STEP = math.log(1.05)  # shares are rounded up on this grid, so that any catalogue has a few hundred of them

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Null:
    """A history of unrelated things: the share of items that have each feature, and what some items are about.

    `vectors` (m, dim): unit topic vectors of a sample of the catalogue; `weights` (k, m): ways to draw from it, each row
    sums to 1 (uniform, by popularity). What is not surprising under one of them is no surprise.
    """

    shares: Mapping[str, float]
    vectors: Vectors = field(repr=False)
    weights: Floats = field(repr=False)
    _tables: dict[int, tuple[Floats, Floats]] = field(default_factory=dict, repr=False)

    def share(self, feature: str) -> float:
        """The share of `feature`, rounded up; 1 for an unknown one, which is thereby never surprising."""
        known = self.shares.get(feature, 1.0)
        return math.exp(min(0.0, math.ceil(math.log(known) / _STEP) * _STEP))

    def expected(self, p: float, size: int) -> float:
        """How many features of the catalogue have a tail of `p` or less in a history of `size` unrelated items.

        The counts are small, so for most features no count comes near `p` from below: the sum is over the largest tail that
        each can attain (Heyse 2011, after Tarone 1990), several times less than the number of features times `p`.
        """
        if size not in self._tables:
            grid, counts = np.unique([self.share(f) for f in self.shares], return_counts=True)
            tails = binom.sf(np.arange(size), size, grid[:, None])
            self._tables[size] = (tails, counts.astype(np.float64))
        tails, weight = self._tables[size]
        return float(np.where(tails <= p, tails, 0.0).max(axis=1, initial=0.0) @ weight)


def by_feature(histories: Sequence[Collection[str]], null: Null) -> dict[str, float]:
    """Feature -> q-value of how often it occurs in a history, given as the features of each item, each once.

    p is the one-sided binomial tail P(at least K of N items have it), given its share of all items.
    """
    counts = Counter(feature for features in histories for feature in features)
    names = sorted(counts)
    p = np.array([_tail(counts[f], len(histories), null.share(f)) for f in names], dtype=np.float64)
    found = {value: null.expected(value * (1 + 1e-9), len(histories)) for value in set(p.tolist())}
    return dict(zip(names, _q(p, np.array([found[value] for value in p.tolist()])).tolist(), strict=True))


def by_likeness(vectors: Vectors, null: Null) -> Floats:
    """(n,) q-value of how many of a history's other items are about the same as each: for tags that differ where the subject
    is one. `vectors` (n, dim): unit topic vectors of the distinct items."""
    n = len(vectors)
    if n < 2 or not len(null.vectors):
        return np.ones(n)
    pairs = vectors @ vectors.T >= LIKE
    np.fill_diagonal(pairs, False)
    alike = pairs.sum(axis=1)
    near = (vectors @ null.vectors.T >= LIKE).astype(np.float64)
    share = np.minimum((near @ null.weights.T).max(axis=1) + 0.5 / len(null.vectors), 1.0)
    p = np.asarray(binom.sf(alike - 1, n - 1, share), dtype=np.float64)
    return _q(p, n * p)


def _tail(count: int, size: int, share: float) -> float:
    """P(X >= count), X ~ Binomial(size, share)."""
    return float(binom.sf(count - 1, size, share))


def _q(p: Floats, expected: Floats) -> Floats:
    """Expected over found, made monotone from the least extreme up: Benjamini and Hochberg's step-up, ties together."""
    order = np.argsort(p, kind="stable")
    found = np.searchsorted(p[order] * (1 - 1e-9), p[order], side="right")
    ratios = expected[order] / np.maximum(found, 1)
    q = np.empty_like(p)
    q[order] = np.minimum.accumulate(ratios[::-1])[::-1]
    return np.minimum(q, 1.0)
