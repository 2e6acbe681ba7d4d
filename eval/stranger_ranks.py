"""Who ranks for a stranger: chance, popularity, words, embeddings, and the product's way.

scores = await answers(known, chosen, embedder, llm, weights, seed=0)     # system -> scores of the candidates, by stranger
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agent import coldstart
from agent.clauses import clauses
from agent.errors import LLMError
from agent.llm import LLM
from eval.candidates import generator
from eval.material import Material
from retrieval import search
from retrieval.embed import Embedder
from retrieval.fusion import FusionWeights
from retrieval.records import Polarity, Statement

if TYPE_CHECKING:
    from eval.strangers import Stranger

Floats = NDArray[np.float64]


async def answers(
    known: Material, chosen: Sequence[Stranger], embedder: Embedder, llm: LLM, weights: FusionWeights, seed: int
) -> dict[str, list[Floats | None]]:
    """System -> for each stranger the scores of the candidates, in their order; None where only an LLM could tell."""
    counts = Counter(item for items in known.dataset.sequences().values() for item in items)
    vectors = embedder.embed([stranger.description for stranger in chosen])
    told = dict(zip([stranger.user for stranger in chosen], vectors, strict=True))
    ours = Ours(known, embedder, llm, weights, await answering(llm))

    def embed(s: Stranger) -> Floats:
        rows = known.index.vectors(s.candidates)
        return np.array([float(rows[item] @ told[s.user]) for item in s.candidates])

    plain: dict[str, Callable[[Stranger], Floats]] = {
        "random": lambda s: generator(seed, s.user, "random").random(len(s.candidates)),
        "pop": lambda s: np.array([float(counts[item]) for item in s.candidates]),
        "bm25": lambda s: known.lexical.scores(s.description)[known.lexical.rows(s.candidates)].astype(np.float64),
        "embed": embed,
    }
    found: dict[str, list[Floats | None]] = {name: [score(s) for s in chosen] for name, score in plain.items()}
    for name, popularity in (("stranger", counts), ("stranger_zero_shot", {})):
        read = [await ours.read(s) for s in chosen]
        found[name] = [
            None if said is None else ours.rank(s, said, popularity) for s, said in zip(chosen, read, strict=True)
        ]
    return found


@dataclass(frozen=True, slots=True)
class Ours:
    """The product's way: read the description, and rank by its themes with the weights for strangers."""

    known: Material
    embedder: Embedder
    llm: LLM
    weights: FusionWeights
    llm_answers: bool = field(default=False)

    async def read(self, stranger: Stranger) -> tuple[Statement, ...] | None:
        """What the description says; None where only an LLM could tell."""
        unclear = any(clause.polarity is None for clause in clauses(stranger.description))
        if unclear and not self.llm_answers:
            return None
        return (await coldstart.read(stranger.description, stranger.user, stranger.at, self.llm)).statements

    def rank(
        self,
        stranger: Stranger,
        said: Sequence[Statement],
        popularity: Mapping[str, float],
        community: Mapping[str, float] | None = None,
    ) -> Floats:
        """The scores of the candidates; without `popularity`, nothing that others chose is seen."""
        profile = coldstart.provisional(stranger.user, said, self.embedder, stranger.at)
        likes = [theme.centroid for theme in profile.themes if theme.polarity is Polarity.LIKE]
        wants = search.Wants(
            profile.themes,
            theme_texts={theme.id: theme.summary for theme in profile.themes},
            popularity=popularity,
            said=np.array(likes, dtype=np.float32) if likes else None,
            community=community or {},
        )
        signals = self.known.signals if popularity else None
        weights = self.weights.among(len(self.known.dataset.train))
        ranked = search.score(wants, stranger.candidates, self.known.index, self.known.lexical, signals, weights)
        prior = {candidate.item: candidate.prior for candidate in ranked}
        return np.array([prior[item] for item in stranger.candidates])


async def answering(llm: LLM) -> bool:
    """Is an LLM there?"""
    try:
        return bool(await llm.models())
    except LLMError:
        return False
