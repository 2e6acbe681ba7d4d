"""Small facts about the store itself, and the tombstones of erased users."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from hashlib import sha256

from sqlalchemy import Connection, insert, select

from retrieval.schema import meta, tombstones
from retrieval.tables.database import Database, ErasedError, chunks, upsert

SALT = "tombstone_salt"


class Meta(Database):
    def get_meta(self, key: str) -> str | None:
        with self._read() as conn:
            return read_meta(conn, key)

    def set_meta(self, key: str, value: str) -> None:
        """Remember a fact about the store. Nothing about a person may go in here: `forget_user` does not look."""
        with self._write() as conn:
            write_meta(conn, key, value)


def read_meta(conn: Connection, key: str) -> str | None:
    return conn.execute(select(meta.c.value).where(meta.c.key == key)).scalar()


def write_meta(conn: Connection, key: str, value: str) -> None:
    upsert(conn, meta, [{"key": key, "value": value}])


def bury(conn: Connection, user: str) -> None:
    """Leave a salted hash behind. The salt is made at the first burial, so that a store nobody left has none."""
    salt = read_meta(conn, SALT)
    if salt is None:
        salt = secrets.token_hex(32)
        conn.execute(insert(meta), [{"key": SALT, "value": salt}])
    upsert(conn, tombstones, [{"hash": _tombstone(salt, user)}])


def erased_among(conn: Connection, users: Iterable[str]) -> set[str]:
    salt = read_meta(conn, SALT)
    if salt is None:
        return set()
    by_hash = {_tombstone(salt, user): user for user in users}
    queries = (select(tombstones.c.hash).where(tombstones.c.hash.in_(chunk)) for chunk in chunks(by_hash))
    return {by_hash[found] for query in queries for found in conn.execute(query).scalars()}


def refuse_erased(conn: Connection, *users: str) -> None:
    """Raises ErasedError if one of the users was erased: work that was under way then must not bring them back."""
    if erased_among(conn, users):
        raise ErasedError("user was erased")


def _tombstone(salt: str, user: str) -> str:
    return sha256((salt + user).encode("utf-8", "surrogatepass")).hexdigest()
