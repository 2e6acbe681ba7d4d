"""The read path: a profile (or a question, or both) to explained recommendations.

    profile -> channels -> candidates with a prior -> diverse top -> LLM likelihood -> bounded order -> reasons -> check

When the LLM is slow or away the prior answers, with reasons made from the data, and `degraded` says which part is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from agent import pii, plain
from agent.config import RecommendSettings
from agent.counterfactual import Counterfactual
from agent.errors import LLMError, LLMUnsupportedError
from agent.explain import Explainer, from_data
from agent.grounds import Grounds, grounds, spared
from agent.rerank import Reranker
from retrieval.embed import CachedEmbedder, Embedder, Vectors
from retrieval.exact import VectorIndex
from retrieval.fusion import FusionWeights, bounded, mmr
from retrieval.lexical import Lexical
from retrieval.records import Candidate, Event, Item, Polarity, Profile, Recommendation, Statement
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


class Recommender:
    """Answers for any profile. Holds no user; one state of the catalogue."""

    def __init__(
        self,
        store: Store,
        index: VectorIndex,
        lexical: Lexical,
        embedder: Embedder,
        reranker: Reranker,
        explainer: Explainer,
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
        self._reranker = reranker
        self.explainer = explainer
        self._settings = settings
        self._weights = weights
        self._newest = newest

    async def recommend(
        self,
        profile: Profile,
        signals: Signals,
        *,
        k: int,
        query: str | None,
        explain: bool,
        now: datetime,
        muted: frozenset[str],
    ) -> list[Recommendation]:
        """At most `k` items the user has not touched, best first. `muted`: theme ids that must not propose anything."""
        slate = self.slate(profile, signals, k=k, query=query, now=now, muted=muted)
        query = pii.mask(query) if query else None  # the search is done: neither the LLM nor a reason needs more
        known, wants, top, popularity = slate.known, slate.wants, slate.top, slate.wants.popularity
        items = self._store.items([c.item for c in top])
        until = asyncio.get_running_loop().time() + self._settings.deadline_s
        recent = list(self._store.items(wants.history[::-1][:HISTORY]).values())
        weight = self._llm_weight(signals.people if wants.history and not query else 0)
        head = [items[c.item] for c in top[: self._settings.rerank]] if weight else []
        scores, there = await self._llm_scores(profile, recent, head, query, until)
        by_id = {c.item: c for c in top}
        rise = self._settings.max_rise
        order = bounded([c.item for c in top], scores, weight, rise, [c.prior for c in top])
        degraded = ("rerank",) if head and not scores else ()
        found = [
            _recommendation(place, by_id[i], scores, query is not None, degraded) for place, i in enumerate(order[:k])
        ]
        falls = slate.what_if.of_each(known.items)
        why = {i: g for i in order[:k] if (g := self.grounds(items[i], known, falls[i], muted)) is not None}
        found = [replace(r, theme=_theme_of(why.get(r.item), profile) or r.theme) for r in found]
        if query:  # what is asked for is reason enough; what is known is named only where it speaks to the item
            why = {i: g for i, g in why.items() if g.shared}
        found = [from_data(r, why.get(r.item), popularity.get(r.item, 0), query) for r in found]
        found = [r if r.citations or query else self._unlike(r, items[r.item], known, popularity) for r in found]
        found = await self._phrased(profile.user, found, why, until) if explain and there else found
        return self._confirmed(profile.user, found, why, popularity, query)

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

    def _confirmed(
        self,
        user: str,
        found: list[Recommendation],
        why: Mapping[str, Grounds],
        popularity: Mapping[str, float],
        query: str | None,
    ) -> list[Recommendation]:
        """`found` with every claim looked up in the store again: what was deleted meanwhile is cited no more."""
        cited = [c for r in found for c in r.citations]
        events = self._store.events_by_id(user, {e for c in cited for e in c.events})
        items = self._store.items({*(i for c in cited for i in c.items), *(r.item for r in found)})

        return [
            self.explainer.confirmed(r, why.get(r.item), events, items, popularity.get(r.item, 0), query)
            for r in found
        ]

    async def _phrased(
        self, user: str, found: list[Recommendation], why: Mapping[str, Grounds], until: float
    ) -> list[Recommendation]:
        """The reasons in the LLM's words, or the plain ones when it takes too long."""
        try:
            async with asyncio.timeout_at(until):
                return await self.explainer.phrase(user, found, why)
        except TimeoutError:
            return [replace(r, degraded=(*r.degraded, "explain")) for r in found]

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
        """The items that the user's acts speak for, each once, oldest first, without what a muted theme stands on."""
        events = self._store.events(known.profile.user, until=now)
        silenced = {s for t in known.profile.themes if t.id in muted for s in t.statements}
        evidence = {e for s in known.profile.statements if s.id in silenced for e in s.evidence}
        away = {known.events[e].item for e in evidence if e in known.events}
        liked = (e.item for e, says in zip(events, polarities(events), strict=True) if says is Polarity.LIKE)
        return tuple(dict.fromkeys(item for item in liked if item is not None and item not in away))

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

    def _llm_weight(self, people: int) -> float:
        """As set, or as learnt where the choices of so many people speak."""
        given = self._settings.llm_weight
        return self._weights.llm_share(people) if given is None else given

    async def _llm_scores(
        self, profile: Profile, recent: Sequence[Item], items: Sequence[Item], query: str | None, until: float
    ) -> tuple[dict[str, float], bool]:
        """LLM scores of `items`, none when the LLM cannot give them in time, and whether anybody is there to ask more."""
        if not items:
            return {}, True
        try:
            async with asyncio.timeout_at(until):
                return await self._reranker.scores(profile, recent, items, query), True
        except LLMUnsupportedError:  # a server that cannot score can still phrase
            return {}, True
        except (LLMError, TimeoutError):
            return {}, False

    @staticmethod
    def _unlike(rec: Recommendation, item: Item, known: Known, popularity: Mapping[str, float]) -> Recommendation:
        """The reason for a user of whom only dislikes are known: it is none of them."""
        found = spared(item, known.profile, known.events, known.items)
        if found is None:
            return rec
        statement, citation = found
        reason = plain.reason_spared(int(popularity.get(rec.item, 0)), statement.text)
        return replace(rec, reason=reason, citations=(citation,))

    def grounds(
        self, item: Item, known: Known, falls: Mapping[str, float], muted: frozenset[str] = frozenset()
    ) -> Grounds | None:
        """What speaks for an item; nothing that a muted theme stands on. `falls`: see agent.grounds."""
        vector = self._index.vectors([item.id]).get(item.id)
        near = {} if vector is None else {i: float(v @ vector) for i, v in known.vectors.items()}
        silent = {s for t in known.profile.themes if t.id in muted for s in t.statements}
        heard = replace(known.profile, statements=tuple(s for s in known.profile.statements if s.id not in silent))
        return grounds(item, heard, near, known.events, known.items, falls)


def _recommendation(
    place: int, candidate: Candidate, scores: Mapping[str, float], asked: bool, degraded: tuple[str, ...]
) -> Recommendation:
    parts = {**candidate.channels, "prior": candidate.prior}
    if candidate.item in scores:
        parts["llm"] = scores[candidate.item]
    theme = None if asked else candidate.theme
    return Recommendation(candidate.item, place + 1, candidate.prior, parts, theme=theme, degraded=degraded)


def _theme_of(why: Grounds | None, profile: Profile) -> str | None:
    """The theme of the statement that a reason cites, so that the two never disagree."""
    if why is None:
        return None
    return next((t.id for t in profile.themes if why.statement.id in t.statements), None)
