"""What comes in over HTTP: bounded pydantic models, and the same cleaning and checks that files pass on ingest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from retrieval.readers.rows import ID_CAP, LIST_CAP, TEXT_CAP, TITLE_CAP, URL_CAP, WORD_CAP, to_event, to_item
from retrieval.readers.source import BadRowError
from retrieval.records import Event, EventKind, Item, Refusal

MOST_ROWS = 1000  # a request: more belongs in a file


class In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ItemIn(In):
    """An item to add or replace."""

    id: str = Field(min_length=1, max_length=ID_CAP)
    title: str = Field(min_length=1, max_length=TITLE_CAP)
    text: str = Field("", max_length=TEXT_CAP)
    categories: list[str] = Field(default=[], max_length=LIST_CAP, description=f"{WORD_CAP} characters each")
    tags: list[str] = Field(default=[], max_length=LIST_CAP, description=f"{WORD_CAP} characters each")
    url: str | None = Field(None, max_length=URL_CAP, description="http(s); anything else is left out")
    image: str | None = Field(None, max_length=URL_CAP, description="http(s); anything else is left out")
    published_at: datetime | None = Field(None, description="times without an offset are UTC")


class EventIn(In):
    """An act of a user. Sending one twice changes nothing: without an id it gets a hash of its content."""

    id: str | None = Field(None, max_length=ID_CAP)
    user: str = Field(min_length=1, max_length=ID_CAP)
    kind: EventKind | None = Field(None, description="default: rate with a value, search without an item, else view")
    at: datetime = Field(description="times without an offset are UTC")
    item: str | None = Field(None, max_length=ID_CAP, description="item id; an event needs an item or a text")
    value: float | None = Field(None, allow_inf_nan=False, description="a rating, in the scale of its source")
    text: str | None = Field(None, max_length=TEXT_CAP, description="the user's own words: a review, a query")
    context: dict[str, str | int | float | bool | None] = Field(default={}, max_length=LIST_CAP)


class IngestIn(In):
    """Items and events, in any number up to the bound; items are stored first."""

    items: list[ItemIn] = Field(default=[], max_length=MOST_ROWS)
    events: list[EventIn] = Field(default=[], max_length=MOST_ROWS)


def records(body: IngestIn, *, now: datetime) -> tuple[list[Item | Event], list[Refusal]]:
    """The rows that can be stored, cleaned as rows of a file are, and those that cannot. A refusal's `line` is the row's
    place in its list, from 1, and its `file` the name of the list."""
    found: list[Item | Event] = []
    refused: list[Refusal] = []
    makers: list[tuple[str, Sequence[In], Any]] = [
        ("items", body.items, to_item),
        ("events", body.events, partial(to_event, now=now)),
    ]
    for name, rows, make in makers:
        for place, row in enumerate(rows, start=1):
            try:
                found.append(make(row.model_dump(mode="json")))
            except BadRowError as exc:
                refused.append(Refusal(name, place, str(exc)))
    return found, refused
