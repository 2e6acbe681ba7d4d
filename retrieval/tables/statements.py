"""Statements, and the memory of which segment was already read by which prompt and model."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import and_, not_, select, update

from retrieval.records import Statement
from retrieval.schema import segments, statements
from retrieval.tables.database import Database, chunks, columns, row_of, upsert
from retrieval.tables.meta import refuse_erased
from retrieval.tables.withdrawal import refuse_missing

_SELECT = select(*columns(statements, Statement))


class Statements(Database):
    def save_statements(self, written: Sequence[Statement], *, grounded: bool = False) -> None:
        """Insert or replace by (user, id); a statement with a segment also answers for it in `statement_by_segment`.
        Raises ErasedError and, where they are to be `grounded`, ConflictError if evidence was deleted meanwhile."""
        answers = [
            {
                "user": s.user,
                "key": s.segment,
                "prompt": s.prompt,
                "model": s.model,
                "statement": s.id,
                "at": s.written_at,
            }
            for s in written
            if s.segment
        ]
        with self._write() as conn:
            refuse_erased(conn, *(s.user for s in written))
            for user in {s.user for s in written} if grounded else ():
                refuse_missing(conn, user, {e for s in written if s.user == user for e in s.evidence})
            upsert(conn, statements, [row_of(statements, s) for s in written])
            upsert(conn, segments, answers)

    def statements(self, user: str, *, include_superseded: bool = False) -> list[Statement]:
        """A user's statements, the oldest evidence first."""
        query = _SELECT.where(statements.c.user == user).order_by(statements.c.first_at, statements.c.id)
        if not include_superseded:
            query = query.where(statements.c.superseded_by.is_(None))
        with self._read() as conn:
            return [Statement(**row._mapping) for row in conn.execute(query)]

    def statement_by_segment(
        self, user: str, segment_keys: Collection[str], prompt: str, model: str
    ) -> dict[str, Statement | None]:
        """What this prompt (name@version) and model made of the segments: a statement, or None where they abstained or the
        user deleted the statement. Segments that were never read are not in the answer."""
        joined = segments.outerjoin(
            statements, and_(statements.c.user == segments.c.user, statements.c.id == segments.c.statement)
        )
        query = (
            select(segments.c.key, *columns(statements, Statement))
            .select_from(joined)
            .where(segments.c.user == user, segments.c.prompt == prompt, segments.c.model == model)
        )
        found: dict[str, Statement | None] = {}
        with self._read() as conn:
            for chunk in chunks(segment_keys):
                for row in conn.execute(query.where(segments.c.key.in_(chunk))).mappings():
                    values = {column.name: row[column.name] for column in columns(statements, Statement)}
                    found[row["key"]] = Statement(**values) if values["id"] is not None else None
        return found

    def save_segments(
        self, user: str, answers: Mapping[str, str | None], prompt: str, model: str, at: datetime
    ) -> None:
        """Remember segment key -> statement id, or None for an abstention. `save_statements` does this for statements that
        carry their segment; call it for abstentions, and when a segment only confirmed a known statement."""
        same = {"user": user, "prompt": prompt, "model": model, "at": at}
        with self._write() as conn:
            refuse_erased(conn, user)
            upsert(conn, segments, [{**same, "key": key, "statement": answer} for key, answer in answers.items()])

    def supersede(self, user: str, old_id: str, new_id: str, at: datetime) -> bool:
        """The new statement takes the place of the old one, which stays as history. False if there is none, or it is so."""
        is_so = and_(statements.c.superseded_by.is_not(None), statements.c.superseded_by == new_id)
        mine = and_(statements.c.user == user, statements.c.id == old_id, not_(is_so))
        with self._write() as conn:
            done = update(statements).where(mine).values(superseded_by=new_id, superseded_at=at)
            return conn.execute(done).rowcount > 0

    def restore_statements(self, user: str, heirs: Mapping[str, str | None]) -> None:
        """Go back to earlier words. `heirs`: statement id -> the id of the statement that speaks for its segments from now on
        (itself for one that is back), None where nothing is to be said of them any more. Raises ErasedError."""
        with self._write() as conn:
            refuse_erased(conn, user)
            for old, heir in heirs.items():
                if heir is not None:
                    mine = and_(statements.c.user == user, statements.c.id == old)
                    now = {"superseded_by": None if heir == old else heir, "superseded_at": None}
                    conn.execute(update(statements).where(mine).values(now))
                read = and_(segments.c.user == user, segments.c.statement == old)
                conn.execute(update(segments).where(read).values(statement=heir))
