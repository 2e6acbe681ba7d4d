"""The gate: which statements may be stored. Every one passes it, whoever worded it; what fails is counted by its reason.

    judge = Judge(events, items, vectors, crowd, stats, meaning)
    verdict = judge.weigh(segment, features, queries)   # before any LLM is asked: "chance", "common"
    problem = judge.check(text, worth, texts)           # a sentence: "chance", "language"; then `supported`
    profile = admit(store, profile, tally)              # at the door of the store: "evidence"

Abstaining is a right answer: unrelated things share something now and then, and that is said of nobody. A sentence of the
LLM that fails is replaced by the plain one from the data, once; where that fails too, nothing is said of the segment.
"""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

import numpy as np

from agent import guard
from retrieval import significance
from retrieval.embed import Vectors
from retrieval.features import CatalogueStats, features
from retrieval.population import MOST, Population
from retrieval.records import Event, Item, Polarity, Profile, Segment, Source, Statement, Theme
from retrieval.segments import polarities
from retrieval.significance import Null
from retrieval.store import Store

LEAST_ITEMS = 3  # of a user: with fewer, one act is enough, and the low confidence says so
LEAST_CATALOGUE = 30  # items: in a smaller catalogue everything is frequent, and chance cannot be told from taste
LEAST_PEOPLE = 20  # with fewer known people the catalogue says what is common
SAMPLE = 2000  # items that stand for the catalogue
EARLY = 8  # items from which on a segment is judged when it was complete, too: fewer looks mean fewer finds by chance
ENOUGH = 2  # items that make a taste: what a single one happens to be is none
NAMED = 4  # features of the evidence that a sentence may be about, best first

# (mean, spread) on statements of planted interests, and the least sum of both z-scores, or the least agreement alone, that
# keeps 98.5 % of them: `python -m eval.calibrate support`. The lift is the embedded model's.
AGREEMENT, LIFT = (0.53, 0.14), (7.9, 2.2)
LEAST_BOTH, LEAST_AGREEMENT = -2.1, 0.2

Meaning = Callable[
    [Sequence[str]], Vectors
]  # what statements of a user say, as unit vectors around the catalogue's mean


@dataclass(frozen=True, slots=True)
class Tally:
    """`refused`: sentences of the LLM by the check that they failed. `dropped`: segments of which nothing was said, and
    statements that were not stored, by reason, each time that a profile was built."""

    refused: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Crowd:
    """What the others do and what there is: the yardsticks of one state of the catalogue and of the interactions."""

    population: Population
    null: Null


@dataclass(frozen=True, slots=True)
class Verdict:
    """`worth`: the features that make a statement worth while, best first; none where `reason` says why not."""

    worth: tuple[str, ...] = ()
    reason: str = ""


def crowd(
    items: Sequence[Item], stats: CatalogueStats, population: Population, topics: Callable[..., Vectors]
) -> Crowd:
    """The yardsticks. `topics` gives unit topic vectors (n, dim) of items. With LEAST_PEOPLE, a feature's share is the larger
    one of the catalogue's and of what people touch, so that following the crowd is no taste either."""
    known = population.people >= LEAST_PEOPLE
    shares = {f: max(stats.share(f), population.touched.get(f, 0.0) if known else 0.0) for f in stats.counts}
    some = sorted(items, key=lambda item: item.id)
    some = random.Random(0).sample(some, min(SAMPLE, len(some)))  # noqa: S311  dice, not secrets
    chosen = np.array([population.choices.get(item.id, 0) for item in some], dtype=np.float64)
    draws = [np.ones(len(some)), *([chosen] if known and chosen.any() else [])]
    weights = np.array([draw / draw.sum() for draw in draws]) if some else np.zeros((1, 0))
    return Crowd(population, Null(shares, topics(some), weights))


@dataclass(frozen=True)
class Judge:
    """What may be said of one user at one moment, from their recent `events`, a unit topic vector (n, dim) for each, and the
    items they touched. `level` and `likeness_level`: see retrieval/significance.py."""

    events: tuple[Event, ...]
    items: Mapping[str, Item]
    vectors: Vectors = field(repr=False)
    crowd: Crowd
    stats: CatalogueStats
    meaning: Meaning = field(repr=False)
    level: float = significance.LEVEL
    likeness_level: float = significance.LIKENESS_LEVEL
    _sides: dict[tuple[Polarity, int], _Side] = field(default_factory=dict, repr=False)

    def weigh(self, segment: Segment, found: Sequence[str], queries: Sequence[str]) -> Verdict:
        """Is anything in the evidence of a segment worth saying? `found` are its features, best first, and `queries` what the
        user typed: that is said and not inferred, so it needs no second sign."""
        if not found:
            return Verdict(reason="nothing shared")
        named = tuple(found[:NAMED])
        said = guard.stems(queries)
        typed = tuple(f for f in named if guard.stems([f]) <= said)
        if not any(e.item in self.items for e in segment.events):
            return Verdict(tuple(found))
        alone = len({e.item for e in segment.events if e.item in self.items}) < ENOUGH
        telling = named if self._too_little() else () if alone else self._telling(segment, named)
        if not (typed or telling):
            return Verdict(reason="chance")
        worth = tuple(f for f in named if f in typed or (f in telling and not self._common(segment.polarity, f)))
        return Verdict(worth) if worth else Verdict(reason="common")

    def check(self, text: str, worth: Sequence[str], evidence: Iterable[str] | None = None) -> str | None:
        """The name of the first check that a sentence fails, or None: it must name something that is worth saying and, where
        `evidence` is given (of the LLM's phrases), be in a script that those texts are written in."""
        if guard.vacuous(text, guard.support(worth)):
            return "chance"
        return None if evidence is None or scripts([text]) <= scripts(evidence) else "language"

    def agreement(self, segment: Segment, text: str) -> float:
        """Cosine of what a sentence says and what its evidence is about, both around the catalogue's mean: random items have
        about 0."""
        wanted = {e.id for e in segment.events}
        rows = [row for row, event in enumerate(self.events) if event.id in wanted]
        middle = self.vectors[rows].sum(axis=0)
        norm = float(np.linalg.norm(middle))
        return float(self.meaning([text])[0] @ middle) / norm if norm else 0.0

    def _too_little(self) -> bool:
        touched = {e.item for e in self.events if e.item in self.items}
        return len(touched) < LEAST_ITEMS or self.stats.items < LEAST_CATALOGUE

    def _telling(self, segment: Segment, named: Sequence[str]) -> tuple[str, ...]:
        """Those of the features that are no chance, now or when the segment was complete: what is shown once stays shown.
        Where the items are alike beyond chance, all of them are."""
        last = max(row for row, event in enumerate(self.events) if event.id == segment.events[-1].id)
        now, then = (self._side(segment.polarity, events) for events in (len(self.events), last + 1))
        for side in (now, then) if len(then.items) >= EARLY else (now,):
            if side.likeness({e.item for e in segment.events}) <= self.likeness_level:
                return tuple(named)
            if telling := tuple(f for f in named if side.features.get(f, 1.0) <= self.level):
                return telling
        return ()

    def _side(self, says: Polarity, events: int) -> _Side:
        """What the first `events` of the history say for or against."""
        if (says, events) not in self._sides:
            rows: dict[str, int] = {}
            for row, polarity in enumerate(polarities(self.events[:events])):
                item = self.events[row].item
                if polarity is says and item in self.items:
                    rows.setdefault(item or "", row)
            vectors = self.vectors[list(rows.values())]
            self._sides[says, events] = _Side(
                tuple(rows), [features(self.items[i]) for i in rows], vectors, self.crowd.null
            )
        return self._sides[says, events]

    def _common(self, says: Polarity, feature: str) -> bool:
        """Would most people get the same sentence? What people dislike is not counted, so the catalogue judges dislikes."""
        population = self.crowd.population
        if says is Polarity.DISLIKE or population.people < LEAST_PEOPLE:
            return self.stats.share(feature) > MOST
        side = self._side(says, len(self.events))
        return population.common(feature, side.rate(feature)) > MOST


@dataclass(frozen=True)
class _Side:
    """The distinct items of one polarity, their features and their topic vectors (n, dim)."""

    items: tuple[str, ...]
    of_items: list[tuple[str, ...]]
    vectors: Vectors
    null: Null

    @cached_property
    def features(self) -> dict[str, float]:
        """Feature -> q-value."""
        return significance.by_feature(self.of_items, self.null)

    @cached_property
    def _alike(self) -> dict[str, float]:
        return dict(zip(self.items, significance.by_likeness(self.vectors, self.null).tolist(), strict=True))

    def likeness(self, items: Iterable[str | None]) -> float:
        """The least q-value of the items."""
        return min((self._alike.get(item or "", 1.0) for item in items), default=1.0)

    def rate(self, feature: str) -> float:
        """The share of the items that have it."""
        return sum(feature in found for found in self.of_items) / max(1, len(self.items))


def supported(agreement: float, lift: float | None) -> bool:
    """Does the evidence speak for the sentence? `lift`: log P(sentence | evidence) - log P(sentence | nothing known) a token in
    nats; None where it cannot be had."""
    if lift is None:
        return agreement >= LEAST_AGREEMENT
    pairs = ((agreement, AGREEMENT), (lift, LIFT))
    return sum((value - mean) / spread for value, (mean, spread) in pairs) >= LEAST_BOTH


def scripts(texts: Iterable[str]) -> frozenset[str]:
    """The scripts of the letters in `texts`: "LATIN", "CYRILLIC", "CJK" ... by the first word of each letter's Unicode name.

    Tells Chinese from English, not Spanish from English, and a script with one loanword in the evidence counts as known.
    """
    letters = {c for text in texts for c in text if c.isalpha()}
    return frozenset(unicodedata.name(c, "UNKNOWN").partition(" ")[0] for c in letters)


def rests(store: Store, statement: Statement, as_of: datetime) -> bool:
    """Does a statement rest on events that exist, are its user's and are not after the moment? Read from the store."""
    found = store.events_by_id(statement.user, statement.evidence)
    complete = bool(statement.evidence) and len(found) == len(set(statement.evidence))
    return complete and all(e.at <= as_of for e in found.values())


def admit(store: Store, profile: Profile, tally: Tally) -> Profile:
    """The profile without the inferred statements whose evidence is not (or no longer) in the store, and without themes that
    had nothing else. What users say of themselves is ground enough."""
    inferred = (s for s in profile.statements if s.source is Source.INFERRED)
    gone = {s.id for s in inferred if s.user != profile.user or not rests(store, s, profile.as_of)}
    if not gone:
        return profile
    tally.dropped["evidence"] += len(gone)
    themes = tuple(left for t in profile.themes if (left := _without(t, gone)) is not None)
    return replace(profile, statements=tuple(s for s in profile.statements if s.id not in gone), themes=themes)


def _without(theme: Theme, gone: set[str]) -> Theme | None:
    left = tuple(i for i in theme.statements if i not in gone)
    if theme.statements and not left:
        return None
    return replace(theme, statements=left, medoid=theme.medoid if theme.medoid in left or not left else left[0])
