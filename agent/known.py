"""Who is somebody: a user of whom something is stored."""

from __future__ import annotations

from agent.errors import NotFoundError
from retrieval.store import Store


def known_user(store: Store, user: str) -> None:
    """Raises NotFoundError for somebody of whom nothing is known."""
    if not store.has_user(user):
        raise NotFoundError(f"unknown user {user!r}", hint="ingest their events, or use cold-start for a stranger")
