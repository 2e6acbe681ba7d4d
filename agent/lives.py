"""How a user's themes came to be what they are: as they were, what changed, back to an earlier version, without some events.

lives.compare("mara", spring, autumn).changes
lives.rollback("mara", 3, now)          # a new version with the words of the third
lives.withdraw("mara", ["e-17"])        # an event is taken back, and with it what leaned on it
lives.grouping("mara", "kmeans")        # another way to group the same statements
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from agent.changes import Change, changes
from agent.errors import NotFoundError, UsageError
from retrieval.clustering import Algorithm, Grouping, group
from retrieval.embed import CachedEmbedder, Embedder, Vectors, unit
from retrieval.records import Polarity, Profile, Source, Statement, ThemeEvent
from retrieval.store import ForgetReport, ProfileVersion, Store
from retrieval.themes import centroid, medoid
from retrieval.topics import Topics


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two stored profiles, and the differences between them."""

    then: Profile
    now: Profile
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Side:
    """The likes or the dislikes, grouped: `groups` hold statement ids, the one in the middle first."""

    polarity: Polarity
    grouping: Grouping
    groups: tuple[tuple[str, ...], ...]


class Lives:
    """Reads and corrects the history of any user. Holds no user."""

    def __init__(self, store: Store, embedder: Embedder) -> None:
        self._store = store
        self._embedder = embedder
        self._topics = Topics(store, embedder)

    def themes(self, user: str, as_of: datetime | None = None) -> tuple[Profile, list[ThemeEvent]]:
        """The profile stored last by a moment, and the life of its themes until then. Raises NotFoundError."""
        profile = self._store.profile(user, as_of=as_of)
        if profile is None:
            when = f" as of {as_of.isoformat()}" if as_of else ""
            option = f" --as-of {as_of.isoformat()}" if as_of else ""
            raise NotFoundError(f"no profile of {user!r}{when} yet", hint=f"run `leitmotif profile {user}{option}`")
        return profile, [e for e in self._store.theme_events(user) if as_of is None or e.at <= as_of]

    def versions(self, user: str) -> list[ProfileVersion]:
        """All versions of the profile, the first one first."""
        return self._store.profile_versions(user)

    def compare(self, user: str, then: datetime, now: datetime) -> Comparison:
        """What changed from the profile stored by one moment to that stored by another. Raises NotFoundError."""
        (old, _), (new, steps) = self.themes(user, then), self.themes(user, now)
        return Comparison(old, new, tuple(changes(old, new, steps)))

    def rollback(self, user: str, version: int, now: datetime) -> Profile:
        """A new version with the statements, names and portrait of an earlier one. Segments that were read differently since
        keep the earlier words until new events change them. What the user said stays as it is now, and so does what they
        did: the next update follows their themes on from today. Raises NotFoundError, UsageError and ConflictError."""
        saved = self._store.profile_version(user)
        now_holds, back = self._store.profile(user), self._store.profile_at(user, version)
        if back is None:
            raise NotFoundError(f"{user!r} has no version {version}", hint=f"run `leitmotif themes {user} --history`")
        if now_holds is not None and version == now_holds.version:
            raise UsageError(f"version {version} is what holds now")
        every = self._store.statements(user, include_superseded=True)
        inferred = [s for s in back.statements if s.source is Source.INFERRED]
        said = [s for s in every if s.source is not Source.INFERRED and s.superseded_by is None]
        self._store.restore_statements(user, _heirs([s for s in every if s.source is Source.INFERRED], inferred))
        held = {s.id for s in (*said, *inferred)}
        themes = tuple(replace(t, statements=tuple(i for i in t.statements if i in held)) for t in back.themes)
        restored = replace(
            back,
            as_of=now,
            statements=tuple(replace(s, superseded_by=None) for s in (*said, *inferred)),
            themes=themes,
            theme_events=tuple(self._store.theme_events(user)),
            events_seen=self._store.event_count(user, now),
            restores=version,
        )
        return self._store.save_profile(restored, saved)

    def withdraw(self, user: str, events: Sequence[str]) -> ForgetReport:
        """Delete events of a user for good, with every statement, theme and step that leaned on them. Raises NotFoundError,
        before anything is deleted, where one is not theirs."""
        known = self._store.events_by_id(user, events)
        if missing := next((id_ for id_ in events if id_ not in known), None):
            raise NotFoundError(f"{user!r} has no event {missing!r}", hint=f"`leitmotif export {user}` lists them")
        return ForgetReport({"events": self._store.delete_events(user, events)}, self._store.scrub_files())

    def grouping(self, user: str, algorithm: Algorithm) -> list[Side]:
        """The statements of the stored profile by an algorithm of retrieval.clustering, likes and dislikes apart, to lay beside
        the themes: those grow from one event to the next, this is made of what is there. Raises NotFoundError."""
        profile, _ = self.themes(user)
        vectors = self._vectors(profile)
        sides = []
        for says in Polarity:
            rows = [row for row, s in enumerate(profile.statements) if s.polarity is says]
            if rows:
                found = group(vectors[rows], algorithm)
                sides.append(Side(says, found, _grouped(profile.statements, vectors, rows, found)))
        return sides

    def _vectors(self, profile: Profile) -> Vectors:
        """(n, dim) What statements mean: half their words, half what their evidence is about."""
        statements, user = profile.statements, profile.user
        events = self._store.events_by_id(user, {e for s in statements for e in s.evidence})
        items = self._store.items({e.item for e in events.values() if e.item is not None})
        words = CachedEmbedder(self._embedder, self._store, user).embed([s.text for s in statements])
        about = dict(zip(events, self._topics.of_events(user, list(events.values()), items), strict=True))
        found = unit(words - self._topics.mean())
        for row, statement in enumerate(statements):
            shown = [about[e] for e in statement.evidence if e in about]
            found[row] += centroid(np.array(shown)) if shown else 0.0
        return unit(found)


def _grouped(
    statements: Sequence[Statement], vectors: Vectors, rows: Sequence[int], found: Grouping
) -> tuple[tuple[str, ...], ...]:
    groups = []
    for label in range(found.clusters):
        members = [row for row, own in zip(rows, found.labels, strict=True) if own == label]
        middle = members[medoid(vectors[members])]
        groups.append((statements[middle].id, *(statements[row].id for row in members if row != middle)))
    return tuple(groups)


def _heirs(written: Sequence[Statement], kept: Sequence[Statement]) -> Mapping[str, str | None]:
    """Statement id -> the kept one that speaks of the same events, None where there is none."""
    found: dict[str, str | None] = {}
    for statement in written:
        own = set(statement.evidence)
        near = {
            k.id: len(own & set(k.evidence)) / max(1, min(len(own), len(k.evidence)))
            for k in kept
            if k.polarity is statement.polarity
        }
        best = statement.id if statement.id in near else max(near, key=lambda i: (near[i], i), default="")
        found[statement.id] = best if best and near[best] > 0.5 else None
    return found
