"""Learn the weights of the fusion from what people chose: lists of items of which the first was taken.

    weights = learn(Examples(names, raw))        # raw: (lists, items, channels), the item that was taken first

Two steps, both small and well known. A conditional logit (McFadden 1974) on the channels' z-scores gives a weight a channel:
the shape of the shipped defaults, readable and safe on little data. Where there are lists enough, boosted trees (LambdaMART,
Burges 2010, by LightGBM) learn what is left to explain on top of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from retrieval.fusion import FusionWeights
from retrieval.ranker import tree_features, zscored

Floats = NDArray[np.float64]

RIDGE = 30.0  # penalty on the squared distance from where the weights start: hundreds of users outweigh it, tens do not
LEAST_FOR_TREES = 500  # lists; below, trees learn the noise
TREES = {
    "objective": "lambdarank",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 50,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "feature_fraction": 0.7,
    "lambdarank_truncation_level": 20,
    "seed": 0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,  # the trees are the same; on busy cores, threads wait for each other longer than they work
    "verbose": -1,
}
ROUNDS = 100


@dataclass(frozen=True, slots=True)
class Examples:
    """Lists to learn from. `raw` (lists, items, channels): raw channel scores, NaN for no opinion; item 0 was taken."""

    names: tuple[str, ...]
    raw: Floats = field(repr=False)

    def __len__(self) -> int:
        return len(self.raw)

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Examples:
        return Examples(self.names, self.raw[chosen])

    def without(self, *names: str) -> Examples:
        kept = [place for place, name in enumerate(self.names) if name not in names]
        return Examples(tuple(self.names[place] for place in kept), self.raw[:, :, kept])


def learn(
    examples: Examples, base: FusionWeights | None = None, *, per_user: float = 1.0, trees: bool = True
) -> FusionWeights:
    """Weights for the channels of `examples`; the rest of `base` is kept. With no example at all, `base` itself.

    `per_user`: how many lists a user gave on average. Lists of one user say much the same, so it is users that outweigh the
    ridge and not lists: a few people, however busy, do not move the weights far.
    """
    base = base or FusionWeights()
    if not len(examples):
        return base
    scaled = zscored(examples.names, examples.raw)
    start = np.array([base.channels.get(name, 0.0) for name in examples.names])
    weights = conditional_logit(scaled, start, RIDGE * per_user)
    channels = dict(zip(examples.names, weights.tolist(), strict=True))
    grown = _grow(examples, scaled @ weights) if trees and len(examples) >= LEAST_FOR_TREES else None
    return replace(base, channels=channels, trees=grown, shipped=False)


def conditional_logit(features: Floats, centre: Floats | None = None, ridge: float = RIDGE) -> Floats:
    """(channels,) weights w that make the first item of each list likeliest: P(i) = exp(x_i w) / sum exp(x_j w).

    Little data leaves them at `centre` (channels,), zeros by default.
    """
    start = np.zeros(features.shape[2]) if centre is None else centre

    def loss(weights: Floats) -> tuple[float, Floats]:
        scores = features @ weights
        scores = scores - scores.max(axis=1, keepdims=True)
        mass = np.exp(scores)
        share = mass / mass.sum(axis=1, keepdims=True)
        gradient = np.einsum("ni,nif->f", share, features) - features[:, 0].sum(axis=0) + ridge * (weights - start)
        return float(-np.log(share[:, 0] + 1e-12).sum() + ridge / 2 * (weights - start) @ (weights - start)), gradient

    found: Floats = minimize(loss, start, jac=True, method="L-BFGS-B").x
    return found


def llm_weight(prior: Floats, llm: Floats) -> float:
    """The weight of z(llm) beside z(prior), both (lists, items) with the taken item first; 0 where it would be negative."""
    pair = zscored(("prior", "llm"), np.stack([prior, llm], axis=2))
    beside, weight = conditional_logit(pair, np.array([1.0, 0.0]), ridge=3.0)
    return max(0.0, float(weight / beside)) if beside > 0 else 0.0


def _grow(examples: Examples, start: Floats) -> str:
    """Boosted trees on top of the scores `start` (lists, items), as LightGBM's own text."""
    import lightgbm

    lists, items, _ = examples.raw.shape
    features = tree_features(examples.names, examples.raw).reshape(lists * items, -1)
    taken = np.zeros((lists, items))
    taken[:, 0] = 1
    data = lightgbm.Dataset(features, taken.ravel(), group=[items] * lists, init_score=start.ravel())
    text: str = lightgbm.train(TREES, data, ROUNDS).model_to_string()
    return text
