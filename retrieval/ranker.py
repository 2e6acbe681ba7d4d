"""From raw channel scores to one score an item, with weights that were learnt or shipped. The one place where it is done:
recommendations and evaluation both rank with `prior`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retrieval.fusion import FusionWeights, fuse, zscores

if TYPE_CHECKING:
    from lightgbm import Booster

Floats = NDArray[np.float64]


def prior(channels: Mapping[str, NDArray[np.floating]], weights: FusionWeights, asked: bool) -> Floats:
    """The score of n items from their raw channel scores, (n,) or (lists, n) each: the weighted sum of z-scores, and what the
    trees of fitted weights add for somebody whose history is known and who asked for nothing in particular."""
    score = fuse(channels, weights, asked)
    names = tuple(weights.channels)
    if not weights.trees or asked or any(name not in channels for name in names):
        return score
    raw = np.stack([np.broadcast_to(channels[name], score.shape) for name in names], axis=-1).astype(np.float64)
    seen = tree_features(names, raw.reshape(-1, *raw.shape[-2:])).reshape(-1, 2 * len(names))
    score += np.asarray(_booster(weights.trees).predict(seen, num_threads=1)).reshape(score.shape)
    return score


def zscored(names: Sequence[str], raw: Floats) -> Floats:
    """(lists, items, channels) raw scores as z-scores within each list, counts in logs first."""
    return zscores(_in_logs(names, raw), axis=1)


def tree_features(names: Sequence[str], raw: Floats) -> Floats:
    """(lists, items, 2 * channels): the scores as they are, so that trees see how much is known, and their z-scores."""
    return np.concatenate([_in_logs(names, raw), zscored(names, raw)], axis=2)


def _in_logs(names: Sequence[str], raw: Floats) -> Floats:
    values = np.array(raw, dtype=np.float64)
    if "popular" in names:
        counts = values[:, :, names.index("popular")]
        np.log1p(counts, out=counts)
    return values


@lru_cache(maxsize=16)
def _booster(text: str) -> Booster:
    from lightgbm import Booster

    return Booster(model_str=text)
