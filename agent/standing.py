"""Why is an item not among the recommendations? Told from data alone, by what the ranking itself went by.

    standing(item, ranked, chosen, weights, k=10)       # outcome "outranked", "It ranks 57 of 201 ..."

The LLM's part is left out: it has no weight where a crowd is known, and a bounded one elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from agent import plain
from agent.counterfactual import columns
from retrieval.fusion import FusionWeights, contributions
from retrieval.records import Candidate, Event, Item

Outcome = Literal["recommended", "touched", "muted", "disliked", "alike", "unsupported", "outranked"]

LACKS: Mapping[str, str] = {
    "popular": "fewer people chose it",
    "recent": "it seldom goes with what you chose last",
    "next": "others seldom went on to it from what you chose",
    "walk": "people whose choices cross yours seldom chose it",
    "latent": "people with a taste like yours chose it less",
    "words": "its words seldom go with those of what you chose",
    "bridge": "its description leads elsewhere than what you chose",
    "bm25": "it has fewer words in common with what you chose",
    "taste": "it is less like what you chose",
    "said_latent": "people who chose what you describe chose it less",
    "said_words": "its words seldom go with those of what you describe",
    "community": "people who describe themselves like you seldom chose it",
    "theme": "it is further from your interests",
    "dislike": "it is close to what you dislike",
    "fresh": "others are newer",
}
"""What it means that an item is behind in a channel."""


@dataclass(frozen=True, slots=True)
class Standing:
    """`rank`: the place by prior among the `scored` candidates, the item with them; None where it was not scored. `channel`:
    where it is furthest behind those that are recommended."""

    outcome: Outcome
    text: str
    rank: int | None = None
    scored: int = 0
    channel: str | None = None


def touched(item: Item, acts: Sequence[Event]) -> Standing:
    """For an item of the user's own events; `acts`, at least one, are those on it, oldest first."""
    said = plain.act(max(acts, key=lambda event: (event.value is not None, event.at)), item)
    return Standing("touched", f"Not recommended: you {said} already, and only what is new to you is proposed.")


def muted(label: str) -> Standing:
    """For an item that only a muted theme speaks for."""
    return Standing("muted", f"Not recommended: what speaks for it is “{plain.lower(label)}”, which you muted.")


def standing(
    item: str, ranked: Sequence[Candidate], chosen: Collection[str], weights: FusionWeights, speaks: bool
) -> Standing:
    """Where `item` stands. `ranked`: all that was scored, best first, the item among them. `chosen`: what is recommended.
    `speaks`: does anything known of the user speak for it?"""
    place = next(n for n, candidate in enumerate(ranked) if candidate.item == item)
    rank, scored = place + 1, len(ranked)
    if item in chosen:
        return Standing("recommended", f"It is one of the first {len(chosen)}.", rank, scored)
    parts = contributions(columns(ranked), weights, asked=False)
    above = [n for n, candidate in enumerate(ranked) if candidate.item in chosen]
    gaps = {name: float(np.mean(part[above]) - part[place]) for name, part in parts.items()} if above else {}
    worst = max(gaps, key=lambda name: (gaps[name], name), default=None)
    bar = min((ranked[n].prior for n in above), default=0.0)
    own = ranked[place].prior
    where = f"it ranks {rank} of {scored} that were compared"
    if own - float(parts["dislike"][place] if "dislike" in parts else 0.0) >= bar > own:
        text = f"Not among the first {len(above)}: {where}, and only its closeness to what you dislike keeps it back."
        return Standing("disliked", text, rank, scored, "dislike")
    if own >= bar:
        text = f"Not among the first {len(above)}: {where}, but too much like it is recommended already."
        return Standing("alike", text, rank, scored)
    lack = f"; above all, {LACKS[worst]}" if worst and worst in LACKS and gaps[worst] > 0 else ""
    nothing = "" if speaks else ", and nothing we know of you speaks for it"
    text = f"Not among the first {len(above)}: {where}{nothing}{lack}."
    return Standing("outranked" if speaks else "unsupported", text, rank, scored, worst)
