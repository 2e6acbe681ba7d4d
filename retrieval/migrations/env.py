"""Run the migrations on the connection of the store, inside its write transaction: a crash leaves no half schema."""

from __future__ import annotations

from alembic import context

# SQLite can roll back a CREATE TABLE; Alembic assumes that it cannot unless told.
context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
