"""What the service answers with, where a record of the store does not say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.gate import rests
from agent.slate import Known
from agent.standing import Standing
from retrieval.records import Event, Item, Profile, Recommendation, Source, Statement, Theme
from retrieval.store import Store


@dataclass(frozen=True, slots=True)
class Failure:
    """A user whose profile could not be built, and why. One bad user does not end a run."""

    user: str
    error: str


@dataclass(frozen=True, slots=True)
class Recommended:
    """Recommendations and the profile that their citations point into (a sketch that is stored nowhere, without an LLM)."""

    profile: Profile
    recommendations: tuple[Recommendation, ...]


@dataclass(frozen=True, slots=True)
class ColdStart:
    """What was understood of a self-description, what was left out and why, and what follows from it."""

    profile: Profile
    ignored: tuple[tuple[str, str], ...]
    recommendations: tuple[Recommendation, ...]


@dataclass(frozen=True, slots=True)
class Objection:
    """A dislike that an item runs into, in words, with the features that it `shared` with what was disliked."""

    text: str
    statement: Statement
    shared: tuple[str, ...]
    events: tuple[Event, ...]
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Why:
    """The evidence: `statements` with the theme they belong to, their events, and the items of those. Of an item also what
    counts `against` it and where it stands among what would be recommended."""

    target: str
    reason: str
    statements: tuple[Statement, ...]
    themes: tuple[Theme, ...]
    events: tuple[Event, ...]
    items: tuple[Item, ...]
    against: tuple[Objection, ...] = ()
    standing: Standing | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    items: int
    users: int
    events: int


def grounded(store: Store, profile: Profile) -> int:
    """How many statements rest on events that exist, are this user's and precede the profile's moment, read back from the
    store; what users say of themselves is ground enough."""
    return sum(s.source is not Source.INFERRED or rests(store, s, profile.as_of) for s in profile.statements)


def trace(known: Known, target: str, reason: str, statement: Statement | None, cited: Sequence[str]) -> Why:
    """Follow a statement (or none) to the `cited` events, their items, and the theme it belongs to."""
    events = sorted((known.events[i] for i in cited if i in known.events), key=lambda e: (e.at, e.id))
    ids = dict.fromkeys(e.item for e in events if e.item is not None)
    return Why(
        target=target,
        reason=reason,
        statements=(statement,) if statement else (),
        themes=tuple(t for t in known.profile.themes if statement and statement.id in t.statements),
        events=tuple(events),
        items=tuple(known.items[i] for i in ids if i in known.items),
    )
