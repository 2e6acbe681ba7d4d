"""What people who touched the same things also chose: counts of who took what, and four ways to read them.

    crowd = Collaborative(sequences, items)          # rows of items in the order in which each user first touched them
    crowd.channels(Pasts.of([history]), rows)["walk"]  # (1, len(rows)) a score for each of these items

Every channel is linear algebra on one sparse matrix of users and items, so scoring a whole catalogue costs one or two
passes over the interactions, for several histories as for one. Nobody is named in here: users are rows without ids.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import ThreadpoolController

from retrieval.pasts import Pasts

Floats = NDArray[np.float64]

CHANNELS = ("recent", "next", "walk", "latent")
RECENT = 5  # items whose neighbours count for "recent"
WINDOW = 10  # steps within which one item is said to follow another
FACTORS = 64
ALPHA = 20.0  # confidence of a touch beside 1 of an absence
REGULARIZATION = 100.0  # chosen with ALPHA on validation items, short histories and long (eval/baselines/factors.py)
ENOUGH = 20_000  # interactions; of fewer, so strong a regularisation would leave nothing
_FLOOR = 1e-3  # what a transition that nobody made counts as, in the unit of "next"
_LIFT_FLOOR = 0.1  # what an unreachable item counts as, as a share of chance


class Collaborative:
    """Counts of interactions, fixed once built. Safe to share between threads.

    `counts` (items,) is how many users touched each item.
    """

    def __init__(self, sequences: Sequence[Sequence[int]], items: int) -> None:
        """`sequences`: distinct item rows a user, oldest first; the order only matters for "next"."""
        self._touched = interactions(sequences, items)
        self.counts: Floats = np.asarray(self._touched.sum(axis=0)).ravel()
        lengths = np.maximum(np.asarray(self._touched.sum(axis=1)).ravel(), 1.0)
        self._items = self._touched.T.tocsr()
        # who touches everything says little with each touch: users count by 1 / sqrt(how much they touched)
        self._weight = 1.0 / np.sqrt(lengths)
        self._share = 1.0 / lengths
        self._norm = _inverse(np.sqrt(self._items @ self._weight))
        self._inverse_counts = _inverse(self.counts)
        self._follows = _transitions(sequences, self.counts)
        self._ridge = REGULARIZATION * min(1.0, self._touched.nnz / ENOUGH)
        self._factors = _factors(self._touched, self._ridge)
        self._gram = self._factors.T @ self._factors

    def channels(self, pasts: Pasts, rows: NDArray[np.intp]) -> dict[str, Floats]:
        """Channel -> (histories, len(rows)) scores of some items for those who touched these histories, none of them empty.

        Empty when nobody has touched anything: then there is no opinion.
        """
        if not self._touched.nnz:
            return {}
        return {
            "recent": self._neighbours(pasts, rows),
            "next": self._next(pasts, rows),
            "walk": self._walk(pasts, rows),
            "latent": self.latent(pasts, rows),
        }

    def _neighbours(self, pasts: Pasts, rows: NDArray[np.intp]) -> Floats:
        """Item-kNN: the sum of cosines to the touched items (Sarwar et al. 2001), users weighted, all neighbours."""
        asked = ((pasts.ages > 0) & (pasts.ages <= RECENT)) * self._norm[pasts.rows]
        users = self._items[pasts.rows].T @ asked.T
        found: Floats = (self._items[rows] @ (self._weight[:, None] * users)).T * self._norm[rows]
        return found

    def _next(self, pasts: Pasts, rows: NDArray[np.intp]) -> Floats:
        """Log of how often an item came soon after the touched ones, the latest counting most."""
        decay = np.divide(1.0, pasts.ages, out=np.zeros(pasts.ages.shape), where=pasts.ages > 0)
        followed: Floats = self._follows[pasts.rows][:, rows].T @ decay.T
        scores: Floats = np.log(followed.T + _FLOOR)
        return scores

    def _walk(self, pasts: Pasts, rows: NDArray[np.intp]) -> Floats:
        """A walk item -> user -> item -> user -> item, as lift over chance: RP3-beta with beta 0.5 (Paudel et al. 2016),
        one step longer. It reaches items that share no user with the history."""
        start = pasts.held / pasts.lengths * self._inverse_counts[pasts.rows]
        users = self._share[:, None] * (self._items[pasts.rows].T @ start.T)
        users = self._share[:, None] * (self._touched @ (self._inverse_counts[:, None] * (self._items @ users)))
        reached = (self._items[rows] @ users).T
        lift = reached * len(self.counts) * np.sqrt(self.counts.mean() * self._inverse_counts[rows])
        scores: Floats = np.log(lift + _LIFT_FLOOR)
        return scores

    def latent(self, pasts: Pasts, rows: NDArray[np.intp] | slice) -> Floats:
        """(histories, len(rows)) The user's factors are found from the history with the items' held fixed, so that strangers
        are served alike."""
        touched = self._factors[pasts.rows]
        k = self._factors.shape[1]
        normal = (
            self._gram + self._ridge * np.eye(k) + ALPHA * np.stack([(touched.T * h) @ touched for h in pasts.held])
        )
        asked = (1 + ALPHA) * pasts.held @ touched
        found: Floats = np.linalg.solve(normal, asked[:, :, None])[:, :, 0] @ self._factors[rows].T
        return found


def interactions(sequences: Sequence[Sequence[int]], items: int) -> sparse.csr_matrix:
    """(len(sequences), items): 1 where a user touched an item."""
    ends = np.cumsum([0, *map(len, sequences)])
    columns = np.fromiter((row for sequence in sequences for row in sequence), dtype=np.intp, count=int(ends[-1]))
    return sparse.csr_matrix((np.ones(len(columns)), columns, ends), shape=(len(sequences), items))


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


def _factors(touched: sparse.csr_matrix, ridge: float) -> Floats:
    """(items, FACTORS) of implicit ALS (Hu, Koren and Volinsky 2008). One thread: several give other sums every time, and on
    matrices this small they wait for each other longer than they work."""
    if not touched.nnz:
        return np.zeros((touched.shape[1], 1))
    from implicit.cpu.als import AlternatingLeastSquares

    with ThreadpoolController().limit(limits=1, user_api="blas"):
        model = AlternatingLeastSquares(FACTORS, ridge, ALPHA, num_threads=1, random_state=0)
        model.fit(touched.astype(np.float32), show_progress=False)
    return np.asarray(model.item_factors, dtype=np.float64)


def _inverse(values: Floats) -> Floats:
    """1 / values, and 0 where there is nothing."""
    return np.divide(1.0, values, out=np.zeros_like(values), where=values > 0)
