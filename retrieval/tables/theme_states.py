"""Where the evolution of each user's themes stands: bytes that `retrieval.evolution` wrote, derived from the events."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import and_, func, select

from retrieval.schema import events, theme_states
from retrieval.tables.database import Database, columns, row_of, upsert
from retrieval.tables.meta import refuse_erased
from retrieval.tables.withdrawal import missing_events


@dataclass(frozen=True, slots=True)
class SavedState:
    """`source`: what made the vectors of the state. `until`: the moment up to which events were read. `settled`: how many
    events lie before `since`, from where on the state knows vectors; None where it knows all."""

    source: str
    until: datetime
    since: datetime | None
    settled: int
    state: bytes = field(repr=False)


class ThemeStates(Database):
    def theme_state(self, user: str) -> SavedState | None:
        query = select(*columns(theme_states, SavedState)).where(theme_states.c.user == user)
        with self._read() as conn:
            row = conn.execute(query).first()
            return None if row is None else SavedState(**row._mapping)

    def save_theme_state(self, user: str, saved: SavedState, points: Collection[str] = ()) -> bool:
        """Replaces the one before; the last writer wins, as the next update reads on from wherever it stands. False, and
        nothing is saved, where one of the `points` (events that it knows vectors of) or of the settled events was deleted
        meanwhile. Raises ErasedError."""
        with self._write() as conn:
            refuse_erased(conn, user)
            before = and_(events.c.user == user, events.c.at < saved.since) if saved.since else None
            query = select(func.count()).select_from(events)
            settled = 0 if before is None else conn.execute(query.where(before)).scalar_one()
            if settled < saved.settled or missing_events(conn, user, points):
                return False
            upsert(conn, theme_states, [row_of(theme_states, saved, user=user)])
            return True
