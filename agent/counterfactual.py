"""What moves an item's score? The prior is worked out again as if the user had never touched this or that.

    what_if = Counterfactual(pool, history, signals, weights)
    what_if.falls([("film-1",), ("film-2", "film-3")])      # (2, len(pool)): how far each prior falls

The pool stays as it was proposed, and each list is scored by the ranker itself, z-scores anew: a shorter history lowers the
raw scores of everything, and what falls for all alike is no reason for one. Fixed stay what everybody chose (the user's own
row is one of many), themes and dislikes, and the LLM's part is left out: it has no weight where a crowd is known.
51 histories and 200 candidates take 15 ms on ml-latest-small (one core).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.fusion import FusionWeights
from retrieval.ranker import prior
from retrieval.records import Candidate
from retrieval.signals import Signals

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """A pool of candidates as it was scored, and the `history` (item ids, oldest first) that it was scored for."""

    pool: Sequence[Candidate]
    history: Sequence[str]
    signals: Signals
    weights: FusionWeights
    asked: bool = False

    def falls(self, deletions: Sequence[Collection[str]]) -> Floats:
        """(len(deletions), len(pool)) the prior less that without the deleted items, all acts on them gone."""
        if not self.history or not self.pool or not deletions:
            return np.zeros((len(deletions), len(self.pool)))
        left = [[item for item in self.history if item not in gone] for gone in deletions]
        found = self.signals.compare([self.history, *left], [c.item for c in self.pool])
        moved = {name: raw for name, raw in found.items() if name != "popular" and not (self.asked and name == "bm25")}
        scores = prior({**columns(self.pool), **moved}, self.weights, self.asked)
        return np.broadcast_to(scores[0] - scores[1:], (len(deletions), len(self.pool)))

    def of_each(self, items: Iterable[str]) -> Mapping[str, Mapping[str, float]]:
        """Candidate -> item of the history (those among `items`) -> how far the candidate's prior falls without it."""
        known = set(items)
        touched = [item for item in dict.fromkeys(self.history) if item in known]
        falls = self.falls([(item,) for item in touched])
        return {
            candidate.item: dict(zip(touched, falls[:, place].tolist(), strict=True))
            for place, candidate in enumerate(self.pool)
        }


def columns(pool: Sequence[Candidate]) -> dict[str, Floats]:
    """The raw scores by channel, (len(pool),), NaN where a channel has no opinion."""
    names = dict.fromkeys(name for candidate in pool for name in candidate.channels)
    return {name: np.array([c.channels.get(name, np.nan) for c in pool]) for name in names}
