"""What written statements are worth: how much of what they claim is supported, and how much of what is there they find.

    figures = measure(Court(judge, people, seed), written, truth)

Works on statements of any system; who writes them is in eval/authors.py, the judge in eval/claims.py. Every figure is a mean
over users with a bootstrap interval; its definition is in the docstring of the function that makes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from statistics import median

import numpy as np

from eval.claims import Claim, Judge, statement_keys
from eval.facts import Fact, holds, words
from eval.phrasing import dislikes
from eval.stats import bootstrap_ci
from eval.truth import Interest
from retrieval.embed import Embedder
from retrieval.records import Polarity

SAME = 0.9  # cosine from which two statements say the same
OTHERS = 100  # users that a statement is tried on, at most
SHOWN = 20  # unsupported claims that are listed

Bounds = tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Said:
    """A statement of a system. `evidence`: ids of the events that it cites; None where the system cites none, and all that the
    user did is its evidence. `polarity` where the system says it. `origin` as in retrieval.records, "" where there is none."""

    text: str
    polarity: Polarity | None = None
    evidence: frozenset[str] | None = None
    origin: str = ""

    @property
    def side(self) -> Polarity:
        return self.polarity or (Polarity.DISLIKE if dislikes(self.text) else Polarity.LIKE)


@dataclass(frozen=True, slots=True)
class Person:
    """A user as the judge knows them: facts of the whole history up to `as_of`."""

    facts: tuple[Fact, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A claim that the evidence does not support."""

    user: str
    statement: str
    claim: str


@dataclass(frozen=True, slots=True)
class Figures:
    """One system. Shares in [0, 1]; None where nothing could be measured. Intervals are bootstraps over users."""

    users: int
    precision: float | None
    precision_ci95: Bounds
    precision_history: float | None
    recall: float | None
    recall_ci95: Bounds
    specificity: float | None
    specificity_ci95: Bounds
    redundancy: float | None
    coverage: float | None
    coverage_ci95: Bounds
    staleness_days: float | None
    unique_sentences: float | None
    statements_per_user: float | None
    claims_per_statement: float | None
    claims: int
    supported: int
    model_share: float | None
    fallback_share: float | None
    unsupported: tuple[Unsupported, ...] = field(repr=False)


class Court:
    """The judge with everybody's facts; remembers what it found, since the same claims come again."""

    def __init__(self, judge: Judge, people: Mapping[str, Person], embedder: Embedder, seed: int) -> None:
        self.people = people
        self.embedder = embedder
        self.seed = seed
        self._judge = judge
        self._known: dict[tuple[str, Claim], bool] = {}

    def claims(self, said: Said) -> tuple[Claim, ...]:
        return self._judge.cut(said.text, said.polarity)

    def cited(self, user: str, said: Said) -> list[Fact]:
        """The facts that a statement rests on: those of its events, or the whole history where it cites none."""
        known = self.people[user].facts
        return [fact for fact in known if said.evidence is None or not fact.events.isdisjoint(said.evidence)]

    def verdicts(self, user: str, said: Said) -> list[bool]:
        """For each claim: does the evidence that the statement cites support it?"""
        if said.evidence is None:
            return [self.true_of(user, claim) for claim in self.claims(said)]
        cited, whole = self.cited(user, said), self.people[user].facts
        return [self._judge.supported(claim, cited, whole) for claim in self.claims(said)]

    def true_of(self, user: str, claim: Claim) -> bool:
        """Does the whole history of `user` support the claim?"""
        if (user, claim) not in self._known:
            whole = self.people[user].facts
            self._known[user, claim] = self._judge.supported(claim, whole, whole)
        return self._known[user, claim]

    def supports(self, fact: Fact, claims: Sequence[Claim]) -> bool:
        """Does a fact carry at least half of the claims, on their side?"""
        return 2 * sum(bool(self._judge.supporters(claim, [fact])) for claim in claims) >= len(claims)


Statements = Mapping[str, Sequence[Said]]


def measure(court: Court, written: Statements, truth: Mapping[str, Sequence[Interest]]) -> Figures:
    """The figures of one system over the users of `written`; who has no statement counts where that can be counted."""
    seed = court.seed
    verdicts = {user: [court.verdicts(user, s) for s in said] for user, said in written.items()}
    strict = {user: _share([v for row in rows for v in row]) for user, rows in verdicts.items()}
    whole = [_share([court.true_of(u, c) for s in said for c in court.claims(s)]) for u, said in written.items()]
    found = [recall(said, truth.get(user, ())) for user, said in written.items()]
    special = [specificity(court, user, said) for user, said in written.items()]
    covered = [coverage(court, user, said) for user, said in written.items()]
    every = [s for said in written.values() for s in said]
    flat = [v for rows in verdicts.values() for row in rows for v in row]
    return Figures(
        users=len(written),
        precision=_mean(strict.values()),
        precision_ci95=_interval(strict.values(), seed),
        precision_history=_mean(whole),
        recall=_mean(found),
        recall_ci95=_interval(found, seed),
        specificity=_mean(special),
        specificity_ci95=_interval(special, seed),
        redundancy=_mean([redundancy(said, court.embedder) for said in written.values()]),
        coverage=_mean(covered),
        coverage_ci95=_interval(covered, seed),
        staleness_days=_middle([days for user, said in written.items() for days in staleness(court, user, said)]),
        unique_sentences=len({s.text for s in every}) / len(every) if every else None,
        statements_per_user=len(every) / len(written) if written else None,
        claims_per_statement=len(flat) / len(every) if every else None,
        claims=len(flat),
        supported=sum(flat),
        model_share=_origin(every, "model"),
        fallback_share=_origin(every, "fallback"),
        unsupported=tuple(_refused(court, written, verdicts))[:SHOWN],
    )


def recall(said: Sequence[Said], interests: Sequence[Interest]) -> float | None:
    """The share of the interests that at least one statement of the same side names: all words of one of their tags."""
    if not interests:
        return None
    spoken = [(s.side, statement_keys(s.text)) for s in said]
    named = [
        any(
            side is interest.polarity and any(all(holds(w, known) for w in words(tag)) for tag in interest.tags)
            for side, known in spoken
        )
        for interest in interests
    ]
    return sum(named) / len(named)


def specificity(court: Court, user: str, said: Sequence[Said]) -> float | None:
    """1 - the share of other users whose history supports all claims of a statement as well; mean over the statements."""
    others = [other for other in court.people if other != user]
    if not others or not said:
        return None
    others = [others[i] for i in np.random.default_rng(court.seed).permutation(len(others))[:OTHERS]]
    shares = []
    for statement in said:
        claims = court.claims(statement)
        shares.append(sum(all(court.true_of(other, claim) for claim in claims) for other in others) / len(others))
    return 1 - sum(shares) / len(shares)


def redundancy(said: Sequence[Said], embedder: Embedder) -> float | None:
    """The share of pairs of a user's statements, of one side, that say the same: cosine above SAME or equal stems."""
    if len(said) < 2:
        return None
    vectors = embedder.embed([s.text for s in said])
    stems = [statement_keys(s.text) for s in said]
    pairs = [
        said[a].side is said[b].side and (stems[a] == stems[b] or float(vectors[a] @ vectors[b]) > SAME)
        for a, b in combinations(range(len(said)), 2)
    ]
    return sum(pairs) / len(pairs)


def coverage(court: Court, user: str, said: Sequence[Said]) -> float | None:
    """The share of the items and searches that the user liked which a statement cites, or at least half of whose claims they
    carry."""
    liked = [fact for fact in court.people[user].facts if fact.side is Polarity.LIKE]
    if not liked:
        return None
    cited = frozenset(event for s in said for event in s.evidence or ())
    claims = [court.claims(s) for s in said if s.side is Polarity.LIKE]
    covered = (
        not fact.events.isdisjoint(cited) or any(court.supports(fact, claimed) for claimed in claims) for fact in liked
    )
    return sum(covered) / len(liked)


def staleness(court: Court, user: str, said: Sequence[Said]) -> list[float]:
    """For each statement with support, the days from the last fact that supports it to the moment of the profile."""
    person = court.people[user]
    found = []
    for statement in said:
        claims = court.claims(statement)
        times = [fact.last_at for fact in court.cited(user, statement) if court.supports(fact, claims)]
        if times:
            found.append((person.as_of - max(times)).total_seconds() / 86400)
    return found


def _refused(court: Court, written: Statements, verdicts: Mapping[str, list[list[bool]]]) -> list[Unsupported]:
    return [
        Unsupported(user, statement.text, claim.text)
        for user, said in written.items()
        for statement, row in zip(said, verdicts[user], strict=True)
        for claim, holds_ in zip(court.claims(statement), row, strict=True)
        if not holds_
    ]


def _share(verdicts: Sequence[bool]) -> float | None:
    return sum(verdicts) / len(verdicts) if verdicts else None


def _origin(said: Sequence[Said], origin: str) -> float | None:
    known = [s.origin for s in said if s.origin]
    return known.count(origin) / len(known) if known else None


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _mean(values: Iterable[float | None]) -> float | None:
    known = _known(values)
    return sum(known) / len(known) if known else None


def _middle(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def _interval(values: Iterable[float | None], seed: int) -> Bounds:
    known = _known(values)
    return bootstrap_ci(known, seed) if known else None
