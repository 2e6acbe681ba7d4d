"""What owners said about their profiles: a log that only grows, and what a deletion takes out of the store at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, and_, delete, exists, func, insert, or_, select, update

from retrieval.records import Edit, EditKind, Statement
from retrieval.schema import edits, profile_statements, segments, statements, theme_events, themes
from retrieval.tables.database import Database, chunks, columns, row_of, upsert
from retrieval.tables.meta import refuse_erased


class Edits(Database):
    def save_edit(self, edit: Edit, own: Sequence[Statement] = ()) -> Edit:
        """Append to the log and return it with its number; `own`: statements in the owner's words that it makes.

        A deletion takes its target out of every version of the profile in the same transaction; the segments that it was
        written from count as abstained, so it is not written again. A RESTORE lets them be read again. Raises ErasedError.
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
    for ids in chunks(edit.statements):
        linked = profile_statements.c.statement.in_(ids)
        conn.execute(delete(profile_statements).where(profile_statements.c.user == edit.user, linked))
        read = and_(segments.c.user == edit.user, segments.c.statement.in_(ids))
        conn.execute(update(segments).where(read).values(statement=None))
        summed = and_(themes.c.user == edit.user, or_(themes.c.medoid.in_(ids), themes.c.summary == edit.was))
        conn.execute(update(themes).where(summed).values(summary=""))
        conn.execute(delete(statements).where(statements.c.user == edit.user, statements.c.id.in_(ids)))
    if edit.of_theme:
        conn.execute(delete(themes).where(themes.c.user == edit.user, themes.c.id == edit.target))
        conn.execute(delete(theme_events).where(theme_events.c.user == edit.user, theme_events.c.theme == edit.target))
