"""The owner's edits as a log, the questions they raise, and when a statement was superseded. Theme marks become edits.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("statements", sa.Column("superseded_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "questions",
        sa.Column("user", ID, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("edit", sa.Integer(), nullable=False),
        sa.Column("was", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user", "version"], ["profiles.user", "profiles.version"], name=op.f("fk_questions_user")
        ),
        sa.PrimaryKeyConstraint("user", "version", "position", name=op.f("pk_questions")),
    )
    op.create_table(
        "edits",
        sa.Column("user", ID, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("target", ID, nullable=False),
        sa.Column("of_theme", sa.Boolean(), nullable=False),
        sa.Column("was", sa.Text(), nullable=False),
        sa.Column("polarity", sa.Text(), nullable=False),
        sa.Column("statements", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("user", "number", name=op.f("pk_edits")),
    )
    op.execute(
        'INSERT INTO edits ("user", number, kind, at, target, of_theme, was, polarity, statements, evidence, text) '
        'SELECT "user", row_number() OVER (PARTITION BY "user" ORDER BY at, theme), '
        "CASE mark WHEN 'muted' THEN 'mute' ELSE 'pin' END, at, theme, true, '', 'like', '[]', '[]', '' "
        "FROM theme_marks"
    )
    op.drop_table("theme_marks")
