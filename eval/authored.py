"""What the model writes about clusters of items: a statement about each, and one portrait of them all.

    texts = author(writer, {key: clusters}, stats, now)
    texts[key].statements       # ("Likes slow-burn mysteries set in the arctic", ...)
    texts[key].portrait

The product's writer, checks and plain sentences, with the gate held open (eval/ungated.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from agent.evidence import evidence_of
from agent.together import together
from agent.writer import Writer
from eval import ungated
from retrieval.features import CatalogueStats
from retrieval.records import Event, EventKind, Item, Origin, Polarity, Segment

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Authored:
    """Empty where the items share nothing. `written`: how many of the texts are in the model's words."""

    statements: tuple[str, ...]
    portrait: str
    written: int


def author(
    writer: Writer, clusters: Mapping[K, Sequence[Sequence[Item]]], stats: CatalogueStats, now: datetime
) -> dict[K, Authored]:
    """Raises LLMUnavailableError."""

    async def everything() -> list[Authored]:
        return await together([_one(writer, groups, stats, now) for groups in clusters.values()])

    return dict(zip(clusters, asyncio.run(everything()), strict=True))


async def _one(writer: Writer, groups: Sequence[Sequence[Item]], stats: CatalogueStats, now: datetime) -> Authored:
    segments = [_liked(items, now) for items in groups]
    told = await together([ungated.statement(s, i, writer, stats, now) for s, i in zip(segments, groups, strict=True)])
    said = [statement for statement in told if statement is not None]
    if not said:
        return Authored((), "", 0)
    shown = [
        evidence_of(segment.events, {item.id: item for item in items}, stats)
        for segment, items, statement in zip(segments, groups, told, strict=True)
        if statement is not None
    ]
    names = await together([writer.names("", [s], e) for s, e in zip(said, shown, strict=True)])
    labels: list[str] = []
    for own, evidence in zip(names, shown, strict=True):
        labels.append(writer.label(own, evidence, labels)[0])
    portrait, origin = await writer.portrait("", labels, [], [f for evidence in shown for f in evidence.features])
    written = sum(s.origin is Origin.MODEL for s in said) + (origin is Origin.MODEL)
    return Authored(tuple(dict.fromkeys(s.text for s in said)), portrait, written)


def _liked(items: Sequence[Item], now: datetime) -> Segment:
    events = tuple(Event(item.id, "somebody", EventKind.LIKE, now, item.id) for item in items)
    return Segment(" ".join(item.id for item in items), "somebody", Polarity.LIKE, events)
