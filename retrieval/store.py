"""The source of truth: items, events, statements, profiles, caches and the ledger, in SQLite or PostgreSQL.

    with Store("sqlite:///leitmotif.db") as store:
        store.ingest(records)

Every public method is one transaction: a write that returned is on disk, one that raised left nothing behind. A store may be
used from several threads, and several processes may open the same database. Methods raise StoreError when the database
fails. The methods are in `retrieval/tables`, one file a concern; nothing else imports from there.
"""

from __future__ import annotations

from retrieval.tables.catalogue import Catalogue, content_hash
from retrieval.tables.communities import Community, Crowd, CrowdCount, Replied
from retrieval.tables.database import BusyError, ConflictError, ErasedError, StoreError
from retrieval.tables.edits import Edits
from retrieval.tables.events import Events
from retrieval.tables.ingest import Ingest, IngestSummary
from retrieval.tables.ledger import Ledger, LLMCall, LLMTotals
from retrieval.tables.meta import Meta
from retrieval.tables.privacy import ForgetReport, Privacy
from retrieval.tables.profiles import Profiles, ProfileVersion
from retrieval.tables.statements import Statements
from retrieval.tables.theme_states import SavedState, ThemeStates
from retrieval.tables.upgrade import Upgrade
from retrieval.tables.vectors import Vectors
from retrieval.tables.withdrawal import Withdrawal

__all__ = [
    "BusyError",
    "Community",
    "ConflictError",
    "CrowdCount",
    "ErasedError",
    "ForgetReport",
    "IngestSummary",
    "LLMCall",
    "LLMTotals",
    "ProfileVersion",
    "Replied",
    "SavedState",
    "Store",
    "StoreError",
    "content_hash",
]


class Store(
    Ingest, Catalogue, Events, Statements, Profiles, ThemeStates, Withdrawal, Edits, Vectors, Ledger, Crowd, Meta, Privacy,
    Upgrade,
):  # fmt: skip
    """All of it behind one object. `url` is a SQLAlchemy URL; a SQLite file is created where there is none."""

    def __init__(self, url: str, *, busy_timeout_s: float = 60.0) -> None:
        """Open the database and bring its schema up to date. Raises StoreError. Times in seconds."""
        super().__init__(url, busy_timeout_s=busy_timeout_s)
        try:
            self._upgrade()
            self._scrub_if_pending()
        except BaseException:  # an interrupt, too, leaves nothing open; it is raised again
            self.close()
            raise

    def integrity_problems(self) -> list[str]:
        """What the database finds wrong with itself; empty if all is well. Reads the whole file. SQLite only."""
        if self._engine.dialect.name != "sqlite":
            return []
        with self._read() as conn:
            found = [*conn.exec_driver_sql("PRAGMA integrity_check").scalars()]
            broken = conn.exec_driver_sql("PRAGMA foreign_key_check").all()
        return [line for line in found if line != "ok"] + [f"dangling reference in {row[0]}" for row in broken]
