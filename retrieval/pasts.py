"""Several histories at once, so that what is the same for all of them is worked out once.

pasts = Pasts.of([history, history_without_one_item])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pasts:
    """`rows` (h,): the item rows that any of m histories holds, each once. `ages` (m, h): 1 for the latest item of a history,
    2 for the one before it, and 0 for what is not in it."""

    rows: NDArray[np.intp]
    ages: NDArray[np.intp]

    @classmethod
    def of(cls, histories: Sequence[Sequence[int]]) -> Self:
        """`histories`: distinct item rows each, oldest first; they may be empty."""
        place: dict[int, int] = {}
        for history in histories:
            for row in history:
                place.setdefault(row, len(place))
        ages = np.zeros((len(histories), len(place)), dtype=np.intp)
        for at, history in enumerate(histories):
            ages[at, [place[row] for row in history]] = np.arange(len(history), 0, -1)
        return cls(np.fromiter(place, dtype=np.intp, count=len(place)), ages)

    @property
    def held(self) -> Floats:
        """(m, h) 1 where a history holds an item."""
        return (self.ages > 0).astype(np.float64)

    @property
    def lengths(self) -> Floats:
        """(m, 1) how many items each history holds, at least 1, to divide by."""
        counts: Floats = np.maximum(self.held.sum(axis=1, keepdims=True), 1.0)
        return counts
