"""What stands behind a profile, and what can be recommended to it, before the LLM has its say.

slate = slates.slate(profile, signals, k=10, query=None, now=now, marks=NONE)
slate.top          # candidates by prior, each unlike those before it
slate.known        # the evidence of the profile's statements, at hand
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from agent import plain
from agent.config import RecommendSettings
from agent.counterfactual import Counterfactual
from agent.grounds import grounds
from agent.will import Marks
from retrieval.echo import is_echo
from retrieval.embed import CachedEmbedder, Embedder, Vectors
from retrieval.exact import VectorIndex
from retrieval.fusion import FusionWeights, mmr
from retrieval.kindred import Kindred
from retrieval.lexical import Lexical
from retrieval.records import Candidate, Event, Horizon, Item, Polarity, Profile, Source, Statement, Theme
from retrieval.restraint import falling, restrain
from retrieval.search import Wants, candidates, score
from retrieval.segments import polarities, verdict
from retrieval.signals import HISTORY, Signals
from retrieval.store import Store
from retrieval.themes import centroid
from retrieval.warmth import seen, warmth

PASSING = (Horizon.ONE_OFF, Horizon.SHARED)  # what is no taste of the owner's
MEDOIDS = 3  # vectors a theme searches with: PinnerSage asks with three medoids
WIDER = 3  # the diverse top is chosen from so many times as many candidates


@dataclass(frozen=True, slots=True)
class Known:
    """A profile's evidence at hand: events and items by id, and a unit vector (dim,) in item space for each statement."""

    profile: Profile
    events: Mapping[str, Event]
    items: Mapping[str, Item]
    vectors: Mapping[str, Vectors]


@dataclass(frozen=True, slots=True)
class Slate:
    """What can be recommended: `what_if.pool` by prior, best first, and `top`, the diverse best of it, in the same order.
    `speaks`: item -> the statement that speaks most for it, where something is muted or boosted."""

    known: Known
    wants: Wants
    top: Sequence[Candidate]
    what_if: Counterfactual
    speaks: Mapping[str, str]


class Slates:
    """Makes slates for any profile. Holds no user; one state of the catalogue."""

    def __init__(
        self,
        store: Store,
        index: VectorIndex,
        lexical: Lexical,
        embedder: Embedder,
        settings: RecommendSettings,
        weights: FusionWeights,
        newest: Sequence[tuple[datetime | None, str]],
        least: int,
    ) -> None:
        """`newest`: items with the time of their publication, latest first; `least`: people that make a community."""
        self._store = store
        self._index = index
        self._lexical = lexical
        self._embedder = embedder
        self._words = CachedEmbedder(embedder, store, "")
        self._settings = settings
        self._weights = weights
        self._newest = newest
        self._least = least

    def slate(
        self,
        profile: Profile,
        signals: Signals,
        *,
        k: int,
        query: str | None,
        now: datetime,
        marks: Marks,
    ) -> Slate:
        """What `recommend` chooses from, before the LLM has its say."""
        known = self.known(profile)
        wants = self._wants(known, query, self._store.popularity(until=now), marks, now)
        sources, weights = (self._index, self._lexical, signals), self._weights.among(signals.people)
        if wants.said is not None and wants.history:
            weights = weights.warmed(warmth(seen(self._store.events(profile.user, until=now))))
        pool = candidates(wants, *sources, pool=self._settings.pool, weights=weights)
        what_if = Counterfactual(pool, wants.history, signals, weights, wants.asked)
        steered = bool(marks.silent or marks.boosted) and not wants.asked
        speaks = self.speaks(known, what_if) if steered else {}
        heard = [c for c in pool if speaks.get(c.item) not in marks.silent]
        top = self._top(pool, wants, signals, weights, k)
        if len(heard) < len(pool):  # what is left stays in its order, and others come after it
            left = [c for c in top if speaks.get(c.item) not in marks.silent]
            there = {c.item for c in left}
            top = falling([*left, *(c for c in self._top(heard, wants, signals, weights, k) if c.item not in there)])
        return Slate(known, wants, top, replace(what_if, pool=heard), speaks)

    def _top(
        self, pool: Sequence[Candidate], wants: Wants, signals: Signals, weights: FusionWeights, k: int
    ) -> list[Candidate]:
        top = self._diverse(pool, max(k, self._settings.rerank))
        if wants.asked:
            return top
        items = self._store.items([c.item for c in top])
        return restrain(top, items, wants.history, signals, weights, self._words)

    def speaks(self, known: Known, what_if: Counterfactual) -> dict[str, str]:
        """Item of the pool -> the statement that its reason would cite if nothing were muted; none where none speaks for it."""
        items = self._store.items([c.item for c in what_if.pool])
        near, falls = self._nearness(list(items), known), what_if.of_each(known.items)
        found = {
            i: grounds(item, known.profile, near[i], known.events, known.items, falls[i]) for i, item in items.items()
        }
        return {i: why.statement.id for i, why in found.items() if why is not None and why.statement is not None}

    def ranked_with(self, slate: Slate, item: str) -> Sequence[Candidate]:
        """The pool of `slate`, best first, with `item` among it, whoever proposes it."""
        what_if = slate.what_if
        if any(candidate.item == item for candidate in what_if.pool):
            return what_if.pool
        ids = [*(candidate.item for candidate in what_if.pool), item]
        return score(slate.wants, ids, self._index, self._lexical, what_if.signals, what_if.weights)

    def known(self, profile: Profile) -> Known:
        """Read what stands behind a profile."""
        wanted = {e for s in profile.statements for e in s.evidence}
        events = self._store.events_by_id(profile.user, wanted)
        ids = {e.item for e in events.values() if e.item is not None}
        items = self._store.items(ids)
        rows = self._index.vectors(sorted(items))
        vectors = {s.id: self._vector(s, events, rows) for s in profile.statements}
        return Known(profile, events, items, vectors)

    def _vector(self, statement: Statement, events: Mapping[str, Event], rows: Mapping[str, Vectors]) -> Vectors:
        """(dim,) Where a statement points among the items: the mean of its evidence, or its own words without any."""
        touched = [events[i].item or "" for i in statement.evidence if i in events]
        shown = [rows[item] for item in touched if item in rows]
        if shown:
            return centroid(np.array(shown))
        words = statement.text if statement.evidence else statement.facet
        return centroid(self._embedder.embed([words]))

    def _wants(
        self, known: Known, query: str | None, popularity: Mapping[str, float], marks: Marks, now: datetime
    ) -> Wants:
        """All likes, muted ones too: what they speak for is left out afterwards, so that nothing else moves."""
        themes = [t for t in known.profile.themes if t.statements and not _left_out(t, marks, bool(query))]
        by_id = {s.id: s for s in known.profile.statements}
        members = {
            t.id: sorted(
                (by_id[i] for i in t.statements if i in by_id),
                key=lambda s, t=t: (s.id != t.medoid, -len(s.evidence), s.id),  # type: ignore[misc]
            )[:MEDOIDS]
            for t in themes
        }
        return Wants(
            themes=themes,
            history=self._history(known, now),
            theme_vectors={i: np.array([known.vectors[s.id] for s in group]) for i, group in members.items() if group},
            theme_texts={i: " ".join(s.text for s in group) for i, group in members.items()},
            said=_said(known, {s for t in themes for s in t.statements}),
            community=self._community(known) if self._settings.community else {},
            query=query or "",
            query_vector=self._embedder.embed([query])[0] if query else None,
            popularity=popularity,
            fresh=[item for published, item in self._newest if published is None or published <= now],
            exclude=frozenset(self._store.touched_items(known.profile.user)),
            against=self._against(known.profile.user, now),
        )

    def _history(self, known: Known, now: datetime) -> tuple[str, ...]:
        """The items that the user's acts speak for, each once, oldest first, without what a one-off or somebody else's theme
        stands on."""
        events = self._store.events(known.profile.user, until=now)
        passing = {s for t in known.profile.themes if t.horizon in PASSING for s in t.statements}
        evidence = {e for s in known.profile.statements if s.id in passing for e in s.evidence}
        away = {known.events[e].item for e in evidence if e in known.events}
        liked = (e.item for e, says in zip(events, polarities(events), strict=True) if says is Polarity.LIKE)
        return tuple(dict.fromkeys(item for item in liked if item is not None and item not in away))

    def _against(self, user: str, now: datetime) -> Vectors | None:
        """(m, dim) The latest items that the user turned down when we showed them, before any statement says why."""
        latest = self._store.events(user, until=now, limit=HISTORY)
        turned_down = {e.item or "" for e in latest if is_echo(e) and verdict(e) is Polarity.DISLIKE}
        rows = self._index.vectors(sorted(turned_down))
        return np.array(list(rows.values())) if rows else None

    def _community(self, known: Known) -> Mapping[str, float]:
        """Item id -> the share of people who describe themselves like this user that chose it; empty without a word."""
        kindred = Kindred.load(self._store, self._embedder.name, self._least)
        told = [s.text for s in known.profile.statements if _tells_taste(s)]
        if kindred is None or not told:
            return {}
        own = kindred.belief(self._embedder.embed(told), np.zeros((0, self._embedder.dim), np.float32), np.zeros(0))
        return kindred.items(own)

    def nearness(self, item: Item, known: Known) -> dict[str, float]:
        """Statement id -> cosine of where it points and the item; empty for an item that the index does not hold."""
        return self._nearness([item.id], known)[item.id]

    def _nearness(self, items: Sequence[str], known: Known) -> dict[str, dict[str, float]]:
        rows = self._index.vectors(items)
        said = list(known.vectors)
        matrix = np.array([known.vectors[i] for i in said])
        near = {i: dict(zip(said, (matrix @ row).tolist(), strict=True)) for i, row in rows.items()} if said else {}
        return {i: near.get(i, {}) for i in items}

    def acts(self, slate: Slate, silent: frozenset[str], now: datetime) -> tuple[tuple[Event, Item], ...]:
        """The latest act on each of the latest HISTORY items that the user's acts speak for, newest first; none that a muted
        statement rests on."""
        recent = [i for i in slate.wants.history[::-1] if i not in self.muted_items(slate.known, silent)][:HISTORY]
        items = self._store.items(recent)
        last = {e.item: e for e in self._store.events(slate.known.profile.user, until=now)}
        return tuple((last[i], items[i]) for i in recent if i in last and i in items)

    @staticmethod
    def muted_items(known: Known, silent: frozenset[str]) -> set[str]:
        """The items that muted statements rest on."""
        events = (known.events.get(e) for s in known.profile.statements if s.id in silent for e in s.evidence)
        return {e.item for e in events if e is not None and e.item is not None}

    def _diverse(self, pool: Sequence[Candidate], count: int) -> list[Candidate]:
        """The best `count` of the pool, each unlike those before it, in the order of their prior."""
        wide = pool[: WIDER * count]
        rows = self._index.vectors([c.item for c in wide])
        wide = [c for c in wide if c.item in rows]
        if not wide:
            return list(pool[:count])
        vectors = np.array([rows[c.item] for c in wide])
        chosen = mmr(np.array([c.prior for c in wide]), vectors, count, self._settings.diversity)
        return [wide[row] for row in sorted(chosen)]


def _left_out(theme: Theme, marks: Marks, asked: bool) -> bool:
    """Is it a muted dislike, or muted where there is a question, which nothing is left out of afterwards?"""
    return (asked or theme.polarity is Polarity.DISLIKE) and marks.silent.issuperset(theme.statements)


def _said(known: Known, heard: Collection[str]) -> Vectors | None:
    """(m, dim) Where the likes point that users themselves told us, those of `heard`; None where there are none."""
    told = [known.vectors[s.id] for s in known.profile.statements if s.id in heard and _tells_taste(s)]
    return np.array(told) if told else None


def _tells_taste(statement: Statement) -> bool:
    """Do the user's own words say what they like?"""
    own = statement.source is not Source.INFERRED and not statement.evidence
    return own and statement.polarity is Polarity.LIKE and not plain.tells(statement.text)
