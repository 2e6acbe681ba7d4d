"""A user's recent events, what they are about, and what in them speaks for or against a statement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from agent import guard
from retrieval.embed import Vectors
from retrieval.features import features
from retrieval.records import Event, Item, Polarity, Statement
from retrieval.segments import polarities
from retrieval.themes import centroid


@dataclass(frozen=True, slots=True)
class History:
    """A user's window of events up to a moment, the items they touched, and a unit vector (n, dim) for each event."""

    events: tuple[Event, ...]
    items: Mapping[str, Item]
    vectors: Vectors

    def shown(self, *statements: Statement) -> list[Event]:
        """The events behind statements, in time order."""
        wanted = {e for s in statements for e in s.evidence}
        return [e for e in self.events if e.id in wanted]

    def middle(self, statement: Statement) -> datetime:
        """The median time of a statement's evidence."""
        shown = self.shown(statement)
        return shown[len(shown) // 2].at

    def outweighed(self, statement: Statement) -> bool:
        """Does more speak against a statement than for it, over all items with the features that it names?

        Who dislikes three comedies and likes thirty does not dislike comedies; the three share something that we cannot name.
        A dislike needs a majority, a like only no majority against it.
        """
        said = guard.stems([statement.text])
        shown = {f for e in self.shown(statement) if e.item in self.items for f in features(self.items[e.item or ""])}
        named = {f for f in shown if guard.stems([f]) <= said}
        sides: dict[str, Polarity] = {}
        for event, side in zip(self.events, polarities(self.events), strict=True):
            if side is not None and event.item in self.items and named <= set(features(self.items[event.item or ""])):
                sides[event.item or ""] = side
        speaks_for = sum(side is statement.polarity for side in sides.values())
        against = len(sides) - speaks_for
        return bool(named) and (
            against > speaks_for or (statement.polarity is Polarity.DISLIKE and against == speaks_for)
        )

    def topic(self, statement: Statement) -> Vectors:
        """(dim,) What a statement's evidence is about."""
        wanted = set(statement.evidence)
        return centroid(self.vectors[[row for row, e in enumerate(self.events) if e.id in wanted]])
