"""Rows that come in over HTTP, one answer a row: one bad row does not refuse the other 999.

A row that does not fit its model becomes a BadRow instead of an error of the request; one that fits is cleaned and checked
as a row of a file is. What the store then did with it is read back from the store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from agent.serve.incoming import MOST_ROWS, EventIn, In, ItemIn
from agent.serve.schemas import Out
from agent.service import Service
from retrieval.readers.rows import to_event, to_item
from retrieval.readers.source import BadRowError
from retrieval.records import Event, Item
from retrieval.store import IngestSummary, content_hash

Outcome = Literal["accepted", "duplicate", "refused"]


class BadRow(In):
    """A row that its model refused, and why."""

    reason: str


def _lenient(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return BadRow(reason=f"{where}: {first['msg']}" if where else str(first["msg"]))


# To OpenAPI and to a client these are lists of ItemIn and of EventIn.
Items = Annotated[list[Annotated[ItemIn, WrapValidator(_lenient)]], Field(max_length=MOST_ROWS)]
Events = Annotated[list[Annotated[EventIn, WrapValidator(_lenient)]], Field(max_length=MOST_ROWS)]


class RowOut(Out):
    """What became of one row."""

    row: int = Field(description="its place in the list, from 1")
    id: str | None = Field(description="its id; given by us where it came without one; none where it was not read")
    outcome: Outcome
    reason: str = Field("", description="why it was refused")


class RowsOut(Out):
    """What became of all rows, in their order."""

    accepted: int
    duplicate: int
    refused: int
    rows: list[RowOut]


def take_items(service: Service, rows: Sequence[In]) -> RowsOut:
    """Store items. One that is stored already, word for word, is a duplicate; one that has changed is accepted."""
    made = [_made(row, to_item) for row in rows]
    before = {
        i.id: content_hash(i) for i in service.store.items({m.id for m in made if not isinstance(m, str)}).values()
    }
    summary = service.ingest_records([m for m in made if isinstance(m, Item)])
    out: list[RowOut] = []
    for place, item in enumerate(made, start=1):
        if isinstance(item, str):
            out.append(RowOut(row=place, id=None, outcome="refused", reason=item))
        elif reason := _refusal(summary, f"item {item.id!r}: "):
            out.append(RowOut(row=place, id=item.id, outcome="refused", reason=reason))
        else:
            same = before.get(item.id) == (digest := content_hash(item))
            before[item.id] = digest
            out.append(RowOut(row=place, id=item.id, outcome="duplicate" if same else "accepted"))
    return _counted(out)


def take_events(service: Service, rows: Sequence[In], now: datetime) -> RowsOut:
    """Store events. An id that is stored already is a duplicate, whatever else the row says."""
    made = [_made(row, partial(to_event, now=now)) for row in rows]
    events = [m for m in made if isinstance(m, Event)]
    before = _stored(service, events)
    summary = service.ingest_records(events)
    after = _stored(service, events)
    out: list[RowOut] = []
    for place, event in enumerate(made, start=1):
        if isinstance(event, str):
            out.append(RowOut(row=place, id=None, outcome="refused", reason=event))
        elif (event.user, event.id) in before:
            out.append(RowOut(row=place, id=event.id, outcome="duplicate"))
        elif (event.user, event.id) in after:
            before.add((event.user, event.id))
            out.append(RowOut(row=place, id=event.id, outcome="accepted"))
        else:
            reason = _refusal(summary, f"event {event.id!r}: ") or "its id belongs to another event"
            out.append(RowOut(row=place, id=event.id, outcome="refused", reason=reason))
    return _counted(out)


def _made(row: In, make: Callable[[dict[str, Any]], Item | Event]) -> Any:
    """The record, or the reason why there is none."""
    if isinstance(row, BadRow):
        return row.reason
    try:
        return make(row.model_dump(mode="json"))
    except BadRowError as exc:
        return str(exc)


def _stored(service: Service, events: Sequence[Event]) -> set[tuple[str, str]]:
    by_user: dict[str, list[str]] = {}
    for event in events:
        by_user.setdefault(event.user, []).append(event.id)
    return {(user, found) for user, ids in by_user.items() for found in service.store.events_by_id(user, ids)}


def _refusal(summary: IngestSummary, prefix: str) -> str:
    return next((r.reason.removeprefix(prefix) for r in summary.refusals if r.reason.startswith(prefix)), "")


def _counted(rows: list[RowOut]) -> RowsOut:
    count = {word: sum(r.outcome == word for r in rows) for word in ("accepted", "duplicate", "refused")}
    return RowsOut(rows=rows, **count)
