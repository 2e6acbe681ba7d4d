"""The tables of what many people like, and of what somebody answered when asked about it. See retrieval/schema.py."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, Text

from retrieval.records import Origin, Reply
from retrieval.tables.columns import ID, Floats, Json, Strings, UtcTime, Word, metadata

# What many people like. Nothing here comes from fewer people than the setting communities.least: no ids, nobody's words.
communities = Table(
    "communities",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("label", Text, nullable=False),
    Column("origin", Word(Origin), nullable=False),
    Column("features", Strings, nullable=False),
    Column("members", Integer, nullable=False),
    Column("centre", Floats, nullable=False),
    Column("items", Json, nullable=False),
    Column("pairs", Json, nullable=False),
    Column("since", UtcTime, nullable=False),
)

censuses = Table(
    "censuses",
    metadata,
    Column("at", UtcTime, primary_key=True, autoincrement=False),
    Column("people", Integer, nullable=False),
    Column("rule", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("mean", Floats, nullable=False),
    Column("sizes", Json, nullable=False),
)

# What a user answered when asked about a community, so that nothing is asked twice.
replies = Table(
    "replies",
    metadata,
    Column("user", ID, primary_key=True),
    Column("community", Integer, primary_key=True, autoincrement=False),
    Column("label", Text, nullable=False),
    Column("reply", Word(Reply), nullable=False),
    Column("at", UtcTime, nullable=False),
)
