"""What the baselines share: a method that is fitted to a dataset, the system around it, and who took what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from eval.cases import Dataset, Question, Ranking
from eval.runner import source

Floats = NDArray[np.floating]
Scorer = Callable[[Question], Floats]
"""A question -> the scores of its candidates, in their order; NaN is no opinion."""


class Method(Protocol):
    """A way to rank with its parameters. Its repr says all that decides its answers on given data."""

    def fit(self, dataset: Dataset) -> Scorer: ...


@dataclass(frozen=True)
class Baseline:
    """The System of a method, fitted at the first question."""

    name: str
    method: Method
    dataset: Dataset = field(repr=False)

    @property
    def key(self) -> str:
        return f"{self.method!r} {source('eval.baselines')} {source('retrieval')}"

    async def rank(self, question: Question) -> Ranking:
        return Ranking(tuple(self._score(question).tolist()))

    @cached_property
    def _score(self) -> Scorer:
        return self.method.fit(self.dataset)


@dataclass(frozen=True, slots=True)
class Columns:
    """The column of each item of the catalogue; items that are not in it have none."""

    of: Mapping[str, int]

    @classmethod
    def number(cls, items: Iterable[str]) -> Columns:
        return cls({item: column for column, item in enumerate(items)})

    def known(self, items: Iterable[str]) -> NDArray[np.intp]:
        """The columns of those of the items that have one."""
        return np.array([self.of[item] for item in items if item in self.of], dtype=np.intp)

    def spread(self, items: Iterable[str], score: Callable[[NDArray[np.intp]], Floats]) -> Floats:
        """`score` of the columns of the items, in their order; NaN for items without a column."""
        columns = np.array([self.of.get(item, -1) for item in items], dtype=np.intp)
        scores = np.full(len(columns), np.nan)
        scores[columns >= 0] = score(columns[columns >= 0])
        return scores


@dataclass(frozen=True, slots=True)
class Interactions:
    """Who took what in training: `matrix` (users, items) is 1 where a user took an item, however often, float32."""

    columns: Columns
    matrix: Any  # scipy.sparse.csr_matrix, which has no types

    @classmethod
    def of(cls, dataset: Dataset) -> Interactions:
        columns = Columns.number(dataset.items)
        taken = [np.sort(columns.known(items)) for items in dataset.sequences().values()]
        return cls(columns, binary(taken, len(columns.of)))


def binary(rows: list[NDArray[np.intp]], width: int) -> csr_matrix:
    """A float32 matrix (len(rows), width) that is 1 at the columns, sorted and distinct, that each row names."""
    starts = np.cumsum([0, *map(len, rows)], dtype=np.int32)
    columns = np.concatenate([np.zeros(0, dtype=np.int32), *rows]).astype(np.int32)
    return csr_matrix((np.ones(len(columns), dtype=np.float32), columns, starts), shape=(len(rows), width))
