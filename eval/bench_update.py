"""How long an update takes for somebody with a long history, without the LLM's time.

    python -m eval.bench_update [--events 100000]

A user of the sample catalogue with that many events gets a profile, then ten more events, then another update: the product's
write path from reading the store to saving a version, with plain sentences in the place of the LLM's. The best of three. A hide
of something seen long ago is measured apart: it changes what that look has said, so the whole history is followed anew.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from agent.config import Settings
from agent.gate import Tally
from agent.llm import LLM
from agent.parts import Parts
from agent.profiler import Profiler
from agent.weights import locate_embedder
from retrieval.embed import SentenceTransformerEmbedder
from retrieval.readers import read
from retrieval.records import Event, EventKind, Item
from retrieval.store import Store

SAMPLE = Path(__file__).parents[1] / "retrieval" / "sample"
USER = "busy"
NOW = datetime(2026, 11, 1, tzinfo=UTC)  # all of the sample is before it
BEGUN = datetime(2016, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=50)  # 100,000 of them are ten years
INTERESTS = frozenset({"jazz", "gardening", "horror", "chess"})  # categories that the user keeps to
TIMES = 3
NEW = 10


def events(items: list[str], first: int, count: int, kind: EventKind = EventKind.VIEW) -> list[Event]:
    """The events numbered `first` and on, of items drawn with a seed."""
    drawn = np.random.default_rng([first, count]).integers(len(items), size=count)
    return [Event(f"{kind}-{first + n}", USER, kind, BEGUN + (first + n) * STEP, items[i]) for n, i in enumerate(drawn)]


async def update(profiler: Profiler, count: int) -> tuple[float, int]:
    """Seconds of an update as of the last event, and the themes that live then."""
    begun = time.perf_counter()
    moment = BEGUN + count * STEP
    profile = await profiler.build(USER, moment, moment)
    return time.perf_counter() - begun, sum(theme.active for theme in profile.themes)


async def measure(store: Store, profiler: Profiler, count: int) -> None:
    items = sorted(item.id for item in store.iter_items() if INTERESTS & set(item.categories))
    store.ingest(events(items, 0, count))
    seconds, themes = await update(profiler, count)
    print(f"first profile of {count:,} events: {seconds:.1f} s, {themes} active themes")
    taken = []
    for _ in range(TIMES):
        store.ingest(events(items, count, NEW))
        count += NEW
        taken.append((await update(profiler, count))[0])
    print(f"update with {NEW} new events: {min(taken):.2f} s (each: {', '.join(f'{s:.2f}' for s in taken)})")
    store.ingest(events(items, count, 1, EventKind.HIDE))
    print(f"after hiding something seen long ago: {(await update(profiler, count + 1))[0]:.1f} s")


def main(count: int) -> None:
    embedder = SentenceTransformerEmbedder(locate_embedder())
    with tempfile.TemporaryDirectory() as folder, Store(f"sqlite:///{Path(folder) / 'bench.db'}") as store:
        store.ingest(record for record in read(SAMPLE, now=NOW) if isinstance(record, Item))
        settings = Settings(home=Path(folder))
        parts = Parts(settings, store, embedder, LLM(settings.llm), store.catalogue_signature(), None, Tally())
        asyncio.run(measure(store, parts.sketcher, count))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Time of an update of a long history.")
    parser.add_argument("--events", type=int, default=100_000)
    main(parser.parse_args().events)
