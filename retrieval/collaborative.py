"""What people who touched the same things also chose: counts of who took what, and four ways to read them.

    crowd = Collaborative(sequences, items)          # rows of items in the order in which each user first touched them
    crowd.channels(history)["walk"]                  # (items,) a score for every item

Every channel is linear algebra on one sparse matrix of users and items, so scoring a whole catalogue costs one or two
passes over the interactions. Nobody is named in here: users are rows without ids.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

Floats = NDArray[np.float64]

CHANNELS = ("recent", "next", "walk", "latent")
RECENT = 5  # items whose neighbours count for "recent"
WINDOW = 10  # steps within which one item is said to follow another
FACTORS = 32  # chosen on validation items: 128 is worse on sparse and on dense data
SHRINK = 5.0  # added to an item's count before dividing by it, so that rare items do not look certain
_FLOOR = 1e-3  # what a transition that nobody made counts as, in the unit of "next"
_LIFT_FLOOR = 0.1  # what an unreachable item counts as, as a share of chance


class Collaborative:
    """Counts of interactions, fixed once built. Safe to share between threads.

    `counts` (items,) is how many users touched each item.
    """

    def __init__(self, sequences: Sequence[Sequence[int]], items: int) -> None:
        """`sequences`: distinct item rows a user, oldest first; the order only matters for "next"."""
        self.counts, self._touched = _matrix(sequences, items)
        lengths = np.maximum(np.asarray(self._touched.sum(axis=1)).ravel(), 1.0)
        self._items = self._touched.T.tocsr()
        # who touches everything says little with each touch: users count by 1 / sqrt(how much they touched)
        self._weight = 1.0 / np.sqrt(lengths)
        self._share = 1.0 / lengths
        self._norm = _inverse(np.sqrt(self._items @ self._weight))
        self._inverse_counts = _inverse(self.counts)
        self._follows = _transitions(sequences, self.counts)
        self._factors, self._fold_in = self._latent_factors()

    def channels(self, history: Sequence[int]) -> dict[str, Floats]:
        """Channel -> score of every item (items,), for somebody who touched `history` (item rows, oldest first).

        Empty when there is no history or nobody has touched anything: then there is no opinion.
        """
        rows = np.asarray(history, dtype=np.intp)
        if not len(rows) or not self._touched.nnz:
            return {}
        return {
            "recent": self._neighbours(rows[-RECENT:]),
            "next": self._next(rows),
            "walk": self._walk(rows),
            "latent": self._factors @ (self._factors[rows] * self._fold_in[rows, None]).mean(axis=0),
        }

    def _neighbours(self, rows: NDArray[np.intp]) -> Floats:
        """Item-kNN: the sum of cosines to the touched items (Sarwar et al. 2001), users weighted, all neighbours."""
        asked = np.zeros(len(self.counts))
        asked[rows] = self._norm[rows]
        found: Floats = self._norm * (self._items @ (self._weight * (self._touched @ asked)))
        return found

    def _next(self, rows: NDArray[np.intp]) -> Floats:
        """Log of how often an item came soon after the touched ones, the latest counting most."""
        decay = 1.0 / np.arange(len(rows), 0, -1)
        followed: Floats = self._follows[rows].T @ decay
        return np.log(followed + _FLOOR)

    def _walk(self, rows: NDArray[np.intp]) -> Floats:
        """A walk item -> user -> item -> user -> item, as lift over chance: RP3-beta with beta 0.5 (Paudel et al. 2016),
        one step longer. It reaches items that share no user with the history."""
        start = np.zeros(len(self.counts))
        start[rows] = 1.0 / len(rows)
        reached = self._step(self._step(start))
        mean = max(self.counts.mean(), 1e-12)
        lift = reached * len(reached) * np.sqrt(mean * self._inverse_counts)
        return np.log(lift + _LIFT_FLOOR)

    def _step(self, mass: Floats) -> Floats:
        """From items to the users who touched them, and on to all that those touched."""
        moved: Floats = self._items @ (self._share * (self._touched @ (mass * self._inverse_counts)))
        return moved

    def _latent_factors(self) -> tuple[Floats, Floats]:
        """PureSVD (Cremonesi et al. 2010) on the matrix scaled by user and item: item factors (items, k) and the weight of
        an item when a history is folded in."""
        damp = 1.0 / np.sqrt(self.counts + SHRINK)
        k = min(FACTORS, min(self._touched.shape) - 1)
        if k < 1 or not self._touched.nnz:
            return np.zeros((len(self.counts), 1)), damp
        scaled = sparse.diags(self._weight) @ self._touched @ sparse.diags(damp)
        _, _, factors = randomized_svd(scaled.tocsr(), n_components=k, n_iter=5, random_state=0)
        return np.ascontiguousarray(factors.T), damp


def _matrix(sequences: Sequence[Sequence[int]], items: int) -> tuple[Floats, sparse.csr_matrix]:
    """How many users touched each item, and the binary matrix (users, items)."""
    ends = np.cumsum([0, *map(len, sequences)])
    columns = np.fromiter((row for sequence in sequences for row in sequence), dtype=np.intp, count=int(ends[-1]))
    touched = sparse.csr_matrix((np.ones(len(columns)), columns, ends), shape=(len(sequences), items))
    return np.bincount(columns, minlength=items).astype(np.float64), touched


def _transitions(sequences: Sequence[Sequence[int]], counts: Floats) -> sparse.csr_matrix:
    """(items, items): how often the column came within WINDOW steps after the row, a step at distance d counting 1/d,
    over the root of both counts."""
    befores: list[NDArray[np.intp]] = []
    afters: list[NDArray[np.intp]] = []
    values: list[Floats] = []
    for sequence in sequences:
        rows = np.asarray(sequence, dtype=np.intp)
        for distance in range(1, min(WINDOW, len(rows) - 1) + 1):
            befores.append(rows[:-distance])
            afters.append(rows[distance:])
            values.append(np.full(len(rows) - distance, 1.0 / distance))
    shape = (len(counts), len(counts))
    if not values:
        return sparse.csr_matrix(shape)
    pairs = (np.concatenate(befores), np.concatenate(afters))
    raw = sparse.coo_matrix((np.concatenate(values), pairs), shape=shape).tocsr()
    root = sparse.diags(1.0 / np.sqrt(counts + 1.0))
    return (root @ raw @ root).tocsr()


def _inverse(values: Floats) -> Floats:
    """1 / values, and 0 where there is nothing."""
    return np.divide(1.0, values, out=np.zeros_like(values), where=values > 0)
