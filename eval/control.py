"""How much say do owners have? Every liked theme of every user is muted once and boosted once, and the first k are compared.

    document(shop, dataset, k=10, tell=tell)

An item belongs to the theme that its reason would cite if nothing were muted or boosted: that is fixed before the edit. Beside
it stand two looks that the code under test does not take: the nearest theme by vectors, whether or not it is a reason, and
items that have a feature which the theme's name names. Profiles are plain sentences from the data; no LLM is asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from agent import guard
from agent.gate import Tally
from agent.parts import Parts
from agent.slate import Slate
from agent.steer import LEAST
from agent.will import NONE, Marks
from eval.cases import Dataset
from eval.explanations import Remembering
from eval.results import to_json
from eval.workshop import Workshop
from retrieval.embed import item_text
from retrieval.features import features
from retrieval.records import Polarity, Profile, Theme
from retrieval.signals import Signals
from retrieval.store import Store

if TYPE_CHECKING:
    from eval.rank import Tell


@dataclass(frozen=True, slots=True)
class Tried:
    """One theme, muted or boosted: its places among the first k before and after, by each look, and the order of the rest.

    `possible`: candidates of the theme, for a boost that could do what it should.
    """

    before: int
    after: int
    nearest: tuple[int, int]
    named: tuple[int, int]
    order_kept: float
    possible: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over themes. `reached`: share of the themes that reached the goal (none left; at least twice as many).
    `order_kept`: share of the pairs of other items whose order stayed, and the least of any theme."""

    themes: int
    users: int
    before: float
    after: float
    reached: float
    worst: int
    nearest_before: float
    nearest_after: float
    named_before: float
    named_after: float
    order_kept: float
    order_kept_least: float


def document(shop: Workshop, dataset: Dataset, *, k: int, tell: Tell) -> dict[str, Any]:
    """The published figures."""
    started = time.monotonic()
    material = shop.material(dataset, tell)
    texts = (item_text(item) for item in dataset.items.values())
    embedder = Remembering(shop.embedder, dict(zip(texts, material.vectors, strict=True)))
    home = shop.folder / f"control-{dataset.digest[:12]}"
    home.mkdir(parents=True, exist_ok=True)
    settings = shop.settings.model_copy(update={"home": home, "database_url": None})
    tried: dict[str, list[tuple[str, Tried]]] = {"mute": [], "boost": [], "boost from none": []}
    with Store(settings.db_url) as store:
        store.ingest([*dataset.items.values(), *(e for own in dataset.train.values() for e in own)])
        parts = Parts(settings, store, embedder, shop.llm, store.catalogue_signature(), None, Tally())
        parts.index(lambda done, total: tell("index", done, total))
        for done, case in enumerate(dataset.cases, 1):
            profile = asyncio.run(parts.sketcher.sketch(case.user, shop.now))
            for name, found in _try_all(parts, dataset, profile, shop, k):
                tried[name].append((case.user, found))
            tell("users", done, len(dataset.cases))
        parts.close()
    goals = {"mute": _none_left, "boost": _doubled, "boost from none": _there}
    systems = {name: to_json(_figures(found, goals[name])) for name, found in tried.items() if found}
    about = {"kind": "control", "dataset": dataset.name, "digest": dataset.digest, "k": k}
    took = round(time.monotonic() - started, 1)
    return {**about, "users": len(dataset.cases), "seconds": took, "systems": systems}


def _try_all(parts: Parts, dataset: Dataset, profile: Profile, shop: Workshop, k: int) -> list[tuple[str, Tried]]:
    recommender, signals = parts.warm(shop.now)
    slates = recommender.slates
    _, base = recommender.by_prior(profile, signals, k=k, now=shop.now, marks=NONE)
    bench = _Bench(dataset, profile, signals, base, slates.speaks(base.known, base.what_if), k)

    def first(marks: Marks) -> list[str]:
        return recommender.by_prior(profile, signals, k=k, now=shop.now, marks=marks)[0]

    before, found = first(NONE), []
    for theme in profile.themes:
        if theme.polarity is not Polarity.LIKE or not theme.active or not theme.statements:
            continue
        own = frozenset(theme.statements)
        boosted = bench.tried(theme, before, first(Marks(boosted=(own,))))
        if boosted.before:
            found.append(("mute", bench.tried(theme, before, first(Marks(silent=own)))))
        if 0 < boosted.before <= k // 2 and boosted.possible >= 2 * boosted.before:
            found.append(("boost", boosted))
        elif not boosted.before and boosted.possible >= LEAST:
            found.append(("boost from none", boosted))
    return found


@dataclass(frozen=True)
class _Bench:
    """One user: `speaks` is item -> the statement that its reason cites, before any edit."""

    dataset: Dataset
    profile: Profile
    signals: Signals
    base: Slate
    speaks: Mapping[str, str]
    k: int

    def tried(self, theme: Theme, before: Sequence[str], after: Sequence[str]) -> Tried:
        own = {item for item, said in self.speaks.items() if said in theme.statements}
        near = {c.item for c in self.base.what_if.pool if c.theme == theme.id}
        named = self._named(theme)
        counts = [(sum(i in some for i in before), sum(i in some for i in after)) for some in (own, near, named)]
        return Tried(*counts[0], counts[1], counts[2], _order_kept(before, after, own), len(own))

    def _named(self, theme: Theme) -> set[str]:
        """The items of the pool that have a feature which the theme's name names."""
        said = guard.stems([theme.label])
        items = self.dataset.items
        pool = (c.item for c in self.base.what_if.pool)
        return {i for i in pool if any(guard.stems([f]) <= said for f in features(items[i]))}


def _order_kept(before: Sequence[str], after: Sequence[str], own: Collection[str]) -> float:
    """The share of the pairs of other items, in both lists, whose order is the same; 1 where there is no pair."""
    places = {item: n for n, item in enumerate(after)}
    pairs = list(combinations([places[i] for i in before if i in places and i not in own], 2))
    return sum(one < other for one, other in pairs) / len(pairs) if pairs else 1.0


def _none_left(one: Tried) -> bool:
    return one.after == 0


def _doubled(one: Tried) -> bool:
    return one.after >= 2 * one.before


def _there(one: Tried) -> bool:
    return one.after > 0


def _figures(found: Sequence[tuple[str, Tried]], goal: Any) -> Figures:
    tried = [one for _, one in found]

    def mean(values: Sequence[float]) -> float:
        return float(np.mean(values))

    return Figures(
        themes=len(tried),
        users=len({user for user, _ in found}),
        before=mean([t.before for t in tried]),
        after=mean([t.after for t in tried]),
        reached=mean([goal(t) for t in tried]),
        worst=max(t.after for t in tried) if goal is _none_left else min(t.after for t in tried),
        nearest_before=mean([t.nearest[0] for t in tried]),
        nearest_after=mean([t.nearest[1] for t in tried]),
        named_before=mean([t.named[0] for t in tried]),
        named_after=mean([t.named[1] for t in tried]),
        order_kept=mean([t.order_kept for t in tried]),
        order_kept_least=min(t.order_kept for t in tried),
    )
