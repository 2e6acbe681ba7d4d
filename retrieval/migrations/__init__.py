"""Alembic migrations. `Store` runs them when it opens a database; there is no alembic.ini to look for."""
