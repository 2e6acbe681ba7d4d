"""What comes in over HTTP, as bounded pydantic models. Cleaning and checks are those of files: see rows.py."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from retrieval.readers.rows import ID_CAP, LIST_CAP, TEXT_CAP, TITLE_CAP, URL_CAP, WORD_CAP
from retrieval.records import EventKind

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
