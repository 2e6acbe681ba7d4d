"""When interests are born, grow, fall silent, return, merge and split: a plan in time, without words.

    plan = live(list(words.topics), words.pairs, seed)   # the same arguments give the same plan
    stream = told("mine", plan, words, embed, seed)

A person has four to six interests: two that merge into one, one that splits in two, one that falls silent and returns, and up
to two more, one of which ends. They come in sessions of one to three points, a Poisson process whose rate grows or shrinks
by 40 %. One point in twelve is noise, and two bursts of four points on one day are one-offs (a gift). A silence is at least 120
days, sixteen times the mean gap between sessions, so that it can be told from chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from eval.streams.streams import Change, Stream
from retrieval.embed import Vectors
from retrieval.evolution import Point
from retrieval.records import ThemeEventKind as Kind

START = datetime(2025, 1, 1, tzinfo=UTC)
DAYS, EVENTS = (400, 730), (300, 600)
SILENCE_DAYS = 120
A_SESSION = 2.0  # points, on average
GROWTH = 0.4
NOISE = 1 / 12
A_GIFT = 4
NOISE_A_TOPIC = 2  # more on one topic would be an interest


@dataclass(frozen=True, slots=True)
class Phase:
    """Days in which a theme is alive. Points are about one topic, or about two at once."""

    theme: str
    topics: tuple[str, ...]
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Act:
    """A point before it has words: `place` in [0, 1] of the whole plan, which lets words drift; `theme` None for noise."""

    at: datetime
    theme: str | None
    topics: tuple[str, ...]
    place: float


@dataclass(frozen=True, slots=True)
class Plan:
    acts: tuple[Act, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Words:
    """What can be said: texts of a topic in the order in which they drift, texts about two topics of `pairs` at once, and
    noise, each on something else."""

    topics: Mapping[str, Sequence[str]]
    pairs: Sequence[tuple[str, str]]
    both: Callable[[str, str], Sequence[str]]
    noise: Sequence[str]


def live(topics: Sequence[str], pairs: Sequence[tuple[str, str]], seed: int) -> Plan:
    """A plan over `topics`, of which `pairs` may merge or split. Needs two pairs without a topic in common and five topics
    beside them (ValueError)."""
    rng = np.random.default_rng(seed)
    days, target = int(rng.integers(*DAYS)), int(rng.integers(*EVENTS))
    merging, splitting, others = _cast(topics, pairs, rng)
    plain = int(rng.integers(1, 4))
    phases = [
        *_merge(merging, days, rng),
        *_split(splitting, days, rng),
        *(phase for n, topic in enumerate(others[:plain]) for phase in _alone(n, topic, days, rng)),
    ]
    acts = [act for phase, rate in _rates(phases, target, rng) for act in _sessions(phase, rate, days, rng)]
    changes = _changes(phases, acts)
    acts += _strays(others[plain:], days, round(len(acts) * NOISE), rng)
    return Plan(tuple(sorted(acts, key=lambda act: act.at)), changes)


def told(name: str, plan: Plan, words: Words, embed: Callable[[Sequence[str]], Vectors], seed: int) -> Stream:
    """The plan in words. Texts of a topic come from a window of half of them, which moves from the first to the last."""
    rng = np.random.default_rng([seed, 1])
    noise = iter(rng.permutation(np.array(words.noise, dtype=object)).tolist())
    texts, kept = [], []
    for act in plan.acts:
        if not act.topics:
            text = next(noise, None)
            if text is None:
                continue
        else:
            pool = words.topics[act.topics[0]] if len(act.topics) == 1 else words.both(*act.topics)
            half = max(1, len(pool) // 2)
            text = pool[int(act.place * (len(pool) - half)) + int(rng.integers(half))]
        texts.append(text)
        kept.append(act)
    points = tuple(Point(f"p{n:04d}", act.at) for n, act in enumerate(kept))
    return Stream(name, points, embed(texts), tuple(act.theme for act in kept), plan.changes, tuple(texts), True)


def _cast(
    topics: Sequence[str], pairs: Sequence[tuple[str, str]], rng: np.random.Generator
) -> tuple[tuple[str, str], tuple[str, str], list[str]]:
    order = [pairs[n] for n in rng.permutation(len(pairs))]
    merging = order[0] if order else None
    splitting = next((pair for pair in order if merging and not set(pair) & set(merging)), None)
    if merging is None or splitting is None:
        raise ValueError("two pairs of topics without a topic in common are needed")
    rest = [topic for topic in topics if topic not in (*merging, *splitting)]
    if len(rest) < 5:
        raise ValueError(f"five topics beside the pairs are needed, and there are {len(rest)}")
    return merging, splitting, [rest[n] for n in rng.permutation(len(rest))]


def _merge(pair: tuple[str, str], days: int, rng: np.random.Generator) -> Iterator[Phase]:
    at = days * rng.uniform(0.45, 0.6)
    for topic in pair:
        yield Phase(topic, (topic,), days * rng.uniform(0, 0.2), at)
    yield Phase(" + ".join(pair), pair, at, days)


def _split(pair: tuple[str, str], days: int, rng: np.random.Generator) -> Iterator[Phase]:
    at = days * rng.uniform(0.4, 0.6)
    yield Phase(" + ".join(pair), pair, days * rng.uniform(0, 0.15), at)
    for topic in pair:
        yield Phase(topic, (topic,), at, days)


def _alone(n: int, topic: str, days: int, rng: np.random.Generator) -> Iterator[Phase]:
    """The first interest of its own falls silent and returns, the second ends, the third begins late and stays."""
    if n == 0:
        silent = days * rng.uniform(0.25, 0.35)
        yield Phase(topic, (topic,), days * rng.uniform(0, 0.05), silent)
        yield Phase(topic, (topic,), silent + max(SILENCE_DAYS, days * rng.uniform(0.25, 0.35)), days)
    elif n == 1:
        yield Phase(topic, (topic,), days * rng.uniform(0.1, 0.25), min(days * 0.65, days - SILENCE_DAYS))
    else:
        yield Phase(topic, (topic,), days * rng.uniform(0.3, 0.5), days)


def _rates(phases: Sequence[Phase], target: int, rng: np.random.Generator) -> Iterator[tuple[Phase, float]]:
    """Sessions a day of each phase, so that about `target` points are to be expected."""
    shares = rng.uniform(0.7, 1.3, len(phases))
    length = sum(share * (phase.end - phase.begin) for share, phase in zip(shares, phases, strict=True))
    for share, phase in zip(shares, phases, strict=True):
        yield phase, share * target / (length * A_SESSION)


def _sessions(phase: Phase, rate: float, days: int, rng: np.random.Generator) -> Iterator[Act]:
    """The first session is on the first day, and the last near the end."""
    slope = rng.uniform(-GROWTH, GROWTH)
    length = phase.end - phase.begin
    tried = rng.uniform(0, length, rng.poisson(rate * length * (1 + GROWTH)))
    drawn = tried[rng.uniform(size=len(tried)) < (1 + slope * (2 * tried / length - 1)) / (1 + GROWTH)]  # thinning
    for day in (0.0, length - min(1.0, length / 2), *drawn):
        at = START + timedelta(days=float(phase.begin + day))
        for n in range(int(rng.integers(1, 4))):
            moment = at + timedelta(minutes=float(n * 7 + rng.uniform(0, 5)))
            yield Act(moment, phase.theme, phase.topics, float((phase.begin + day) / days))


def _strays(topics: Sequence[str], days: int, count: int, rng: np.random.Generator) -> Iterator[Act]:
    """Two one-offs on a topic each, and noise: single points on topics without a theme, the rest on nothing in particular."""
    for topic in topics[:2]:
        day = days * rng.uniform(0.1, 0.9)
        for n in range(A_GIFT):
            yield Act(START + timedelta(days=float(day), minutes=9 * n), None, (topic,), day / days)
    left = [(topic,) for topic in topics[2:] for _ in range(NOISE_A_TOPIC)]
    for n in range(count):
        day = days * rng.uniform()
        about: tuple[str, ...] = left[n] if n < len(left) else ()
        yield Act(START + timedelta(days=float(day)), None, about, day / days)


def _changes(phases: Sequence[Phase], acts: Sequence[Act]) -> tuple[Change, ...]:
    """What the points show: a birth with the first of a theme, a fade with the last before a silence, a merge with the first
    about both, a split with the first point of the second part."""
    shown: list[Change] = []
    for n, phase in enumerate(phases):
        own = sorted(a.at for a in acts if a.theme == phase.theme and _within(a, phase))
        earlier = [p for p in phases[:n] if p.theme == phase.theme]
        made = len(phase.topics) == 2
        parts = [p for p in phases if len(p.topics) == 1 and p.topics[0] in phase.topics]
        if made and parts[0].begin < phase.begin:
            shown.append(Change(Kind.MERGED, own[0], (*phase.topics, phase.theme)))
        elif made:
            firsts = [min(a.at for a in acts if a.theme == p.theme) for p in parts]
            shown += [
                Change(Kind.BORN, own[0], (phase.theme,)),
                Change(Kind.SPLIT, max(firsts), (phase.theme, *phase.topics)),
            ]
        elif not any(
            p.topics != phase.topics and phase.topics[0] in p.topics and p.begin < phase.begin for p in phases
        ):
            shown.append(Change(Kind.REVIVED if earlier else Kind.BORN, own[0], (phase.theme,)))
        if not made and not _continued(phase, phases):
            shown.append(Change(Kind.FADED, own[-1], (phase.theme,)))
    return tuple(sorted(shown, key=lambda change: change.at))


def _within(act: Act, phase: Phase) -> bool:
    day = (act.at - START) / timedelta(days=1)
    return phase.begin <= day <= phase.end + 1


def _continued(phase: Phase, phases: Sequence[Phase]) -> bool:
    """It goes on to the end, or into a theme that it merges into."""
    return phase.end >= max(p.end for p in phases) or any(
        len(p.topics) == 2 and phase.topics[0] in p.topics and p.begin == phase.end for p in phases
    )
