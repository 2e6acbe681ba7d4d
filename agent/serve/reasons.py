"""What `why` answers with, as pydantic models; the rest of what goes out is in schemas.py."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from agent.serve.schemas import EventOut, ItemOut, Out, StatementOut, ThemeOut

Outcome = Literal["recommended", "touched", "muted", "disliked", "alike", "unsupported", "outranked"]


class ObjectionOut(Out):
    """A dislike that an item runs into."""

    text: str = Field(description="in words, made from the data")
    statement: StatementOut
    shared: list[str] = Field(description="features of the item and of what was disliked")
    events: list[EventOut]
    items: list[ItemOut]


class StandingOut(Out):
    """Where an item stands among what would be recommended now, the LLM's part left out."""

    outcome: Outcome
    text: str = Field(description="in words, made from the data")
    rank: int | None = Field(description="place by score among the candidates; none where it was not compared")
    scored: int = Field(description="how many candidates were compared")
    channel: str | None = Field(description="the part of the score in which it is furthest behind")


class WhyOut(Out):
    """The evidence behind a statement or for an item: statements, their themes, events, and the items of those."""

    target: str = Field(description="the statement or item that was asked about")
    reason: str
    statements: list[StatementOut]
    themes: list[ThemeOut]
    events: list[EventOut]
    items: list[ItemOut]
    against: list[ObjectionOut] = Field(description="what counts against an item; empty for a statement")
    standing: StandingOut | None = Field(description="why an item is or is not recommended; none for a statement")
