"""Does the LLM earn its place? Its weight beside a fitted prior, learnt and judged on training questions of other users.

A pilot of training questions is scored by the LLM. For each fold the weight is learnt on the pilot's users of the other
folds and judged on those of the fold. Where the gain over all folds is not above 0 with its whole 95 % interval, the weight
is 0 and the LLM is not asked at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from eval.fitted import FOLDS, Lessons
from eval.metrics import ndcg, order
from eval.runner import Row
from eval.stats import Difference, paired
from eval.systems import MAX_RISE
from retrieval.fusion import FusionWeights, bounded
from retrieval.learn import llm_weight
from retrieval.ranker import prior

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The LLM's weight a fold, all 0 where it does not earn its place, and what it gained on the pilot, held out (in
    ndcg@10, 0 to 1)."""

    weights: tuple[float, ...]
    gain: Difference

    @property
    def earned(self) -> bool:
        return any(self.weights)

    def applied(self, weights: Sequence[FusionWeights]) -> list[FusionWeights]:
        return [replace(w, llm=llm) for w, llm in zip(weights, self.weights, strict=True)]

    def told(self) -> str:
        """One sentence for the report."""
        low, high = (100 * end for end in self.gain.ci95)
        points = f"{100 * self.gain.mean:+.2f} [{low:+.2f}, {high:+.2f}] points of ndcg@10"
        found = f"{points} on {self.gain.users} training questions"
        if self.earned:
            return f"The LLM earns its place: {found}; weights by fold {', '.join(f'{w:.2f}' for w in self.weights)}."
        return f"The LLM does not earn its place beside what other users chose ({found}): its weight is 0."


def judge(lessons: Lessons, weights: Sequence[FusionWeights], rows: Sequence[Row], seed: int) -> Verdict:
    """`lessons`: the pilot; `weights`: the fitted weights of each fold; `rows`: the LLM's answers, one a lesson."""
    kept = [place for place, row in enumerate(rows) if row.error is None]
    llm = np.array([rows[place].scores for place in kept])
    folds = lessons.folds[kept]
    before = np.array([_prior(lessons, weights[lessons.folds[place]], place) for place in kept])
    without, with_ = np.zeros(len(kept)), np.zeros(len(kept))
    found = []
    for group in range(FOLDS):
        others = folds != group
        weight = llm_weight(before[others], llm[others]) if others.any() else 0.0
        found.append(weight)
        for place in np.flatnonzero(folds == group).tolist():
            without[place] = _ndcg(before[place], llm[place], 0.0)
            with_[place] = _ndcg(before[place], llm[place], weight)
    gain = paired(with_, without, seed)
    earned = gain.ci95[0] > 0
    return Verdict(tuple(found if earned else [0.0] * FOLDS), gain)


def _prior(lessons: Lessons, weights: FusionWeights, place: int) -> Floats:
    examples = lessons.examples
    channels = {name: examples.raw[place, :, row] for row, name in enumerate(examples.names)}
    return prior({name: channels[name] for name in weights.channels}, weights, asked=False)


def _ndcg(before: Floats, llm: Floats, weight: float) -> float:
    """ndcg@10 of the order that the LLM makes of the prior; the target is item 0 and loses ties."""
    ids = [str(place) for place in range(len(before))]
    ranked = order(ids[::-1], before[::-1].tolist())
    scores = [before[int(item)] for item in ranked]
    after = bounded(ranked, dict(zip(ids, llm.tolist(), strict=True)), weight, MAX_RISE, scores)
    return ndcg(after, {"0"}, 10)
