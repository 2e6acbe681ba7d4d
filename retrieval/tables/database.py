"""Opening the database, its transactions, and the errors a caller sees. Everything dialect-specific is here or in `scrub`.

One writer at a time on either database: BEGIN IMMEDIATE on SQLite, an advisory lock on PostgreSQL. Writes are short beside
an LLM call, and read-check-write sequences (compare-and-swap, counters, tombstones) need no further thought that way.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Column, Connection, Engine, Table, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool

CHUNK = 500  # ids in one IN (...): well under the 32,766 variables that SQLite takes
WRITE_LOCK = 0x6C65_6974_6D6F  # "leitmo": any number that no other program on the same PostgreSQL uses


class StoreError(Exception):
    """The store could not do it. `str(error)` is one line for a person; `hint` says what to do about it."""

    retryable = False
    hint = "run `leitmotif doctor`; the setting is database_url, or home for the default SQLite file"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class ConflictError(StoreError):
    """Somebody else saved in between: read again, then try again."""

    retryable = True
    hint = "the profile changed meanwhile; the next run starts from the newer one"


class BusyError(StoreError):
    """Somebody else is using the database for longer than we wait: the same call may succeed later."""

    retryable = True
    hint = "another process is writing for long (an ingest?); wait for it and try again"


class ErasedError(StoreError):
    """Something was to be written about a user who was erased."""

    hint = "an erased user stays erased; use a new user id"


class Database:
    """An engine with one way to read and one way to write. No method holds a connection while it calls another."""

    def __init__(self, url: str, *, busy_timeout_s: float = 60.0) -> None:
        """Open (and create) the database. `busy_timeout_s`: how long a SQLite write waits for another one."""
        self._engine = _make_engine(url, busy_timeout_s)
        self.name = self._engine.url.render_as_string(hide_password=True)
        snapshot = {"isolation_level": "REPEATABLE READ"} if self._engine.dialect.name == "postgresql" else {}
        self._reader = self._engine.execution_options(**snapshot)
        self._writer = self._engine.execution_options(begin="BEGIN IMMEDIATE")

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        """A connection that sees one moment of the database."""
        with self._plain_errors(), self._reader.begin() as conn:
            yield conn

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        """The only open write transaction: committed at the end, rolled back on any exception."""
        with self._plain_errors(), self._writer.begin() as conn:
            if conn.dialect.name == "postgresql":
                conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITE_LOCK})
            yield conn

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        """Database faults as StoreError. A broken constraint is a bug of ours and stays what it is."""
        try:
            yield
        except IntegrityError:
            raise
        except DatabaseError as exc:
            kind = BusyError if "locked" in str(exc.orig) else StoreError
            raise kind(f"database {self.name}: {exc.orig}", hint=_hint(str(exc.orig))) from exc
        except PoolTimeoutError as exc:
            raise BusyError(f"database {self.name}: no connection is free", hint="fewer requests at once") from exc
        except UnicodeEncodeError as exc:
            raise StoreError("text with half a surrogate pair cannot be stored", hint="send valid Unicode") from exc


def _hint(message: str) -> str | None:
    if "not a database" in message or "malformed" in message:
        return "the file is damaged or is no database: restore a backup, or move it away and ingest again"
    if "full" in message:
        return "the disk is full"
    return None


def _make_engine(url: str, busy_timeout_s: float) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite_engine(parsed, busy_timeout_s)
        if parsed.get_backend_name() != "postgresql":
            raise StoreError(f"no support for {parsed.get_backend_name()!r} databases", hint="use sqlite or postgresql")
        return create_engine(parsed, hide_parameters=True, pool_pre_ping=True, max_overflow=40)
    except (ArgumentError, NoSuchModuleError) as exc:
        raise StoreError(f"bad database URL: {exc}") from exc
    except ModuleNotFoundError as exc:
        raise StoreError(f"database driver missing: {exc.name}", hint=f"install {exc.name}") from exc
    except OSError as exc:
        raise StoreError(f"database file cannot be made: {exc}") from exc


def _sqlite_engine(url: URL, busy_timeout_s: float) -> Engine:
    in_memory = url.database in (None, "", ":memory:")
    if not in_memory:
        path = Path(str(url.database))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # personal data: nobody else's to read; -wal and -shm inherit the mode
    engine = create_engine(
        url,
        poolclass=QueuePool,
        # an in-memory database lives in its one connection, which threads then take in turns
        pool_size=1 if in_memory else 5,
        max_overflow=0 if in_memory else 40,
        hide_parameters=True,  # an error message must not carry personal data into a log
        connect_args={"check_same_thread": False, "timeout": busy_timeout_s},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # the driver's own BEGIN comes too late and is never IMMEDIATE
        _use_wal(connection, busy_timeout_s)
        for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(conn: Connection) -> None:
        conn.exec_driver_sql(conn.get_execution_options().get("begin", "BEGIN"))

    return engine


def _use_wal(connection: sqlite3.Connection, patience_s: float) -> None:
    """Write-ahead logging, kept in the file once it is on. SQLite does not wait for others here, busy timeout or not, so
    that of several that open a new database at once some are told "locked": then wait and ask again."""
    until = time.monotonic() + patience_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
            return
        except sqlite3.OperationalError as exc:
            if "locked" not in str(exc) or time.monotonic() > until:
                raise
            time.sleep(0.02)


def columns(table: Table, record: type[Any]) -> list[Column[Any]]:
    """The columns that make up a record, so that `record(**row._mapping)` works."""
    return [table.c[field.name] for field in fields(record) if field.name in table.c]


def row_of(table: Table, record: Any, **extra: object) -> dict[str, Any]:
    """A record (and whatever the table has beyond it) as a row."""
    return {name: getattr(record, name) for name in table.c.keys() if name not in extra} | extra  # noqa: SIM118


def chunks(ids: Collection[str]) -> Iterator[list[str]]:
    """The ids, each once, in pieces small enough for one IN (...)."""
    left = iter(dict.fromkeys(ids))
    while piece := list(islice(left, CHUNK)):
        yield piece


def upsert(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows, replacing those with the same primary key."""
    if not rows:
        return
    make = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    statement = make(table)
    rest = {c.name: statement.excluded[c.name] for c in table.c if not c.primary_key}
    key = list(table.primary_key.columns)
    if rest:
        conn.execute(statement.on_conflict_do_update(index_elements=key, set_=rest), list(rows))
    else:
        conn.execute(statement.on_conflict_do_nothing(index_elements=key), list(rows))
