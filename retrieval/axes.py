"""The directions in which what people like differs, learnt for an embedder: the space that themes are followed in.

    axes = axes_of(embedder.name)      # of this embedder; without any, AsIs
    axes.place(vectors)                # (n, dim) topic vectors -> (n, k) unit rows
    axes.rules                         # for retrieval.evolution
    learn(groups, k)                   # how they are made (agent/tuning/subjects.py has the groups)

An embedding also tells how things are said, and spends directions on it that say nothing of what they are about. Where texts
are known to be about one thing, what differs among them is such; linear discriminant analysis (Fisher 1936, Rao 1948) weighs
it down and keeps the directions in which the groups lie apart. So do speaker recognisers with the noise of the line
(within-class covariance normalisation: Hatch, Kajarekar and Stolcke, Interspeech 2006).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.embed import Vectors, unit
from retrieval.evolution import PLACED, RULES, EvolutionRules

Floats = NDArray[np.float64]
FILE = Path(__file__).with_name("axes.npz")
SHRINK = (
    0.8  # of the scatter within groups, the part taken as equal in all directions: 901 groups do not tell 384 apart
)


class Axes(Protocol):
    """`name` tells two of them apart: what was placed by one is of no use to the other. `rules`: how themes are followed
    there."""

    @property
    def name(self) -> str: ...

    @property
    def rules(self) -> EvolutionRules: ...

    def place(self, vectors: Vectors) -> Vectors: ...


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """`matrix` (dim, k)."""

    name: str
    matrix: Vectors = field(repr=False)
    rules: EvolutionRules = PLACED

    def place(self, vectors: Vectors) -> Vectors:
        """(n, dim) to (n, k) unit rows; zero rows stay zero."""
        return unit(vectors @ self.matrix)


@dataclass(frozen=True, slots=True)
class AsIs:
    """For an embedder that no axes were learnt for."""

    name: str = "as is"
    rules: EvolutionRules = RULES

    def place(self, vectors: Vectors) -> Vectors:
        return vectors


AS_IS = AsIs()


@cache
def axes_of(embedder: str, file: Path = FILE) -> Axes:
    """The axes in `file` if they are of this embedder, whose name holds a digest of its weights."""
    if not file.is_file():
        return AS_IS
    with np.load(file, allow_pickle=False) as kept:
        if str(kept["embedder"]) != embedder:
            return AS_IS
        digest = hashlib.sha256(kept["matrix"].tobytes()).hexdigest()
        return Learnt(f"axes {digest[:12]}", np.asarray(kept["matrix"], dtype=np.float32))


def save(file: Path, embedder: str, matrix: Floats, texts: str) -> None:
    """`matrix` (dim, k) in half precision: cosines change in the fourth place. `texts`: a digest of what it was learnt from."""
    np.savez_compressed(file, embedder=embedder, matrix=matrix.astype(np.float16), texts=texts)


def learnt_from(file: Path = FILE) -> str:
    """The digest that was saved with the axes."""
    with np.load(file, allow_pickle=False) as kept:
        return str(kept["texts"])


def learn(groups: Sequence[Vectors], k: int, shrink: float = SHRINK) -> Floats:
    """(dim, k) The directions of most scatter between groups once the scatter within them is even. `groups`: (n, dim) unit rows
    that are about one thing, n at least 2; there are more rows than `k`."""
    own = [group - group.mean(axis=0) for group in groups]
    within = _scatter(own, sum(len(group) - 1 for group in own))
    rows = np.concatenate(list(groups))
    around = _scatter([rows - rows.mean(axis=0)], len(rows))
    even = np.trace(within) / len(within) * np.eye(len(within))
    values, vectors = np.linalg.eigh((1 - shrink) * within + shrink * even)
    whiten = vectors @ np.diag(values**-0.5) @ vectors.T
    most = np.linalg.eigh(whiten @ (around - within) @ whiten)[1][:, -k:]
    return np.asarray(whiten @ most / np.linalg.norm(whiten, 2), dtype=np.float64)


def _scatter(parts: Sequence[Vectors], freedom: int) -> Floats:
    total = sum(part.T.astype(np.float64) @ part for part in parts)
    return np.asarray(total / freedom)
