"""From cold to warm: what somebody says of themselves is a prior, and its weight falls as what they do is seen.

    warmth(4.0)                                  # 0.33 of the weight is still that of the words

The share is N0 / (N0 + n), the weight of a prior worth N0 events beside n that were seen (the posterior mean of a conjugate
family, Diaconis and Ylvisaker 1979). The events of a history are weighed first: see `seen`.
"""

from __future__ import annotations

from collections.abc import Iterable

from retrieval.records import Event, EventKind

N0 = 2.0  # events that a self-description is worth; how it was chosen: docs/decisions/0012
_LOOKS = frozenset({EventKind.VIEW, EventKind.CLICK, EventKind.SEARCH})
LOOK = 0.5  # of an event: who looks may turn away


def warmth(events: float, n0: float = N0) -> float:
    """The share that words keep after `events` weighted events: 1 before the first, then falling towards 0."""
    return n0 / (n0 + max(events, 0.0))


def seen(events: Iterable[Event]) -> float:
    """How many events that makes: each item once, at its strongest; a look is half of one."""
    strongest: dict[str, float] = {}
    for event in events:
        weight = LOOK if event.kind in _LOOKS else 1.0
        if event.item is not None:
            strongest[event.item] = max(weight, strongest.get(event.item, 0.0))
    return sum(strongest.values())
