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

from agent import plain
from agent.evidence import evidence_of
from agent.writer import Writer
from eval import ungated
from retrieval.features import CatalogueStats
from retrieval.records import Event, EventKind, Item, Origin, Polarity, Segment, Statement

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
        return list(await asyncio.gather(*(_one(writer, groups, stats, now) for groups in clusters.values())))

    return dict(zip(clusters, asyncio.run(everything()), strict=True))


async def _one(writer: Writer, groups: Sequence[Sequence[Item]], stats: CatalogueStats, now: datetime) -> Authored:
    told = await asyncio.gather(*(_statement(writer, items, stats, now) for items in groups))
    said = [(items, s) for items, s in zip(groups, told, strict=True) if s is not None]
    labels: list[str] = []
    features: list[str] = []
    for items, statement in said:  # one after the other: names must differ
        evidence = evidence_of(_liked(items, now).events, {item.id: item for item in items}, stats)
        features += evidence.features
        labels.append(writer.label(await writer.names("", [statement], evidence), evidence, labels)[0])
    portrait, origin = (
        await writer.portrait("", labels, [], features) if labels else (plain.portrait([], []), Origin.FALLBACK)
    )
    texts = tuple(dict.fromkeys(s.text for _, s in said))
    written = sum(s.origin is Origin.MODEL for _, s in said) + (origin is Origin.MODEL)
    return Authored(texts, portrait if labels else "", written)


async def _statement(writer: Writer, items: Sequence[Item], stats: CatalogueStats, now: datetime) -> Statement | None:
    return await ungated.statement(_liked(items, now), items, writer, stats, now)


def _liked(items: Sequence[Item], now: datetime) -> Segment:
    events = tuple(Event(item.id, "somebody", EventKind.LIKE, now, item.id) for item in items)
    return Segment(" ".join(item.id for item in items), "somebody", Polarity.LIKE, events)
