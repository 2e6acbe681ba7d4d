"""Who follows themes through a stream: ours, ours without decay, a full re-clustering; BERTopic and River in theme_rivals.py.

    system = make("rebuild", seed=0)
    for batch in batches:
        system.advance(batch, now)
        system.assignment, system.events

A rival that only groups points has no word for what changed: `Chronicle` reads it from the groups, by one rule for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from agent.errors import UsageError
from retrieval.axes import AS_IS, Axes
from retrieval.embed import Vectors
from retrieval.evolution import EvolutionRules, Point, State, advance
from retrieval.records import ThemeEvent, ThemeEventKind

SYSTEMS = ("leitmotif", "rebuild", "no_decay", "bertopic", "denstream")
CUT = 0.2  # a cosine; the best of 0.1, 0.15, ... 0.35 on seeds that are not reported
NEVER = 1e-12  # how improbable a silence must be that still ends a theme where nothing decays; 0 has no logarithm
SHARE = 0.5  # the share of a group's points that makes it the source of another
LEAST = 3  # points of a theme; the rivals' groups of fewer are none


@dataclass(frozen=True, slots=True)
class ThemeRules:
    """How a chronicle tells what faded: `decay` a day of importance, and the share of the strongest theme's under which a
    theme has faded."""

    decay: float = 0.01
    fade_below: float = 0.1


@dataclass(frozen=True, slots=True)
class Batch:
    """Points that came in since the last checkpoint, with their unit vectors (n, dim) and texts (ids where there are none)."""

    points: tuple[Point, ...]
    vectors: Vectors = field(repr=False)
    texts: tuple[str, ...]


class System(Protocol):
    """`assignment`: point id -> theme id as of now, points of no theme left out; `events` all so far."""

    def advance(self, batch: Batch, now: datetime) -> None: ...

    @property
    def assignment(self) -> Mapping[str, str]: ...

    @property
    def events(self) -> Sequence[ThemeEvent]: ...


def make(name: str, seed: int, axes: Axes = AS_IS) -> System:
    """`axes`: those along which ours follows themes.

    Raises eval.rivals.NotInstalledError for a rival that is not there, UsageError for a name that is not known."""
    if name == "leitmotif":
        return Evolving(axes.rules, axes)
    if name == "no_decay":
        return Evolving(replace(axes.rules, decay=0.0, silence=NEVER), axes)
    if name == "rebuild":
        return Rebuild(ThemeRules())
    if name in SYSTEMS:
        from eval import theme_rivals

        return theme_rivals.make(name, seed)
    raise UsageError(f"unknown system {name!r}", hint=f"choose among {', '.join(SYSTEMS)}")


class Evolving:
    """retrieval.evolution."""

    def __init__(self, rules: EvolutionRules, axes: Axes = AS_IS) -> None:
        self._rules = rules
        self._axes = axes
        self._state = State.empty("stream")

    def advance(self, batch: Batch, now: datetime) -> None:
        self._state = advance(self._state, batch.points, self._axes.place(batch.vectors), now, self._rules)

    @property
    def assignment(self) -> Mapping[str, str]:
        return self._state.assignment

    @property
    def events(self) -> Sequence[ThemeEvent]:
        return self._state.events


class Rebuild:
    """All points clustered anew at every checkpoint (average linkage, cut at a cosine of CUT); a theme is named by its first
    point, so that a cluster which keeps that point keeps its name."""

    def __init__(self, rules: ThemeRules) -> None:
        self._rules = rules
        self._points: list[Point] = []
        self._vectors: list[Vectors] = []
        self._chronicle = Chronicle(rules)
        self.assignment: Mapping[str, str] = {}

    def advance(self, batch: Batch, now: datetime) -> None:
        self._points += batch.points
        self._vectors.append(batch.vectors)
        labels = self._labels(np.concatenate(self._vectors))
        sizes, firsts = np.bincount(labels), np.unique(labels, return_index=True)[1]
        self.assignment = {
            point.id: self._points[firsts[label]].id
            for point, label in zip(self._points, labels, strict=True)
            if sizes[label] >= LEAST
        }
        self._chronicle.note(self.assignment, batch.points, now)

    @staticmethod
    def _labels(vectors: Vectors) -> NDArray[np.int64]:
        if len(vectors) < 2:
            return np.zeros(len(vectors), dtype=np.int64)
        tree = linkage(np.clip(1 - (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)], 0, None), method="average")
        return np.asarray(fcluster(tree, 1 - CUT, criterion="distance") - 1, dtype=np.int64)

    @property
    def events(self) -> Sequence[ThemeEvent]:
        return self._chronicle.events


def importance(times: Sequence[datetime], now: datetime, decay: float) -> float:
    """Sum of exp(-decay * age in days) over `times` not after `now`."""
    ages = np.array([(now - t).total_seconds() / 86400 for t in times if t <= now])
    return float(np.exp(-decay * ages).sum())


class Chronicle:
    """What happened to groups of points from one checkpoint to the next, by one rule: a new group most of
    which lived in one that lives on has split off, any other is born; a group that is gone has merged into the one that holds
    most of it, or faded; and a group fades under a tenth of the strongest one's importance, and revives above it."""

    def __init__(self, rules: ThemeRules) -> None:
        self._rules = rules
        self._times: dict[str, datetime] = {}
        self._groups: dict[str, set[str]] = {}
        self._faded: set[str] = set()
        self.events: list[ThemeEvent] = []

    def note(self, assignment: Mapping[str, str], points: Sequence[Point], now: datetime) -> None:
        self._times |= {point.id: point.at for point in points}
        groups: dict[str, set[str]] = {}
        for point, theme in assignment.items():
            groups.setdefault(theme, set()).add(point)
        for theme in groups.keys() - self._groups.keys():
            parents = self._most_of(groups[theme], {t: p for t, p in self._groups.items() if t in groups})
            kind = ThemeEventKind.SPLIT if parents else ThemeEventKind.BORN
            self.events.append(ThemeEvent(theme, kind, now, parents))
        for theme in self._groups.keys() - groups.keys():
            heirs = self._most_of(self._groups[theme], groups)
            kind = ThemeEventKind.MERGED if heirs else ThemeEventKind.FADED
            self.events += [] if theme in self._faded and not heirs else [ThemeEvent(theme, kind, now, heirs)]
        self._fade(groups, now)
        self._groups = groups

    @staticmethod
    def _most_of(points: set[str], groups: Mapping[str, set[str]]) -> tuple[str, ...]:
        """The group that holds more than SHARE of the points, if there is one."""
        return tuple(theme for theme, own in groups.items() if len(points & own) > SHARE * len(points))

    def _fade(self, groups: Mapping[str, set[str]], now: datetime) -> None:
        worth = {t: importance([self._times[p] for p in own], now, self._rules.decay) for t, own in groups.items()}
        bound = self._rules.fade_below * max(worth.values(), default=0.0)
        faded = {theme for theme, value in worth.items() if value < bound}
        self.events += [ThemeEvent(t, ThemeEventKind.FADED, now) for t in sorted(faded - self._faded)]
        back = (self._faded - faded) & groups.keys()
        self.events += [ThemeEvent(t, ThemeEventKind.REVIVED, now) for t in sorted(back)]
        self._faded = faded
