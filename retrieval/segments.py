"""Cut a user's events into segments: a few coherent events of one polarity, what one statement is written from.

An online leader algorithm in time order: an event joins the open segment that it resembles most, or opens a new one. What
comes later does not change how earlier events were assigned (but for a verdict on an item that had only been looked at), so
new events touch only the segments that they join, and the segments of a past moment are those that were written then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from retrieval.records import Event, EventKind, Polarity, Segment

LIKED_FROM = 3.5  # stars of five; MovieLens' usual cut for "liked"
DISLIKED_TO = 2.5
_FOR = frozenset({EventKind.LIKE, EventKind.SHARE})
_AGAINST = frozenset({EventKind.DISLIKE, EventKind.HIDE})
_SILENT = frozenset({EventKind.RATE, EventKind.SKIP})  # without a verdict they show no interest, as a look does


@dataclass(frozen=True, slots=True)
class SegmentRules:
    """`similarity` is a cosine; a segment with `most` distinct items is closed; a pause of `gap` closes it too."""

    similarity: float = 0.25
    most: int = 8
    gap: timedelta = timedelta(days=60)


@dataclass(slots=True)
class _Open:
    """A segment that may still grow. `total` is the sum of its unit vectors."""

    polarity: Polarity
    total: NDArray[np.float32]
    last_at: datetime
    events: list[Event] = field(default_factory=list)
    items: set[str] = field(default_factory=set)


def verdict(event: Event) -> Polarity | None:
    """What an act says by itself: like, dislike, or nothing (a look, a middling rating, a skip)."""
    if event.kind in _AGAINST:
        return Polarity.DISLIKE
    if event.kind in _FOR:
        return Polarity.LIKE
    if event.kind is EventKind.RATE and event.value is not None:
        return Polarity.LIKE if event.value >= LIKED_FROM else Polarity.DISLIKE if event.value <= DISLIKED_TO else None
    return None


def polarities(events: Sequence[Event]) -> list[Polarity | None]:
    """What each event says, in the light of the user's verdicts on the same item; `events` in time order.

    A look, a search or a purchase shows interest, unless the next verdict on the item is a dislike: who opens a film, hides
    it and goes has not liked it. Later verdicts come before earlier ones. None: a middling rating, a skip.
    """
    next_verdict: dict[str, Polarity] = {}
    says: list[Polarity | None] = []
    for event in reversed(events):
        own = verdict(event)
        if own is None and event.kind not in _SILENT:
            own = next_verdict.get(event.item or "", Polarity.LIKE)
        elif own is not None and event.item is not None:
            next_verdict[event.item] = own
        says.append(own)
    return says[::-1]


def segment(events: Sequence[Event], vectors: NDArray[np.float32], rules: SegmentRules) -> list[Segment]:
    """Segments in the order in which they were opened.

    `events` in time order; `vectors` (n, dim), unit rows, one an event. Events that say nothing are left out.
    """
    groups: list[_Open] = []
    for event, vector, says in zip(events, vectors, polarities(events), strict=True):
        if says is None:
            continue
        group = _join(groups, event, says, vector, rules)
        if group is None:
            group = _Open(says, np.zeros_like(vector), event.at)
            groups.append(group)
        group.events.append(event)
        group.total = group.total + vector
        group.last_at = event.at
        if event.item is not None:
            group.items.add(event.item)
    return [Segment(segment_key(g.polarity, g.events), g.events[0].user, g.polarity, tuple(g.events)) for g in groups]


def _join(
    groups: Sequence[_Open], event: Event, says: Polarity, vector: NDArray[np.float32], rules: SegmentRules
) -> _Open | None:
    """The segment that `event` belongs to, or None: the one with the same item, else the most similar one with room."""
    best, best_similarity = None, rules.similarity
    for group in reversed(groups):
        if group.polarity is not says or event.at - group.last_at > rules.gap:
            continue
        if event.item is not None and event.item in group.items:
            return group
        if len(group.items) >= rules.most or len(group.events) >= 2 * rules.most:
            continue
        norm = float(np.linalg.norm(group.total))
        similarity = float(group.total @ vector) / norm if norm else 0.0
        if similarity > best_similarity:
            best, best_similarity = group, similarity
    return best


def segment_key(says: Polarity, events: Sequence[Event]) -> str:
    """Content hash of a segment: the same events give the same key on any day and machine."""
    digest = hashlib.sha256(says.value.encode())
    for event in events:
        digest.update(b"\0" + event.id.encode())
    return digest.hexdigest()[:24]
