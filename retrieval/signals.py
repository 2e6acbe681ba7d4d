"""Everything that a history says about an item, as one raw score a channel: others' choices, words and vectors.

    signals = Signals(items, vectors, lexical, sequences)
    signals.channels(history, candidates)             # {"walk": (n,), "bm25": (n,), ...} NaN: no opinion

The same object serves recommendations and evaluation; it holds one state of the catalogue and of the interactions.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence, Set

import numpy as np
from numpy.typing import NDArray

from retrieval.bridges import VectorBridge, WordLinks
from retrieval.collaborative import Collaborative
from retrieval.embed import Vectors, unit
from retrieval.lexical import Lexical
from retrieval.pasts import Pasts
from retrieval.records import Item

Floats = NDArray[np.float64]

NOISE = 1e-4  # of a latent score, where 1 is "chosen": nothing leads there; less is what the processor rounds
CHANNELS = ("popular", "recent", "next", "walk", "latent", "words", "bridge", "bm25", "taste")
HISTORY = 50  # items of a history that are read, the latest ones
SHARPNESS = 8.0  # of the kernel of "taste": between the mean (0) and the best match (infinite)


class Signals:
    """The channels of `CHANNELS` over one catalogue. Safe to share between threads."""

    def __init__(
        self, items: Sequence[Item], vectors: Vectors, lexical: Lexical, sequences: Iterable[Sequence[str]]
    ) -> None:
        """`vectors` (len(items), dim): unit rows. `lexical` indexes the same items in the same order. `sequences`: what each
        user touched, item ids, oldest first, each once; unknown ids are passed over."""
        self._row = {item.id: row for row, item in enumerate(items)}
        self._vectors = vectors
        self._mean = vectors.mean(axis=0) if len(vectors) else np.zeros(vectors.shape[1], dtype=np.float32)
        self._centred = _centred(vectors)
        self._lexical = lexical
        known = [rows for sequence in sequences if len(rows := self.rows(sequence))]
        self.people = len(known)
        """How many have touched anything."""
        self._crowd = Collaborative(known, len(items))
        self._words = WordLinks(lexical.documents, known)
        self._bridge = VectorBridge(vectors, known)

    def rows(self, item_ids: Iterable[str]) -> list[int]:
        """The rows of those of the ids that are in the catalogue."""
        return [self._row[item_id] for item_id in item_ids if item_id in self._row]

    def popularity(self) -> Mapping[str, float]:
        """Item id -> how many users touched it."""
        return {item_id: float(self._crowd.counts[row]) for item_id, row in self._row.items()}

    def channels(self, history: Sequence[str], candidates: Sequence[str]) -> dict[str, Floats]:
        """Raw scores of each channel that has an opinion, (len(candidates),) each; NaN for an unknown item.

        `history`: item ids, oldest first; the last HISTORY count.
        """
        return {name: scores[0] for name, scores in self.compare([history], candidates).items()}

    def compare(self, histories: Sequence[Sequence[str]], candidates: Sequence[str]) -> dict[str, Floats]:
        """The same for several histories at once, (len(histories), len(candidates)) each: 51 that differ by an item cost a
        tenth of 51 calls. NaN, too, where a history is empty."""
        pasts = [self.rows(history)[-HISTORY:] for history in histories]
        spoken = np.array([place for place, past in enumerate(pasts) if past], dtype=np.intp)
        places = np.array([place for place, item_id in enumerate(candidates) if item_id in self._row], dtype=np.intp)
        rows = np.array(self.rows(candidates), dtype=np.intp)
        if not len(rows):
            return {}
        shape = len(pasts), len(candidates)
        found = {"popular": _spread(self._crowd.counts[rows], shape, np.arange(len(pasts)), places)}
        scores = self._scores(Pasts.of([pasts[place] for place in spoken]), rows) if len(spoken) else {}
        return found | {name: _spread(raw, shape, spoken, places) for name, raw in scores.items()}

    def unseen(
        self,
        history: Sequence[str],
        items: Sequence[Item],
        vectors: Vectors,
        read: Callable[[Item], Item] | None = None,
    ) -> dict[str, Floats]:
        """The channels of CHANNELS that read texts, for items that are not in the catalogue, (len(items),) each: what is known
        of them is their words and `vectors` (len(items), dim). `read`: what of an item is read, where not as in the index."""
        past = self.rows(history)[-HISTORY:]
        if not past:
            return {}
        pasts, there = Pasts.of([past]), self._lexical.unseen(items, read)
        shares = pasts.held / pasts.lengths
        middle = (shares @ self._vectors[pasts.rows]).astype(np.float32)
        found = {
            "words": self._words.unseen(pasts, there.counts),
            "bridge": self._bridge.scores(middle[:, None], vectors),
            "bm25": self._lexical.alike_unseen(pasts, there),
            "taste": kernel(_around(vectors, self._mean), self._centred[pasts.rows], shares),
        }
        return {name: scores[0] for name, scores in found.items()}

    def nearest(self, history: Sequence[str], k: int, exclude: Set[str] = frozenset()) -> list[str]:
        """At most `k` items of the whole catalogue to which others' choices lead from `history` (the channel "latent":
        recall@200 on ml-latest-small 50.7, "walk" 41.0, popularity 28.2), best first, ties by id; none of `exclude`."""
        past = self.rows(history)[-HISTORY:]
        if not past or not self.people:
            return []
        scores = self._crowd.latent(Pasts.of([past]), slice(None))[0]
        free = ((-scores[row], item_id) for item_id, row in self._row.items() if scores[row] > NOISE)
        return [item_id for _, item_id in heapq.nsmallest(k, (pair for pair in free if pair[1] not in exclude))]

    def _scores(self, pasts: Pasts, rows: NDArray[np.intp]) -> dict[str, Floats]:
        shares = pasts.held / pasts.lengths
        middles = (shares @ self._vectors[pasts.rows]).astype(np.float32)
        return {
            **self._crowd.channels(pasts, rows),
            "words": self._words.scores(pasts, rows),
            "bridge": self._bridge.scores(middles[:, None], self._vectors[rows]),
            "bm25": self._lexical.alike(pasts, rows),
            "taste": kernel(self._centred[rows], self._centred[pasts.rows], shares),
        }


def kernel(items: Vectors, history: Vectors, shares: Floats) -> Floats:
    """How dense histories are around each item: the mean of exp(SHARPNESS * cosine) over the touched items, (m, n).
    `shares` (m, len(history)): what each item counts in each of m histories, 1 in sum.

    A kernel density estimate. One mean vector blurs several interests into none, the best match alone is noisy; this lies
    between. On MovieLens `zero_shot`, which is this and some BM25, has an ndcg@10 of 57.2 where embed_mean has 47.8,
    embed_max 49.1 and bm25 49.9 (eval/LOG.md).
    """
    found: Floats = shares @ np.exp(np.float32(SHARPNESS) * (history @ items.T)).astype(np.float64)
    return found


def _centred(vectors: Vectors) -> Vectors:
    """Unit vectors around the catalogue's mean; the row of a text without words stays zero: it is like nothing."""
    return _around(vectors, vectors.mean(axis=0)) if len(vectors) else vectors


def _around(vectors: Vectors, mean: Vectors) -> Vectors:
    spoken = vectors.any(axis=1, keepdims=True)
    return unit(np.where(spoken, vectors - mean, 0.0))


def _spread(scores: Floats, shape: tuple[int, int], histories: NDArray[np.intp], places: NDArray[np.intp]) -> Floats:
    result = np.full(shape, np.nan)
    result[np.ix_(histories, places)] = scores
    return result
