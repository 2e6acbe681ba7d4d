"""A person's rights over their data: everything about them as JSON, and all of it gone."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import LargeBinary, Table, delete, select

from retrieval.schema import personal_tables
from retrieval.tables.columns import Floats
from retrieval.tables.database import Database, StoreError
from retrieval.tables.meta import bury, read_meta, write_meta

PENDING = "scrub_pending"


@dataclass(frozen=True, slots=True)
class ForgetReport:
    """Rows deleted by table. `scrubbed`: the database files were rewritten too and hold no byte of the user any more."""

    rows: Mapping[str, int]
    scrubbed: bool


class Privacy(Database):
    def export_user(self, user: str) -> dict[str, Any]:
        """Every row that refers to the user, as JSON values: {table: [row, ...]}, all as of one moment. Vectors are left
        out: they are derived from the texts that are in."""
        with self._read() as conn:
            return {
                table.name: [_plain(row) for row in conn.execute(_export(table).where(who == user)).mappings()]
                for table, who in reversed(personal_tables())
                if who.name == "user"
            }

    def forget_user(self, user: str, *, scrub: bool = True) -> ForgetReport:
        """Delete every row of the user in one transaction and leave only a salted hash, so that late events are refused.

        Then the SQLite files are rewritten. To erase many users pass `scrub=False` and call `scrub_files` once at the end.
        """
        if not user:
            raise StoreError("empty user", hint="name the user to forget")
        with self._write() as conn:
            rows = {
                table.name: conn.execute(delete(table).where(who == user)).rowcount for table, who in personal_tables()
            }
            bury(conn, user)
            write_meta(conn, PENDING, "1")
        return ForgetReport(rows, scrubbed=self.scrub_files() if scrub else False)

    def scrub_files(self) -> bool:
        """Rewrite the SQLite files without the deleted bytes. False if another connection kept them in use for too long or
        the disk is too full for the copy: the next opening of the store tries again. Always False on PostgreSQL, where
        VACUUM FULL, archives and backups are the administrator's."""
        if self._engine.dialect.name != "sqlite" or not self._rewrite():
            return False
        with self._write() as conn:
            write_meta(conn, PENDING, "")
        return True

    def _scrub_if_pending(self) -> None:
        """A crash between deleting and rewriting must not leave the bytes for ever."""
        with self._read() as conn:
            pending = read_meta(conn, PENDING)
        if pending:
            self.scrub_files()

    def _rewrite(self) -> bool:
        with self._plain_errors():
            connection = self._engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            unfinished = cursor.fetchall()[0][0]
            cursor.close()
        except sqlite3.OperationalError:  # locked or full, as the docstring of scrub_files says
            return False
        finally:
            connection.close()
        return not unfinished


def _export(table: Table) -> Any:
    wanted = [column for column in table.c if not isinstance(column.type, LargeBinary | Floats)]
    return select(*wanted).order_by(*table.primary_key.columns)


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {name: _json_value(value) for name, value in row.items()}


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, str) else value
