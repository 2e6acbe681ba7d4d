"""Which texts go together in people's histories: two ways to carry co-occurrence over to items that nobody has touched yet.

"words" counts which words of titles, categories and tags go with which; "bridge" is a linear map between embeddings. Both
say something of every item that has a text, which counts of items cannot.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from retrieval.collaborative import interactions
from retrieval.embed import Vectors
from retrieval.pasts import Pasts

Floats = NDArray[np.float64]

LEAST_ITEMS = 3  # a word of fewer items is a name, not a kind
MOST_WORDS = 4096  # the most frequent words are kept: the table of pairs has this many squared entries
PSEUDO = 2.0  # pairs added to seen and expected, so that one sighting proves nothing
RIDGE = 1.0  # of the mean eigenvalue; chosen on validation items
SHRINK = 0.1  # of the mean variance, added to the catalogue's covariance


class WordLinks:
    """The association of words in histories: log of how much more often two go together than by chance (a smoothed
    pointwise mutual information, Church and Hanks 1990), as one table."""

    def __init__(self, words: sparse.csr_matrix, sequences: Sequence[Sequence[int]]) -> None:
        """`words` (items, vocabulary): 1 where an item has a word. `sequences`: item rows a user."""
        frequency = np.asarray(words.sum(axis=0)).ravel()
        kept = np.flatnonzero(frequency >= LEAST_ITEMS)
        kept = kept[np.argsort(-frequency[kept], kind="stable")[:MOST_WORDS]]
        self._kept = kept
        self._words = words[:, kept].tocsr()
        self._links = _links(self._words, sequences)

    def scores(self, pasts: Pasts, rows: NDArray[np.intp]) -> Floats:
        """(histories, len(rows)) the mean association between the words of a history and those of each item; 0 is chance."""
        return self._associated(pasts, self._words[rows])

    def unseen(self, pasts: Pasts, words: sparse.csr_matrix) -> Floats:
        """The same for items that are not in the catalogue: `words` (items, vocabulary)."""
        return self._associated(pasts, (words[:, self._kept] > 0).astype(np.float64).tocsr())

    def _associated(self, pasts: Pasts, told: sparse.csr_matrix) -> Floats:
        spoken = (self._words[pasts.rows].T @ pasts.held.T).T
        known, lengths = np.flatnonzero(spoken.any(axis=0)), np.maximum(np.asarray(told.sum(axis=1)).ravel(), 1.0)
        heard = np.unique(told.indices)  # of the table of links, only what can meet is read
        profiles = spoken[:, known] @ self._links[known][:, heard] / np.maximum(spoken.sum(axis=1, keepdims=True), 1.0)
        found: Floats = (told[:, heard] @ profiles.T).T / lengths
        return found


def _links(words: sparse.csr_matrix, sequences: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    touched = interactions(sequences, words.shape[0])
    lengths = np.maximum(np.asarray(touched.sum(axis=1)).ravel(), 1.0)
    touched = sparse.diags(lengths**-0.25) @ touched  # both sides of a pair: 1 / sqrt(length) in all
    spoken = touched @ words
    pairs = np.asarray((spoken.T @ spoken).todense())
    own = sparse.diags(np.asarray(touched.multiply(touched).sum(axis=0)).ravel())
    pairs = np.maximum(pairs - np.asarray((words.T @ own @ words).todense()), 0.0)  # an item's words with themselves
    margin = pairs.sum(axis=0)
    expected = np.outer(margin, margin) / max(margin.sum(), 1e-12)
    links: NDArray[np.float32] = np.log((pairs + PSEUDO) / (expected + PSEUDO)).astype(np.float32)
    return links


class VectorBridge:
    """A ridge regression from the mean vector of a history to the vector of what else its user touched, compared in the
    metric of the catalogue's inverse covariance, so that directions in which all items differ count less."""

    def __init__(self, vectors: Vectors, sequences: Sequence[Sequence[int]]) -> None:
        """`vectors` (items, dim), unit rows."""
        self._mean = vectors.sum(axis=0) / max(len(vectors), 1)
        centred = (vectors - self._mean).astype(np.float64)
        long = [sequence for sequence in sequences if len(sequence) > 1]
        covariance = centred.T @ centred / max(len(centred), 1)
        self._map = _regression(centred, long) @ np.linalg.inv(_damped(covariance, SHRINK))

    def scores(self, history: Vectors, items: Vectors) -> Floats:
        """(..., n) for `history` (..., m, dim) and `items` (n, dim), unit rows."""
        asked = (history - self._mean).mean(axis=-2) @ self._map
        # in float32: for a whole catalogue, wider copies would cost more than the product
        found: Floats = asked.astype(np.float32) @ items.T - (asked @ self._mean)[..., None]
        return found


def _regression(vectors: Floats, sequences: Sequence[Sequence[int]]) -> Floats:
    """(dim, dim): the ridge regression from the mean of all others of a sequence to each of its items, less the mean item.

    With S the sum of a sequence of n vectors v, the inputs are (S - v) / (n - 1), so all sums over pairs follow from S and
    the counts of items: sum (S - v)(S - v)' = (n - 2) S S' + sum v v', and sum (S - v) v' = S S' - sum v v'.
    """
    if not sequences:
        return np.zeros((vectors.shape[1], vectors.shape[1]))
    touched = interactions(sequences, len(vectors))
    lengths = np.asarray(touched.sum(axis=1)).ravel()
    sums, once = touched @ vectors, 1.0 / (lengths - 1.0)
    popular = sums.sum(axis=0) / lengths.sum()
    gram = (sums.T * (once**2 * (lengths - 2))) @ sums + (vectors.T * (touched.T @ once**2)) @ vectors
    cross = (sums.T * once) @ sums - (vectors.T * (touched.T @ once)) @ vectors - np.outer(sums.sum(axis=0), popular)
    found: Floats = np.linalg.solve(_damped(gram, RIDGE), cross)
    return found


def _damped(matrix: Floats, share: float) -> Floats:
    """`matrix` with `share` of its mean eigenvalue added to the diagonal, and a trace more so that it can be inverted."""
    dim = len(matrix)
    damped: Floats = matrix + (share * np.trace(matrix) / max(dim, 1) + 1e-9) * np.eye(dim)
    return damped
