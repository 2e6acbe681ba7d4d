"""What stands behind a profile, and what can be recommended to it, before the LLM has its say.

slate = slates.slate(profile, signals, k=10, query=None, now=now, muted=frozenset())
slate.top          # candidates by prior, each unlike those before it
slate.known        # the evidence of the profile's statements, at hand
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from agent.config import RecommendSettings
from agent.counterfactual import Counterfactual
from retrieval.embed import CachedEmbedder, Embedder, Vectors
from retrieval.exact import VectorIndex
from retrieval.fusion import FusionWeights, mmr
from retrieval.lexical import Lexical
from retrieval.records import Candidate, Event, Horizon, Item, Polarity, Profile, Statement
from retrieval.restraint import restrain
from retrieval.search import Wants, candidates, score
from retrieval.segments import polarities
from retrieval.signals import HISTORY, Signals
from retrieval.store import Store
from retrieval.themes import centroid

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
    """What can be recommended: `what_if.pool` by prior, best first, and `top`, the diverse best of it, in the same order."""

    known: Known
    wants: Wants
    top: Sequence[Candidate]
    what_if: Counterfactual


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
    ) -> None:
        """`newest`: items with the time of their publication, latest first."""
        self._store = store
        self._index = index
        self._lexical = lexical
        self._embedder = embedder
        self._words = CachedEmbedder(embedder, store, "")
        self._settings = settings
        self._weights = weights
        self._newest = newest

    def slate(
        self,
        profile: Profile,
        signals: Signals,
        *,
        k: int,
        query: str | None,
        now: datetime,
        muted: frozenset[str],
    ) -> Slate:
        """What `recommend` chooses from, before the LLM has its say."""
        known = self.known(profile)
        wants = self._wants(known, query, self._store.popularity(until=now), muted, now)
        sources, weights = (self._index, self._lexical, signals), self._weights.among(signals.people)
        pool = candidates(wants, *sources, pool=self._settings.pool, weights=weights)
        what_if = Counterfactual(pool, wants.history, signals, weights, wants.asked)
        top = self._diverse(pool, max(k, self._settings.rerank))
        if not wants.asked:
            items = self._store.items([c.item for c in top])
            top = restrain(top, items, wants.history, signals, weights, self._words)
        return Slate(known, wants, top, what_if)

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
        self, known: Known, query: str | None, popularity: Mapping[str, float], muted: frozenset[str], now: datetime
    ) -> Wants:
        themes = [t for t in known.profile.themes if t.id not in muted and t.statements]
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
            history=self._history(known, muted, now),
            theme_vectors={i: np.array([known.vectors[s.id] for s in group]) for i, group in members.items() if group},
            theme_texts={i: " ".join(s.text for s in group) for i, group in members.items()},
            query=query or "",
            query_vector=self._embedder.embed([query])[0] if query else None,
            popularity=popularity,
            fresh=[item for published, item in self._newest if published is None or published <= now],
            exclude=frozenset(self._store.touched_items(known.profile.user)),
        )

    def _history(self, known: Known, muted: frozenset[str], now: datetime) -> tuple[str, ...]:
        """The items that the user's acts speak for, each once, oldest first, without what a muted theme or a one-off stands
        on."""
        events = self._store.events(known.profile.user, until=now)
        away = (t for t in known.profile.themes if t.id in muted or t.horizon is Horizon.ONE_OFF)
        silenced = {s for t in away for s in t.statements}
        evidence = {e for s in known.profile.statements if s.id in silenced for e in s.evidence}
        silent = {known.events[e].item for e in evidence if e in known.events}
        liked = (e.item for e, says in zip(events, polarities(events), strict=True) if says is Polarity.LIKE)
        return tuple(dict.fromkeys(item for item in liked if item is not None and item not in silent))

    def nearness(self, item: Item, known: Known) -> dict[str, float]:
        """Statement id -> cosine of where it points and the item; empty for an item that the index does not hold."""
        vector = self._index.vectors([item.id]).get(item.id)
        return {} if vector is None else {i: float(v @ vector) for i, v in known.vectors.items()}

    def acts(self, slate: Slate, now: datetime) -> tuple[tuple[Event, Item], ...]:
        """The latest act on each of the latest HISTORY items that the user's acts speak for, newest first."""
        recent = slate.wants.history[::-1][:HISTORY]
        items = self._store.items(recent)
        last = {e.item: e for e in self._store.events(slate.known.profile.user, until=now)}
        return tuple((last[i], items[i]) for i in recent if i in last and i in items)

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
