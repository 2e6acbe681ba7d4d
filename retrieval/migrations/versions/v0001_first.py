"""The first schema.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _catalogue_and_events()
    _vectors_and_scores()
    _statements()
    _profiles()
    _themes()
    _history_of_themes()
    _impressions()
    _llm_calls()
    _bookkeeping()


def _catalogue_and_events() -> None:
    """What there is, and what people did."""
    op.create_table(
        "items",
        sa.Column("id", ID, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("categories", sa.Text(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("image", sa.Text(), nullable=True),
        sa.Column("published_at", sa.BigInteger(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_items")),
    )
    op.create_table(
        "events",
        sa.Column("id", ID, nullable=False),
        sa.Column("user", ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("item", ID, nullable=True),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("context", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["item"], ["items.id"], name=op.f("fk_events_item")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index(op.f("ix_events_user_at_id"), "events", ["user", "at", "id"], unique=False)


def _vectors_and_scores() -> None:
    """What is computed once for a text and looked up after."""
    op.create_table(
        "vectors",
        sa.Column("model", ID, nullable=False),
        sa.Column("hash", ID, nullable=False),
        sa.Column("owner", ID, nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("model", "hash", "owner", name=op.f("pk_vectors")),
    )
    op.create_index(op.f("ix_vectors_owner"), "vectors", ["owner"], unique=False)
    op.create_table(
        "neutral_scores",
        sa.Column("model", ID, nullable=False),
        sa.Column("prompt", ID, nullable=False),
        sa.Column("hash", ID, nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("model", "prompt", "hash", name=op.f("pk_neutral_scores")),
    )


def _statements() -> None:
    """What is said of people, and what was looked at for it."""
    op.create_table(
        "segments",
        sa.Column("user", ID, nullable=False),
        sa.Column("key", ID, nullable=False),
        sa.Column("prompt", ID, nullable=False),
        sa.Column("model", ID, nullable=False),
        sa.Column("statement", ID, nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user", "key", "prompt", "model", name=op.f("pk_segments")),
    )
    op.create_table(
        "statements",
        sa.Column("user", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("polarity", sa.Text(), nullable=False),
        sa.Column("facet", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("horizon", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("written_at", sa.BigInteger(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("superseded_by", ID, nullable=True),
        sa.PrimaryKeyConstraint("user", "id", name=op.f("pk_statements")),
    )


def _profiles() -> None:
    """The versions of a profile, and the statements that each one holds."""
    op.create_table(
        "profiles",
        sa.Column("user", ID, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.Column("portrait", sa.Text(), nullable=False),
        sa.Column("portrait_origin", sa.Text(), nullable=False),
        sa.Column("events_seen", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("user", "version", name=op.f("pk_profiles")),
    )
    op.create_table(
        "profile_statements",
        sa.Column("user", ID, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("statement", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["user", "statement"], ["statements.user", "statements.id"], name="fk_profile_statements_statement"
        ),
        sa.ForeignKeyConstraint(
            ["user", "version"], ["profiles.user", "profiles.version"], name=op.f("fk_profile_statements_user")
        ),
        sa.PrimaryKeyConstraint("user", "version", "position", name=op.f("pk_profile_statements")),
    )
    op.create_index(
        op.f("ix_profile_statements_user_statement"), "profile_statements", ["user", "statement"], unique=False
    )


def _themes() -> None:
    """What their statements are grouped into."""
    op.create_table(
        "themes",
        sa.Column("user", ID, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("polarity", sa.Text(), nullable=False),
        sa.Column("statements", sa.Text(), nullable=False),
        sa.Column("medoid", ID, nullable=False),
        sa.Column("centroid", sa.LargeBinary(), nullable=False),
        sa.Column("importance", sa.Float(), nullable=False),
        sa.Column("trend", sa.Float(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user", "version"], ["profiles.user", "profiles.version"], name=op.f("fk_themes_user")
        ),
        sa.PrimaryKeyConstraint("user", "version", "id", name=op.f("pk_themes")),
    )


def _history_of_themes() -> None:
    """How the themes came about, and what their owner said of them."""
    op.create_table(
        "theme_events",
        sa.Column("user", ID, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("theme", ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("sources", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user", "version"], ["profiles.user", "profiles.version"], name=op.f("fk_theme_events_user")
        ),
        sa.PrimaryKeyConstraint("user", "version", "position", name=op.f("pk_theme_events")),
    )
    op.create_table(
        "theme_marks",
        sa.Column("user", ID, nullable=False),
        sa.Column("theme", ID, nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user", "theme", name=op.f("pk_theme_marks")),
    )


def _impressions() -> None:
    """What was shown."""
    op.create_table(
        "impressions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("item", ID, nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("propensity", sa.Float(), nullable=False),
        sa.Column("reason_origin", sa.Text(), nullable=False),
        sa.Column("theme", ID, nullable=True),
        sa.Column("query", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_impressions")),
    )
    op.create_index(op.f("ix_impressions_user_item_at"), "impressions", ["user", "item", "at"], unique=False)


def _llm_calls() -> None:
    """What was asked of the LLM."""
    op.create_table(
        "llm_calls",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("prompt_sha256", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("user", ID, nullable=True),
        sa.Column("tokens_in", sa.Integer(), nullable=False),
        sa.Column("tokens_out", sa.Integer(), nullable=False),
        sa.Column("tokens_cached", sa.Integer(), nullable=False),
        sa.Column("latency_s", sa.Float(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("finish_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_llm_calls")),
    )
    op.create_index(op.f("ix_llm_calls_at"), "llm_calls", ["at"], unique=False)
    op.create_index(op.f("ix_llm_calls_user"), "llm_calls", ["user"], unique=False)


def _bookkeeping() -> None:
    """What was erased, and how the store was made."""
    op.create_table(
        "tombstones", sa.Column("hash", ID, nullable=False), sa.PrimaryKeyConstraint("hash", name=op.f("pk_tombstones"))
    )
    op.create_table(
        "meta",
        sa.Column("key", ID, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )
