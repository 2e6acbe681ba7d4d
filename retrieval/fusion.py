"""The arithmetic of ranking: quotas, fusion of channel scores, diversity, bounded movement. Pure functions on arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

CROWD = 100  # people; the choices of fewer say little
FED_BY_OTHERS = (
    "popular",
    "recent",
    "next",
    "walk",
    "latent",
    "words",
    "bridge",
    "said_latent",
    "said_words",
    "community",
)
STRANGER = {"bm25": 1.0, "theme": 1.0, "popular": 5.0, "said_latent": 2.0, "said_words": 1.0}
SHIPPED = Path(__file__).with_name("weights.json")


@dataclass(frozen=True, slots=True)
class FusionWeights:
    """What a channel's z-score counts. `channels` holds for somebody whose history is known; it and `llm` are learnt
    (retrieval/learn.py) or the shipped ones, which are equal (docs/decisions/0008). The rest is set by hand.

    `llm` is the weight of the LLM's z-score beside the z-score of all channels together, learnt where enough people's
    choices are known; `llm_alone` holds elsewhere. `theme` is what the profile's themes count beside a history, so that
    what users say of themselves is heard. `trees` is a LightGBM model as text, which only fitted weights have. `stranger`
    holds for somebody of whom only words are known (docs/decisions/0012), and for `said` of the prior where words and acts
    are. With a query, the query decides (`query`, `query_words`) and the rest personalises: `personal` scales it.

    `dislike` is taken off per unit of cosine above `dislike_margin` to the nearest disliked theme. The margin leaves alone
    what is not about the disliked thing: two random films of MovieLens (title and genres, MiniLM) have a cosine of 0.37 in
    the median and 0.54 at the 95th percentile, the ten nearest to a film 0.65 and more.
    `fresh` is what the newest item gains: a nudge that decides where nothing else does.
    """

    channels: Mapping[str, float] = field(default_factory=dict)
    llm: float = 0.0
    trees: str | None = field(default=None, repr=False)
    stranger: Mapping[str, float] = field(default_factory=lambda: dict(STRANGER))
    said: float = 0.0
    shipped: bool = False
    theme: float = 0.2
    llm_alone: float = 0.5
    query: float = 2.0
    query_words: float = 1.0
    personal: float = 0.3
    fresh: float = 0.1
    dislike: float = 4.0
    dislike_margin: float = 0.5

    def among(self, people: int) -> FusionWeights:
        """For a place where so many people have touched anything. Shipped weights know no place: among fewer than CROWD, what
        others chose counts in proportion. What was learnt somewhere holds there as it is; for strangers, nothing is learnt."""
        share = min(1.0, people / CROWD)
        found = replace(self, stranger=_scaled(self.stranger, share))
        return replace(found, channels=_scaled(self.channels, share)) if self.shipped else found

    def warmed(self, said: float) -> FusionWeights:
        """For somebody who told something of themselves, of which the share `said` still counts (retrieval/warmth.py)."""
        return replace(self, said=said)

    def llm_share(self, people: int) -> float:
        """The LLM's weight where the choices of so many people speak (0 for strangers and questions, to whom none do)."""
        return self.llm if people >= CROWD else self.llm_alone

    def save(self, path: Path, **about: object) -> None:
        """Write what was learnt, whole or not at all; `about` says where it came from."""
        learnt = {"channels": dict(self.channels), "llm": self.llm, "trees": self.trees}
        part = path.with_suffix(".part")
        part.write_text(json.dumps({**about, **learnt}, indent=2) + "\n", encoding="utf-8")
        part.replace(path)


def _scaled(gains: Mapping[str, float], share: float) -> dict[str, float]:
    return {name: gain * share if name in FED_BY_OTHERS else gain for name, gain in gains.items()}


def load_weights(path: Path = SHIPPED) -> FusionWeights:
    """What was learnt, beside what is set by hand. Raises OSError, and ValueError for a file that is no such thing."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        channels = {str(name): float(weight) for name, weight in found["channels"].items()}
        weights = FusionWeights(channels, float(found["llm"]), found.get("trees"), shipped=path == SHIPPED)
        if not np.isfinite([weights.llm, *channels.values()]).all() or not isinstance(weights.trees, str | None):
            raise ValueError("not a number, or no text")
        return weights
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        raise ValueError(f"{path} holds no weights") from exc


def quotas(importance: Sequence[float], total: int) -> list[int]:
    """Share `total` places: one each, and the rest in proportion to importance, by largest remainder.

    Gives ints that sum to `total`, in the given order. With more claimants than places, the most important get one each.
    Negative or undefined importance counts as none; when nobody has any, all are equal. Ties go to the earlier claimant.
    """
    weights = np.nan_to_num(np.asarray(importance, dtype=np.float64), nan=0.0, posinf=0.0).clip(min=0.0)
    n = len(weights)
    if n == 0 or total <= 0:
        return [0] * n
    if total <= n:
        chosen = set(np.argsort(-weights, kind="stable")[:total].tolist())
        return [int(i in chosen) for i in range(n)]
    peak = weights.max()
    weights = weights / peak if peak > 0 else np.ones(n)
    exact = weights / weights.sum() * (total - n)
    shares = np.floor(exact).astype(int)
    left = total - n - int(shares.sum())
    shares[np.argsort(shares - exact, kind="stable")[:left]] += 1
    return [int(share) + 1 for share in shares]


def zscores(values: Floats, axis: int = -1) -> NDArray[np.float64]:
    """(values - mean) / deviation along `axis`, over the finite values; NaN (no opinion) and constant input give 0, the
    neutral score."""
    array = np.asarray(values, dtype=np.float64)
    known = np.isfinite(array)
    filled = np.where(known, array, 0.0)
    count = np.maximum(known.sum(axis=axis, keepdims=True), 1)
    centred = np.where(known, filled - filled.sum(axis=axis, keepdims=True) / count, 0.0)
    deviation = np.sqrt((centred**2).sum(axis=axis, keepdims=True) / count)
    # below rounding error of the input, a deviation is noise that division would blow up to +-1
    noise = 1e-9 * np.maximum(1.0, np.abs(filled).max(axis=axis, keepdims=True, initial=0.0))
    standard: NDArray[np.float64] = np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > noise)
    return standard


def fuse(channels: Mapping[str, Floats], weights: FusionWeights, asked: bool) -> NDArray[np.float64]:
    """The prior of n items from the raw scores of their channels, each of shape (n,); NaN is "no opinion". Where a channel
    has several lists, (lists, n), all of the result have, and each list is scored by itself.

    "popular" holds counts, "fresh" 0 to 1, "dislike" the cosine to the nearest disliked theme; a channel that has no weight
    adds nothing. `asked` says that there is a query; somebody's history is known where "taste" speaks. At least one channel
    must be given.
    """
    prior = np.zeros(np.broadcast_shapes(*(raw.shape for raw in channels.values())))
    for part in contributions(channels, weights, asked).values():
        prior += part
    return prior


def contributions(
    channels: Mapping[str, Floats], weights: FusionWeights, asked: bool
) -> dict[str, NDArray[np.float64]]:
    """What each channel that has a weight adds to the prior: the parts of `fuse`."""
    gains = {name: gain * (weights.personal if asked else 1.0) for name, gain in _gains(channels, weights).items()}
    if asked:
        gains |= {"query": weights.query, "bm25": weights.query_words}
    parts = {}
    for name, raw in channels.items():
        if name == "dislike":
            parts[name] = -weights.dislike * np.nan_to_num(raw - weights.dislike_margin, nan=0.0).clip(min=0.0)
        elif name == "fresh":
            parts[name] = weights.fresh * np.nan_to_num(raw, nan=0.0)
        elif name in gains:
            parts[name] = gains[name] * zscores(np.log1p(raw) if name == "popular" else raw)
    return parts


def _gains(channels: Mapping[str, Floats], weights: FusionWeights) -> Mapping[str, float]:
    if "taste" not in channels:
        return weights.stranger
    known = {**weights.channels, "theme": weights.theme}
    told = {name: gain for name, gain in weights.stranger.items() if name != "bm25"} if weights.said else {}
    names = {**known, **told}
    return {n: (1 - weights.said) * known.get(n, 0.0) + weights.said * told.get(n, 0.0) for n in names}


def mmr(relevance: Floats, vectors: Floats, k: int, trade_off: float) -> list[int]:
    """Maximal marginal relevance: the rows of at most `k` items, best first, each relevant and unlike those before it.

    `relevance` (n,) is scaled to [0, 1], so that it can be weighed against a cosine; `vectors` are (n, d) unit rows;
    `trade_off` 0 is relevance only, 1 difference only. Ties go to the lower row. Source: Carbonell and Goldstein 1998.
    """
    n = len(relevance)
    if n == 0:
        return []
    span = float(np.ptp(relevance))
    scaled = (relevance - relevance.min()) / span if span > 0 else np.ones(n)
    # a first choice has nothing to be like, and unlike beats opposite: cosines below 0 count as 0
    nearest = np.zeros(n)
    free = np.ones(n, dtype=bool)
    chosen: list[int] = []
    for _ in range(min(k, n)):
        gain = np.where(free, (1.0 - trade_off) * scaled - trade_off * nearest, -np.inf)
        best = int(np.argmax(gain))
        chosen.append(best)
        free[best] = False
        nearest = np.maximum(nearest, vectors @ vectors[best])
    return chosen


def bounded(
    prior_order: Sequence[str],
    llm_scores: Mapping[str, float],
    weight: float,
    max_rise: int,
    prior_scores: Sequence[float] | None = None,
) -> list[str]:
    """Items re-ordered by z(prior) + weight * z(LLM), none more than `max_rise` places above its place in `prior_order`.

    The bound is the defence against item text that flatters itself into a model's favour: what a hostile item can win is
    limited, whatever the LLM says of it. `prior_scores` goes with `prior_order` and never rises along it; without it the
    places themselves are the prior. An item that the LLM did not score (or not with a number) gets the neutral 0.
    """
    n = len(prior_order)
    prior = (
        np.arange(n, 0, -1, dtype=np.float64) if prior_scores is None else np.asarray(prior_scores, dtype=np.float64)
    )
    llm = np.array([llm_scores.get(item, np.nan) for item in prior_order], dtype=np.float64)
    fused = zscores(prior) + weight * zscores(llm)
    waiting = list(range(n))
    order: list[str] = []
    for place in range(n):
        # everything that may stand here; the first waiting item always may, because at most `place` are placed
        allowed = [row for row in waiting if row - place <= max_rise]
        best = max(allowed, key=lambda row: (fused[row], -row))
        waiting.remove(best)
        order.append(prior_order[best])
    return order
