"""A judge for tests: the real gate over a history that is given as events and items, with vectors of hashed words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from agent.gate import Judge, crowd
from retrieval.embed import HashEmbedder, Vectors
from retrieval.features import CatalogueStats, catalogue_stats
from retrieval.population import count
from retrieval.records import Event, Item
from retrieval.topics import topic_text

EMBEDDER = HashEmbedder(256)


def topics(items: Iterable[Item]) -> Vectors:
    return EMBEDDER.embed([topic_text(item) for item in items])


def judging(
    events: Sequence[Event],
    items: Mapping[str, Item],
    stats: CatalogueStats | None = None,
    others: Iterable[Sequence[str]] = (),
) -> Judge:
    """`others`: what each known person touched."""
    texts = [topic_text(items[e.item]) if e.item in items else e.text or "" for e in events]
    known = stats or catalogue_stats(items.values())
    everybody = crowd(list(items.values()), known, count(items.values(), others), topics)
    return Judge(tuple(events), items, EMBEDDER.embed(texts), everybody, known, EMBEDDER.embed)
