"""What owners said about their profiles: a log that only grows, and what a deletion takes out of the store at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, and_, delete, exists, func, insert, or_, select, update

from retrieval.records import Edit, EditKind, Source, Statement
from retrieval.schema import edits, profile_statements, profiles, segments, statements, theme_events, themes
from retrieval.tables.database import Database, chunks, columns, row_of, upsert
from retrieval.tables.meta import refuse_erased
from retrieval.tables.withdrawal import unname


class Edits(Database):
    def save_edit(self, edit: Edit, own: Sequence[Statement] = ()) -> Edit:
        """Append to the log and return it with its number; `own`: statements in the owner's words that it makes.

        A deletion takes its target out of every version of the profile in the same transaction, with the forms that it had
        before and the portraits that may name it; the segments that it was written from count as abstained, so it is not
        written again. A RESTORE lets them be read again. Raises ErasedError.
        """
        with self._write() as conn:
            refuse_erased(conn, edit.user)
            last = conn.execute(select(func.max(edits.c.number)).where(edits.c.user == edit.user)).scalar()
            saved = replace(edit, number=(last or 0) + 1)
            conn.execute(insert(edits), [row_of(edits, saved)])
            upsert(conn, statements, [row_of(statements, s) for s in own])
            if edit.kind is EditKind.DELETE:
                _take_out(conn, edit)
            elif edit.kind is EditKind.RESTORE:
                abstained = and_(segments.c.user == edit.user, segments.c.statement.is_(None))
                conn.execute(delete(segments).where(abstained))
        return saved

    def edits(self, user: str) -> list[Edit]:
        """The whole log, oldest first."""
        query = select(*columns(edits, Edit)).where(edits.c.user == user).order_by(edits.c.number)
        with self._read() as conn:
            return [Edit(**row._mapping) for row in conn.execute(query)]

    def edited_since(self, user: str, moment: datetime) -> bool:
        """Was anything said after the moment?"""
        later = exists().where(edits.c.user == user, edits.c.at > moment)
        with self._read() as conn:
            return bool(conn.execute(select(later)).scalar())


def _take_out(conn: Connection, edit: Edit) -> None:
    gone = _forms(conn, edit)
    unname(conn, edit.user, gone)
    for ids in chunks(gone):
        linked = profile_statements.c.statement.in_(ids)
        conn.execute(delete(profile_statements).where(profile_statements.c.user == edit.user, linked))
        read = and_(segments.c.user == edit.user, segments.c.statement.in_(ids))
        conn.execute(update(segments).where(read).values(statement=None))
        summed = and_(themes.c.user == edit.user, or_(themes.c.medoid.in_(ids), themes.c.summary == edit.was))
        conn.execute(update(themes).where(summed).values(summary=""))
        conn.execute(delete(statements).where(statements.c.user == edit.user, statements.c.id.in_(ids)))
    if edit.of_theme:
        held = select(themes.c.version).where(themes.c.user == edit.user, themes.c.id == edit.target)
        named = and_(profiles.c.user == edit.user, profiles.c.version.in_(held))
        conn.execute(update(profiles).where(named).values(portrait=""))
        conn.execute(delete(themes).where(themes.c.user == edit.user, themes.c.id == edit.target))
        conn.execute(delete(theme_events).where(theme_events.c.user == edit.user, theme_events.c.theme == edit.target))


def _forms(conn: Connection, edit: Edit) -> set[str]:
    """The statements that an edit is about, and whatever else was ever inferred of the same side from any of the same acts:
    what they said before their evidence grew."""
    mine = statements.c.user == edit.user, statements.c.polarity == edit.polarity
    inferred = select(statements.c.id, statements.c.evidence).where(*mine, statements.c.source == Source.INFERRED)
    acts = set(edit.evidence)
    return set(edit.statements) | {row.id for row in conn.execute(inferred) if not acts.isdisjoint(row.evidence)}
