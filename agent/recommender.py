"""The read path: a profile (or a question, or both) to explained recommendations.

    profile -> channels -> candidates with a prior -> diverse top -> LLM likelihood -> bounded order -> reasons -> check

When the LLM is slow or away the prior answers, with reasons made from the data, and `degraded` says which part is missing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from agent import pii, plain
from agent.config import RecommendSettings
from agent.errors import LLMError, LLMUnsupportedError
from agent.explain import Explainer, from_data
from agent.grounds import Grounds, grounds, of_acts, spared
from agent.rerank import Reranker
from agent.slate import Known, Slate, Slates
from agent.steer import explored, steered
from agent.will import Marks
from retrieval.fusion import FusionWeights, bounded
from retrieval.records import Candidate, Item, Profile, Recommendation
from retrieval.signals import HISTORY, Signals
from retrieval.store import Store


class Recommender:
    """Answers for any profile. Holds no user; one state of the catalogue."""

    def __init__(
        self,
        store: Store,
        slates: Slates,
        reranker: Reranker,
        explainer: Explainer,
        settings: RecommendSettings,
        weights: FusionWeights,
    ) -> None:
        self._dice = random.Random(settings.explore_seed)  # noqa: S311  dice, not secrets
        self._store = store
        self.slates = slates
        self._reranker = reranker
        self.explainer = explainer
        self._settings = settings
        self._weights = weights

    async def recommend(
        self,
        profile: Profile,
        signals: Signals,
        *,
        k: int,
        query: str | None,
        explain: bool,
        now: datetime,
        marks: Marks,
    ) -> list[Recommendation]:
        """At most `k` items the user has not touched, best first. `marks`: what its owner muted and boosted."""
        slate = self.slates.slate(profile, signals, k=k, query=query, now=now, marks=marks)
        query = pii.mask(query) if query else None  # the search is done: neither the LLM nor a reason needs more
        known, wants, top, popularity = slate.known, slate.wants, slate.top, slate.wants.popularity
        items = self._store.items([c.item for c in top])
        until = asyncio.get_running_loop().time() + self._settings.deadline_s
        history = [i for i in wants.history[::-1] if i not in self.slates.muted_items(known, marks.silent)]
        recent = list(self._store.items(history[:HISTORY]).values())
        weight = self._llm_weight(signals.people if wants.history and not query else 0)
        head = [items[c.item] for c in top[: self._settings.rerank]] if weight else []
        heard = _heard(profile, marks)
        scores, there = await self._llm_scores(heard, recent, head, query, until)
        order = bounded([c.item for c in top], scores, weight, self._settings.max_rise, [c.prior for c in top])
        order, chances = explored(self._steered(order, slate, marks, k), k, self._settings.explore, self._dice)
        by_id, items = {c.item: c for c in slate.what_if.pool}, self._store.items(order)
        by_id |= {c.item: c for c in top}
        degraded = ("rerank",) if head and not scores else ()
        found = [
            replace(_recommendation(n, by_id[i], scores, query is not None, degraded), propensity=chance)
            for n, (i, chance) in enumerate(zip(order, chances, strict=True))
        ]
        why = self.speaks_for([items[i] for i in order], slate, marks.silent, now)
        found = [replace(r, theme=_theme_of(why.get(r.item), profile) or _theme_in(heard, r.theme)) for r in found]
        if query:  # what is asked for is reason enough; what is known is named only where it speaks to the item
            why = {i: g for i, g in why.items() if g.shared}
        found = [from_data(r, why.get(r.item), popularity.get(r.item, 0), query) for r in found]
        found = [r if r.citations or query else self._unlike(r, items[r.item], known, popularity) for r in found]
        found = await self._phrased(profile.user, found, why, until) if explain and there else found
        return self._confirmed(profile.user, found, why, popularity, query)

    def by_prior(
        self, profile: Profile, signals: Signals, *, k: int, now: datetime, marks: Marks
    ) -> tuple[list[str], Slate]:
        """The first `k` items without the LLM's part and without exploring, and the slate that they are from."""
        slate = self.slates.slate(profile, signals, k=k, query=None, now=now, marks=marks)
        return self._steered([c.item for c in slate.top], slate, marks, k)[:k], slate

    @staticmethod
    def _steered(order: Sequence[str], slate: Slate, marks: Marks, k: int) -> list[str]:
        """The order with what is boosted further up, from all of the pool."""
        groups = [{i for i, said in slate.speaks.items() if said in group} for group in marks.boosted]
        rest = (c.item for c in slate.what_if.pool)
        return steered(list(dict.fromkeys([*order, *rest])), groups, k) if slate.speaks else list(order)

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
            self.explainer.confirmed(r, why.get(r.item), events, items, popularity.get(r.item, 0), query) for r in found
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

    def speaks_for(
        self, items: Sequence[Item], slate: Slate, silent: frozenset[str], now: datetime
    ) -> dict[str, Grounds]:
        """Item id -> what speaks for it: a statement, or where none does, the acts alone."""
        falls = slate.what_if.of_each(slate.known.items)
        found = {item.id: self.grounds(item, slate.known, falls[item.id], silent) for item in items}
        bare = [item for item in items if found[item.id] is None and not slate.wants.asked]
        if bare and (acts := self.slates.acts(slate, silent, now)):
            moved = slate.what_if.of_each(touched.id for _, touched in acts)
            found |= {item.id: of_acts(item, acts, moved[item.id]) for item in bare}
        return {item: why for item, why in found.items() if why is not None}

    def grounds(
        self, item: Item, known: Known, falls: Mapping[str, float], silent: frozenset[str] = frozenset()
    ) -> Grounds | None:
        """What speaks for an item; no `silent` statement. `falls`: see agent.grounds."""
        near = self.slates.nearness(item, known)
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


def _heard(profile: Profile, marks: Marks) -> Profile:
    """The profile as a prompt may know it: without muted themes."""
    return replace(profile, themes=tuple(t for t in profile.themes if not marks.silent.issuperset(t.statements)))


def _theme_in(profile: Profile, theme: str | None) -> str | None:
    return theme if any(t.id == theme for t in profile.themes) else None


def _theme_of(why: Grounds | None, profile: Profile) -> str | None:
    """The theme of the statement that a reason cites, so that the two never disagree."""
    if why is None:
        return None
    return next((t.id for t in profile.themes if why.statement and why.statement.id in t.statements), None)
