"""How well a system tells the themes of a stream: agreement, kept names, and changes noticed, missed and made up.

    shots = [Shot(...), ...]  # what a system said at each checkpoint
    figures = measure(stream, shots, events)

docs/eval.md has the definitions, under Themes.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from eval.streams.streams import KINDS, OUT, Change, Stream, ends, planted, truth_at
from retrieval.records import ThemeEvent, ThemeEventKind

WINDOW = 100  # the last points, over which agreement is measured
LEAST = 10  # points of a window with a truth, under which nothing is measured
LIVES = 10  # points of a planted theme, under which nobody has to name it
RECENT = 10  # the last points of a theme, by which it is told which planted one it is
TOLERANCE = 100  # points after a change, within which it counts as noticed

Labels = Sequence[str | None]
Names = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Shot:
    """What a system said when the first `seen` points were known: the theme of points, and the point that is the label of each
    theme."""

    seen: int
    assignment: Mapping[str, str] = field(repr=False)
    labels: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Noticed:
    """A planted change; `delay` in points of the stream and `own` of its themes, `days`; None where it was missed."""

    change: Change
    delay: int | None = None
    own: int | None = None
    days: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of one system on one stream. `kept` and `lives`: planted themes that kept their id, and all of them;
    `steps` and `relabelled`: pairs of neighbouring checkpoints, (same, all)."""

    points: int
    agreement: tuple[float, float, float]
    kept: int
    lives: int
    steps: tuple[int, int]
    relabelled: tuple[int, int]
    noticed: tuple[Noticed, ...]
    false_alarms: Mapping[ThemeEventKind, int]


def measure(stream: Stream, shots: Sequence[Shot], events: Sequence[ThemeEvent]) -> Measured:
    """`shots` in order of time; `events` all that the system told of itself."""
    truths = [truth_at(stream, shot.seen) for shot in shots]
    rows = (_window(stream, shot, truth) for shot, truth in zip(shots, truths, strict=True))
    known = np.array([agreement(t, s) for t, s in rows if len(t) >= LEAST])
    mean = tuple(known.mean(axis=0).tolist()) if len(known) else (math.nan,) * 3
    names = [_names(stream, shot, truth) for shot, truth in zip(shots, truths, strict=True)]
    noticed, alarms = _told(stream, shots, events)
    kept, lives = _lives(stream, shots, names, noticed)
    return Measured(
        len(stream.points), mean, kept, lives, _same(names), _same(_labelled(shots, names)), tuple(noticed), alarms
    )


# --- agreement ------------------------------------------------------------------------------------------------------


def agreement(truth: Labels, said: Labels) -> tuple[float, float, float]:
    """(ARI, NMI, V-measure) of two partitions of the same points; None puts a point into a part of its own.

    ARI: Hubert and Arabie, Comparing partitions, Journal of Classification 2, 1985. NMI over the geometric mean of the
    entropies: Strehl and Ghosh, JMLR 3, 2002. V-measure: Rosenberg and Hirschberg, EMNLP 2007; it equals NMI over their
    arithmetic mean.
    """
    a, b = _coded(truth), _coded(said)
    n = len(a)
    _, cells = np.unique(a * n + b, return_counts=True)
    left, right = np.bincount(a), np.bincount(b)
    joint, ha, hb = _entropy(cells), _entropy(left), _entropy(right)
    shared = max(0.0, ha + hb - joint)
    nmi = shared / math.sqrt(ha * hb) if ha * hb > 0 else float(ha == hb)
    v = 2 * shared / (ha + hb) if ha + hb > 0 else 1.0
    return _rand(cells, left, right), nmi, v


def _coded(labels: Labels) -> NDArray[np.int64]:
    alone = [("", n) if label is None else (label, -1) for n, label in enumerate(labels)]
    codes = {label: n for n, label in enumerate(dict.fromkeys(alone))}
    return np.array([codes[label] for label in alone], dtype=np.int64)


def _entropy(counts: NDArray[np.int64]) -> float:
    share = counts[counts > 0] / counts.sum()
    return max(0.0, float(-(share * np.log(share)).sum()))


def _rand(cells: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[np.int64]) -> float:
    both, a, b, n = (float((c * (c - 1) / 2).sum()) for c in (cells, left, right, np.array([left.sum()])))
    chance, most = a * b / n if n else 0.0, (a + b) / 2
    return (both - chance) / (most - chance) if most != chance else 1.0


def _window(stream: Stream, shot: Shot, truth: Labels) -> tuple[list[str | None], list[str | None]]:
    rows = [row for row in range(max(0, shot.seen - WINDOW), shot.seen) if truth[row] != OUT]
    return [truth[row] for row in rows], [shot.assignment.get(stream.points[row].id) for row in rows]


# --- kept names -----------------------------------------------------------------------------------------------------


def _names(stream: Stream, shot: Shot, truth: Labels) -> dict[str, str | None]:
    """Planted theme with points in the window -> the system's theme that holds more than half of these, where one does. A theme
    of the system names one planted theme only, that of which it holds most points."""
    held: dict[str, Counter[str | None]] = {}
    for row in range(max(0, shot.seen - WINDOW), shot.seen):
        if truth[row]:
            held.setdefault(str(truth[row]), Counter())[shot.assignment.get(stream.points[row].id)] += 1
    names: dict[str, str | None] = dict.fromkeys(held)
    taken: set[str] = set()
    most = {theme: counts.most_common(1)[0] for theme, counts in held.items()}
    for theme, (name, count) in sorted(most.items(), key=lambda entry: -entry[1][1]):
        if name is not None and name not in taken and 2 * count > held[theme].total():
            names[theme] = name
            taken.add(name)
    return names


def _lives(
    stream: Stream, shots: Sequence[Shot], names: Sequence[Names], noticed: Sequence[Noticed]
) -> tuple[int, int]:
    """(planted themes that had one id for as long as their truth lasted, all of them). Who has none at more than half of the
    checkpoints has kept none."""
    lives, times = planted(stream, LIVES), [point.at for point in stream.points]
    kept = 0
    for theme in lives:
        end, known = ends(stream, theme), _known(times, theme, noticed)
        ids = [
            found[theme]
            for shot, found in zip(shots, names, strict=True)
            if theme in found and shot.seen >= known and (end is None or times[shot.seen - 1] < end)
        ]
        kept += len(set(ids) - {None}) == 1 and 2 * ids.count(None) <= len(ids)
    return kept, len(lives)


def _known(times: Sequence[datetime], theme: str, noticed: Sequence[Noticed]) -> int:
    """How many points are known when the system has told of the theme's making, or should have: before that, its points may
    well stand in another theme, and that is counted as delay."""
    for one in noticed:
        made = one.change.themes[1:] if one.change.kind is ThemeEventKind.SPLIT else one.change.themes[-1:]
        if theme in made and one.change.kind not in (ThemeEventKind.FADED, ThemeEventKind.REVIVED):
            return bisect_right(times, one.change.at) + (TOLERANCE if one.delay is None else one.delay)
    return 0


def _same(names: Sequence[Names]) -> tuple[int, int]:
    """(unchanged, all) of the planted themes that have a name at two neighbouring checkpoints."""
    pairs = [(a[theme], b[theme]) for a, b in pairwise(names) for theme in a.keys() & b.keys()]
    both = [(old, new) for old, new in pairs if old is not None and new is not None]
    return sum(old == new for old, new in both), len(both)


def _labelled(shots: Sequence[Shot], names: Sequence[Names]) -> list[Names]:
    return [
        {theme: None if name is None else shot.labels.get(name) for theme, name in found.items()}
        for shot, found in zip(shots, names, strict=True)
    ]


# --- changes --------------------------------------------------------------------------------------------------------


def _told(
    stream: Stream, shots: Sequence[Shot], events: Sequence[ThemeEvent]
) -> tuple[list[Noticed], dict[ThemeEventKind, int]]:
    """Each event of the system goes to the oldest planted change that it can be; those that find none are false alarms."""
    times = [point.at for point in stream.points]
    seen = [times[shot.seen - 1] for shot in shots]
    first: dict[int, ThemeEvent] = {}
    room = [1 if len(change.themes) == 1 else len(change.themes) for change in stream.changes]
    alarms: Counter[ThemeEventKind] = Counter()
    for event in sorted((e for e in events if e.kind in KINDS), key=lambda e: e.at):
        about = _about(stream, shots, min(bisect_left(seen, event.at), len(shots) - 1), event)
        for n, change in enumerate(stream.changes):
            if room[n] and _fits(change, event, about) and _between(times, change.at, event.at) <= TOLERANCE:
                room[n] -= 1
                first.setdefault(n, event)
                break
        else:
            alarms[event.kind] += 1
    noticed = [_noticed(stream, times, change, first.get(n)) for n, change in enumerate(stream.changes)]
    return noticed, {kind: alarms[kind] for kind in KINDS}


def _about(stream: Stream, shots: Sequence[Shot], n: int, event: ThemeEvent) -> list[str | None]:
    """The planted themes of the event's theme and then of its sources. A theme is as it is at the checkpoint; a source, and
    a theme that is gone, as at the checkpoint before."""
    before, now = shots[max(0, n - 1)], shots[n]
    return [
        _owner(stream, now, event.theme) or _owner(stream, before, event.theme),
        *(_owner(stream, before, source) or _owner(stream, now, source) for source in event.sources),
    ]


def _owner(stream: Stream, shot: Shot, name: str) -> str | None:
    """The planted theme that most of the theme's last RECENT points were made from; None for noise."""
    own: list[str | None] = []
    for row in range(shot.seen - 1, -1, -1):
        if shot.assignment.get(stream.points[row].id) == name:
            own.append(stream.truth[row])
            if len(own) == RECENT:
                break
    return Counter(own).most_common(1)[0][0] if own else None


def _fits(change: Change, event: ThemeEvent, about: Sequence[str | None]) -> bool:
    if event.kind is not change.kind or event.at < change.at:
        return False
    if len(change.themes) == 1:
        return about[0] == change.themes[0]
    return (
        bool(event.sources)
        and set(about) <= set(change.themes)
        and (change.kind is ThemeEventKind.SPLIT or len(set(about)) > 1)
    )


def _between(times: Sequence[datetime], change: datetime, event: datetime) -> int:
    """Points after the change, up to the event."""
    return bisect_right(times, event) - bisect_right(times, change)


def _noticed(stream: Stream, times: Sequence[datetime], change: Change, event: ThemeEvent | None) -> Noticed:
    if event is None:
        return Noticed(change)
    rows = range(bisect_right(times, change.at), bisect_right(times, event.at))
    own = sum(stream.truth[row] in change.themes for row in rows)
    return Noticed(change, len(rows), own, (event.at - change.at).total_seconds() / 86400)


def delays(noticed: Sequence[Noticed]) -> Iterator[float]:
    """Delays in points; what was missed is infinite."""
    return (math.inf if one.delay is None else float(one.delay) for one in noticed)
