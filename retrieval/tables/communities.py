"""What many people like, and what somebody answered when asked about it.

A refresh replaces the communities as a whole, and of earlier censuses keeps only the counts: no vector outlives the people
whose themes it was made from by more than one refresh.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete, insert, select, update

from retrieval.records import Origin, Reply
from retrieval.schema_crowd import censuses, communities, replies
from retrieval.tables.database import Database, columns, row_of, upsert
from retrieval.tables.meta import refuse_erased


@dataclass(frozen=True, slots=True)
class Community:
    """An interest that many share. `centre` is a unit vector (dim,), empty once the community has dissolved; `items`: item id
    -> how many members' themes rest on it; `pairs`: id of another community -> how many people are in both. Counts of few
    people are left out of both."""

    id: int
    label: str
    origin: Origin
    features: tuple[str, ...]
    members: int
    centre: tuple[float, ...] = field(repr=False)
    items: Mapping[str, int] = field(repr=False, hash=False)
    pairs: Mapping[str, int] = field(repr=False, hash=False)
    since: datetime


@dataclass(frozen=True, slots=True)
class CrowdCount:
    """A refresh: how many `people` have themes, and `sizes`: community id -> how many of them are in it. `mean` (dim,) was
    taken out of every vector, made by the embedder `model`; it is kept of the last census only."""

    at: datetime
    people: int
    rule: str
    model: str
    mean: tuple[float, ...] = field(repr=False)
    sizes: Mapping[str, int] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Replied:
    """What a user answered; `label` is what was asked about, as it was called then."""

    user: str
    community: int
    label: str
    reply: Reply
    at: datetime


class Crowd(Database):
    def save_communities(self, found: Sequence[Community], census: CrowdCount) -> None:
        """Put these in the place of all that are stored, and the census beside the earlier ones."""
        with self._write() as conn:
            conn.execute(delete(communities))
            if found:
                conn.execute(insert(communities), [row_of(communities, community) for community in found])
            conn.execute(update(censuses).values(mean=()))
            upsert(conn, censuses, [row_of(censuses, census)])

    def communities(self) -> list[Community]:
        """All there have been, by id; those that have dissolved have no members and no centre."""
        with self._read() as conn:
            rows = conn.execute(select(*columns(communities, Community)).order_by(communities.c.id))
            return [Community(**row._mapping) for row in rows]

    def censuses(self) -> list[CrowdCount]:
        """All refreshes, oldest first."""
        with self._read() as conn:
            rows = conn.execute(select(*columns(censuses, CrowdCount)).order_by(censuses.c.at))
            return [CrowdCount(**row._mapping) for row in rows]

    def save_reply(self, reply: Replied) -> None:
        """Remember an answer; a second one on the same community takes the place of the first. Raises ErasedError."""
        with self._write() as conn:
            refuse_erased(conn, reply.user)
            upsert(conn, replies, [row_of(replies, reply)])

    def replies(self, user: str) -> list[Replied]:
        """What the user answered, in the order of time."""
        query = select(*columns(replies, Replied)).where(replies.c.user == user)
        with self._read() as conn:
            return [Replied(**row._mapping) for row in conn.execute(query.order_by(replies.c.at, replies.c.community))]
