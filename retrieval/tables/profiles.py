"""Versions of profiles: statements by id, themes, portrait. Saving is a compare-and-swap, so no work is silently lost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, Row, Table, and_, delete, func, insert, select

from retrieval.records import Profile, Question, Statement, Theme, ThemeEvent
from retrieval.schema import profile_statements, profiles, questions, statements, theme_events, themes
from retrieval.tables.database import ConflictError, Database, chunks, columns, row_of
from retrieval.tables.meta import refuse_erased
from retrieval.tables.withdrawal import refuse_missing


@dataclass(frozen=True, slots=True)
class ProfileVersion:
    version: int
    as_of: datetime
    events_seen: int
    restores: int | None = None


class Profiles(Database):
    def save_profile(self, profile: Profile, expected_version: int) -> Profile:
        """Save as version `expected_version` + 1 and return what was stored (centroids rounded to float32).

        Read `expected_version` with `profile_version` before the work starts; it is 0 for a user without a profile. The
        profile's statements must have been saved before. `profile.theme_events` are all steps in the lives of the themes
        that hold now: those not yet in the history are added with this version, and those in the history that are not
        among them are withdrawn. A look back (older than the newest profile) leaves the history alone. Raises ConflictError
        if somebody saved a version or deleted one of the statements, or an event that caused a step, in between, ErasedError.
        """
        with self._write() as conn:
            refuse_erased(conn, profile.user)
            current = _newest(conn, profile.user)
            if current != expected_version:
                raise ConflictError(f"profile is at version {current}, not {expected_version}")
            _require_statements(conn, profile)
            saved = replace(profile, version=current + 1, theme_events=_fresh(conn, profile))
            _require_causes(conn, saved)
            _insert(conn, saved)
            return _load(conn, saved.user, saved.version)

    def profile_version(self, user: str) -> int:
        """The highest version saved, 0 if none: what `save_profile` compares with."""
        with self._read() as conn:
            return _newest(conn, user)

    def profile(self, user: str, *, as_of: datetime | None = None) -> Profile | None:
        """The profile with the latest `as_of` at or before the given one; of two with the same, the later version.

        Statements are returned as they are now; one that was superseded since says so.
        """
        query = select(profiles.c.version).where(profiles.c.user == user)
        if as_of is not None:
            query = query.where(profiles.c.as_of <= as_of)
        query = query.order_by(profiles.c.as_of.desc(), profiles.c.version.desc()).limit(1)
        with self._read() as conn:
            version = conn.execute(query).scalar()
            return None if version is None else _load(conn, user, version)

    def profile_at(self, user: str, version: int) -> Profile | None:
        """A version by its number, None if there is none."""
        with self._read() as conn:
            known = conn.execute(
                select(profiles.c.version).where(profiles.c.user == user, profiles.c.version == version)
            ).scalar()
            return None if known is None else _load(conn, user, version)

    def profile_versions(self, user: str) -> list[ProfileVersion]:
        query = select(*columns(profiles, ProfileVersion)).where(profiles.c.user == user).order_by(profiles.c.version)
        with self._read() as conn:
            return [ProfileVersion(**row._mapping) for row in conn.execute(query)]

    def theme_events(self, user: str) -> list[ThemeEvent]:
        """The life of all the user's themes, in the order it was saved."""
        with self._read() as conn:
            return _history(conn, user)


def _fresh(conn: Connection, profile: Profile) -> tuple[ThemeEvent, ...]:
    """The steps of a profile that the history does not have; what it has and does not hold any more goes."""
    latest = conn.execute(select(func.max(profiles.c.as_of)).where(profiles.c.user == profile.user)).scalar()
    if latest is not None and profile.as_of < latest:
        return ()
    rows = conn.execute(select(theme_events).where(theme_events.c.user == profile.user)).mappings()
    known = {ThemeEvent(**{c.name: row[c.name] for c in columns(theme_events, ThemeEvent)}): row for row in rows}
    for gone in known.keys() - set(profile.theme_events):
        own = (theme_events.c[name] == known[gone][name] for name in ("user", "version", "position"))
        conn.execute(delete(theme_events).where(*own))
    return tuple(step for step in dict.fromkeys(profile.theme_events) if step not in known)


def _newest(conn: Connection, user: str) -> int:
    return conn.execute(select(func.max(profiles.c.version)).where(profiles.c.user == user)).scalar() or 0


def _require_statements(conn: Connection, profile: Profile) -> None:
    wanted = {s.id for s in profile.statements}
    for chunk in chunks([s.id for s in profile.statements]):
        query = select(statements.c.id).where(statements.c.user == profile.user, statements.c.id.in_(chunk))
        wanted -= set(conn.execute(query).scalars())
    if wanted:
        raise ConflictError(f"statement {min(wanted)!r} is not in the store: never saved, or deleted meanwhile")


def _require_causes(conn: Connection, profile: Profile) -> None:
    """Steps are caused by events, or by what the user said."""
    causes = {cause for step in profile.theme_events for cause in step.causes}
    refuse_missing(conn, profile.user, causes - {s.id for s in profile.statements})


def _insert(conn: Connection, profile: Profile) -> None:
    same = {"user": profile.user, "version": profile.version}
    conn.execute(insert(profiles), [row_of(profiles, profile)])
    rows: dict[Table, list[dict[str, object]]] = {
        profile_statements: [{**same, "position": n, "statement": s.id} for n, s in enumerate(profile.statements)],
        themes: [row_of(themes, theme, **same, position=n) for n, theme in enumerate(profile.themes)],
        theme_events: [row_of(theme_events, e, **same, position=n) for n, e in enumerate(profile.theme_events)],
        questions: [row_of(questions, q, **same, position=n) for n, q in enumerate(profile.questions)],
    }
    for table, values in rows.items():
        if values:
            conn.execute(insert(table), values)


def _load(conn: Connection, user: str, version: int) -> Profile:
    row = conn.execute(select(profiles).where(profiles.c.user == user, profiles.c.version == version)).one()
    link = and_(statements.c.user == profile_statements.c.user, statements.c.id == profile_statements.c.statement)
    held = profile_statements.join(statements, link)
    return Profile(
        **row._mapping,
        statements=tuple(
            Statement(**found._mapping)
            for found in conn.execute(
                select(*columns(statements, Statement))
                .select_from(held)
                .where(profile_statements.c.user == user, profile_statements.c.version == version)
                .order_by(profile_statements.c.position)
            )
        ),
        themes=tuple(Theme(**found._mapping) for found in _rows(conn, themes, Theme, user, version)),
        theme_events=tuple(ThemeEvent(**f._mapping) for f in _rows(conn, theme_events, ThemeEvent, user, version)),
        questions=tuple(Question(**f._mapping) for f in _rows(conn, questions, Question, user, version)),
    )


def _rows(conn: Connection, table: Table, record: type, user: str, version: int) -> list[Row[*tuple[object, ...]]]:
    query = select(*columns(table, record)).where(table.c.user == user, table.c.version == version)
    return list(conn.execute(query.order_by(table.c.position)))


def _history(conn: Connection, user: str) -> list[ThemeEvent]:
    query = select(*columns(theme_events, ThemeEvent)).where(theme_events.c.user == user)
    query = query.order_by(theme_events.c.version, theme_events.c.position)
    return [ThemeEvent(**row._mapping) for row in conn.execute(query)]
