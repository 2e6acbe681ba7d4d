"""`leitmotif eval questions`: what one answered question is worth to a stranger, and what their like chose.

Strangers as in eval/strangers.py. In five groups: the communities that a stranger meets are made of the profiles of the other
four, written without an LLM. A question is answered from the stranger's own hidden profile: yes, if it has something in the
community that is asked about. `match` is the share of the belief that lies on communities which are theirs.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent import plain
from agent.coldstart import asserted
from agent.crowds import Crowds
from agent.gate import Tally
from agent.service import Service
from agent.writer import Writer
from eval import metrics
from eval.candidates import generator
from eval.cases import Dataset
from eval.rank import Tell
from eval.stats import bootstrap_ci, paired
from eval.stranger_ranks import Ours
from eval.strangers import K, Stranger, strangers, without_future
from eval.workshop import Workshop
from retrieval import inquiry
from retrieval.embed import Vectors
from retrieval.fusion import load_weights
from retrieval.kindred import Kindred
from retrieval.readers import ReadError
from retrieval.records import Polarity, Statement
from retrieval.store import Store

GROUPS = 5
WAYS = ("nothing", "random", "largest", "best")
COMMUNITY = 1.0  # weight of the channel in the row "communities"

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answered:
    """In percent, ndcg@10 of the last three items among 50. `match_gain` and `gain` (of ndcg, beside it its interval) are over
    asking nothing, `against_random` (of the row "best") over the random question."""

    ndcg_at_10: float
    ci95: tuple[float, float]
    users: int
    match: float | None
    match_gain: float | None
    match_ci95: tuple[float, float] | None
    yes: float | None
    gain: float
    gain_ci95: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Questions:
    """`communities`: their mean number over the groups; `asked`: strangers who had something to be asked and a profile."""

    dataset: str
    digest: str
    seed: int
    users: int
    asked: int
    communities: float
    systems: Mapping[str, Answered]
    best_over_random: Mapping[str, object]
    notes: tuple[str, ...] = ()
    kind: str = "questions"


@dataclass(slots=True)
class _One:
    """What a stranger got, by way: the list's ndcg, the share of the belief that is right, whether they said yes."""

    ndcg: dict[str, float] = field(default_factory=dict)
    match: dict[str, float] = field(default_factory=dict)
    yes: dict[str, bool] = field(default_factory=dict)


@dataclass
class Run:
    """One run over a dataset; profiles live in a folder that goes again."""

    shop: Workshop
    dataset: Dataset
    users: int
    seed: int
    tell: Tell

    async def document(self) -> Questions:
        """The figures. Raises ReadError when nobody can be a stranger."""
        chosen = strangers(self.dataset, self.seed, self.users)
        if not chosen:
            raise ReadError(f"{self.dataset.name}: nobody to be a stranger")
        known = self.shop.material(without_future(self.dataset, chosen), self.tell)
        self._ours = Ours(known, self.shop.embedder, self.shop.llm, load_weights())
        self._counts = Counter(item for items in known.dataset.sequences().values() for item in items)
        found: list[_One] = []
        sizes = []
        with tempfile.TemporaryDirectory() as folder:
            settings = self.shop.settings.model_copy(update={"home": Path(folder), "database_url": None})
            with Service(settings, Store(settings.db_url), self.shop.embedder) as service:
                await self._written(service, known.dataset)
                for group in range(GROUPS):
                    kindred = await self._without(service, known.dataset, group)
                    sizes.append(len(kindred.communities) if kindred else 0)
                    if kindred is not None:
                        found += [await self._one(service, kindred, s) for s in chosen if self._group(s.user) == group]
        return self._report(found, len(chosen), float(np.mean(sizes)))

    def _group(self, user: str) -> int:
        return int(generator(self.seed, user, "group").integers(GROUPS))

    async def _written(self, service: Service, known: Dataset) -> None:
        """Everybody's plain profile as of their last event."""
        service.ingest_records([*known.items.values(), *(e for events in known.train.values() for e in events)])
        for done, (user, events) in enumerate(known.train.items(), 1):
            if events:
                await service.parts.sketcher.build(user, events[-1].at, self.shop.now)
            self.tell("profiles", done, len(known.train))

    async def _without(self, service: Service, known: Dataset, group: int) -> Kindred | None:
        others = frozenset(user for user in known.train if self._group(user) != group)
        embedder, parts = self.shop.embedder, service.parts
        plain_words = [Writer(None, embedder.embed, 0, Tally())]
        crowds = Crowds(service.store, embedder, plain_words, parts.stats, service.settings.communities)
        await crowds.refresh(self.shop.now, anew=True, people=others)
        return Kindred.load(service.store, self.shop.embedder.name, service.settings.communities.least)

    async def _one(self, service: Service, kindred: Kindred, stranger: Stranger) -> _One:
        said = await self._ours.read(stranger) or ()
        told = self._embedded([s.text for s in said if s.polarity is Polarity.LIKE])
        own = kindred.belief(told, told[:0], np.zeros(0))
        one = _One({"nothing": self._ndcg(stranger, said)})
        one.ndcg["communities"] = self._ndcg(stranger, said, kindred.items(own))
        truth = kindred.fitting(self._embedded(_hidden(service, stranger.user)))
        rows = [row for row, c in enumerate(kindred.communities) if c.id not in kindred.fitting(told) and c.features]
        if not truth or not rows:
            return one
        theirs = np.array([community.id in truth for community in kindred.communities])
        one.match["nothing"] = float(own[theirs].sum())
        gains, sizes = kindred.gains(own), kindred.sizes
        rng = generator(self.seed, stranger.user, "question")
        picked = {
            "random": rows[int(rng.integers(len(rows)))],
            "largest": max(rows, key=lambda row: sizes[row]),
            "best": max(rows, key=lambda row: gains[row]),
        }
        for way, row in picked.items():
            yes = bool(theirs[row])
            one.yes[way] = yes
            one.match[way] = float(inquiry.answered(own, kindred.yes[row], yes)[theirs].sum())
            one.ndcg[way] = self._ndcg(stranger, (*said, _answer(stranger, kindred.communities[row].label, yes)))
        return one

    def _embedded(self, texts: Sequence[str]) -> Vectors:
        return self.shop.embedder.embed(texts) if texts else np.zeros((0, self.shop.embedder.dim), dtype=np.float32)

    def _ndcg(
        self, stranger: Stranger, said: Sequence[Statement], community: Mapping[str, float] | None = None
    ) -> float:
        ours = self._ours
        if community is not None:
            weights = replace(ours.weights, stranger={**ours.weights.stranger, "community": COMMUNITY})
            ours = replace(ours, weights=weights)
        scores = ours.rank(stranger, said, self._counts, community)
        return 100 * metrics.ndcg(metrics.order(stranger.candidates, scores.tolist()), stranger.positives, K)

    def _report(self, found: Sequence[_One], users: int, communities: float) -> Questions:
        asked = [one for one in found if "best" in one.ndcg]
        rows = {way: _row(asked if way in WAYS else found, way, self.seed) for way in (*WAYS, "communities")}
        over = {}
        for name in ("ndcg", "match"):
            best, chance = ([getattr(one, name)[way] for one in asked] for way in ("best", "random"))
            scale = 1.0 if name == "ndcg" else 100.0
            d = paired([scale * v for v in best], [scale * v for v in chance], self.seed)
            over[name] = {"difference": d.mean, "ci95": d.ci95, "p": d.p}
        notes = (
            f"the best question gains {over['ndcg']['difference']:+.2f} points of ndcg@10 over a random one, and finds "
            f"{over['match']['difference']:+.1f} % more of the right communities",
            "profiles and names are the plain ones: no LLM was asked",
        )
        return Questions(
            self.dataset.name, self.dataset.digest, self.seed, users, len(asked), communities, rows, over, notes
        )


def _row(found: Sequence[_One], way: str, seed: int) -> Answered:
    ndcg, before = ([one.ndcg[w] for one in found] for w in (way, "nothing"))
    gain = paired(ndcg, before, seed)
    match = match_gain = match_ci95 = None
    if all(way in one.match for one in found):
        match = float(np.mean([one.match[way] for one in found]))
        difference = paired([one.match[way] for one in found], [one.match["nothing"] for one in found], seed)
        match_gain, match_ci95 = difference.mean, difference.ci95
    said = [one.yes[way] for one in found if way in one.yes]
    yes = float(np.mean(said)) if said else None
    interval = bootstrap_ci(ndcg, seed)
    return Answered(
        float(np.mean(ndcg)), interval, len(found), match, match_gain, match_ci95, yes, gain.mean, gain.ci95
    )


def _hidden(service: Service, user: str) -> list[str]:
    """The sentences of the themes that the stranger's acts show, which they have not told."""
    profile = service.store.profile(user)
    themes = profile.themes if profile else ()
    return [theme.summary for theme in themes if theme.active and theme.polarity is Polarity.LIKE]


def _answer(stranger: Stranger, label: str, yes: bool) -> Statement:
    says = Polarity.LIKE if yes else Polarity.DISLIKE
    words = plain.lower(label)
    return asserted(words, plain.statement(says, words), says, stranger.user, stranger.at)
