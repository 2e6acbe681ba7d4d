"""What people did: their own history, and what can be counted over everybody's."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from itertools import groupby

from sqlalchemy import ColumnElement, and_, distinct, exists, func, or_, select, union

from retrieval.records import Event, EventKind
from retrieval.schema import events, profiles, statements, tombstones
from retrieval.tables.database import Database, chunks, columns

POSITIVE = (EventKind.VIEW, EventKind.CLICK, EventKind.PURCHASE, EventKind.LIKE, EventKind.SHARE)
GOOD_RATING = 3.5  # of 5: the usual cut for "liked" on MovieLens and Amazon
_SELECT = select(*columns(events, Event))
_IS_POSITIVE = and_(
    events.c.item.is_not(None),
    or_(events.c.kind.in_(POSITIVE), and_(events.c.kind == EventKind.RATE, events.c.value >= GOOD_RATING)),
)


class Events(Database):
    def events(
        self, user: str, *, since: datetime | None = None, until: datetime | None = None, limit: int | None = None
    ) -> list[Event]:
        """The most recent `limit` events from `since` to `until`, both included, oldest first; ties in time by id."""
        newest = _SELECT.where(_seen(user, until)).order_by(events.c.at.desc(), events.c.id.desc()).limit(limit)
        if since is not None:
            newest = newest.where(events.c.at >= since)
        with self._read() as conn:
            return [Event(**row._mapping) for row in reversed(conn.execute(newest).all())]

    def event_count(self, user: str, until: datetime | None = None, *, before: datetime | None = None) -> int:
        """How many events there are at or before `until`, and before `before`."""
        with self._read() as conn:
            query = select(func.count()).where(_seen(user, until))
            return conn.execute(query if before is None else query.where(events.c.at < before)).scalar_one()

    def acts_on(self, user: str, items: Collection[str], until: datetime) -> list[Event]:
        """The user's events with any of the items at or before `until`, oldest first."""
        with self._read() as conn:
            queries = (_SELECT.where(_seen(user, until), events.c.item.in_(chunk)) for chunk in chunks(items))
            found = [Event(**row._mapping) for query in queries for row in conn.execute(query)]
        return sorted(found, key=lambda e: (e.at, e.id))

    def events_by_id(self, user: str, ids: Collection[str]) -> dict[str, Event]:
        """Those of the ids that are this user's events; anybody else's are as good as unknown."""
        with self._read() as conn:
            queries = (_SELECT.where(events.c.user == user, events.c.id.in_(chunk)) for chunk in chunks(ids))
            return {row.id: Event(**row._mapping) for query in queries for row in conn.execute(query)}

    def touched_items(self, user: str) -> set[str]:
        """Every item of any of the user's events: what must not be recommended as new."""
        query = select(events.c.item).distinct().where(events.c.user == user, events.c.item.is_not(None))
        with self._read() as conn:
            return set(conn.execute(query).scalars())

    def users(self) -> list[str]:
        """Everybody of whom something is known, by id: also those who only described themselves."""
        everybody = union(select(events.c.user), select(statements.c.user), select(profiles.c.user)).order_by("user")
        with self._read() as conn:
            return list(conn.execute(everybody).scalars())

    def event_counts(self) -> dict[str, int]:
        """user -> number of events, for those with any."""
        query = select(events.c.user, func.count().label("events")).group_by(events.c.user)
        with self._read() as conn:
            return {row.user: row.events for row in conn.execute(query)}

    def has_user(self, user: str) -> bool:
        known = or_(*(exists().where(table.c.user == user) for table in (events, statements, profiles)))
        with self._read() as conn:
            return bool(conn.execute(select(known)).scalar())

    def popularity(self, until: datetime | None = None) -> dict[str, float]:
        """item -> how many users did something positive with it at or before `until`."""
        query = select(events.c.item, func.count(distinct(events.c.user)).label("users")).where(_IS_POSITIVE)
        if until is not None:
            query = query.where(events.c.at <= until)
        with self._read() as conn:
            return {row.item: float(row.users) for row in conn.execute(query.group_by(events.c.item))}

    def sequences(self, until: datetime | None = None) -> dict[str, tuple[str, ...]]:
        """user -> the distinct items they did something positive with at or before `until`, in the order of the first time;
        ties in time are ordered by event id."""
        query = select(events.c.user, events.c.item).where(_IS_POSITIVE)
        if until is not None:
            query = query.where(events.c.at <= until)
        with self._read() as conn:
            rows = conn.execute(query.order_by(events.c.user, events.c.at, events.c.id)).all()
        return {
            user: tuple(dict.fromkeys(row.item for row in found)) for user, found in groupby(rows, lambda r: r.user)
        }

    def event_state(self) -> tuple[int, int]:
        """(number of events, number of users ever erased): what is counted over everybody is out of date when the first has
        grown much, and must go when the second has changed."""
        with self._read() as conn:
            total = conn.execute(select(func.count()).select_from(events)).scalar_one()
            return total, conn.execute(select(func.count()).select_from(tombstones)).scalar_one()


def _seen(user: str, until: datetime | None) -> ColumnElement[bool]:
    mine = events.c.user == user
    return mine if until is None else and_(mine, events.c.at <= until)
