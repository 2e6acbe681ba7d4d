"""BM25 over item texts: the channel that finds exact words (a director, a place) that vectors blur.

Built in memory when a process starts (well under two seconds for ten thousand items). Scores are those of bm25s with
its defaults: Lucene's variant, k1 1.5, b 0.75.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from retrieval.pasts import Pasts
from retrieval.records import Item
from retrieval.trust import trusted

if TYPE_CHECKING:
    import bm25s

# Chinese, Japanese and Korean are written without spaces or with glued particles: their characters count one by one.
_TOKEN = re.compile(
    "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff]|[^\\W_\u3040-\u9fff\uac00-\ud7a3\uf900-\ufaff]+"
)

# Left out of queries only. A profile sentence ("Likes a drama with a twist") would otherwise find titles by "with" and
# "a"; documents keep them, so that a query of nothing else ("It", "The Who") still finds its title.
_STOP_WORDS = """
a about also am an and are as at be been but by can do don for from had has have he her his i in into is it its just like
liked likes love loves me my not of on or our s she so t than that the their them they this to too us very was we were
what when which who will with you your
"""
K1, B = 1.5, 0.75  # the defaults of bm25s
STOP = frozenset(_STOP_WORDS.split())


def tokens(text: str) -> list[str]:
    """Lower-case words of any script; CJK characters one by one; English plurals made singular."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return [_singular(word) for word in _TOKEN.findall(plain)]


def query_tokens(text: str) -> list[str]:
    """The tokens worth searching for, each once: those that are no stop words, or all when nothing else is left."""
    words = list(dict.fromkeys(tokens(text)))
    return [word for word in words if word not in STOP] or words


def _singular(word: str) -> str:
    """The S-stemmer: "mysteries" -> "mystery", "thrillers" -> "thriller". Source: Harman, How effective is suffixing?,
    JASIS 42(1), 1991: it helps as much as heavier stemmers and hardly ever joins two words that differ."""
    if len(word) <= 3 or not word.isascii() or not word.endswith("s"):
        return word
    if word.endswith("ies"):
        return word if word.endswith(("eies", "aies")) else word[:-3] + "y"
    if word.endswith("es"):
        return word if word.endswith(("aes", "ees", "oes")) else word[:-1]
    return word if word.endswith(("us", "ss")) else word[:-1]


class Lexical:
    """A BM25 index of items, fixed once built. Safe to share between threads.

    `ids` are the item ids in the order of the rows of `scores`.
    """

    def __init__(self, items: Iterable[Item], read: Callable[[Item], Item] = trusted) -> None:
        """`read`: what of an item is read."""
        self._read = read
        rows = [(item.id, tokens(_searchable(read(item)))) for item in items]
        self.ids: tuple[str, ...] = tuple(item_id for item_id, _ in rows)
        self._row = {item_id: row for row, item_id in enumerate(self.ids)}
        self._bm25 = _build([words for _, words in rows])
        self._mean_length = sum(len(words) for _, words in rows) / max(len(rows), 1)
        self._weights = _weights(self._bm25, len(rows))
        self.documents = (self._weights > 0).astype(np.float64).tocsr()
        """(items, vocabulary): 1 where an item has a word."""
        self._asked = _without_stop_words(self.documents, self._bm25)

    def __len__(self) -> int:
        return len(self.ids)

    def scores(self, text: str) -> NDArray[np.float32]:
        """BM25 of every item, shape (n,), at least 0; all zero when no word of `text` is known."""
        words = query_tokens(text)
        if self._bm25 is None or not words:
            return np.zeros(len(self.ids), dtype=np.float32)
        return np.asarray(self._bm25.get_scores(words), dtype=np.float32)

    def query(self, text: str, k: int) -> list[tuple[str, float]]:
        """The best `k` items that share a word with `text`, with their scores; ties by item id."""
        scores = self.scores(text)
        found = np.flatnonzero(scores > 0)
        if 0 < k < len(found):  # keep everything that ties with the k-th before sorting
            found = found[scores[found] >= np.partition(scores[found], -k)[-k]]
        ranked = sorted(found, key=lambda row: (-scores[row], self.ids[row]))
        return [(self.ids[row], float(scores[row])) for row in ranked[:k]]

    def alike(self, pasts: Pasts, rows: Sequence[int] | NDArray[np.intp]) -> NDArray[np.float64]:
        """BM25 of the items in `rows` for the words of the items of each history, shape (histories, len(rows)).

        A word of several items of a history counts several times, and the sum is divided by the root of their number.
        """
        return _alike(self._asked, pasts, self._weights[np.asarray(rows, dtype=np.intp)])

    def unseen(self, items: Sequence[Item], read: Callable[[Item], Item] | None = None) -> Unseen:
        """Items that are not indexed, as if they were: words that the index does not know are left out.

        `read` replaces that of the index.
        """
        vocabulary = self._bm25.vocab_dict if self._bm25 else {}
        texts = [tokens(_searchable((read or self._read)(item))) for item in items]
        counts = sparse.lil_matrix((len(items), self.documents.shape[1]))
        for row, words in enumerate(texts):
            for word in words:
                if (column := vocabulary.get(word)) is not None:
                    counts[row, column] += 1
        lengths = np.array([len(words) for words in texts], dtype=np.float64)
        return Unseen(counts.tocsr(), _bm25(counts.tocoo(), lengths, self.documents, self._mean_length))

    def alike_unseen(self, pasts: Pasts, unseen: Unseen) -> NDArray[np.float64]:
        """`alike` for items that are not indexed."""
        return _alike(self._asked, pasts, unseen.weights)

    def rows(self, item_ids: Sequence[str]) -> NDArray[np.intp]:
        """The rows of these items in `scores`; -1 for an unknown item."""
        return np.array([self._row.get(item_id, -1) for item_id in item_ids], dtype=np.intp)


@dataclass(frozen=True, slots=True)
class Unseen:
    """Items that are not indexed: how often each has a word, and what each word adds to its BM25, (items, vocabulary)."""

    counts: sparse.csr_matrix
    weights: sparse.csr_matrix


def _alike(asked: sparse.csr_matrix, pasts: Pasts, weights: sparse.csr_matrix) -> NDArray[np.float64]:
    words = asked[pasts.rows].T @ pasts.held.T
    scores: NDArray[np.float64] = np.log1p((weights @ words).T / np.sqrt(pasts.lengths))
    return scores


def _bm25(
    counts: sparse.coo_matrix, lengths: NDArray[np.float64], documents: sparse.csr_matrix, mean_length: float
) -> sparse.csr_matrix:
    """Lucene's BM25 with the defaults of bm25s, by the frequencies of the words in `documents`."""
    frequency = np.asarray(documents.sum(axis=0)).ravel()[counts.col]
    rarity = np.log1p((documents.shape[0] - frequency + 0.5) / (frequency + 0.5))
    damped = counts.data + K1 * (1 - B + B * lengths[counts.row] / max(mean_length, 1.0))
    return sparse.csr_matrix((rarity * counts.data / damped, (counts.row, counts.col)), shape=counts.shape)


def _searchable(item: Item) -> str:
    return " ".join((item.title, *item.categories, *item.tags, item.text))


def _weights(index: bm25s.BM25 | None, items: int) -> sparse.csr_matrix:
    """(items, vocabulary): what each word adds to the BM25 of each item."""
    if index is None:
        return sparse.csr_matrix((items, 0))
    held = index.scores  # bm25s keeps them by column
    shape = (items, len(held["indptr"]) - 1)
    return sparse.csc_matrix((held["data"], held["indices"], held["indptr"]), shape=shape).tocsr()


def _without_stop_words(documents: sparse.csr_matrix, index: bm25s.BM25 | None) -> sparse.csr_matrix:
    """`documents` with the columns of stop words empty: what a history asks for."""
    kept = np.ones(documents.shape[1])
    if index is not None:
        kept[[column for word, column in index.vocab_dict.items() if word in STOP]] = 0.0
    return (documents @ sparse.diags(kept)).tocsr()


def _build(documents: list[list[str]]) -> bm25s.BM25 | None:
    """The index, or None when there is not a single word to index (bm25s divides by zero then)."""
    if not any(documents):
        return None
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to DEBUG on import
    index = bm25s.BM25()
    index.index(documents, show_progress=False)
    return index
