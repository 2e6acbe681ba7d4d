"""Echoes: acts on what we had recommended. They are partly our own doing and count less as evidence.

    weight(event)       # ECHO for an echo, 1 for an act of the user's own accord

`feedback` marks them; who brings in events marks those that a recommendation led to with its impression id in the context.
"""

from __future__ import annotations

from collections.abc import Iterable

from retrieval.records import Event

ECHO = 0.5  # set by hand: two echoes are as good as one act


def is_echo(event: Event) -> bool:
    """Did one of our recommendations lead to it?"""
    return bool(event.context.get("recommended")) or event.context.get("impression") is not None


def weight(event: Event) -> float:
    return ECHO if is_echo(event) else 1.0


def weighed_items(events: Iterable[Event]) -> float:
    """How many distinct items the events are about, each counting as its weightiest event."""
    found: dict[str, float] = {}
    for event in events:
        key = event.item or event.id
        found[key] = max(weight(event), found.get(key, 0.0))
    return sum(found.values())
