"""Exact search over vectors in memory: the stand-in while another process owns the Chroma directory, and the oracle that
its recall is measured against. For fifty thousand items or fewer it is about as fast as HNSW."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Protocol, TypeVar

import numpy as np

from retrieval.embed import Embedder, Progress, Vectors, item_text
from retrieval.records import Item

Hits = list[tuple[str, float]]  # (item id, cosine), best first, ties by item id
BATCH = 1000  # items read, embedded and written at a time; Chroma takes 5,461, and gains little above a few hundred
_T = TypeVar("_T")


class Catalogue(Protocol):
    """Where the items are. The signature (count, digest) changes whenever an item is added, changed or removed."""

    def catalogue_signature(self) -> tuple[int, str]: ...

    def iter_items(self, batch: int = ...) -> Iterator[Item]: ...


class VectorIndex(Protocol):
    """Nearest items to vectors. Both indexes answer alike; `exact` says which one it is.

    `ensure` brings the index up to date with the catalogue and says whether it had to. `query` takes (m, dim) and gives m
    lists of at most k hits. `vectors` gives the unit vectors of those of the ids that are indexed.
    """

    @property
    def exact(self) -> bool: ...

    def __len__(self) -> int: ...

    def ensure(self, source: Catalogue, embedder: Embedder, progress: Progress | None = None) -> bool: ...

    def query(self, vectors: Vectors, k: int) -> list[Hits]: ...

    def vectors(self, item_ids: Sequence[str]) -> Mapping[str, Vectors]: ...

    def close(self) -> None: ...


class ExactIndex:
    """A float32 matrix (n, dim) of unit rows and the ids that go with it. Safe to share between threads."""

    exact = True

    def __init__(self, ids: Sequence[str] = (), vectors: Vectors | None = None) -> None:
        self._signature: tuple[int, str] | None = None
        self._fill(ids, np.zeros((0, 0), dtype=np.float32) if vectors is None else vectors)

    def __len__(self) -> int:
        return len(self._state[0])

    def ensure(self, source: Catalogue, embedder: Embedder, progress: Progress | None = None) -> bool:
        """Read the whole catalogue again if it has changed; cheap when `embedder` has a cache that knows the vectors."""
        signature = source.catalogue_signature()
        if signature == self._signature:
            return False
        ids: list[str] = []
        parts = [np.zeros((0, embedder.dim), dtype=np.float32)]
        for batch in batches(source.iter_items(BATCH)):
            ids.extend(item.id for item in batch)
            parts.append(embedder.embed([item_text(item) for item in batch]))
            if progress:
                progress(len(ids), signature[0])
        self._fill(ids, np.concatenate(parts))
        self._signature = signature
        return True

    def query(self, vectors: Vectors, k: int) -> list[Hits]:
        ids, matrix, _ = self._state  # one read, so that a refill in another thread cannot mix two catalogues
        if not ids or k <= 0 or not len(vectors):
            return [[] for _ in range(len(vectors))]
        return [_top(ids, row, k) for row in np.asarray(vectors, dtype=np.float32) @ matrix.T]

    def vectors(self, item_ids: Sequence[str]) -> Mapping[str, Vectors]:
        _, matrix, rows = self._state
        return {item_id: matrix[rows[item_id]] for item_id in item_ids if item_id in rows}

    def close(self) -> None:
        """Nothing to give back; here so that both indexes are closed alike."""

    def _fill(self, ids: Sequence[str], vectors: Vectors) -> None:
        if len(ids) != len(vectors):
            raise ValueError(f"{len(ids)} ids for {len(vectors)} vectors")
        self._state = (tuple(ids), vectors, {item_id: row for row, item_id in enumerate(ids)})


def _top(ids: Sequence[str], scores: Vectors, k: int) -> Hits:
    rows = range(len(ids))
    if k < len(ids):  # keep everything that ties with the k-th, so that ties are broken by id and not by chance
        rows = np.flatnonzero(scores >= np.partition(scores, -k)[-k]).tolist()
    hits = [(ids[row], float(scores[row])) for row in rows]
    return sorted(hits, key=lambda hit: (-hit[1], hit[0]))[:k]


def batches(rows: Iterable[_T], size: int = BATCH) -> Iterator[list[_T]]:
    """`rows` in lists of `size`; the last one may be shorter."""
    source = iter(rows)
    while batch := list(islice(source, size)):
        yield batch
