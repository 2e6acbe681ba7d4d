"""What another ranking would have earned, from what was logged under ours: inverse propensity estimates.

    estimate(rewards, propensities, wanted)     # .ips, .snips, .effective

Each row is one impression: its reward (1 for a like, say), the probability with which we put the item there, and the
probability with which the other ranking would have. Horvitz and Thompson 1952; self-normalised: Swaminathan and Joachims 2015.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Estimate:
    """Mean reward an impression. `effective`: the number of impressions that speak (Kish 1965); few, and it says little."""

    ips: float
    snips: float
    effective: float


def estimate(rewards: ArrayLike, propensities: ArrayLike, wanted: ArrayLike, *, most: float = np.inf) -> Estimate:
    """All (n,). `most` bounds a weight: less variance, some bias. Raises ValueError for no rows and for a propensity that is
    none, since what could not be shown cannot have been logged."""
    reward, logged, target = (np.asarray(a, dtype=np.float64) for a in (rewards, propensities, wanted))
    if not len(reward) or (logged <= 0).any() or (logged > 1).any():
        raise ValueError("needs impressions with propensities above 0 and up to 1")
    weights = np.minimum(target / logged, most)
    total = float(weights.sum())
    if total == 0:
        return Estimate(0.0, 0.0, 0.0)
    earned = float(weights @ reward)
    return Estimate(earned / len(reward), earned / total, total**2 / float(weights @ weights))
