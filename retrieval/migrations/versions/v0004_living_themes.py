"""Themes that live: their state, what caused each step, how lasting each is, and versions that restore another.

Revision ID: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "theme_states",
        sa.Column("user", ID, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("settled", sa.Integer(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("user", name=op.f("pk_theme_states")),
    )
    op.add_column("themes", sa.Column("horizon", sa.Text(), nullable=False, server_default="long"))
    op.add_column("theme_events", sa.Column("causes", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("profiles", sa.Column("restores", sa.Integer(), nullable=True))
