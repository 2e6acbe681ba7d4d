"""The order of a list as the owner steers it, and as chance explores it. Pure functions on ids.

steered(order, groups, k)                 # each boosted group gets twice its places among the first k
explored(order, k, 0.1, random.Random(0))   # the last of the k places now and then goes to one of the next
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

from retrieval.search import share_out

LEAST = 2  # places of a boosted theme that had none
WIDTH = 10  # candidates of the place that is explored


def steered(order: Sequence[str], groups: Sequence[Collection[str]], k: int) -> list[str]:
    """`order`, best first, with twice as many items of each group among the first `k` (LEAST at least), where there are so many
    and there is room. Items of one group stay in their order, and so do those of none. Of two groups the first has the item
    and the room first."""
    lists: list[list[str]] = []
    places: list[int] = []
    free = dict.fromkeys(order)
    for group in groups:
        own = [i for i in free if i in group]
        wanted = max(2 * sum(i in group for i in order[:k]), LEAST)
        lists.append(own)
        places.append(min(wanted, len(own), k - sum(places)))
        free = {i: None for i in free if i not in group}
    if not any(places):
        return list(order)
    first = share_out([*lists, list(free)], [*places, max(0, min(k, len(order)) - sum(places))])
    return [*first, *(i for i in order if i not in set(first))]


def explored(order: Sequence[str], k: int, share: float, dice: random.Random) -> tuple[list[str], list[float]]:
    """The first `k` of `order` and the propensity of each: the probability with which the item was put at its place.

    Only the last place explores (epsilon-greedy): with probability `share` it goes to any of the next WIDTH items alike, the
    one that it belongs to among them. With a `share` of 0 all propensities are 1.
    """
    shown, nearby = list(order[:k]), order[k - 1 : k - 1 + WIDTH]
    chances = [1.0] * len(shown)
    if share <= 0 or len(shown) < k or len(nearby) < 2:
        return shown, chances
    chosen = dice.choice(nearby) if dice.random() < share else nearby[0]
    shown[-1] = chosen
    chances[-1] = share / len(nearby) + (1 - share if chosen == nearby[0] else 0.0)
    return shown, chances
