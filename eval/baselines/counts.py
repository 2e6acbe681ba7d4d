"""The baselines that count: chance, popularity, recency, and what people who took this took as well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import diags

from eval.baselines.base import Columns, Floats, Interactions, Scorer
from eval.candidates import generator
from eval.cases import Dataset, Question

DAY = 86_400.0  # seconds


@dataclass(frozen=True, slots=True)
class Random:
    """Chance: numbers that depend on the seed and the user alone."""

    seed: int

    def fit(self, dataset: Dataset) -> Scorer:  # noqa: ARG002  chance needs no data
        return lambda question: generator(self.seed, question.case.user, "random").random(len(question.candidates))


@dataclass(frozen=True, slots=True)
class Popularity:
    """How many users took the item in training. Validation: 63.0."""

    def fit(self, dataset: Dataset) -> Scorer:
        taken = Interactions.of(dataset)
        users = np.asarray(taken.matrix.sum(axis=0)).ravel()
        return lambda question: taken.columns.spread(question.candidates, users.__getitem__)


@dataclass(frozen=True, slots=True)
class Recency:
    """Popularity of late: each user who took the item counts 0.5^(age / half-life), age from their first act with it.

    Age is the days until the moment of the question; what happened at that moment or later does not count. Without times
    it is how many items the user took after it, in training. After DecayPop of Ji et al., A Re-visit of the Popularity
    Baseline in Recommender Systems (SIGIR 2020), with a continuous decay.

    Validation: a half-life of 30 days 64.2, 90 days 65.6, 180 days 66.3, a year 66.7, no decay 60.8. Short histories:
    between 61.0 and 61.5 whatever the half-life. To go by the latest act alone is as good with times (67), but bad without
    them (45): where many were somebody's last item, it says little.
    """

    half_life_days: float = 180.0
    half_life_steps: float = 10.0

    def fit(self, dataset: Dataset) -> Scorer:
        columns = Columns.number(dataset.items)
        return self._timed(dataset, columns) if dataset.timed else self._untimed(dataset, columns)

    def _timed(self, dataset: Dataset, columns: Columns) -> Scorer:
        first = [
            {event.item: event.at for event in reversed(events) if event.item is not None}
            for events in dataset.train.values()
        ]
        acts = [(item, at.timestamp()) for user in first for item, at in user.items() if item in columns.of]
        taken, at = columns.known(item for item, _ in acts), np.array([seconds for _, seconds in acts]) / DAY

        def score(question: Question) -> Floats:
            age = question.case.at.timestamp() / DAY - at
            past = age > 0
            recent = _sums(taken[past], 0.5 ** (age[past] / self.half_life_days), columns)
            return columns.spread(question.candidates, recent.__getitem__)

        return score

    def _untimed(self, dataset: Dataset, columns: Columns) -> Scorer:
        sequences = [columns.known(items) for items in dataset.sequences().values()]
        steps = [np.arange(len(items))[::-1] for items in sequences]
        none = np.zeros(0, dtype=np.intp)
        age = np.concatenate([none, *steps])
        recent = _sums(np.concatenate([none, *sequences]), 0.5 ** (age / self.half_life_steps), columns)
        return lambda question: columns.spread(question.candidates, recent.__getitem__)


def _sums(taken: NDArray[np.intp], weights: Floats, columns: Columns) -> Floats:
    """The sum of the weights of each column."""
    return np.asarray(np.bincount(taken, weights, minlength=len(columns.of)), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class ItemKNN:
    """Cosine of items over users who are scaled to length 1, summed over the history; no cut of the neighbours.

    Source: Deshpande and Karypis, Item-based top-N recommendation algorithms (TOIS 22(1), 2004), whose row normalisation
    the scaling is: taking two of three items together says more than two of three thousand. `shrink` is added to the
    denominator, in average users: an item that one user took is like nothing yet. An item is no neighbour of itself.

    Similarities are computed for the pairs that a question asks about, so there is no matrix of items by items.

    Validation: 73.9; without shrinking 72.9, and without scaling 69.2; to keep the 200 best neighbours of each item costs
    2 to 3, the 50 best 9 to 11. Short histories: 55.4, less than popularity, because most candidates have nobody in common
    with the history.
    """

    shrink: float = 1.0

    def fit(self, dataset: Dataset) -> Scorer:
        taken = Interactions.of(dataset)
        lengths = np.maximum(np.asarray(taken.matrix.sum(axis=1)).ravel(), 1.0)
        scaled = (diags(1.0 / np.sqrt(lengths)) @ taken.matrix).tocsc()
        norms = np.sqrt(np.asarray(scaled.multiply(scaled).sum(axis=0)).ravel())
        floor = self.shrink * float((1.0 / lengths).sum()) / max(len(lengths), 1) + 1e-12  # an item may have no users

        def score(question: Question) -> Floats:
            history = taken.columns.known(question.case.history)
            before = scaled[:, history]

            def alike(candidates: NDArray[np.intp]) -> Floats:
                together = (before.T @ scaled[:, candidates]).toarray()
                together[history[:, None] == candidates] = 0.0
                similar: Floats = (together / (np.outer(norms[history], norms[candidates]) + floor)).sum(axis=0)
                return similar

            return taken.columns.spread(question.candidates, alike)

        return score
