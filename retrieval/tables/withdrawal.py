"""Events that are taken back, and with them whatever was concluded from them."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, delete, select, update

from retrieval.schema import (
    events,
    profile_statements,
    profiles,
    segments,
    statements,
    theme_events,
    theme_states,
    themes,
    vectors,
)
from retrieval.tables.database import ConflictError, Database, chunks


class Withdrawal(Database):
    def delete_events(self, user: str, ids: Collection[str]) -> int:
        """Delete events of a user; the number of those that were there. In the same transaction goes what leaned on them:
        statements in every version (what they superseded holds again), the memory that their segments were read, themes and
        steps that have nothing else, portraits and the state of the themes. The next profile is made from what is left:
        nobody knows any more how many events the stored ones have seen."""
        with self._write() as conn:
            gone = {
                found
                for chunk in chunks(ids)
                for found in conn.execute(
                    select(events.c.id).where(events.c.user == user, events.c.id.in_(chunk))
                ).scalars()
            }
            if gone:
                _withdraw(conn, user, gone)
                for chunk in chunks(gone):
                    conn.execute(delete(events).where(events.c.user == user, events.c.id.in_(chunk)))
            return len(gone)


def refuse_missing(conn: Connection, user: str, ids: Collection[str]) -> None:
    """Raises ConflictError if one of the events is not in the store: work that was under way when it was deleted must not
    bring it back."""
    if missing := missing_events(conn, user, ids):
        raise ConflictError(f"event {min(missing)!r} is not in the store: deleted meanwhile")


def missing_events(conn: Connection, user: str, ids: Collection[str]) -> set[str]:
    """Those of the ids that are no event of the user."""
    left = set(ids)
    for chunk in chunks(ids):
        left -= set(conn.execute(select(events.c.id).where(events.c.user == user, events.c.id.in_(chunk))).scalars())
    return left


def _withdraw(conn: Connection, user: str, gone: set[str]) -> None:
    rows = conn.execute(select(statements.c.id, statements.c.evidence).where(statements.c.user == user)).all()
    leaning = {row.id for row in rows if not gone.isdisjoint(row.evidence)}
    unname(conn, user, leaning)
    for chunk in chunks(leaning):
        for table, column in ((profile_statements, "statement"), (segments, "statement"), (statements, "id")):
            conn.execute(delete(table).where(table.c.user == user, table.c[column].in_(chunk)))
        replaced = statements.c.superseded_by.in_(chunk)
        conn.execute(update(statements).where(statements.c.user == user, replaced).values(superseded_by=None))
    steps = conn.execute(select(theme_events).where(theme_events.c.user == user)).all()
    for step in (step for step in steps if not gone.isdisjoint(step.causes)):
        own = theme_events.c.version == step.version, theme_events.c.position == step.position
        conn.execute(delete(theme_events).where(theme_events.c.user == user, *own))
    conn.execute(update(profiles).where(profiles.c.user == user).values(events_seen=0))
    conn.execute(delete(theme_states).where(theme_states.c.user == user))
    conn.execute(delete(vectors).where(vectors.c.owner == user))


def unname(conn: Connection, user: str, leaning: Collection[str]) -> None:
    """Take statements out of the themes of all versions, with the words that were made from them."""
    leaning = set(leaning)
    for row in conn.execute(select(themes).where(themes.c.user == user)).all():
        if leaning.isdisjoint(row.statements):
            continue
        own = themes.c.user == user, themes.c.version == row.version, themes.c.id == row.id
        left = tuple(i for i in row.statements if i not in leaning)
        if left:
            medoid = {} if row.medoid in left else {"medoid": left[0], "summary": ""}
            conn.execute(update(themes).where(*own).values(statements=left, **medoid))
        else:
            conn.execute(delete(themes).where(*own))
        version = profiles.c.user == user, profiles.c.version == row.version
        conn.execute(update(profiles).where(*version).values(portrait=""))
