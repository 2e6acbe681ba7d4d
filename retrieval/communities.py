"""Interest communities: what many people like, found in the statements or themes of all of them. Pure functions on arrays.

    known = found(vectors)                              # once
    known = updated(known, new_vectors)                 # and with every batch
    known = counted(known, vectors, owners, now)        # how many people are in each, added to its history
    near(known, vector, 3)                              # "people who describe themselves like this"
    medoids(known, vectors, owners)                     # the statements that a community is named after

A community's id is its row: rows are added and never removed, so an id keeps its meaning and is never reused. Nothing here
holds a person's name or words: `owners` are numbers, a person each, and only the counts stay. What a batch has brought stays in
the centres; found() anew forgets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from retrieval.clustering import Rules, group
from retrieval.embed import unit

Vectors = NDArray[np.float32]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SAMPLE = 2000  # rows that the number of communities is read from
LEAST = 5  # members of which a community is made, and people below whom it is shown to nobody
STRANGE = 0.5  # cosine to the nearest centre under which a row fits nowhere: 1 % of members, 27 % of what is new (eval/LOG.md)
WAITING = 2000  # strangers kept until enough of them are alike
LIKENESS = Rules(likeness=(0.2, 0.4))
_BATCH = 1024


@dataclass(frozen=True, slots=True)
class Census:
    """At a moment: how many people were counted, and how many of them were in each community that there was, (k,)."""

    at: datetime
    people: int
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Communities:
    """`sums` (k, dim) add up the unit rows that each has taken in, `weights` (k,) how many; `waiting` (m, dim) fit none yet.

    `rule` says in words how k was found; `history` has the censuses, oldest first.
    """

    sums: Floats
    weights: Floats
    waiting: Vectors
    rule: str
    history: tuple[Census, ...] = ()

    @property
    def centres(self) -> Vectors:
        """(k, dim) unit rows."""
        return unit(self.sums)


@dataclass(frozen=True, slots=True)
class Near:
    """`similarity` is a cosine; `share` the part of all counted people who are in the community."""

    community: int
    similarity: float
    share: float


def found(vectors: Vectors, k: int | None = None, seed: int = 0) -> Communities:
    """Communities of `vectors` (n, dim), unit rows, by mini-batch k-means (Sculley 2010).

    Without `k`, Ward's tree of a sample of at most SAMPLE rows says how many there are and where they begin: its clusters of
    at least LEAST rows. That finds what k-means++ misses, small communities beside large ones. With `k`, k-means++ begins.
    `seed` draws the sample and the batches. Too few rows for a community give none; all then wait. Raises ValueError for
    rows that are not finite and for a `k` under 1.
    """
    if k is not None and k < 1:
        raise ValueError("k must be 1 or more")
    if not np.isfinite(vectors).all():
        raise ValueError("vectors must be finite")
    dice = np.random.default_rng(seed)
    sample = vectors if len(vectors) <= SAMPLE else vectors[np.sort(dice.choice(len(vectors), SAMPLE, replace=False))]
    begins = _kernels(sample) if k is None else None
    count = min(k, len(vectors)) if k is not None else 0 if begins is None else len(begins)
    if begins is None:
        rule = f"k = {count} was asked for"
    else:
        rule = f"k = {count}: Ward's clusters of {LEAST} rows and more in {len(sample)} (cosine {_range(LIKENESS)})"
    nothing = np.zeros((0, vectors.shape[1]))
    if not count:
        return Communities(nothing, np.zeros(0), vectors[-WAITING:], rule)
    centres = _minibatch(vectors, count, begins, seed)
    return _taken(Communities(centres.astype(np.float64), np.zeros(count), nothing.astype(np.float32), rule), vectors)


def updated(known: Communities, vectors: Vectors, keep: float = 1.0) -> Communities:
    """The communities after a batch (n, dim): one step of mini-batch k-means, each centre the mean of all it has taken in.

    What fits none waits, and LEAST or more of those that are alike become a community with a new id. `keep` is what the past
    still counts, 1 for everything; less lets centres follow what people mean today.
    """
    if not np.isfinite(vectors).all():
        raise ValueError("vectors must be finite")
    return _with_new(_taken(replace(known, sums=known.sums * keep, weights=known.weights * keep), vectors))


def assign(known: Communities, vectors: Vectors) -> tuple[Ints, NDArray[np.float32]]:
    """For each row (n,): the id of the nearest community and the cosine to its centre; -1 and -1 where there is none.

    A row under STRANGE is nearest to something all the same; the caller decides what that is worth.
    """
    n = len(vectors)
    if not len(known.sums) or not n:
        return np.full(n, -1, dtype=np.int64), np.full(n, -1.0, dtype=np.float32)
    cosines = vectors @ known.centres.T
    ids = cosines.argmax(axis=1)
    return ids.astype(np.int64), cosines[np.arange(n), ids].astype(np.float32)


def counted(known: Communities, vectors: Vectors, owners: Ints, at: datetime) -> Communities:
    """With a census more: `vectors` (n, dim) are what holds of all people at `at`, `owners` (n,) whose each row is.

    Somebody counts once in each community where something of theirs fits (STRANGE), and once in all. Who is left out, because
    they asked to be forgotten or lost the interest, is in no later census.
    """
    ids, similarity = assign(known, vectors)
    fits = similarity >= STRANGE
    pairs = np.unique(np.stack([ids[fits], owners[fits]], axis=1), axis=0)
    members = np.bincount(pairs[:, 0], minlength=len(known.sums))
    census = Census(at, len(np.unique(owners)), tuple(int(m) for m in members))
    return replace(known, history=(*known.history, census))


def sizes(known: Communities) -> dict[int, dict[datetime, int]]:
    """Of each community, how many people were in it at each census since it was there."""
    return {
        id_: {census.at: census.members[id_] for census in known.history if id_ < len(census.members)}
        for id_ in range(len(known.sums))
    }


def medoids(known: Communities, vectors: Vectors, owners: Ints, n: int = 5) -> Mapping[int, tuple[int, ...]]:
    """Of each community, the at most `n` rows that stand for it, best first and one a person.

    Nearest to the centre is nearest to all members on average. Communities of fewer than LEAST people have none: a name made
    from one person's words would tell of that person.
    """
    ids, similarity = assign(known, vectors)
    stands: dict[int, tuple[int, ...]] = {}
    for id_ in range(len(known.sums)):
        rows = np.flatnonzero((ids == id_) & (similarity >= STRANGE))
        rows = rows[np.argsort(-similarity[rows], kind="stable")]
        _, first = np.unique(owners[rows], return_index=True)
        stands[id_] = tuple(rows[np.sort(first)][:n].tolist()) if len(first) >= LEAST else ()
    return stands


def near(known: Communities, vector: Vectors, n: int = 3) -> list[Near]:
    """The `n` communities nearest to `vector` (dim,), best first, of those with LEAST people or more at the last census."""
    if not known.history:
        return []
    census = known.history[-1]
    cosines = known.centres @ vector
    shown = [id_ for id_, members in enumerate(census.members) if members >= LEAST]
    shown.sort(key=lambda id_: (-cosines[id_], id_))
    return [Near(id_, float(cosines[id_]), census.members[id_] / census.people) for id_ in shown[:n]]


def _minibatch(vectors: Vectors, k: int, begins: Vectors | None, seed: int) -> Vectors:
    from sklearn.cluster import MiniBatchKMeans  # the import takes a second

    start = {"init": "k-means++", "n_init": 3} if begins is None else {"init": begins, "n_init": 1}
    method = MiniBatchKMeans(k, **start, batch_size=_BATCH, random_state=seed, reassignment_ratio=0.0)
    with threadpool_limits(1):  # threads that wait for each other cost more than they bring
        return unit(method.fit(vectors).cluster_centers_)


def _kernels(vectors: Vectors) -> Vectors:
    """(k, dim) unit means of the clusters that are large enough to be communities."""
    labels = group(vectors, "ward", LIKENESS).labels
    large = np.flatnonzero(np.bincount(labels, minlength=1) >= LEAST)
    means = [vectors[labels == label].mean(axis=0) for label in large]
    return unit(np.array(means, dtype=np.float32).reshape(-1, vectors.shape[1]))


def _taken(known: Communities, vectors: Vectors) -> Communities:
    """Rows that fit are added to their community; the others wait, the latest WAITING of them.

    A community that has no weight yet has only a direction, which its first rows replace.
    """
    ids, similarity = assign(known, vectors)
    fits = similarity >= STRANGE
    sums = np.where(known.weights[:, None] > 0, known.sums, 0.0)
    weights = known.weights + np.bincount(ids[fits], minlength=len(sums))
    np.add.at(sums, ids[fits], vectors[fits])
    sums = np.where(weights[:, None] > 0, sums, known.sums)
    waiting = np.concatenate([known.waiting, vectors[~fits]])[-WAITING:]
    return replace(known, sums=sums, weights=weights, waiting=waiting)


def _with_new(known: Communities) -> Communities:
    """With the communities that those who wait have formed."""
    if len(known.waiting) < LEAST:
        return known
    kernels = _kernels(known.waiting)
    strange = assign(known, kernels)[1] < STRANGE
    if not strange.any():
        return known
    new = kernels[strange].astype(np.float64)
    grown = replace(
        known,
        sums=np.concatenate([known.sums, new]),
        weights=np.concatenate([known.weights, np.zeros(len(new))]),
        waiting=known.waiting[:0],
    )
    return _taken(grown, known.waiting)


def _range(rules: Rules) -> str:
    low, high = rules.likeness
    return f"{low:g} to {high:g}"
