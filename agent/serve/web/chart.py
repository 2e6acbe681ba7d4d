"""Themes over time as a picture: geometry only, so that the template draws it and escapes every word.

    chart = draw(profile, course, steps, WIDE)

Importance at a moment is that of the evolution of themes (retrieval/course.py), on a weekly grid; likes are stacked above the
axis, dislikes below, oldest theme next to the axis. What has no course (muted, one-off, somebody else's) is not drawn. The
same input gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from unicodedata import east_asian_width

import numpy as np
from numpy.typing import NDArray

from retrieval.course import Acts, Course
from retrieval.records import Polarity, Profile, Theme, ThemeEvent, ThemeEventKind

Floats = NDArray[np.float64]
MOST_POINTS = 160  # of the grid: years of history are drawn in wider steps than weeks
WEEK = timedelta(days=7)

# Paul Tol's "light" scheme: told apart with any colour vision, and dark text is legible on each (personal.sron.nl/~pault).
LIKES = ("#77AADD", "#44BB99", "#EEDD88", "#EE8866", "#99DDFF", "#BBCC33", "#FFAABB", "#B5B536")
DISLIKES = ("#BDB8B0", "#D6D2CB", "#A8A29A")  # greys, hatched by the template: not by colour alone
SURPLUS = "#DDDDDD"


@dataclass(frozen=True, slots=True)
class Size:
    """In the unit of the viewBox. `font` is the height of the text."""

    width: int
    height: int
    font: float
    side: int = 8
    top: int = 22
    foot: int = 26


WIDE = Size(1000, 330, 13)
NARROW = Size(360, 280, 12, side=4)


@dataclass(frozen=True, slots=True)
class Label:
    text: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Marker:
    """A step in a theme's life, where it happened on the picture."""

    kind: str
    x: float
    y: float
    title: str


@dataclass(frozen=True, slots=True)
class Band:
    """One theme: `path` is the outline, `label` the name if there is room for it."""

    theme: str
    name: str
    polarity: Polarity
    colour: str
    path: str
    title: str
    label: Label | None
    markers: tuple[Marker, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    size: Size
    axis: float
    bands: tuple[Band, ...]
    ticks: tuple[Tick, ...]
    start: datetime
    end: datetime

    @property
    def legend(self) -> tuple[Band, ...]:
        return tuple(band for band in self.bands if band.label is None)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of markers in the picture, for its key."""
        return tuple(dict.fromkeys(m.kind for band in self.bands for m in band.markers))


@dataclass(frozen=True, slots=True)
class _Stack:
    """A theme with its lower and upper edge in pixels on the grid `xs`."""

    theme: Theme
    acts: Acts
    xs: Floats
    low: Floats
    high: Floats

    @property
    def top(self) -> Floats:
        return np.minimum(self.low, self.high)

    @property
    def bottom(self) -> Floats:
        return np.maximum(self.low, self.high)


def colours(profile: Profile, course: Course) -> dict[str, str]:
    """Theme id -> colour of those that are drawn, by age: a theme keeps its colour while others come and go in importance."""
    found: dict[str, str] = {}
    for says, palette in ((Polarity.LIKE, LIKES), (Polarity.DISLIKE, DISLIKES)):
        for place, theme in enumerate(_by_age(profile, course, says)):
            found[theme.id] = palette[place] if place < len(palette) else SURPLUS
    return found


def draw(profile: Profile, course: Course, steps: Sequence[ThemeEvent], size: Size) -> Chart | None:
    """The picture of a profile, or None where there is nothing to draw. `steps`: the life of its themes."""
    sides = [_by_age(profile, course, says) for says in (Polarity.LIKE, Polarity.DISLIKE)]
    first = min((course.acts[t.id][0][0] for side in sides for t in side), default=None)
    if first is None:
        return None
    grid = _grid(first, profile.as_of)
    heights = [[course.importance(t.id, grid) for t in side] for side in sides]
    peaks = [float(np.sum(side, axis=0).max()) if side else 0.0 for side in heights]
    room = size.height - size.top - size.foot
    scale = room / max(sum(peaks), 1e-9)
    axis = size.top + peaks[0] * scale
    xs = np.linspace(size.side, size.width - size.side, len(grid))
    stacks: list[_Stack] = []
    for sign, side, values in zip((-1, 1), sides, heights, strict=True):
        base = np.full(len(grid), axis)
        for theme, value in zip(side, values, strict=True):
            edge = base + sign * value * scale
            stacks.append(_Stack(theme, course.acts[theme.id], xs, base, edge))
            base = edge
    palette = colours(profile, course)
    bands = tuple(_band(stack, palette[stack.theme.id], steps, grid, size) for stack in stacks)
    return Chart(size, round(axis, 1), bands, tuple(_ticks(grid, size)), grid[0], grid[-1])


def _by_age(profile: Profile, course: Course, says: Polarity) -> list[Theme]:
    own = [t for t in profile.themes if t.polarity is says and t.id in course.acts]
    return sorted(own, key=lambda theme: (course.acts[theme.id][0][0], theme.id))


def _grid(first: datetime, end: datetime) -> list[datetime]:
    """Weekly moments up to `end`, from before `first`, so that a band begins with nothing."""
    span = max(end - first, timedelta(0)) + WEEK
    step = max(WEEK, span / MOST_POINTS)
    count = int(span / step) + 2
    return [end - step * back for back in range(count - 1, -1, -1)]


def _band(stack: _Stack, colour: str, steps: Sequence[ThemeEvent], grid: Sequence[datetime], size: Size) -> Band:
    theme = stack.theme
    state = "" if theme.active else ", faded"
    acts = "act" if len(stack.acts) == 1 else "acts"
    return Band(
        theme=theme.id,
        name=theme.label,
        polarity=theme.polarity,
        colour=colour,
        path=_outline(stack),
        title=f"{theme.label}: {theme.polarity.value}, {len(stack.acts)} {acts} since "
        f"{_day(stack.acts[0][0])}, importance {theme.importance:.1f} now{state}",
        label=_label(stack, size),
        markers=tuple(_markers(stack, steps, grid)),
    )


def _outline(stack: _Stack) -> str:
    """The upper edge from left to right and the lower edge back, as monotone cubic curves."""
    there = _curve(stack.xs, stack.high)
    back = _curve(stack.xs[::-1], stack.low[::-1])
    return f"M{stack.xs[0]:.1f},{stack.high[0]:.1f}{there}L{stack.xs[-1]:.1f},{stack.low[-1]:.1f}{back}Z"


def _curve(xs: Floats, ys: Floats) -> str:
    """Bezier segments through the points that never overshoot (Fritsch and Carlson 1980, in Steffen's form)."""
    slope = np.diff(ys) / np.diff(xs)
    inner = (np.sign(slope[:-1]) + np.sign(slope[1:])) * np.minimum(
        np.minimum(np.abs(slope[:-1]), np.abs(slope[1:])), 0.5 * np.abs((slope[:-1] + slope[1:]) / 2)
    )
    tangent = np.concatenate([slope[:1], inner, slope[-1:]])
    third = np.diff(xs) / 3
    return "".join(
        f"C{xs[i] + third[i]:.1f},{ys[i] + third[i] * tangent[i]:.1f} "
        f"{xs[i + 1] - third[i]:.1f},{ys[i + 1] - third[i] * tangent[i + 1]:.1f} {xs[i + 1]:.1f},{ys[i + 1]:.1f}"
        for i in range(len(xs) - 1)
    )


def _label(stack: _Stack, size: Size) -> Label | None:
    """The name at the place where the band is thickest over the whole width of the name, if it fits anywhere."""
    wide = _text_width(stack.theme.label, size.font)
    best: tuple[float, float, float] | None = None
    for x in stack.xs:
        if not size.side + wide / 2 <= x <= size.width - size.side - wide / 2:
            continue
        under = (stack.xs >= x - wide / 2 - 6) & (stack.xs <= x + wide / 2 + 6)
        top, bottom = float(stack.top[under].max()), float(stack.bottom[under].min())
        if best is None or bottom - top > best[0]:
            best = (bottom - top, float(x), (top + bottom) / 2)
    if best is None or best[0] < 1.5 * size.font:
        return None
    return Label(stack.theme.label, round(best[1], 1), round(best[2] + 0.35 * size.font, 1))


def _text_width(text: str, font: float) -> float:
    """An estimate that errs on the wide side: nothing here measures fonts."""
    return font * sum(1.05 if east_asian_width(char) in "WF" else 0.58 for char in text)


def _markers(stack: _Stack, steps: Sequence[ThemeEvent], grid: Sequence[datetime]) -> list[Marker]:
    """The steps of the history, but for growth, which is what the band shows anyway."""
    told = [(s.kind.value, s.at) for s in steps if s.theme == stack.theme.id and s.kind is not ThemeEventKind.GREW]
    span = (grid[-1] - grid[0]).total_seconds()
    found = []
    for kind, at in told:
        if grid[0] <= at <= grid[-1]:
            x = float(stack.xs[0] + (stack.xs[-1] - stack.xs[0]) * ((at - grid[0]).total_seconds() / span))
            y = float(np.interp(x, stack.xs, (stack.low + stack.high) / 2))
            found.append(Marker(kind, round(x, 1), round(y, 1), f"{stack.theme.label}: {kind} {_day(at)}"))
    return found


def _ticks(grid: Sequence[datetime], size: Size) -> list[Tick]:
    """The first of a month, every so many months that the names have room; a January says the year."""
    start, end = grid[0], grid[-1]
    months = (end.year - start.year) * 12 + end.month - start.month
    every = next((n for n in (1, 2, 3, 6, 12, 24, 60, 120) if months / n <= size.width / 70), 240)
    found = []
    for count in range(start.year * 12 + start.month, end.year * 12 + end.month):
        if count % every:
            continue
        at = start.replace(year=count // 12, month=count % 12 + 1, day=1, hour=0, minute=0, second=0, microsecond=0)
        x = size.side + (size.width - 2 * size.side) * ((at - start) / (end - start))
        if size.side + 4 <= x <= size.width - 30:
            text = f"{at.year}" if at.month == 1 or every >= 12 else f"{at:%b}"
            found.append(Tick(round(x, 1), text))
    return found


def _day(at: datetime) -> str:
    return f"{at.day} {at:%b %Y}"
