"""The stored communities as one person meets them: which they are likely in, what to ask them, what their like chose.

    kindred = Kindred.load(store, embedder.name, least=5)
    own = kindred.belief(told, done, weights)           # (k,) for raw vectors of what they say and what they did
    kindred.gains(own), kindred.items(own)

Only communities with `least` people are in it, so nobody is ever placed beside fewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from retrieval import inquiry
from retrieval.communities import STRANGE, Vectors
from retrieval.embed import unit
from retrieval.inquiry import Floats
from retrieval.store import Community, Store


@dataclass(frozen=True)
class Kindred:
    """`communities`: k of them, by id. `mean` (dim,) is taken out of vectors; `people` were counted."""

    communities: tuple[Community, ...]
    mean: Vectors
    people: int

    @classmethod
    def load(cls, store: Store, model: str, least: int) -> Self | None:
        """What the last refresh left; None where there is no community yet, or only those of another embedder `model`."""
        censuses = store.censuses()
        shown = tuple(c for c in store.communities() if c.members >= least)
        if not shown or not censuses or censuses[-1].model != model:
            return None
        return cls(shown, np.array(censuses[-1].mean, dtype=np.float32), censuses[-1].people)

    @cached_property
    def centres(self) -> Vectors:
        """(k, dim) unit rows."""
        return np.array([community.centre for community in self.communities], dtype=np.float32)

    @cached_property
    def sizes(self) -> Floats:
        """(k,) people in each."""
        return np.array([community.members for community in self.communities], dtype=np.float64)

    @cached_property
    def yes(self) -> Floats:
        """(k, k) See inquiry.yes_rates."""
        both = [[float(c.pairs.get(str(o.id), 0)) for o in self.communities] for c in self.communities]
        return inquiry.yes_rates(self.sizes, np.array(both), self.people)

    def placed(self, vectors: Vectors) -> Vectors:
        """(n, dim) unit rows around the mean, of embedded texts (n, dim)."""
        return unit(vectors - self.mean)

    def belief(self, told: Vectors, done: Vectors, weights: Floats) -> Floats:
        """(k,) See inquiry.belief; `told` (m, dim) and `done` (n, dim) are embedded texts."""
        said, shown = (self.placed(rows).astype(np.float64) @ self.centres.T for rows in (told, done))
        return inquiry.belief(self.sizes, said, shown, weights)

    def fitting(self, vectors: Vectors) -> frozenset[int]:
        """The ids of the communities that embedded texts (n, dim) belong to."""
        if not len(vectors):
            return frozenset()
        cosines = self.placed(vectors) @ self.centres.T
        rows = zip(cosines.argmax(axis=1), cosines.max(axis=1), strict=True)
        return frozenset(self.communities[row].id for row, cosine in rows if cosine >= STRANGE)

    def gains(self, own: Floats) -> Floats:
        """(k,) Bits that asking about each community is expected to tell somebody with this belief (k,)."""
        return inquiry.information_gain(own, self.yes)

    def items(self, own: Floats) -> dict[str, float]:
        """Item id -> the share of people like this who chose it, among the items that enough of some community chose."""
        found: dict[str, float] = {}
        for share, community in zip(own.tolist(), self.communities, strict=True):
            for item, people in community.items.items():
                found[item] = found.get(item, 0.0) + share * people / community.members
        return found
