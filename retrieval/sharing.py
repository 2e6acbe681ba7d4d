"""Is an account used by two people? Then the themes of the lesser one are not its owner's.

    apart = others(events, state)                   # theme ids, empty for an account of one person as far as can be told
    found = set_apart(assemble(...), apart)

Accounts are told apart by when they are used (Wang et al. 2014; Bento et al., CAMRa 2012) and by what meets in one sitting
(Verstrepen and Goethals 2015; Jiang et al., SIGIR 2018). But one person has habits too: the news at breakfast, jazz at night.
So all must come together: the themes fall into two sides that do not meet in a visit, are come to at other hours and on
other days of the week, and on other devices where the log tells them. Pure functions; what they find is in eval/LOG.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from math import comb

from retrieval.evolution import State
from retrieval.records import Event, Horizon, Polarity
from retrieval.themes import Assembled

WEEKEND = 5  # from this weekday on, Monday being 0
ARCS = 24 * 23  # stretches of the day that are tried: from any full hour, 1 to 23 hours long


@dataclass(frozen=True, slots=True)
class SharingRules:
    """`level`: significance of hours and of days, each after Bonferroni over all that is tried. `apart`: share of the visits of
    each side that must be inside (outside) the stretch of the day, or the weekend. `together`: share of visits to both sides,
    and of visits on devices of the other side, at most. `visits` of each side at least, and changes from one to the other.
    `pause`: ends a visit. `most` themes are looked at, those visited most: there are 2**(most - 1) - 1 ways to part them."""

    level: float = 0.01
    apart: float = 0.85
    together: float = 0.1
    visits: int = 8
    pause: timedelta = timedelta(hours=1)
    most: int = 10


@dataclass(frozen=True, slots=True)
class Visit:
    """What somebody turned to in one sitting; `device` "" where the log does not tell."""

    at: datetime
    themes: frozenset[str]
    device: str = ""


@dataclass(frozen=True, slots=True)
class Sharing:
    """Two sides of an account that do not meet: theme ids, visits of each, and the corrected p-values (Fisher's exact test)."""

    sides: tuple[frozenset[str], frozenset[str]]
    visits: tuple[int, int]
    p_hours: float
    p_days: float


def others(events: Sequence[Event], state: State, rules: SharingRules | None = None) -> frozenset[str]:
    """The ids of the themes that seem to be somebody else's: of two sides, the one with less importance. `events` in time
    order. Times of day are those of UTC; a shift of summer time blurs them a little."""
    rules = rules or SharingRules()
    liked = {t.id: t.importance for t in state.themes if t.polarity is Polarity.LIKE and not t.session}
    theme_of = {event: theme for event, theme in state.assignment.items() if theme in liked}
    found = sharing(visits(events, theme_of, rules.pause), rules)
    if found is None:
        return frozenset()
    return min(found.sides, key=lambda side: (sum(liked[theme] for theme in side), sorted(side)))


def set_apart(found: Assembled, apart: frozenset[str]) -> Assembled:
    """`found` with the active themes among `apart` marked as somebody else's. What has faded proposes nothing anyway."""
    gone = {t.id for t in found.themes if t.id in apart and t.active}
    if not gone:
        return found
    themes = [replace(t, horizon=Horizon.SHARED, active=False) if t.id in gone else t for t in found.themes]
    themes.sort(key=lambda t: (-t.active, -t.importance, t.id))
    said = {s for t in found.themes if t.id in gone for s in t.statements}
    horizons = {s: Horizon.SHARED if s in said else horizon for s, horizon in found.horizons.items()}
    return replace(found, themes=tuple(themes), horizons=horizons)


def visits(events: Sequence[Event], theme_of: Mapping[str, str], pause: timedelta) -> list[Visit]:
    """The visits to any theme, oldest first."""
    groups: list[list[Event]] = []
    for event in events:
        if not groups or event.at - groups[-1][-1].at > pause:
            groups.append([])
        groups[-1].append(event)
    found = []
    for group in groups:
        themes = frozenset(theme_of[e.id] for e in group if e.id in theme_of)
        if themes:
            found.append(Visit(group[0].at, themes, str(group[0].context.get("device") or "")))
    return found


def sharing(found: Sequence[Visit], rules: SharingRules) -> Sharing | None:
    """The two sides that are told apart most surely, or None."""
    counts = Counter(theme for visit in found for theme in visit.themes)
    themes = sorted(counts, key=lambda theme: (-counts[theme], theme))[: rules.most]
    ways = 2 ** (len(themes) - 1) - 1 if themes else 0
    parted = (_parted(found, frozenset(side), ways, rules) for side in _sides(themes))
    return min((p for p in parted if p), key=lambda p: (p.p_hours * p.p_days, sorted(p.sides[0])), default=None)


def _sides(themes: Sequence[str]) -> Iterator[list[str]]:
    """One side of each way to part the themes in two; the last theme is always on the other."""
    for mask in range(1, 2 ** max(0, len(themes) - 1)):
        yield [theme for place, theme in enumerate(themes) if mask >> place & 1]


def _parted(found: Sequence[Visit], side: frozenset[str], ways: int, rules: SharingRules) -> Sharing | None:
    """The account in these two sides, if everything says that they are two people's."""
    one = [v for v in found if v.themes <= side]
    other = [v for v in found if not v.themes & side]
    if min(len(one), len(other)) < rules.visits or len(one) + len(other) < (1 - rules.together) * len(found):
        return None
    turns = [v.themes <= side for v in found if v.themes <= side or not v.themes & side]
    if sum(a is not b for a, b in pairwise(turns)) < rules.visits or not _own_devices(one, other, rules):
        return None
    p_days = ways * _days(one, other, rules)
    if p_days > rules.level:
        return None
    p_hours = ways * _hours(one, other, rules)
    if p_hours > rules.level:
        return None
    themes = frozenset(theme for visit in found for theme in visit.themes)
    return Sharing((side, themes - side), (len(one), len(other)), p_hours, p_days)


def _own_devices(one: Sequence[Visit], other: Sequence[Visit], rules: SharingRules) -> bool:
    """Has each side devices of its own, as far as the log tells devices?"""
    counts = [Counter(v.device for v in visits if v.device) for visits in (one, other)]
    if not all(counts):
        return True
    shares = ({device: n / c.total() for device, n in c.items()} for c in counts)
    mine, theirs = shares
    return sum(min(share, theirs.get(device, 0.0)) for device, share in mine.items()) <= rules.together


def _days(one: Sequence[Visit], other: Sequence[Visit], rules: SharingRules) -> float:
    """How likely chance parts two sides into weekend and week as these, either way round; above 1 where they are not apart."""
    late = [sum(v.at.weekday() >= WEEKEND for v in visits) for visits in (one, other)]
    return 2 * min(_chance(late, (len(one), len(other)), rules), _chance(late[::-1], (len(other), len(one)), rules))


def _hours(one: Sequence[Visit], other: Sequence[Visit], rules: SharingRules) -> float:
    """The same for the stretch of the day that holds the first side and not the second."""
    hours = [Counter(v.at.hour for v in visits) for visits in (one, other)]
    best = 2.0
    for start in range(24):
        inside = [0, 0]
        for length in range(23):
            for place, counts in enumerate(hours):
                inside[place] += counts[(start + length) % 24]
            best = min(best, _chance(inside, (len(one), len(other)), rules))
    return ARCS * best


def _chance(inside: Sequence[int], of: tuple[int, int], rules: SharingRules) -> float:
    """Fisher's exact test, one-sided: are more of the first side inside than of the second? 2 where the sides are not apart."""
    if inside[0] < rules.apart * of[0] or inside[1] > (1 - rules.apart) * of[1]:
        return 2.0
    marked, total = sum(inside), sum(of)
    likely = sum(comb(marked, k) * comb(total - marked, of[0] - k) for k in range(inside[0], min(marked, of[0]) + 1))
    return likely / comb(total, of[0])
