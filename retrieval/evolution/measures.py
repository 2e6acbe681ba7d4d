"""The statistics behind the life of a theme: pure functions on arrays and numbers."""

from __future__ import annotations

from math import lgamma, log

import numpy as np
from numpy.typing import NDArray

from retrieval.evolution.model import Vectors

SAME = 0.98  # cosine of two vectors that say the same thing: the same item, or a copy of it
ALIKE = 0.75  # cosine of two that hardly differ: one phrase in two forms, a sequel


def patience(hits: float, trials: float, alpha: float) -> int:
    """The shortest silence, in trials, that has a probability under `alpha` for somebody with this rhythm.

    The rate is not known, only seen: `hits` in `trials` (0 < hits <= trials). So the silence is beta-binomial:
    P(none in s) = B(hits, misses + 1 + s) / B(hits, misses + 1), and few hits make us wait longer.
    """
    a, b = hits, trials - hits + 1
    limit = log(alpha) + lgamma(b) - lgamma(a + b)
    high = 1
    while lgamma(b + high) - lgamma(a + b + high) > limit:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        improbable = lgamma(b + middle) - lgamma(a + b + middle) <= limit
        low, high = (low, middle) if improbable else (middle, high)
    return high


def distinct(vectors: Vectors, same: float = SAME) -> Vectors:
    """The rows of `vectors` (n, dim) that say something new: none has a cosine of `same` to an earlier one."""
    known = np.tril(vectors @ vectors.T >= same, -1).any(axis=1)
    return vectors[~known]


def cohesion(vectors: Vectors) -> float:
    """The mean cosine between different rows of `vectors` (n, dim), n >= 2."""
    total, n = vectors.sum(axis=0), len(vectors)
    return (float(total @ total) - n) / (n * (n - 1))


def whole(vectors: Vectors, least: int, below: float) -> bool:
    """Is there no way to part the rows of `vectors` (n, dim) into sides of at least `least` with a mean cosine under `below`?

    Two sides of a and b rows would leave at most all pairs but ab * (1 - below) of cosine. Spares `halves` where much is alike.
    """
    n, total = len(vectors), vectors.sum(axis=0)
    together = (float(total @ total) - n) / 2
    return together > n * (n - 1) / 2 - least * (n - least) * (1 - below)


def halves(vectors: Vectors) -> NDArray[np.bool_]:
    """Two sides of `vectors` (n, dim), along the direction in which they differ most (the first principal component)."""
    gram = (vectors @ vectors.T).astype(np.float64)
    gram -= gram.mean(axis=0)
    gram -= gram.mean(axis=1, keepdims=True)
    axis = np.asarray(np.linalg.eigh(gram)[1][:, -1], dtype=np.float64)
    sides: NDArray[np.bool_] = (
        axis * axis[0] < 0
    )  # the sign of an eigenvector is arbitrary: the first row is on the first side
    return sides


def between(one: Vectors, two: Vectors) -> float:
    """The mean cosine between the rows of `one` (n, dim) and those of `two` (m, dim): average linkage."""
    return float(one.mean(axis=0) @ two.mean(axis=0))
