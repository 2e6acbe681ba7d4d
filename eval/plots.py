"""Plots of a report as inline SVG: figures with intervals as dots, and figures along something as lines.

    Dots((Mark("full", 75.3, (73.0, 77.4), "all"),), axis="ndcg@10 in percent").svg("a-")
    Lines((Panel("Items in the history", ("0", "1-4"), (Series("full", (60.1, 70.2)),)),), "ndcg@10 in percent").svg("b-")

Ids in an <svg> begin with the prefix given, so that many can stand in one document. Text stays text and its colours are
CSS variables of the page (--ink, --soft, --line), so that it follows light and dark. The same input gives the same bytes.
Data has the colours of Okabe and Ito, Color Universal Design, 2008, told apart with any colour vision, and a shape of its
own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

BLUE, VERMILION, GREEN, ORANGE, SKY, PURPLE = "#0072b2", "#d55e00", "#009e73", "#e69f00", "#56b4e9", "#cc79a7"
INK, SOFT, LINE = "#010101", "#020202", "#030303"  # stand for CSS variables; no data has these colours
VARIABLES = {INK: "var(--ink)", SOFT: "var(--soft)", LINE: "var(--line)"}

MARKS = {"all": (BLUE, "o", True), "own": (VERMILION, "D", True), "sure": (BLUE, "o", True), "open": (SOFT, "o", False)}
STROKES = tuple(zip((INK, BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY), "osD^vPX", strict=True))
WIDTH = 10.0  # inches of 72 points, the unit of the viewBox
STYLE: Any = {  # Any: matplotlib types its keys one by one
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.unicode_minus": True,
    "figure.constrained_layout.use": True,
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "svg.fonttype": "none",
    "svg.hashsalt": "leitmotif",
    "text.color": INK,
    "text.parse_math": False,  # a name may hold a dollar sign
    "xtick.color": LINE,
    "xtick.labelcolor": SOFT,
    "ytick.color": LINE,
    "ytick.labelcolor": INK,
    "ytick.left": False,
}

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Mark:
    """A figure with its interval; `look` is a key of MARKS."""

    name: str
    value: float
    ci95: Interval
    look: str


@dataclass(frozen=True, slots=True)
class Series:
    """A figure for each tick of the panel, NaN where there is none, and its intervals if it has any."""

    name: str
    values: tuple[float, ...]
    bands: tuple[Interval, ...] = ()


@dataclass(frozen=True, slots=True)
class Panel:
    """The first `named` of `series` (at most as many as STROKES) are told apart; the others are grey."""

    title: str
    ticks: tuple[str, ...]
    series: tuple[Series, ...]
    named: int = len(STROKES)

    def apart(self) -> Iterator[tuple[Series, tuple[str, str]]]:
        """Series with colour and shape."""
        return zip(self.series[: self.named], STROKES, strict=False)

    def grey(self) -> tuple[Series, ...]:
        return self.series[min(self.named, len(STROKES)) :]


@dataclass(frozen=True, slots=True)
class Dots:
    """A row for each mark, the first on top, its figure at the right. `origin`: where a difference would be none."""

    marks: tuple[Mark, ...]
    axis: str
    origin: float | None = None
    form: str = ".1f"

    def svg(self, prefix: str) -> str:
        with _style():
            figure = Figure(figsize=(WIDTH, 0.75 + 0.27 * len(self.marks)))
            axes = figure.add_subplot()
            beside = axes.get_yaxis_transform()
            for y, mark in enumerate(self.marks):
                colour, shape, filled = MARKS[mark.look]
                face = colour if filled else "none"
                axes.plot(mark.ci95, [y, y], color=colour, linewidth=2)
                axes.plot([mark.value], [y], shape, color=colour, markerfacecolor=face, markersize=6.5)
                text = f"{mark.value:{self.form}}".replace("-", "−")
                axes.text(1.065, y, text, transform=beside, ha="right", va="center_baseline")
            if self.origin is not None:
                axes.axvline(self.origin, color=SOFT, linewidth=1, zorder=1)
            axes.set_yticks(range(len(self.marks)), [mark.name for mark in self.marks])
            axes.set_ylim(len(self.marks) - 0.4, -0.6)
            axes.set_xlabel(self.axis, loc="left")
            axes.grid(axis="x")
            axes.set_axisbelow(True)
            return _svg(figure, prefix)


@dataclass(frozen=True, slots=True)
class Lines:
    """Panels side by side on one scale; each line is named at its end."""

    panels: tuple[Panel, ...]
    axis: str

    def svg(self, prefix: str) -> str:
        with _style():
            figure = Figure(figsize=(WIDTH, 4.2))
            several = figure.subplots(1, len(self.panels), sharey=True, squeeze=False)[0]
            several[0].set_ylabel(self.axis)
            for axes, panel in zip(several, self.panels, strict=True):
                _draw(axes, panel)
            low, high = several[0].get_ylim()
            for axes, panel in zip(several, self.panels, strict=True):
                _name(axes, panel, gap=(high - low) / 20)
            return _svg(figure, prefix)


def _draw(axes: Axes, panel: Panel) -> None:
    places = np.arange(len(panel.ticks))
    for series in panel.grey():
        axes.plot(places, series.values, color=LINE, linewidth=1)
    for series, (colour, shape) in panel.apart():
        axes.plot(places, series.values, color=colour, marker=shape, markersize=5, linewidth=1.6, zorder=3)
        if series.bands:
            low, high = np.array(series.bands, dtype=np.float64).T
            axes.fill_between(places, low, high, color=colour, alpha=0.12, linewidth=0)
    axes.set_title(panel.title)
    axes.set_xticks(places, panel.ticks)
    axes.set_xlim(-0.3, len(panel.ticks) - 0.7)
    axes.grid(axis="y")
    axes.set_axisbelow(True)


def _name(axes: Axes, panel: Panel, gap: float) -> None:
    """Names beside the ends of the lines, moved apart where they would overlap."""
    shown = [(_known(series.values), series.name, *stroke) for series, stroke in panel.apart()]
    ends = sorted((known[-1], name, colour, shape) for known, name, colour, shape in shown if known)
    beside = axes.get_yaxis_transform()
    for (_, name, colour, shape), y in zip(ends, spread([end[0] for end in ends], gap), strict=True):
        axes.plot([1.03], [y], shape, color=colour, markersize=5, transform=beside, clip_on=False)
        axes.text(1.055, y, name, transform=beside, va="center_baseline")


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Ascending heights moved at least `gap` apart: those that are too close stand around their common mean."""
    blocks: list[list[float]] = []
    for height in heights:
        blocks.append([height])
        while len(blocks) > 1 and _centred(blocks[-1], gap)[0] - _centred(blocks[-2], gap)[-1] < gap:
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    return [y for block in blocks for y in _centred(block, gap)]


def _centred(block: Sequence[float], gap: float) -> NDArray[np.float64]:
    ys: NDArray[np.float64] = np.mean(block) + gap * (np.arange(len(block)) - (len(block) - 1) / 2)
    return ys


def _known(values: Sequence[float]) -> list[float]:
    return [value for value in values if np.isfinite(value)]


@contextmanager
def _style() -> Iterator[None]:
    """Ours alone, whatever the user's matplotlibrc says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def _svg(figure: Figure, prefix: str) -> str:
    """The <svg> element, with no size but its shape, and with no ids but those it refers to."""
    out = StringIO()
    figure.savefig(out, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    text = out.getvalue()
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text[text.index("<svg") :], count=1, flags=re.DOTALL)
    text = re.sub(r' (width|height|xmlns|xmlns:xlink|version)="[^"]*"', "", text, count=5).replace("xlink:href", "href")
    referred = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    text = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in referred else "", text)
    text = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{prefix}", text)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, variable)
    return "\n".join(line.rstrip() for line in text.splitlines())
