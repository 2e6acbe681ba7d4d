"""The systems of our own: the full ranking with weights of one kind or another, and with each part removed.

They rank with the code of `leitmotif recommend`: retrieval.signals for the channels, retrieval.ranker for the prior,
retrieval.fusion.bounded for what the LLM may move.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from agent.config import RecommendSettings
from agent.errors import LLMError
from eval.cases import Question, Ranking, System
from eval.fitted import fold
from eval.material import Material
from eval.recall import shipped
from eval.runner import Row, question_key, source
from retrieval.fusion import FusionWeights, bounded
from retrieval.ranker import prior
from retrieval.signals import Signals

MAX_RISE = RecommendSettings().max_rise

ZERO_SHOT = FusionWeights(channels={"taste": 1.0, "bm25": 0.5}, llm=1.0)
"""Of a user's own history and the items' texts only. By hand: nobody else's data may speak here, not even through weights."""


@dataclass(frozen=True)
class Fused:
    """The prior, with the weights of the user's fold (one for all where there is but one)."""

    name: str
    signals: Signals = field(repr=False)
    weights: Sequence[FusionWeights] = field(repr=False)

    @property
    def key(self) -> str:
        return f"fused {_digest(self.weights)} {source('retrieval')}"

    async def rank(self, question: Question) -> Ranking:
        return Ranking(tuple(self.scores(question).tolist()))

    def weights_of(self, user: str) -> FusionWeights:
        return self.weights[fold(user) % len(self.weights)]

    def scores(self, question: Question) -> NDArray[np.float64]:
        weights = self.weights_of(question.case.user)
        channels = self.signals.channels(question.case.history, question.candidates)
        # "taste" says that the history is known, with or without a weight of its own
        spoken = {name: raw for name, raw in channels.items() if name in weights.channels or name == "taste"}
        return prior(spoken, weights, asked=False) if spoken else np.full(len(question.candidates), np.nan)


@dataclass(frozen=True)
class Retrieved:
    """The prior's order of what `recommend` would propose; of the rest of the catalogue it has no opinion."""

    name: str
    fused: Fused
    material: Material = field(repr=False)

    @property
    def key(self) -> str:
        return f"retrieved {self.fused.key}"

    async def rank(self, question: Question) -> Ranking:
        pool = frozenset(shipped(self.material, question.case))
        scores = self.fused.scores(question).tolist()
        paired = zip(question.candidates, scores, strict=True)
        return Ranking(tuple(score if item in pool else math.nan for item, score in paired))


@dataclass(frozen=True)
class WithLLM:
    """A prior and an LLM's scores in one order, nothing rising more than MAX_RISE places on the LLM's word."""

    name: str
    fused: Fused
    llm: System

    @property
    def key(self) -> str:
        return f"{self.fused.key} with {self.llm.key}"

    async def rank(self, question: Question) -> Ranking:
        before = self.fused.scores(question)
        said = await self.llm.rank(question)
        order = np.argsort(-before, kind="stable")
        items = [question.candidates[row] for row in order]
        llm = dict(zip(question.candidates, said.scores, strict=True))
        weight = self.fused.weights_of(question.case.user).llm
        after = bounded(items, llm, weight, MAX_RISE, before[order].tolist())
        places = {item: -float(place) for place, item in enumerate(after)}
        scores = tuple(places[item] for item in question.candidates)
        return replace(said, scores=scores)


@dataclass(frozen=True)
class Recorded:
    """A system that has answered already: the same answers at the same cost, so that each is paid for once."""

    name: str
    key: str
    rows: Mapping[str, Row] = field(repr=False)

    async def rank(self, question: Question) -> Ranking:
        row = self.rows[question_key(question)]
        if row.error is not None:
            raise LLMError(row.error)
        return Ranking(row.scores, row.invalid, row.llm_calls, row.llm_tokens, row.seconds)


def _digest(weights: Sequence[FusionWeights]) -> str:
    return hashlib.sha256(repr([(dict(w.channels), w.llm, w.trees) for w in weights]).encode()).hexdigest()[:16]
