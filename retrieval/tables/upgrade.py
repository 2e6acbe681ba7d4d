"""Bring a database to the schema of this version. Costs one query when there is nothing to do; Alembic is not imported then."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from sqlalchemy import Connection, inspect, text

from retrieval.schema import VERSION
from retrieval.tables.database import Database, StoreError

HEAD = "head"
MIGRATIONS = Path(__file__).parent.parent / "migrations"
_alembic = Lock()  # alembic.context is one global object


class Upgrade(Database):
    def _upgrade(self) -> None:
        """Raises StoreError for a database that is not ours or that a newer Leitmotif made."""
        with self._read() as conn:
            found = self._found(conn)
        if found == VERSION:
            return
        with _alembic, self._write() as conn:
            if self._found(conn) != VERSION:  # not upgraded by somebody else while we waited
                _migrate(conn)

    def _found(self, conn: Connection) -> str | None:
        """The revision of the database, None for an empty one."""
        tables = inspect(conn).get_table_names()
        if "alembic_version" not in tables:
            if tables and conn.dialect.name == "sqlite":
                raise StoreError(f"{self.name} is a database of another program", hint="choose another file")
            return None
        revision = conn.execute(text("SELECT version_num FROM alembic_version")).scalar()
        if revision is not None and revision > VERSION:
            raise StoreError(f"{self.name} has schema {revision}, newer than {VERSION}", hint="upgrade Leitmotif")
        return revision


def _migrate(conn: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = conn
    command.upgrade(config, HEAD)
