"""One load of records into the store: all or nothing, and the same result however often and in whatever order it arrives.

Events that come before their item wait in memory until the end of the load, so a reader should yield items first.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields

from sqlalchemy import Column, Connection, insert, select

from retrieval.records import Event, Item, Refusal
from retrieval.schema import events, items
from retrieval.tables.catalogue import content_hash, move_signature
from retrieval.tables.columns import dump_json
from retrieval.tables.database import Database, chunks, row_of, upsert
from retrieval.tables.meta import erased_among

BATCH = 2000
REFUSALS_KEPT = 1000


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """What a load did. `refused` counts all refusals, the readers' included; `refusals` holds the first 1000."""

    items_new: int = 0
    items_updated: int = 0
    items_same: int = 0
    events_new: int = 0
    events_duplicate: int = 0
    refused: int = 0
    refusals: tuple[Refusal, ...] = ()

    @property
    def nothing_taken(self) -> bool:
        """Were there rows, and all of them refused?"""
        known = self.items_new + self.items_updated + self.items_same + self.events_new + self.events_duplicate
        return self.refused > 0 and known == 0


class Ingest(Database):
    def ingest(
        self, records: Iterable[Item | Event | Refusal], *, progress: Callable[[int], None] | None = None
    ) -> IngestSummary:
        """Store the records in one transaction: when this returns they are on disk, when it raises none of them is.

        An item with a known id replaces it; an event with a known id changes nothing. `progress` gets the number of
        records read so far. `records` must not use the store. Raises StoreError.
        """
        with self._write() as conn:
            load = _Load(conn)
            for count, record in enumerate(records, start=1):
                load.add(record)
                if count % BATCH == 0:
                    load.flush()
                    if progress:
                        progress(count)
            summary = load.finish()
        if progress:
            progress(load.read)
        return summary


class _Load:
    """The state of one ingest."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.read = 0
        self.items: list[Item] = []
        self.events: list[Event] = []
        self.waiting: list[Event] = []  # their item is unknown so far
        self.known_items: set[str] = set()
        self.known_users: set[str] = set()
        self.erased: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.refusals: list[Refusal] = []
        self.change = 0  # of the sum of content hashes

    def add(self, record: Item | Event | Refusal) -> None:
        self.read += 1
        if isinstance(record, Refusal):
            self.refuse(record)
        elif reason := _unstorable(record):
            self.refuse(Refusal("", 0, f"{type(record).__name__.lower()} {record.id!r}: {reason}"))
        elif isinstance(record, Item):
            self.items.append(record)
        else:
            self.events.append(record)

    def refuse(self, refusal: Refusal) -> None:
        self.counts["refused"] += 1
        if len(self.refusals) < REFUSALS_KEPT:
            self.refusals.append(refusal)

    def flush(self) -> None:
        self._flush_items()
        self.waiting += self._flush_events()

    def finish(self) -> IngestSummary:
        self.flush()
        self.events, self.waiting = self.waiting, []
        for event in self._flush_events():
            self.refuse(Refusal("", 0, f"event {event.id!r}: unknown item {event.item!r}"))
        if self.change:
            move_signature(self.conn, self.counts["items_new"], self.change)
        return IngestSummary(**self.counts, refusals=tuple(self.refusals))

    def _flush_items(self) -> None:
        known: dict[str, str] = {}
        for chunk in chunks([item.id for item in self.items]):
            found = self.conn.execute(select(items.c.id, items.c.digest).where(items.c.id.in_(chunk)))
            known.update((row.id, row.digest) for row in found)
        rows = {}
        for item in self.items:
            digest, before = content_hash(item), known.get(item.id)
            known[item.id] = digest
            if digest == before:
                self.counts["items_same"] += 1
                continue
            self.counts["items_new" if before is None else "items_updated"] += 1
            self.change += int(digest, 16) - int(before or "0", 16)
            rows[item.id] = row_of(items, item, digest=digest)
        upsert(self.conn, items, list(rows.values()))
        self.known_items.update(known)
        self.items = []

    def _flush_events(self) -> list[Event]:
        """Insert what is new and return the events whose item is unknown."""
        batch, self.events = self.events, []
        known = self._stored(events.c.id, [event.id for event in batch])
        wanted = {event.item for event in batch if event.item is not None} - self.known_items
        self.known_items |= self._stored(items.c.id, list(wanted))
        new_users = {event.user for event in batch} - self.known_users
        self.known_users |= new_users
        self.erased |= erased_among(self.conn, new_users)
        rows, homeless = [], []
        for event in batch:
            if event.user in self.erased:
                self.refuse(Refusal("", 0, f"event {event.id!r}: user was erased"))
            elif event.id in known:
                self.counts["events_duplicate"] += 1
            elif event.item is not None and event.item not in self.known_items:
                homeless.append(event)
            else:
                known.add(event.id)
                rows.append(row_of(events, event))
        if rows:
            self.conn.execute(insert(events), rows)
        self.counts["events_new"] += len(rows)
        return homeless

    def _stored(self, column: Column[str], ids: Sequence[str]) -> set[str]:
        queries = (select(column).where(column.in_(chunk)) for chunk in chunks(ids))
        return {found for query in queries for found in self.conn.execute(query).scalars()}


_TEXTS = {
    Item: [f.name for f in fields(Item) if f.name not in ("categories", "tags", "published_at")],
    Event: ["id", "user", "item", "text"],
}


def _unstorable(record: Item | Event) -> str | None:
    """Why no database could give this record back as it is, or None."""
    if not record.id:
        return "empty id"
    if not all(_is_text(getattr(record, name)) for name in _TEXTS[type(record)]):
        return "text with NUL or half a surrogate pair"
    if isinstance(record, Item):
        return None
    if not record.user:
        return "empty user"
    if record.value is not None and not math.isfinite(record.value):
        return "value is not a finite number"
    return None if not record.context or _is_json(record.context) else "context is not JSON"


def _is_text(value: str | None) -> bool:
    if value is None:
        return True
    if "\x00" in value:
        return False
    return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)


def _is_json(value: object) -> bool:
    try:
        dump_json(value)
    except (TypeError, ValueError):
        return False
    return True
