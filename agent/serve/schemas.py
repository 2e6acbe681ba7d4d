"""What goes out, as pydantic models: the command line prints them with --json, HTTP answers with them, and OpenAPI shows them.

Most models read a record of the same field names (`StatementOut.model_validate(statement)`). Centroids never leave, times
are UTC, ids are opaque. What needs a look-up (titles, texts) is put together in present.py; what comes in is incoming.py.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from retrieval.records import EventKind, Horizon, Origin, Polarity, Source, ThemeEventKind, utc

Moment = Annotated[datetime, AfterValidator(utc), Field(description="UTC")]
Status = Literal["ok", "warn", "fail"]


class Out(BaseModel):
    """Base of what goes out: frozen, and readable from a record with the same names."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class ErrorOut(Out):
    """What went wrong, and what to do about it."""

    error: str = Field(description="one line for a person")
    hint: str = Field("", description="what to do about it; may be empty")


class ItemRef(Out):
    """An item by id and title; the title is the id where the item has left the catalogue."""

    id: str
    title: str


class ItemOut(Out):
    """Something that can be recommended."""

    id: str
    title: str
    text: str = Field(description="description; may be empty")
    categories: list[str]
    tags: list[str]
    url: str | None
    image: str | None = Field(description="address of a picture")
    published_at: Moment | None


class EventOut(Out):
    """One act of one user."""

    id: str
    user: str
    kind: EventKind
    at: Moment
    item: str | None = Field(description="item id; none for a search")
    value: float | None = Field(description="a rating, in the scale of its source")
    text: str | None = Field(description="the user's own words: a review, a query")
    context: dict[str, Any]


class StatementOut(Out):
    """A sentence about what a user likes or dislikes, and the events that show it."""

    id: str
    text: str
    polarity: Polarity
    facet: str = Field(description="what the sentence is about, in a few words")
    evidence: list[str] = Field(description="event ids; empty for what the user said")
    first_at: Moment = Field(description="the oldest evidence, UTC")
    last_at: Moment = Field(description="the newest evidence, UTC")
    horizon: Horizon
    source: Source = Field(description="concluded from behaviour, said by the user, or corrected by the user")
    origin: Origin = Field(description="whose words these are: the LLM's, a plain sentence from the data, the user's")
    confidence: float = Field(description="from 0 to 1")
    prompt: str = Field(description="name@version of the prompt; empty when no LLM wrote it")
    model: str = Field(description="the LLM; empty when none wrote it")
    written_at: Moment
    superseded_by: str | None = Field(description="the id of the statement that took its place")
    superseded_at: Moment | None = Field(None, description="when it did")


class ThemeOut(Out):
    """Statements that belong together, under an id that stays while the theme changes."""

    id: str
    label: str
    summary: str
    polarity: Polarity
    statements: list[str] = Field(description="statement ids")
    medoid: str = Field(description="the id of the statement that says it best")
    importance: float = Field(description="decayed number of events")
    trend: float = Field(description="change of importance over the last 30 days")
    origin: Origin = Field(description="who found the label")
    active: bool = Field(description="false when it has faded, was a one-off or is not the owner's")
    horizon: Horizon = Field(
        description="a theme; what may still come to nothing; what came to nothing; somebody else's who uses the account"
    )
    note: str = Field("", description="why it counts as it does; empty for one that simply lives")


class ThemeEventOut(Out):
    """A step in the life of a theme."""

    theme: str = Field(description="theme id")
    kind: ThemeEventKind
    at: Moment
    sources: list[str] = Field(description="the theme ids it came from")
    detail: str
    causes: list[str] = Field(description="the events that brought it about, or the user's own statement")
    statements: list[str] = Field([], description="the statements of the profile shown that rest on these events")


class QuestionOut(Out):
    """Shall what the owner deleted come back? Answer with `edit answer`, or with an edit of the kind restore or refuse."""

    edit: int = Field(description="number of the deletion")
    was: str = Field(description="what was deleted")
    text: str = Field(description="what new acts speak for")
    items: int = Field(description="distinct new items that speak for it, our own recommendations left out")


class ProfileOut(Out):
    """A user's statements and themes as of a moment."""

    user: str
    as_of: Moment
    version: int
    portrait: str = Field(description="one paragraph")
    portrait_origin: Origin
    events_seen: int = Field(description="events that the profile was made from")
    statements: list[StatementOut]
    themes: list[ThemeOut]
    theme_events: list[ThemeEventOut] = Field(description="the steps that this version added")
    restores: int | None = Field(description="the earlier version whose words it brought back, if it did")
    questions: list[QuestionOut] = Field([], description="what only the owner can decide")


class CitationOut(Out):
    """One link of a reason to what the user did."""

    statement: str = Field(description="statement id")
    text: str | None = Field(description="the statement; none when it is not in the stored profile")
    events: list[str] = Field(description="event ids")
    items: list[ItemRef] = Field(description="the items of these events")


class RecommendationOut(Out):
    """An item, why, and how it came to its rank."""

    rank: int
    item: str = Field(description="item id")
    title: str
    url: str | None
    score: float
    parts: dict[str, float] = Field(description="score by channel; `prior` is their fusion, `llm` the LLM's score")
    reason: str
    reason_origin: Origin
    citations: list[CitationOut]
    theme: str | None = Field(description="id of the theme it serves")
    theme_label: str | None
    degraded: list[str] = Field(description="what was missing: profile, rerank, explain; empty when all went well")
    propensity: float = Field(1.0, description="the probability with which it was put at this rank")
    impression: int | None = Field(
        None, description="id of this showing, to send back with feedback; none for strangers"
    )


class RecommendationsOut(Out):
    """Recommendations for a user, best first."""

    user: str
    query: str | None
    k: int = Field(description="how many were asked for; there may be fewer")
    items: list[RecommendationOut]
    degraded: list[str] = Field(description="what was missing for any of them")


class IgnoredOut(Out):
    """Words of a self-description that were left out, and why."""

    text: str
    reason: str


class ColdStartOut(Out):
    """What was understood of a self-description, and what follows from it. Nothing of it is stored."""

    portrait: str
    statements: list[StatementOut]
    ignored: list[IgnoredOut]
    k: int
    items: list[RecommendationOut]
    degraded: list[str]


class RefusalOut(Out):
    """A row that was not taken, and why."""

    file: str = Field(description="empty when it came over HTTP, or when only the store could tell")
    line: int = Field(
        description="counted from 1, header included; over HTTP the place in its list, from 1; 0 when unknown"
    )
    reason: str


class CountsOut(Out):
    """What is in the store."""

    items: int
    users: int
    events: int


class IngestOut(Out):
    """What an ingest did, and what is in the store now."""

    items_new: int
    items_updated: int
    items_same: int
    events_new: int
    events_duplicate: int
    refused: int
    refusals: list[RefusalOut] = Field(description="the first 1,000")
    store: CountsOut


class FeedbackOut(Out):
    """The feedback as it was stored."""

    event: EventOut
    recommended: bool = Field(description="whether we had recommended the item, so that this is partly our own echo")


class ExportOut(Out):
    """Everything that is stored about a user."""

    user: str
    tables: dict[str, list[dict[str, Any]]] = Field(description="rows by table")


class ForgetOut(Out):
    """What was erased."""

    user: str
    rows: dict[str, int] = Field(description="rows deleted by table")
    scrubbed: bool = Field(description="the database files were rewritten and hold no byte of the user any more")


class LLMStatusOut(Out):
    """How the LLM is: the server that is configured, and the embedded engine of this home."""

    base_url: str
    model: str
    reachable: bool = Field(description="the server at base_url answers")
    offers_model: bool = Field(description="and has the model")
    embedded: bool = Field(description="base_url points at the embedded engine")
    running: bool = Field(description="the process of the embedded engine exists")
    ready: bool = Field(description="the embedded engine answers")
    pid: int | None
    started_at: str | None
    port: int = Field(description="of the embedded engine")
    weights: str = Field(description="of the embedded engine: w8a8 or float32")
    log: str = Field(description="log file of the embedded engine")


class CheckOut(Out):
    """One thing that doctor looked at."""

    name: str
    status: Status
    detail: str
    hint: str = Field("", description="what to do about it; empty when all is well")


class DoctorOut(Out):
    """All that doctor looked at. `ok` is false when a check failed; warnings do not count."""

    ok: bool
    version: str
    checks: list[CheckOut]
