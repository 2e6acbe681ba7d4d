"""How far an item's own words may carry it: a bound on places that needs no detector.

Who knows a user's taste can write it into an item's description and tags, and no pattern finds that. So a place is earned
twice: with all of an item's words, and with only what names it and files it (title and categories). Nothing stands more than
`MOST_PLACES` above the place that the second order gives it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from retrieval.records import Item

MOST_PLACES = 3
"""Of 20. On retrieval/sample (144 questions) ndcg@10 changes by +0.9 [-0.3, 1.9] points, and 5 % of the items of the bottom half
could still reach the top three whatever they say; without the bound, all (eval/LOG.md)."""


def bare(item: Item) -> Item:
    """What names an item and files it: its title and categories."""
    return replace(item, text="", tags=())


def restrained(scores: NDArray[np.floating], bare_scores: NDArray[np.floating], most: int = MOST_PLACES) -> list[int]:
    """Rows by falling score, none more than `most` places above its place by `bare_scores`; both (n,). Ties: lower row first."""
    order = np.argsort(-bare_scores, kind="stable")
    waiting = [int(row) for row in order]
    earliest = {row: place - most for place, row in enumerate(waiting)}
    found: list[int] = []
    while waiting:
        # the first waiting one may always stand here: it has lost places only to others
        best = max((row for row in waiting if earliest[row] <= len(found)), key=lambda row: (scores[row], -row))
        waiting.remove(best)
        found.append(best)
    return found
