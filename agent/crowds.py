"""Interest communities of everybody who is known: made from the themes of all, named from what their members chose.

    census = await crowds.refresh(now)               # from the last centres, of the themes that hold now
    crowds.communities()                             # those of `least` people and more

Only vectors of theme sentences, items and counts are read; what is kept never comes from fewer than `least` people, and no
sentence about a person is part of it: names come from features of the catalogue that many of the members share. What is
sensitive, muted, or told in quotes is not read at all.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from agent import plain, sensitive
from agent.coldstart import asserted
from agent.config import CommunitySettings
from agent.errors import LLMUnavailableError
from agent.evidence import ENOUGH, Evidence, common
from agent.will import marked
from agent.writer import Writer
from retrieval.communities import Communities, Ints, Vectors, found, homes, membership, renewed, under_ids_of
from retrieval.embed import CachedEmbedder, Embedder, unit
from retrieval.features import CatalogueStats, features
from retrieval.records import Item, Origin, Polarity, Profile
from retrieval.store import Community, CrowdCount, Store

MOST_ITEMS = 200  # of a community that are kept, most chosen first
NAMED = 6  # features of a community that are shown, best first
LIFT = 1.25  # times the share of all people: what holds less often than that names no community
KEPT = 4  # first features among which one of the first two of the old name must be, for the name to stay


@dataclass(frozen=True, slots=True)
class Told:
    """A theme of the person numbered `owner`: the sentence that says it and the items that it rests on."""

    owner: int
    text: str
    items: frozenset[str]


@dataclass(frozen=True, slots=True)
class _People:
    """All themes and the row of the community that each is `at`, -1 for none."""

    told: Sequence[Told]
    at: Ints
    people: int

    def belongs(self, communities: int) -> NDArray[np.bool_]:
        """(people, communities)."""
        owners = np.array([t.owner for t in self.told], dtype=np.int64)
        return membership(self.at, owners, self.people, communities)

    def pairs(self, communities: int) -> Ints:
        """(communities, communities) How many people are in both."""
        belongs = self.belongs(communities).astype(np.int64)
        both: Ints = belongs.T @ belongs
        return both

    def chosen(self, community: int | None) -> list[frozenset[str]]:
        """Of each person, the items behind their themes of a community (None: behind all); only people with some."""
        items: dict[int, frozenset[str]] = {}
        for theme, at in zip(self.told, self.at.tolist(), strict=True):
            if community in (None, at):
                items[theme.owner] = items.get(theme.owner, frozenset()) | theme.items
        return list(items.values())


class Crowds:
    """Makes and names communities. Holds no user; one state of the catalogue."""

    def __init__(
        self,
        store: Store,
        embedder: Embedder,
        writers: Sequence[Writer],
        stats: CatalogueStats,
        settings: CommunitySettings,
    ) -> None:
        """`writers`: who may word a name, in order; the next one is asked where the LLM is away."""
        self._store = store
        self._embedder = embedder
        self._writers = writers
        self._stats = stats
        self.least = settings.least

    def communities(self) -> list[Community]:
        """Those that may be shown, largest first."""
        shown = (c for c in self._store.communities() if c.members >= self.least)
        return sorted(shown, key=lambda c: (-c.members, c.id))

    async def refresh(self, now: datetime, *, anew: bool = False, people: Collection[str] | None = None) -> CrowdCount:
        """Count everybody's themes as they are stored and save what came of it; ids stay.

        It goes on from the last centres, or looks for communities `anew` and matches them to the old ids. Who was erased is in
        no sum, count or name of the result. `people` are those to be counted, everybody by default.
        """
        told, vectors, total = self._everybody(people)
        before = {c.id: c for c in self._store.communities()}
        mean = vectors.mean(axis=0) if total >= self.least else np.zeros(vectors.shape[1], dtype=np.float32)
        rows = unit(vectors - mean)
        known = self._grouped(rows, before, anew)
        crowd = _People(told, homes(known, rows), total)
        kept = _numbered(crowd.belongs(len(known.sums)).sum(axis=0), before, self.least)
        alive = await self._described(known, crowd, kept, before, now)
        gone = [_dissolved(c) for i, c in before.items() if i not in {c.id for c in alive}]
        sizes = {str(c.id): c.members for c in alive}
        census = CrowdCount(now, total, known.rule, self._embedder.name, tuple(mean.tolist()), sizes)
        self._store.save_communities([*alive, *gone], census)
        return census

    def _everybody(self, people: Collection[str] | None) -> tuple[list[Told], Vectors, int]:
        """All themes that may be counted, a vector for each, and of how many people they are."""
        told: list[Told] = []
        parts = [np.zeros((0, self._embedder.dim), dtype=np.float32)]
        total = 0
        for user in self._store.users():
            own = list(self._of(user, total)) if people is None or user in people else []
            if own:
                told += own
                parts.append(CachedEmbedder(self._embedder, self._store, user).embed([t.text for t in own]))
                total += 1
        return told, np.concatenate(parts), total

    def _of(self, user: str, owner: int) -> Iterator[Told]:
        """The likes of a user that speak of things, and were not muted."""
        profile = self._store.profile(user)
        if profile is None:
            return
        silent = marked(profile, self._store.edits(user)).silent
        items = self._items(profile)
        for theme in profile.themes:
            likes = theme.active and theme.polarity is Polarity.LIKE and set(theme.statements) - silent
            touched = frozenset(item for s in theme.statements for item in items.get(s, ()))
            if likes and touched and not plain.tells(theme.summary) and sensitive.attribute(theme.summary) is None:
                yield Told(owner, theme.summary, touched)

    def _items(self, profile: Profile) -> dict[str, list[str]]:
        """Statement id -> the items of its evidence."""
        events = self._store.events_by_id(profile.user, {e for s in profile.statements for e in s.evidence})
        return {
            s.id: [item for e in s.evidence if e in events and (item := events[e].item) is not None]
            for s in profile.statements
        }

    def _grouped(self, rows: Vectors, before: Mapping[int, Community], anew: bool) -> Communities:
        censuses = self._store.censuses()
        centres = np.zeros((max(before, default=-1) + 1, rows.shape[1]), dtype=np.float32)
        if censuses and censuses[-1].model == self._embedder.name:
            for community in before.values():
                if community.centre:
                    centres[community.id] = community.centre
        if anew or not centres.any():
            return under_ids_of(found(rows), centres)
        return renewed(centres, rows)

    async def _described(
        self,
        known: Communities,
        crowd: _People,
        kept: Mapping[int, int],
        before: Mapping[int, Community],
        now: datetime,
    ) -> list[Community]:
        """The communities of `kept` (row -> id), each with what may be said of it, those that were there before first."""
        catalogue = self._store.items({item for t in crowd.told for item in t.items})
        every = _shares(crowd.chosen(None), catalogue)
        both = crowd.pairs(len(known.sums))
        alive: list[Community] = []
        for row, id_ in sorted(kept.items(), key=lambda pair: pair[1]):
            chosen = crowd.chosen(row)
            items = Counter(item for own in chosen for item in own)
            shown = {i: n for i, n in items.most_common(MOST_ITEMS) if n >= self.least}
            touched = [catalogue[i] for i in shown if i in catalogue]
            evidence = self._evidence(_shares(chosen, catalogue), every, touched, (len(chosen), crowd.people))
            taken = [c.label for c in alive] + [c.label for i, c in before.items() if i != id_ and c.label]
            label, origin = await self._label(before.get(id_), evidence, taken, id_, now)
            pairs = {str(i): int(both[row, r]) for r, i in kept.items() if r != row and both[row, r] >= self.least}
            centre = tuple(known.centres[row].tolist())
            since = before[id_].since if id_ in before else now
            alive.append(Community(id_, label, origin, evidence.features, len(chosen), centre, shown, pairs, since))
        return alive

    def _evidence(
        self, own: Mapping[str, int], every: Mapping[str, int], items: Sequence[Item], people: tuple[int, int]
    ) -> Evidence:
        """What members share, best first by how much more often they do than all people (the pointwise Kullback-Leibler term).

        `own` and `every` count people by feature, among the (members, all) `people`; of few nothing is said.
        """
        members, total = people
        many = {f: n for f, n in own.items() if n >= self.least}
        lifts = {f: n / members / (every[f] / total) for f, n in many.items()}
        worth = {f: many[f] / members * math.log(lift) for f, lift in lifts.items() if lift >= LIFT}
        ranked = sorted(worth or many, key=lambda f: (-(worth or many)[f], f))
        found = common(items, ranked, self._stats)
        return replace(found, features=found.features[:NAMED])

    async def _label(
        self, old: Community | None, evidence: Evidence, taken: Sequence[str], id_: int, now: datetime
    ) -> tuple[str, Origin]:
        """The name it had, or a new one where what its members share has changed."""
        if old and old.label and (not evidence.features or set(old.features[:2]) & set(evidence.features[:KEPT])):
            return old.label, old.origin
        if not evidence.features:
            return f"Community {id_}", Origin.FALLBACK
        said = asserted(evidence.phrase, plain.statement(Polarity.LIKE, evidence.phrase), Polarity.LIKE, "", now)
        for writer in self._writers:
            try:
                return writer.label(await writer.names("", [said], evidence), evidence, taken)
            except LLMUnavailableError:
                continue
        raise LLMUnavailableError("nobody can name a community")


def _numbered(members: NDArray[np.int64], before: Mapping[int, Community], least: int) -> dict[int, int]:
    """Row -> id of the communities that are large enough: the row where it was known, else the next free id."""
    first = max(before, default=-1) + 1
    large = np.flatnonzero(members >= least).tolist()
    new = [row for row in large if row >= first]
    return {**{row: row for row in large if row < first}, **{row: first + n for n, row in enumerate(new)}}


def _shares(chosen: Sequence[frozenset[str]], catalogue: Mapping[str, Item]) -> Counter[str]:
    """Feature -> how many people chose ENOUGH items that have it; `chosen` has the items of a person each."""
    found: Counter[str] = Counter()
    for own in chosen:
        counts = Counter(f for item in own if item in catalogue for f in features(catalogue[item]))
        found.update(f for f, items in counts.items() if items >= min(ENOUGH, len(own)))
    return found


def _dissolved(community: Community) -> Community:
    """Its id stays taken; nothing else of it stays."""
    return replace(community, label="", features=(), members=0, centre=(), items={}, pairs={})
