"""What a ranking is worth beyond accuracy: coverage, diversity, novelty, serendipity, calibration. Pure functions.

    diversity(vectors_in_order_of_the_list, 10)
    miscalibration(distribution(genres_of_history), distribution(genres_of_list))

A figure that a list is too short to have (no pair, no item) is NaN: leave it out of the mean and say how many there were.
k below 1, and an id that stands twice in the top k, raise ValueError.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set

import numpy as np
from numpy.typing import NDArray

from eval.metrics import top


def coverage(rankings: Iterable[Sequence[str]], catalogue: Set[str], k: int) -> float:
    """The share of the catalogue that is in the top k of at least one user: catalogue coverage.

    Source: Ge, Delgado-Battenfeld and Jannach, Beyond accuracy, RecSys 2010. Raises ValueError for an empty catalogue.
    """
    if not catalogue:
        raise ValueError("an empty catalogue has no coverage")
    shown = {item for ranked in rankings for item in top(ranked, k)}
    return len(shown & catalogue) / len(catalogue)


def diversity(vectors: NDArray[np.floating], k: int) -> float:
    """The mean of 1 - cosine over all pairs of the top k: intra-list diversity, from 0 (all alike) to 2; NaN below two items.

    `vectors` are (n, d) unit rows in the order of the list. Source: Ziegler et al., Improving recommendation lists
    through topic diversification, WWW 2005, with the distance of Smyth and McClave 2001.
    """
    if k < 1:
        raise ValueError(f"k is at least 1, not {k}")
    rows = np.asarray(vectors[:k], dtype=np.float64)
    n = len(rows)
    if n < 2:
        return math.nan
    # |sum of rows|^2 holds every ordered pair and each row with itself, so no n x n matrix is needed
    cosines = (np.square(rows.sum(axis=0)).sum() - np.square(rows).sum()) / (n * (n - 1))
    return float(np.clip(1.0 - cosines, 0.0, 2.0))  # rounding would make twins differ by less than nothing


def novelty(ranked: Sequence[str], counts: Mapping[str, int], users: int, k: int) -> float:
    """The mean self-information of the top k in bits, -log2(users of the item / all users); NaN for an empty list.

    `counts` are the distinct users of each item, out of `users`, in the training data. An item that nobody has touched
    counts as touched by one user: otherwise one such item would make the figure infinite. Source: Zhou et al., Solving
    the apparent diversity-accuracy dilemma, PNAS 107(10), 2010; Vargas and Castells, Rank and relevance in novelty and
    diversity metrics, RecSys 2011.
    """
    bits = [math.log2(users / max(1, counts.get(item, 0))) for item in top(ranked, k)]
    return math.fsum(bits) / len(bits) if bits else math.nan


def serendipity(ranked: Sequence[str], relevant: Set[str], primitive: Sequence[str], k: int) -> float:
    """The share of the k places that hold an item both relevant and unexpected: not in the top k of `primitive`.

    `primitive` is what a plain popularity recommender answers to the same question. Never more than precision at k.
    Source: Ge, Delgado-Battenfeld and Jannach 2010, as written by Kotkov, Wang and Veijalainen, A survey of serendipity
    in recommender systems, Knowledge-Based Systems 111, 2016.
    """
    return len((set(top(ranked, k)) & relevant).difference(top(primitive, k))) / k


def distribution(groups: Iterable[Sequence[str]]) -> dict[str, float]:
    """How items spread over groups (genres, categories, themes): `groups` has those of each item, without repeats.

    Each item weighs the same and is split equally over its groups; one without groups says nothing. Sums to 1; empty
    when no item has a group. Source: p(g|u) of Steck 2018 with equal weights.
    """
    grouped = [own for own in groups if own]
    shares: dict[str, float] = defaultdict(float)
    for own in grouped:
        for group in own:
            shares[group] += 1.0 / (len(own) * len(grouped))
    return dict(shares)


def miscalibration(history: Mapping[str, float], listed: Mapping[str, float], alpha: float = 0.01) -> float:
    """Kullback-Leibler divergence, in nats, of the list's distribution from the history's: 0 is perfectly calibrated.

    Both map groups to shares, or to weights of any sum. The list's is mixed with `alpha` of the history's, so that a group
    which the list misses costs a finite amount; the most is -ln(alpha), 4.6, when they share no group. NaN when either
    holds nothing. Source: Steck, Calibrated recommendations, RecSys 2018 (C_KL, alpha 0.01).
    """
    wanted, given = math.fsum(history.values()), math.fsum(listed.values())
    if not wanted or not given:
        return math.nan
    terms = []
    for group, weight in history.items():
        share = weight / wanted
        if share > 0:
            mixed = (1.0 - alpha) * listed.get(group, 0.0) / given + alpha * share
            terms.append(share * math.log(share / mixed))
    return max(0.0, math.fsum(terms))  # rounding can leave equal distributions a hair below 0
