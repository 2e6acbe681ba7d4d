"""A stream: what one user did and said in order of time, the theme behind each point, and when themes changed.

    streams = load(Path("mine.jsonl"), embed)
    truth_at(stream, 120)  # the theme of each of the first 120 points, as seen from there

docs/eval.md has the file form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from retrieval.embed import Vectors
from retrieval.evolution import Point
from retrieval.records import ThemeEventKind

KINDS = (
    ThemeEventKind.BORN,
    ThemeEventKind.FADED,
    ThemeEventKind.MERGED,
    ThemeEventKind.SPLIT,
    ThemeEventKind.REVIVED,
)
OUT = ""  # the truth of a point that no longer has one: its theme has split, and which part it belongs to nobody says


@dataclass(frozen=True, slots=True)
class Change:
    """A planted step in the life of themes, at the time of the first point that shows it; of a fade, of the last before it.

    `themes` of a birth, a fade and a return is the one theme; of a merge the themes that merge and last what they become; of a
    split the theme that splits and then its parts. A theme may keep its name through either.
    """

    kind: ThemeEventKind
    at: datetime
    themes: tuple[str, ...]

    def __post_init__(self) -> None:
        alone = self.kind not in (ThemeEventKind.MERGED, ThemeEventKind.SPLIT)
        if self.kind not in KINDS or (len(self.themes) != 1 if alone else len(set(self.themes)) < 2):
            raise ValueError(f"no change is {self.kind} with the themes {self.themes}")


@dataclass(frozen=True, slots=True)
class Stream:
    """`points` in order of time; `vectors` (n, dim) their unit rows; `truth` the planted theme that each was made from, None
    for noise and one-offs; `changes` in order of time; `texts` may be empty. `embedded`: are the
    vectors those of the texts, by the embedder at hand?"""

    name: str
    points: tuple[Point, ...]
    vectors: Vectors = field(repr=False)
    truth: tuple[str | None, ...]
    changes: tuple[Change, ...]
    texts: tuple[str, ...] = ()
    embedded: bool = False

    def __post_init__(self) -> None:
        n = len(self.points)
        if len(self.vectors) != n or len(self.truth) != n or len(self.texts) not in (0, n):
            raise ValueError(f"{self.name}: points, vectors, truth and texts are not of one length")
        if any(a.at > b.at for a, b in zip(self.points, self.points[1:], strict=False)):
            raise ValueError(f"{self.name}: points are not in order of time")
        if len({point.id for point in self.points}) < n:
            raise ValueError(f"{self.name}: two points have the same id")


def truth_at(stream: Stream, seen: int) -> list[str | None]:
    """The theme of each of the first `seen` points as it stands at the last of them: points of themes that have merged belong
    to what these became; points of a theme that has split are `OUT`."""
    now = list(stream.truth[:seen])
    if not now:
        return now
    for change in stream.changes:
        if change.at > stream.points[seen - 1].at:
            break
        if change.kind not in (ThemeEventKind.MERGED, ThemeEventKind.SPLIT):
            continue
        merged = change.kind is ThemeEventKind.MERGED
        before, after = (change.themes[:-1], change.themes[-1]) if merged else (change.themes[:1], OUT)
        for row, point in enumerate(stream.points[:seen]):
            if now[row] in before and (merged or point.at < change.at):
                now[row] = after
    return now


def ends(stream: Stream, theme: str) -> datetime | None:
    """When `theme` stops to be one: it merges or splits. None while it lives or sleeps."""
    for change in stream.changes:
        if change.kind is ThemeEventKind.MERGED and theme in change.themes[:-1]:
            return change.at
        if change.kind is ThemeEventKind.SPLIT and theme == change.themes[0]:
            return change.at
    return None


def planted(stream: Stream, least: int = 1) -> Sequence[str]:
    """The themes of a stream with at least so many points, by first appearance."""
    found = dict.fromkeys(theme for theme in stream.truth if theme is not None)
    return [theme for theme in found if stream.truth.count(theme) >= least]
