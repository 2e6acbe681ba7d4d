"""The state of a person's themes: the fold, the snapshots that let a late point in, and what there is to see at a moment.

A point that comes late is put where it belongs, and what came after it is folded again from the snapshot before. So that a
state stays small, only the last `keep` to 2 * `keep` points are kept with their vectors. For a point older than these the
caller passes all of the person's points once more (`advance` says so by HistoryNeededError). A deleted event is a `replay`
without it: what it has led to must go too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.evolution.buds import enough, over
from retrieval.evolution.groups import DAY, centroid
from retrieval.evolution.lifecycle import Core, step
from retrieval.evolution.model import EvolutionRules, Point, Tracked, Vectors
from retrieval.records import ThemeEvent, utc

TREND = timedelta(days=30)
UNIT = 0.01  # how far from 1 the length of a vector may be
Key = tuple[datetime, str]
Numbers = NDArray[Any]


class HistoryNeededError(ValueError):
    """A point came in that is older than what the state keeps: call again with all points of the person."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A point with its meaning (dim,)."""

    point: Point
    vector: Vectors = field(repr=False)

    @property
    def key(self) -> Key:
        """Time order, with the id where two points have one time."""
        return self.point.at, self.point.id


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """What a state remembers. `settled`: (id, time, weight) of the points before the first core; `log`: those since; `cores`:
    snapshots, the last one after all points; `waiting`: points of the future; `rules`: what it was made with."""

    settled: tuple[tuple[str, datetime, float], ...]
    log: tuple[Entry, ...]
    cores: tuple[Core, ...]
    waiting: tuple[Entry, ...] = ()
    rules: EvolutionRules | None = None


@dataclass(frozen=True, slots=True)
class State:
    """A person's themes as of `now`; never changed, `advance` makes a new one. `assignment`: point id -> theme id, without the
    points of no theme; these are in `buds`, the newest of them at least. `events`: all so far, the oldest first."""

    user: str
    now: datetime | None = None
    themes: tuple[Tracked, ...] = ()
    buds: tuple[Tracked, ...] = ()
    events: tuple[ThemeEvent, ...] = ()
    assignment: Mapping[str, str] = field(default_factory=dict, hash=False)
    past: Past = field(default=Past((), (), ()), repr=False, compare=False)

    @classmethod
    def empty(cls, user: str) -> State:
        """Somebody of whom nothing is known."""
        return cls(user, past=Past((), (), (Core(user),)))


def replay(
    user: str, points: Sequence[Point], vectors: Vectors, now: datetime, rules: EvolutionRules | None = None
) -> State:
    """The state after all `points`, from nothing."""
    return advance(State.empty(user), points, vectors, now, rules)


def advance(
    state: State,
    points: Sequence[Point],
    vectors: Vectors,
    now: datetime,
    rules: EvolutionRules | None = None,
    changed: Collection[str] = (),
) -> State:
    """The state after `points` too, in any order; known ids are passed over, unless they are in `changed`: then the given
    point takes the place of the known one. Points after `now` wait.

    `vectors` (n, dim): unit rows, or zero where a point says nothing. Time does not run backwards: a `now` before the
    state's counts as the state's. Raises ValueError for vectors or weights that are none and for rules other than the
    state's (replay then), HistoryNeededError for a point older than what the state keeps unless all are passed, and for a
    changed one that is.
    """
    rules = rules or state.past.rules or EvolutionRules()
    if state.past.rules not in (None, rules):
        raise ValueError("the state was made with other rules: replay the points")
    moment = max(utc(now), state.now) if state.now else utc(now)
    given = {entry.point.id: entry for entry in _entries(points, vectors)}
    past = _forgetting(state.past, {id_ for id_ in changed if id_ in given}, state.user)
    known = {id_ for id_, _, _ in past.settled} | {e.point.id for e in past.log}
    new = {e.point.id: e for e in past.waiting} | {id_: e for id_, e in given.items() if id_ not in known}
    due = sorted((e for e in new.values() if e.point.at <= moment), key=lambda e: e.key)
    waiting = tuple(sorted((e for e in new.values() if e.point.at > moment), key=lambda e: e.key))
    if due and past.settled and due[0].key < (past.settled[-1][1], past.settled[-1][0]):
        if not all(id_ in given for id_, _, _ in past.settled):
            raise HistoryNeededError(f"{due[0].point.id} is older than what is kept: pass all points of {state.user}")
        due += [given[id_] for id_, _, _ in past.settled]
        past = Past((), past.log, (Core(state.user),))
    return _seen(state.user, moment, _folded(past, due, waiting, rules), rules)


def _forgetting(past: Past, ids: set[str], user: str) -> Past:
    """A past without some points of its log, folded up to the first of them."""
    if ids & {id_ for id_, _, _ in past.settled}:
        raise HistoryNeededError(f"what changed is older than what is kept: replay all points of {user}")
    places = [place for place, entry in enumerate(past.log, len(past.settled)) if entry.point.id in ids]
    if not places:
        return past
    cores = tuple(core for core in past.cores if len(core.labels) <= places[0])
    return replace(past, log=tuple(e for e in past.log if e.point.id not in ids), cores=cores)


def refold(user: str, now: datetime, past: Past) -> State:
    """The state of a past of which only the first core is known: what `retrieval.evolution.saving` reads."""
    rules = past.rules or EvolutionRules()
    return _seen(user, now, _folded(past, (), past.waiting, rules), rules)


def _entries(points: Sequence[Point], vectors: Vectors) -> Iterable[Entry]:
    if len(points) != len(vectors):
        raise ValueError(f"{len(points)} points but {len(vectors)} vectors")
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    for point, row in zip(points, rows, strict=True):
        length = float(np.linalg.norm(row))
        if length and not abs(length - 1) < UNIT:
            raise ValueError(f"the vector of point {point.id} has length {length:.3g}, not 1 or 0")
        if not 0 < point.weight < float("inf"):
            raise ValueError(f"the weight of point {point.id} is {point.weight}, not above 0")
        yield Entry(Point(point.id, utc(point.at), point.polarity, float(point.weight)), row.copy())


def _folded(past: Past, due: Sequence[Entry], waiting: tuple[Entry, ...], rules: EvolutionRules) -> Past:
    """Fold again from the latest snapshot before the first new point. Snapshots lie at multiples of `keep`, so that they are
    the same however the points came in."""
    log = sorted((*past.log, *due), key=lambda e: e.key)
    start = len(past.settled)
    cores = list(past.cores)
    while due and len(cores) > 1 and len(cores[-1].labels) > start + log.index(due[0]):
        cores.pop()
    head = cores[-1].copy()
    todo = log[len(head.labels) - start :]
    if not todo:
        return replace(past, waiting=waiting, rules=rules)
    if len(head.labels) % rules.keep and len(cores) > 1:
        cores.pop()  # it was the end and no snapshot
    for entry in todo:
        if len(head.labels) % rules.keep == 0 and len(head.labels) > len(cores[-1].labels):
            cores.append(head.copy())
        step(head, entry.point, entry.vector, rules)
    cores = cores[-2:]
    gone = len(cores[0].labels) - start
    settled = (*past.settled, *((e.point.id, e.point.at, e.point.weight) for e in log[:gone]))
    return Past(settled, tuple(log[gone:]), (*cores, head), waiting, rules)


def _seen(user: str, now: datetime, past: Past, rules: EvolutionRules) -> State:
    """What there is to see of the last core at `now`."""
    core = past.cores[-1]
    rows = (*past.settled, *((e.point.id, e.point.at, e.point.weight) for e in past.log))
    labels = np.array(core.labels, dtype=np.int64)
    ages = np.array([(now - at).total_seconds() / DAY for _, at, _ in rows])
    weights = np.array([weight for _, _, weight in rows])
    today = _sums(labels, weights, ages, core.serial, rules)
    before = _sums(labels, weights, ages - TREND / timedelta(days=1), core.serial, rules)
    members: dict[int, list[str]] = {group.serial: [] for group in core.groups}
    for (id_, _, _), label in zip(rows, core.labels, strict=True):
        if label in members:
            members[label].append(id_)
    themes: list[Tracked] = []
    buds: list[Tracked] = []
    for g in core.groups:
        active = g.active if g.theme else not over(g, core.visits, now, rules)
        figures = (float(today[g.serial]), float(today[g.serial] - before[g.serial]))
        tracked = Tracked(g.id, g.polarity, active, *figures, centroid(g), tuple(members[g.serial]), not g.theme)
        shown = g.theme or (now - g.last_at <= rules.burst and enough(g, rules))
        (themes if shown else buds).append(tracked)
    for found in (themes, buds):
        found.sort(key=lambda t: (-t.active, -t.importance, t.id))
    assignment = {id_: theme.id for theme in themes for id_ in theme.points}
    return State(user, now, tuple(themes), tuple(buds), tuple(core.events), MappingProxyType(assignment), past)


def _sums(labels: Numbers, weights: Numbers, ages: Numbers, groups: int, rules: EvolutionRules) -> Numbers:
    """(groups + 1,) Decayed weight of each group, of what was not in the future then."""
    value = np.where(ages >= 0, weights * np.exp(-rules.decay * np.maximum(ages, 0)), 0)
    return np.asarray(np.bincount(labels, weights=value, minlength=groups + 1))
