"""The words of the project as frozen dataclasses: what flows between the stages, and nothing else.

All times are timezone-aware UTC. Ids are opaque strings. Sequences are tuples, so records can be hashed and shared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class EventKind(StrEnum):
    """What a person did. The signals are those of the common interaction logs (MovieLens, MIND, Amazon Reviews)."""

    VIEW = "view"
    CLICK = "click"
    PURCHASE = "purchase"
    RATE = "rate"
    LIKE = "like"
    DISLIKE = "dislike"
    HIDE = "hide"
    SHARE = "share"
    SEARCH = "search"
    SKIP = "skip"


class Polarity(StrEnum):
    LIKE = "like"
    DISLIKE = "dislike"


class Horizon(StrEnum):
    LONG = "long"
    SHORT = "short"
    ONE_OFF = "one-off"
    SHARED = "shared"


class Source(StrEnum):
    """Who says so: concluded from behaviour, said by the user, or corrected by the user."""

    INFERRED = "inferred"
    ASSERTED = "asserted"
    EDITED = "edited"


class Origin(StrEnum):
    """Who found the words: the LLM, or our own plain sentence made from the data."""

    MODEL = "model"
    FALLBACK = "fallback"
    USER = "user"


class ThemeEventKind(StrEnum):
    BORN = "born"
    GREW = "grew"
    MERGED = "merged"
    SPLIT = "split"
    FADED = "faded"
    REVIVED = "revived"
    RENAMED = "renamed"


class EditKind(StrEnum):
    """What an owner wants of their profile. RESTORE and REFUSE answer whether to bring back what was deleted."""

    ADD = "add"
    REWORD = "reword"
    DELETE = "delete"
    MUTE = "mute"
    PIN = "pin"
    BOOST = "boost"
    CLEAR = "clear"
    RESTORE = "restore"
    REFUSE = "refuse"


class Reply(StrEnum):
    """What somebody answers when asked whether they like a thing."""

    YES = "yes"
    NO = "no"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Item:
    id: str
    title: str
    text: str = ""
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    url: str | None = None
    image: str | None = None
    published_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One act of one user. `item` is None for a search that led nowhere; `value` is a rating in the source's own scale."""

    id: str
    user: str
    kind: EventKind
    at: datetime
    item: str | None = None
    value: float | None = None
    text: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Segment:
    """A few coherent events of one user and one polarity: what one statement is written from.

    `key` is a content hash of the events, so an unchanged segment is never sent to the LLM again.
    """

    key: str
    user: str
    polarity: Polarity
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence about what a user likes or dislikes, and the events that show it.

    `segment` is the key of the segment it was written from ("" for what the user said). `confidence` is in [0, 1].
    """

    id: str
    user: str
    text: str
    polarity: Polarity
    facet: str
    evidence: tuple[str, ...]
    first_at: datetime
    last_at: datetime
    horizon: Horizon
    source: Source
    origin: Origin
    confidence: float
    prompt: str
    model: str
    written_at: datetime
    segment: str = ""
    superseded_by: str | None = None
    superseded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Theme:
    """A cluster of statements that keeps its id while it changes. `centroid` is a unit vector; `trend` is the change of
    importance over the last 30 days, in the unit of importance (decayed events). `horizon`: "long" for a theme, "short" for
    what may still come to nothing, "one-off" for what came to nothing, "shared" for what seems to be somebody else's who uses
    the account."""

    id: str
    user: str
    label: str
    summary: str
    polarity: Polarity
    statements: tuple[str, ...]
    medoid: str
    centroid: tuple[float, ...] = field(repr=False)
    importance: float = 0.0
    trend: float = 0.0
    origin: Origin = Origin.FALLBACK
    active: bool = True
    horizon: Horizon = Horizon.LONG


@dataclass(frozen=True, slots=True)
class ThemeEvent:
    """A step in the life of a theme: `sources` are the theme ids it came from, `causes` the ids of the events (or of the
    user's own statement) that brought it about, `detail` says what else there is to say."""

    theme: str
    kind: ThemeEventKind
    at: datetime
    sources: tuple[str, ...] = ()
    detail: str = ""
    causes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Edit:
    """What the owner of a profile said about it: one entry of a log that only grows, `number` 1, 2, ... for each user.

    `target`: the id of a statement or (`of_theme`) a theme; of RESTORE and REFUSE the number of the deletion; "" of ADD.
    `was`, `polarity`, `statements` and `evidence` (event ids): what the target said and stood on then, because ids change when
    evidence grows. `text`: the owner's words.
    """

    user: str
    kind: EditKind
    at: datetime
    number: int = 0
    target: str = ""
    of_theme: bool = False
    was: str = ""
    polarity: Polarity = Polarity.LIKE
    statements: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """Shall what was deleted come back? `edit`: the number of the deletion; `text`: what `items` new items speak for."""

    edit: int
    was: str
    text: str
    items: int


@dataclass(frozen=True, slots=True)
class Profile:
    """A user's statements and themes as of a moment. `theme_events`: the steps that this version added. `restores`: the
    earlier version whose words it brought back, if it did. `questions`: what only the owner can decide."""

    user: str
    as_of: datetime
    version: int
    statements: tuple[Statement, ...] = ()
    themes: tuple[Theme, ...] = ()
    portrait: str = ""
    portrait_origin: Origin = Origin.FALLBACK
    theme_events: tuple[ThemeEvent, ...] = ()
    events_seen: int = 0
    questions: tuple[Question, ...] = ()
    restores: int | None = None

    def statement(self, statement_id: str) -> Statement | None:
        return next((s for s in self.statements if s.id == statement_id), None)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item worth ranking: the channels that proposed it with their raw scores, the fused prior, and the theme it serves."""

    item: str
    channels: Mapping[str, float] = field(hash=False)
    prior: float
    theme: str | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """One link of a reason to what the user did: statement -> events -> items. `statement` is "" where acts speak that no
    statement is made from."""

    statement: str
    events: tuple[str, ...]
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recommendation:
    """`propensity`: the probability with which the item was put at this rank; `impression`: under which it was logged."""

    item: str
    rank: int
    score: float
    parts: Mapping[str, float] = field(hash=False)
    reason: str = ""
    reason_origin: Origin = Origin.FALLBACK
    citations: tuple[Citation, ...] = ()
    theme: str | None = None
    degraded: tuple[str, ...] = ()
    propensity: float = 1.0
    impression: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that ingest did not take, and why. `line` counts from 1 and includes the header."""

    file: str
    line: int
    reason: str


def utc(value: datetime) -> datetime:
    """`value` as an aware UTC time; naive times are taken to be UTC already."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
