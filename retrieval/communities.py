"""Interest communities: what many people like, found in the themes of all of them. Pure functions on arrays.

    known = found(vectors)                              # once
    known = updated(known, new_vectors)                 # with a batch of what is new
    known = renewed(known.centres, vectors)             # or of what holds now, and of nothing else, under the same ids
    belongs = membership(homes(known, vectors), owners, people, len(known.sums))        # who is in which

A community's id is its row: rows are added and never removed, so an id keeps its meaning and is never reused; a row of zeros
has dissolved. Nothing here holds a person's name or words: `owners` are numbers, a person each. What a batch has brought stays
in the centres; renewed() and found() forget it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from threadpoolctl import threadpool_limits

from retrieval.clustering import Rules, group
from retrieval.embed import unit

Vectors = NDArray[np.float32]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SAMPLE = 2000  # rows that the number of communities is read from
LEAST = 5  # rows of which a community is made
STRANGE = 0.5  # cosine to the nearest centre under which a row fits nowhere: 1 % of members, 27 % of what is new (eval/LOG.md)
WAITING = 2000  # strangers kept until enough of them are alike
LIKENESS = Rules(likeness=(0.2, 0.4))
_BATCH = 1024


@dataclass(frozen=True, slots=True)
class Communities:
    """`sums` (k, dim) add up the unit rows that each has taken in, `weights` (k,) how many; `waiting` (m, dim) fit none yet.

    `rule` says in words how k was found.
    """

    sums: Floats
    weights: Floats
    waiting: Vectors
    rule: str

    @property
    def centres(self) -> Vectors:
        """(k, dim) unit rows."""
        return unit(self.sums)


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


def renewed(centres: Vectors, vectors: Vectors) -> Communities:
    """The communities that `vectors` (n, dim) make now, going on from the `centres` (k, dim) that they had.

    One step of k-means from there, so that ids keep their meaning; the old centres say only where to begin and are in no sum.
    What fits none may make new communities. One that nothing fits any more has dissolved. Raises ValueError as `updated`.
    """
    begun = Communities(centres.astype(np.float64), np.zeros(len(centres)), vectors[:0], f"from {len(centres)} centres")
    known = updated(begun, vectors)
    return replace(known, sums=np.where(known.weights[:, None] > 0, known.sums, 0.0))


def under_ids_of(known: Communities, centres: Vectors) -> Communities:
    """`known` in another order: where a community is like one of `centres` (k, dim), cosine STRANGE or more, it gets its id,
    one to one by the greatest sum (Kuhn 1955); the others come after, and ids that nobody continues have dissolved."""
    likeness = known.centres @ centres.T
    rows, ids = linear_sum_assignment(-likeness)
    same = {int(i): int(r) for r, i in zip(rows, ids, strict=True) if likeness[r, i] >= STRANGE}
    kept = set(same.values())
    order = [same.get(i, -1) for i in range(len(centres))] + [r for r in range(len(known.sums)) if r not in kept]
    there = np.array(order, dtype=np.int64)
    nobody = np.zeros((1, known.sums.shape[1]))  # what -1 points at
    sums, weights = np.concatenate([known.sums, nobody]), np.append(known.weights, 0.0)
    return replace(known, sums=sums[there], weights=weights[there])


def homes(known: Communities, vectors: Vectors) -> Ints:
    """(n,) The community that each row fits (STRANGE); -1 for none."""
    ids, similarity = assign(known, vectors)
    return np.where(similarity >= STRANGE, ids, -1)


def membership(homes: Ints, owners: Ints, people: int, communities: int) -> NDArray[np.bool_]:
    """(people, communities) Who is where: something of theirs is at home there. `owners` (n,): whose each row is."""
    belongs = np.zeros((people, communities), dtype=np.bool_)
    belongs[owners[homes >= 0], homes[homes >= 0]] = True
    return belongs


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
