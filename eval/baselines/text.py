"""The baselines that read: BM25 of the history's words, and cosines to the history's vectors. No other user's data."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from eval.baselines.base import Columns, Floats, Scorer
from eval.cases import Dataset, Question
from retrieval.embed import unit
from retrieval.exact import VectorIndex
from retrieval.lexical import STOP, tokens
from retrieval.records import Item


@dataclass(frozen=True, slots=True)
class BM25:
    """Lucene's BM25 of each item, the query being the words of the history, each as often as it occurs there.

    An item is found by title, categories, tags and text, as in retrieval/lexical.py; the words that ask are those of title,
    categories and tags, without stop words (unless nothing else is left): fifty descriptions would be a slow query about
    nothing in particular. Source: Kamphuis et al., Which BM25 do you mean? (ECIR 2020), whose variants bm25s computes.

    Validation: 51.5, and between 51.4 and 51.9 for all k1 from 0.9 to 2 and b from 0.4 to 1 that were tried; with titles
    alone as the query 48.1.
    """

    k1: float = 1.5
    b: float = 0.75

    def fit(self, dataset: Dataset) -> Scorer:
        import bm25s

        logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to DEBUG on import
        columns = Columns.number(dataset.items)
        documents = [tokens(f"{_heading(item)} {item.text}") for item in dataset.items.values()]
        index = bm25s.BM25(method="lucene", k1=self.k1, b=self.b)
        if any(documents):  # bm25s divides by zero otherwise
            index.index(documents, show_progress=False)

        def score(question: Question) -> Floats:
            words = _query(dataset.items[item] for item in question.case.history if item in dataset.items)
            found = index.get_scores(words) if words and any(documents) else np.zeros(len(documents))
            return columns.spread(question.candidates, found.__getitem__)

        return score


def _query(items: Iterable[Item]) -> list[str]:
    words = [word for item in items for word in tokens(_heading(item))]
    return [word for word in words if word not in STOP] or words


def _heading(item: Item) -> str:
    return " ".join((item.title, *item.categories, *item.tags))


@dataclass(frozen=True, slots=True)
class Embedding:
    """Cosine of an item's vector to the mean of those of the history, or, if `best`, to the nearest of them.

    `vectors` is a digest of the vectors, because the embedder decides the answers. An item that is not indexed has no
    opinion, and there is none without an indexed history.
    """

    best: bool
    vectors: str
    index: VectorIndex = field(repr=False)

    @classmethod
    def of(cls, index: VectorIndex, items: Mapping[str, Item], best: bool) -> Embedding:
        digest = hashlib.blake2b(digest_size=8)
        for item, vector in sorted(index.vectors(list(items)).items()):
            digest.update(item.encode("utf-8", "surrogatepass") + b"\0" + vector.tobytes())
        return cls(best, digest.hexdigest(), index)

    def fit(self, dataset: Dataset) -> Scorer:  # noqa: ARG002  the index knows the items already
        return self._score

    def _score(self, question: Question) -> Floats:
        found = self.index.vectors([*question.case.history, *question.candidates])
        history = [found[item] for item in question.case.history if item in found]
        columns = Columns.number(item for item in dict.fromkeys(question.candidates) if item in found)
        if not history or not columns.of:
            return np.full(len(question.candidates), np.nan)
        interests = np.stack(history) if self.best else unit(np.mean(history, axis=0, keepdims=True))
        cosines = (np.stack([found[item] for item in columns.of]) @ interests.T).max(axis=1)
        return columns.spread(question.candidates, cosines.__getitem__)
