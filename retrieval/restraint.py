"""How far an item's own words may carry it: a bound on places that needs no detector.

Who knows a user's taste can write it into an item's description and tags, and no pattern finds that. So a place is earned
twice: with all of an item's words, and with only what names it and files it (title and categories). Nothing stands more than
`MOST_PLACES` above the place that the second order gives it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from retrieval.embed import Embedder, item_text
from retrieval.fusion import FusionWeights
from retrieval.ranker import prior
from retrieval.records import Candidate, Item
from retrieval.signals import Signals

MOST_PLACES = 3
"""Of 20. On retrieval/sample (144 questions) ndcg@10 changes by +0.9 [-0.3, 1.9] points, and 5 % of the items of the bottom
half could still reach the top three whatever they say; without the bound, all (eval/LOG.md)."""


def bare(item: Item) -> Item:
    """What names an item and files it: its title and categories."""
    return replace(item, text="", tags=())


def restrained(scores: NDArray[np.floating], bare_scores: NDArray[np.floating], most: int = MOST_PLACES) -> list[int]:
    """Rows by falling score, none more than `most` places above its place by `bare_scores`; both (n,). Ties: lower row."""
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


def restrain(
    top: Sequence[Candidate],
    items: Mapping[str, Item],
    history: Sequence[str],
    signals: Signals,
    weights: FusionWeights,
    embedder: Embedder,
) -> list[Candidate]:
    """`top`, best first, with nothing further up than its own words may carry it, and with priors that fall again: who has to
    wait counts no more than who stands before. As it is where no history speaks; `items` by id, all of `top`."""
    alone = [bare(items[candidate.item]) for candidate in top]
    unseen = signals.unseen(history, alone, embedder.embed([item_text(item) for item in alone])) if top else {}
    if not unseen:
        return list(top)
    names = {name for candidate in top for name in candidate.channels}
    channels = {name: np.array([c.channels.get(name, np.nan) for c in top]) for name in names}
    rows = restrained(np.array([c.prior for c in top]), prior({**channels, **unseen}, weights, asked=False))
    return falling([top[row] for row in rows])


def falling(found: Sequence[Candidate]) -> list[Candidate]:
    """The same in the same order, with priors that never rise."""
    kept: list[Candidate] = []
    for candidate in found:
        most = kept[-1].prior if kept else np.inf
        kept.append(replace(candidate, prior=min(candidate.prior, most)))
    return kept
