"""The tables of the store (SQLAlchemy Core). Column names are the field names of the records, on purpose.

A table that says anything about a person has a column `user` (or `owner`, for vectors): export and forget find their rows
by that, so a new table is covered the day it is added. To change a table, change it here, add a file to
`retrieval/migrations/versions`, and set VERSION to its revision; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from retrieval import schema_crowd  # noqa: F401  its tables belong to `metadata`, too
from retrieval.records import EditKind, EventKind, Horizon, Origin, Polarity, Source, ThemeEventKind
from retrieval.tables.columns import ID, Floats, Json, Strings, UtcTime, Word, metadata

VERSION = "0004"

meta = Table("meta", metadata, Column("key", ID, primary_key=True), Column("value", Text, nullable=False))

items = Table(
    "items",
    metadata,
    Column("id", ID, primary_key=True),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("categories", Strings, nullable=False),
    Column("tags", Strings, nullable=False),
    Column("url", Text),
    Column("image", Text),
    Column("published_at", UtcTime),
    Column("digest", Text, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", ID, primary_key=True),
    Column("user", ID, nullable=False),
    Column("kind", Word(EventKind), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("item", ID, ForeignKey("items.id")),
    Column("value", Float),
    Column("text", Text),
    Column("context", Json, nullable=False),
    Index(None, "user", "at", "id"),
)

statements = Table(
    "statements",
    metadata,
    Column("user", ID, primary_key=True),
    Column("id", ID, primary_key=True),
    Column("text", Text, nullable=False),
    Column("polarity", Word(Polarity), nullable=False),
    Column("facet", Text, nullable=False),
    Column("evidence", Strings, nullable=False),
    Column("first_at", UtcTime, nullable=False),
    Column("last_at", UtcTime, nullable=False),
    Column("horizon", Word(Horizon), nullable=False),
    Column("source", Word(Source), nullable=False),
    Column("origin", Word(Origin), nullable=False),
    Column("confidence", Float, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("written_at", UtcTime, nullable=False),
    Column("segment", Text, nullable=False),
    Column("superseded_by", ID),
    Column("superseded_at", UtcTime),
)

# What the writer said about a segment; a NULL statement means that it abstained, which is worth remembering too.
segments = Table(
    "segments",
    metadata,
    Column("user", ID, primary_key=True),
    Column("key", ID, primary_key=True),
    Column("prompt", ID, primary_key=True),
    Column("model", ID, primary_key=True),
    Column("statement", ID),
    Column("at", UtcTime, nullable=False),
)

profiles = Table(
    "profiles",
    metadata,
    Column("user", ID, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("as_of", UtcTime, nullable=False),
    Column("portrait", Text, nullable=False),
    Column("portrait_origin", Word(Origin), nullable=False),
    Column("events_seen", Integer, nullable=False),
    Column("restores", Integer),
)


def _of_profile() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["user", "version"], ["profiles.user", "profiles.version"])


profile_statements = Table(
    "profile_statements",
    metadata,
    Column("user", ID, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("statement", ID, nullable=False),
    _of_profile(),
    ForeignKeyConstraint(
        ["user", "statement"], ["statements.user", "statements.id"], name="fk_profile_statements_statement"
    ),
    Index(None, "user", "statement"),
)

themes = Table(
    "themes",
    metadata,
    Column("user", ID, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("id", ID, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("label", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("polarity", Word(Polarity), nullable=False),
    Column("statements", Strings, nullable=False),
    Column("medoid", ID, nullable=False),
    Column("centroid", Floats, nullable=False),
    Column("importance", Float, nullable=False),
    Column("trend", Float, nullable=False),
    Column("origin", Word(Origin), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("horizon", Word(Horizon), nullable=False, server_default=Horizon.LONG.value),
    _of_profile(),
)

theme_events = Table(
    "theme_events",
    metadata,
    Column("user", ID, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("theme", ID, nullable=False),
    Column("kind", Word(ThemeEventKind), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("sources", Strings, nullable=False),
    Column("detail", Text, nullable=False),
    Column("causes", Strings, nullable=False, server_default="[]"),
    _of_profile(),
)

# Where the evolution of somebody's themes stands (retrieval/evolution). It is derived: without the row it is replayed.
# `source`: what made the vectors; `until`: the moment up to which events were read; `settled`: how many of them lie before
# `since`, the time of the oldest whose vector the state keeps.
theme_states = Table(
    "theme_states",
    metadata,
    Column("user", ID, primary_key=True),
    Column("source", Text, nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("since", UtcTime),
    Column("settled", Integer, nullable=False),
    Column("state", LargeBinary, nullable=False),
)

# What only the owner can decide, asked by a version of the profile.
questions = Table(
    "questions",
    metadata,
    Column("user", ID, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("edit", Integer, nullable=False),
    Column("was", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("items", Integer, nullable=False),
    _of_profile(),
)

# What owners said about their profiles. Rows are only ever added; `number` counts from 1 for each user.
edits = Table(
    "edits",
    metadata,
    Column("user", ID, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", Word(EditKind), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("target", ID, nullable=False),
    Column("of_theme", Boolean, nullable=False),
    Column("was", Text, nullable=False),
    Column("polarity", Word(Polarity), nullable=False),
    Column("statements", Strings, nullable=False),
    Column("evidence", Strings, nullable=False),
    Column("text", Text, nullable=False),
)

# `owner` is the user whose text it is, or "" for the catalogue; the same text may belong to several.
vectors = Table(
    "vectors",
    metadata,
    Column("model", ID, primary_key=True),
    Column("hash", ID, primary_key=True),
    Column("owner", ID, primary_key=True),
    Column("vector", LargeBinary, nullable=False),
    Index(None, "owner"),
)

neutral_scores = Table(
    "neutral_scores",
    metadata,
    Column("model", ID, primary_key=True),
    Column("prompt", ID, primary_key=True),
    Column("hash", ID, primary_key=True),
    Column("score", Float, nullable=False),
)

llm_calls = Table(
    "llm_calls",
    metadata,
    Column("id", ID, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("prompt_sha256", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("user", ID),
    Column("tokens_in", Integer, nullable=False),
    Column("tokens_out", Integer, nullable=False),
    Column("tokens_cached", Integer, nullable=False),
    Column("latency_s", Float, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("finish_reason", Text),
    Index(None, "user"),
    Index(None, "at"),
)

impressions = Table(
    "impressions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user", ID, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("item", ID, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("score", Float, nullable=False),
    Column("propensity", Float, nullable=False),
    Column("reason_origin", Word(Origin), nullable=False),
    Column("theme", ID),
    Column("query", Text),
    Index(None, "user", "item", "at"),
)

# Salted hashes of erased users: enough to refuse their late events, too little to say who they were.
tombstones = Table("tombstones", metadata, Column("hash", ID, primary_key=True))


def personal_tables() -> list[tuple[Table, Column[str]]]:
    """Every table with rows about a person and the column that says who, children before their parents."""
    found: list[tuple[Table, Column[str]]] = []
    for table in reversed(metadata.sorted_tables):
        who = table.c.get("user", table.c.get("owner"))
        if who is not None:
            found.append((table, who))
    return found
