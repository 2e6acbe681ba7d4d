"""Cut a user's events into segments: a few coherent events of one polarity, what one statement is written from.

An online leader algorithm in time order: an event joins the open segment that it resembles most, or opens a new one. What
comes later never changes how earlier events were assigned, so new events touch only the segments that they join, and the
segments of a past moment are those that were written then.
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
_POSITIVE = frozenset({EventKind.VIEW, EventKind.CLICK, EventKind.PURCHASE, EventKind.LIKE, EventKind.SHARE})
_NEGATIVE = frozenset({EventKind.DISLIKE, EventKind.HIDE})


@dataclass(frozen=True, slots=True)
class SegmentRules:
    """`similarity` is a cosine; a segment with `most` distinct items is closed; a pause of `gap` closes it too."""

    similarity: float = 0.42
    most: int = 8
    gap: timedelta = timedelta(days=45)


@dataclass(slots=True)
class _Open:
    """A segment that may still grow. `total` is the sum of its unit vectors."""

    polarity: Polarity
    total: NDArray[np.float32]
    last_at: datetime
    events: list[Event] = field(default_factory=list)
    items: set[str] = field(default_factory=set)


def polarity(event: Event) -> Polarity | None:
    """What an event says: like, dislike, or nothing (a middling rating). A search shows interest."""
    if event.kind in _NEGATIVE:
        return Polarity.DISLIKE
    if event.kind in _POSITIVE or event.kind is EventKind.SEARCH:
        return Polarity.LIKE
    if event.value is None or event.value >= LIKED_FROM:
        return Polarity.LIKE
    return Polarity.DISLIKE if event.value <= DISLIKED_TO else None


def segment(events: Sequence[Event], vectors: NDArray[np.float32], rules: SegmentRules) -> list[Segment]:
    """Segments in the order in which they were opened.

    `events` in time order; `vectors` (n, dim), unit rows, one an event. Events that say nothing are left out.
    """
    groups: list[_Open] = []
    for event, vector in zip(events, vectors, strict=True):
        says = polarity(event)
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
