"""How good is a ranking? The accuracy metrics at k, pure functions on item ids, and how scores become a ranking.

    ranked = order(question.candidates, ranking.scores)
    ndcg(ranked, {question.case.target}, 10)

Relevance is binary and several items may be relevant. Conventions are those of trec_eval. Figures are in [0, 1]: a percent
sign is the report's business. What accuracy does not see (diversity, novelty, ...) is in eval/beyond.py.

Every metric raises ValueError when k is below 1, when nothing is relevant (the figure has no meaning) and when an id
stands twice in the top k (it would be counted twice).
"""

from __future__ import annotations

import math
from collections.abc import Sequence, Set

import numpy as np


def order(candidates: Sequence[str], scores: Sequence[float]) -> list[str]:
    """The candidates by score, best first; NaN (no opinion) last, below minus infinity.

    Ties keep the order of the candidates, which the seed has shuffled. That matters: a protocol that builds its list as
    target first, negatives after it, would give every tie to the target, and a system that scores all alike would look
    perfect instead of random. Raises ValueError unless there is one score a candidate.
    """
    if len(candidates) != len(scores):
        raise ValueError(f"{len(candidates)} candidates have {len(scores)} scores")
    # NumPy sorts NaN to the end, and a stable sort keeps the given order among equals and among NaN.
    return [candidates[row] for row in np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")]


def top(ranked: Sequence[str], k: int) -> Sequence[str]:
    """The first `k` ids, or all when there are fewer. Raises ValueError for k below 1 or an id that stands there twice."""
    if k < 1:
        raise ValueError(f"k is at least 1, not {k}")
    first = ranked[:k]
    if len(set(first)) < len(first):
        raise ValueError(f"an item stands twice in the top {k}")
    return first


def ndcg(ranked: Sequence[str], relevant: Set[str], k: int) -> float:
    """Normalised discounted cumulative gain: 1 / log2(place + 1) for each relevant item, over that of the best ranking.

    Source: Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR techniques, TOIS 20(4), 2002; the discount is
    that of Burges et al. 2005, which trec_eval uses too.
    """
    places = _places(ranked, relevant, k)
    return _gain(places) / _gain(range(1, min(k, len(relevant)) + 1))


def hit(ranked: Sequence[str], relevant: Set[str], k: int) -> float:
    """1 when a relevant item is in the top k, else 0 (also called success)."""
    return float(bool(_places(ranked, relevant, k)))


def recall(ranked: Sequence[str], relevant: Set[str], k: int) -> float:
    """The share of the relevant items that are in the top k."""
    return len(_places(ranked, relevant, k)) / len(relevant)


def precision(ranked: Sequence[str], relevant: Set[str], k: int) -> float:
    """Relevant items in the top k over k, also where the list is shorter than k."""
    return len(_places(ranked, relevant, k)) / k


def mrr(ranked: Sequence[str], relevant: Set[str], k: int) -> float:
    """1 / place of the first relevant item, 0 when none is in the top k: the mean over users is the MRR."""
    places = _places(ranked, relevant, k)
    return 1.0 / places[0] if places else 0.0


def average_precision(ranked: Sequence[str], relevant: Set[str], k: int) -> float:
    """The precisions at the places of the relevant items in the top k, summed, over the number of relevant items.

    The mean over users is MAP. With more than k relevant items even the best list stays below 1.
    """
    places = _places(ranked, relevant, k)
    return sum(found / place for found, place in enumerate(places, 1)) / len(relevant)


def _places(ranked: Sequence[str], relevant: Set[str], k: int) -> list[int]:
    """Where relevant items stand in the top k, counted from 1."""
    if not relevant:
        raise ValueError("nothing is relevant, so the figure has no meaning")
    return [place for place, item in enumerate(top(ranked, k), 1) if item in relevant]


def _gain(places: Sequence[int]) -> float:
    return sum(1.0 / math.log2(place + 1) for place in places)
