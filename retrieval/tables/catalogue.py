"""Items, what the LLM thinks of their titles alone, and the signature that tells whether a derived index is still right."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields
from hashlib import sha256

from sqlalchemy import Connection, func, select

from retrieval.records import Item
from retrieval.schema import items, neutral_scores
from retrieval.tables.columns import dump_json
from retrieval.tables.database import Database, chunks, columns, upsert
from retrieval.tables.meta import read_meta, write_meta

SIGNATURE = "catalogue"
MODULUS = 1 << 256
_FIELDS = tuple(field.name for field in fields(Item))
_SELECT = select(*columns(items, Item))


class Catalogue(Database):
    def item(self, item_id: str) -> Item | None:
        return self.items([item_id]).get(item_id)

    def items(self, ids: Collection[str] | None = None) -> dict[str, Item]:
        """The known items among `ids` in that order, or all of them by id."""
        if ids is None:
            return {item.id: item for item in self.iter_items()}
        found: dict[str, Item] = {}
        with self._read() as conn:
            for chunk in chunks(ids):
                rows = conn.execute(_SELECT.where(items.c.id.in_(chunk)))
                found.update((row.id, Item(**row._mapping)) for row in rows)
        return {item_id: found[item_id] for item_id in ids if item_id in found}

    def iter_items(self, batch: int = 1000) -> Iterator[Item]:
        """All items by id, read in pages of `batch`: no transaction is open while the caller works on a page."""
        last = ""
        while True:
            with self._read() as conn:
                rows = conn.execute(_SELECT.where(items.c.id > last).order_by(items.c.id).limit(batch)).all()
            yield from (Item(**row._mapping) for row in rows)
            if len(rows) < batch:
                return
            last = rows[-1].id

    def item_count(self) -> int:
        with self._read() as conn:
            return conn.execute(select(func.count()).select_from(items)).scalar_one()

    def item_digests(self) -> dict[str, str]:
        """`content_hash` of every item: what an index compares to update only what changed."""
        with self._read() as conn:
            return {row.id: row.digest for row in conn.execute(select(items.c.id, items.c.digest))}

    def catalogue_signature(self) -> tuple[int, str]:
        """(number of items, digest of their contents). Costs one row. Equal catalogues have equal signatures, whatever the
        order or the store they were loaded into."""
        with self._read() as conn:
            return read_signature(conn)

    def neutral_scores(self, model: str, prompt: str, hashes: Collection[str] | None = None) -> dict[str, float]:
        """content_hash -> the LLM's log-likelihood of an item without a profile, as far as known; all if no `hashes`."""
        table = neutral_scores
        query = select(table.c.hash, table.c.score).where(table.c.model == model, table.c.prompt == prompt)
        with self._read() as conn:
            if hashes is None:
                return {row.hash: row.score for row in conn.execute(query)}
            found = (row for chunk in chunks(hashes) for row in conn.execute(query.where(table.c.hash.in_(chunk))))
            return {row.hash: row.score for row in found}

    def put_neutral_scores(self, model: str, prompt: str, scores: Mapping[str, float]) -> None:
        with self._write() as conn:
            rows = [{"model": model, "prompt": prompt, "hash": key, "score": value} for key, value in scores.items()]
            upsert(conn, neutral_scores, rows)


def content_hash(item: Item) -> str:
    """SHA-256 over every field of an item: changes when anything that can be shown or embedded does."""
    values = [getattr(item, name) for name in _FIELDS]
    return sha256(
        dump_json([str(v) if v is not None and not isinstance(v, tuple) else v for v in values]).encode()
    ).hexdigest()


def read_signature(conn: Connection) -> tuple[int, str]:
    count, _, digest = (read_meta(conn, SIGNATURE) or "0:" + "0" * 64).partition(":")
    return int(count), digest


def move_signature(conn: Connection, added: int, change: int) -> None:
    """Add to the count and to the sum of content hashes. A sum, because it does not depend on the order of the items and
    an update costs the same however large the catalogue is."""
    count, digest = read_signature(conn)
    write_meta(conn, SIGNATURE, f"{count + added}:{(int(digest, 16) + change) % MODULUS:064x}")
