"""What people in general choose: how often each feature is touched, and how many people touch it how often.

    population = count(items, store.sequences().values())
    population.common("drama", 0.4)  # the share of people of whom at least 40 % of the items have it

One pass over the interactions; a tenth of a second for 10,000 people. It is of today, as the statistics of the catalogue are,
whatever moment a profile is asked for: it holds no person's name and no date.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from retrieval.features import features
from retrieval.records import Item

MOST = 0.5  # what more people than this share is said of nobody

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Population:
    """`people` who touched anything; `touched`: feature -> share of all touches; `choices`: item -> how many people.

    `rates`: feature -> (people with it,) ascending shares of a person's items that have it, only for features that most
    people have touched: no other can be common.
    """

    people: int = 0
    touched: Mapping[str, float] = field(default_factory=dict)
    choices: Mapping[str, int] = field(default_factory=dict)
    rates: Mapping[str, Floats] = field(default_factory=dict, repr=False)

    def common(self, feature: str, rate: float) -> float:
        """The share of people with at least `rate` of `feature`; 0 where that cannot be more than MOST."""
        known = self.rates.get(feature)
        if known is None:
            return 0.0
        return (len(known) - int(np.searchsorted(known, rate - 1e-9))) / self.people


def count(items: Iterable[Item], sequences: Iterable[Sequence[str]]) -> Population:
    """The population of `sequences`: what each person touched, item ids, each once; unknown ids are passed over."""
    rows: dict[str, int] = {}
    columns: dict[str, int] = {}
    has: list[tuple[int, int]] = []
    for item in items:
        row = rows.setdefault(item.id, len(rows))
        has += [(row, columns.setdefault(f, len(columns))) for f in features(item)]
    people = [known for s in sequences if (known := [rows[i] for i in s if i in rows])]
    if not people or not columns:
        return Population(len(people))
    touches = _matrix([(person, row) for person, known in enumerate(people) for row in known], len(people), len(rows))
    counts = (touches @ _matrix(has, len(rows), len(columns))).tocsc()
    sizes = np.asarray(touches.sum(axis=1)).ravel()
    share = np.asarray(counts.sum(axis=0)).ravel() / sizes.sum()
    choices = np.asarray(touches.sum(axis=0)).ravel().astype(int).tolist()
    most = np.diff(counts.indptr) > MOST * len(people)
    rates = {f: _rates(counts, sizes, c) for f, c in columns.items() if most[c]}
    touched = dict(zip(columns, share.tolist(), strict=True))
    return Population(len(people), touched, dict(zip(rows, choices, strict=True)), rates)


def _matrix(ones: Sequence[tuple[int, int]], rows: int, columns: int) -> sparse.csr_matrix:
    places = np.array(ones, dtype=np.int64).reshape(-1, 2).T
    return sparse.csr_matrix((np.ones(places.shape[1]), (places[0], places[1])), shape=(rows, columns))


def _rates(counts: sparse.csc_matrix, sizes: Floats, column: int) -> Floats:
    """The shares of those who have the feature, ascending."""
    part = slice(counts.indptr[column], counts.indptr[column + 1])
    return np.sort(counts.data[part] / sizes[counts.indices[part]])
