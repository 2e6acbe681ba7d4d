"""What one more point does to a person's themes. `step` is the whole algorithm; everything else calls it in time order.

1. Home: the group nearest by cosine among those whose members the point resembles enough (mean cosine, so that a group of
   two is judged like one of fifty; less is asked by the group of the point before in one sitting); none: it founds a bud.
2. A bud with enough to show becomes a theme. Where its points come in the sittings of one theme, it goes into that; in the
   shadow of a theme whose recent points are unlike it, it has split off.
3. Points that fit two themes alike, one after the other, merge them. A theme whose recent points fall apart splits. Sittings
   may speak against either (sittings.py).
4. A theme is silent for longer than its own rhythm explains: faded. The clock ticks with the person's visits, so nothing
   fades while they are away. Two points near each other bring it back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from retrieval.evolution.buds import enough, lasting
from retrieval.evolution.groups import Group, centroid, join, reset, settle, take
from retrieval.evolution.measures import ALIKE, between, distinct, halves, whole
from retrieval.evolution.model import EvolutionRules, Member, Point, Vectors
from retrieval.evolution.sittings import companion, mixed, scattered, strangers
from retrieval.records import ThemeEvent, ThemeEventKind

Kind = ThemeEventKind
KINSHIP = 0.5  # cosine of two centroids of five points or more: of one topic over .6, of two topics under .35
GREW_BY = 2.0  # a theme has grown when its decayed evidence has doubled


@dataclass(slots=True)
class Core:
    """The state of the fold. `labels`: the group's serial of each point in time order, 0 where there is none; `visits`: how
    often the person turned to anything so far; `serial`: groups so far; `sittings`, the latest of them until `last_at`."""

    user: str
    groups: list[Group] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    events: list[ThemeEvent] = field(default_factory=list)
    serial: int = 0
    visits: int = 0
    sittings: int = 0
    last_at: datetime | None = None

    def copy(self) -> Core:
        """A snapshot. Arrays are shared: they are replaced and never written to."""
        groups = [replace(group, bridges=dict(group.bridges)) for group in self.groups]
        return replace(self, groups=groups, labels=list(self.labels), events=list(self.events))

    def themes(self, like: Group) -> list[Group]:
        """The themes of a group's polarity, but for itself."""
        return [g for g in self.groups if g.theme and g is not like and g.polarity is like.polarity]


def step(core: Core, point: Point, vector: Vectors, rules: EvolutionRules) -> None:
    """Add one point, not earlier than those before. A zero `vector` (dim,) says nothing and belongs nowhere."""
    core.labels.append(0)
    if core.last_at is None or point.at - core.last_at > rules.sitting:
        core.sittings += 1
    core.last_at = point.at
    if vector.any():
        fits = _fitting(core, point, vector, rules)
        home = fits[0] if fits else _found(core, point, vector, rules)
        if home.size == 0 or point.at - home.last_at > rules.visit:
            core.visits += 1
            visit = core.visits
        else:
            visit = home.seen
        join(home, point, Member(point.id, len(core.labels) - 1, visit, point.at, vector, core.sittings), rules)
        core.labels[-1] = home.serial
        if home.theme:
            _return(core, home, point, rules)
            _grow(core, home, point)
            if not _merge(core, home, fits[1:], point, rules):
                _split(core, home, point, rules)
        elif enough(home, rules) and lasting(home, core.groups, core.visits, rules):
            _open(core, home, point, rules)
        else:
            _split(core, home, point, rules)  # a bud of two topics would never be ripe, and take in more and more
    _fade(core, point)


def _fitting(core: Core, point: Point, vector: Vectors, rules: EvolutionRules) -> list[Group]:
    """The groups that would take the point in, nearest first."""
    groups = [g for g in core.groups if g.polarity is point.polarity]
    if not groups:
        return []
    totals = np.stack([g.total for g in groups])
    dots = totals @ vector
    before = next((label for label in reversed(core.labels[-3:-1]) if label), 0)  # past one that says nothing
    stays = [g.serial == before and point.at - g.last_at <= rules.sitting for g in groups]
    fit = dots >= np.where(stays, rules.ease, 1.0) * [g.bar * g.count for g in groups]
    cosines = dots / np.sqrt(np.einsum("ij,ij->i", totals, totals))
    return [groups[i] for i in np.argsort(-cosines, kind="stable") if fit[i]]


def _found(core: Core, point: Point, vector: Vectors, rules: EvolutionRules) -> Group:
    """A new bud; the one that has waited longest makes room for it."""
    buds = [g for g in core.groups if not g.theme]
    if len(buds) >= rules.buds:
        core.groups.remove(min(buds, key=lambda g: (g.seen, g.serial)))
    core.serial += 1
    bud = Group(core.serial, _id(core.user, point), point.polarity, point.at, np.zeros_like(vector))
    core.groups.append(bud)
    return bud


def theme_id(user: str, founder: str) -> str:
    """A stable id from what founded a theme."""
    return "t-" + hashlib.sha256(f"{user}\0{founder}".encode()).hexdigest()[:10]


def _id(user: str, point: Point, part: str = "") -> str:
    """From the point that founded the theme, so that replaying gives the same. A point founds one group at most, and
    splits one at most, so no id comes twice."""
    return theme_id(user, f"{point.id}\0{part}")


def _tell(core: Core, group: Group, kind: Kind, at: datetime, causes: Sequence[Member], *sources: str) -> None:
    core.events.append(ThemeEvent(group.id, kind, at, sources, causes=tuple(member.id for member in causes)))


def _open(core: Core, bud: Group, point: Point, rules: EvolutionRules) -> None:
    """A ripe bud is a theme of its own; or goes into the theme in whose sittings it comes, or that nearly would have taken it
    in as one point and has points like the bud's since the first of these; or, where that theme would have taken it in and
    its points are unlike the bud's, has split off from it."""
    vectors = bud.vectors()
    home = companion(bud, core.themes(bud), rules) or _kin(core, bud, vectors, rules)
    if home is not None:
        take(home, bud, rules)
        settle(home, core.visits, rules)
        _remove(core, bud, home)
        return
    bud.theme = bud.active = True
    bud.told = bud.mass
    settle(bud, core.visits, rules)
    parent = _parent(core, bud, vectors)
    if parent is None:
        _tell(core, bud, Kind.BORN, point.at, bud.window)
        return
    recent = _since(parent, bud)
    if len(recent) >= rules.birth:
        reset(parent, recent)
        settle(parent, core.visits, rules)
    _tell_split(core, bud, parent, point)


def _kin(core: Core, bud: Group, vectors: Vectors, rules: EvolutionRules) -> Group | None:
    """The theme that nearly would take a bud of `vectors` (n, dim) in, if its points of the same time are like the bud's."""
    near = _parent(core, bud, vectors, rules.kin)
    recent = _since(near, bud) if near else []
    alike = recent and between(vectors, np.stack([m.vector for m in recent])) >= rules.kin_above
    return near if alike else None


def _parent(core: Core, bud: Group, vectors: Vectors, share: float = 1.0) -> Group | None:
    """The theme nearest to a bud of `vectors` (n, dim), of those that would take it in as one point at a `share` of the bar."""
    middle = vectors.mean(axis=0)
    near = [(float(g.total @ middle) / g.count, g) for g in core.themes(bud)]
    taking = [(fit, g) for fit, g in near if fit >= share * g.bar]
    return max(taking, key=lambda found: found[0])[1] if taking else None


def _since(theme: Group, bud: Group) -> list[Member]:
    """The members of a theme since a bud's first one."""
    return [m for m in theme.window if m.place >= bud.window[0].place]


def _remove(core: Core, group: Group, heir: Group) -> None:
    core.groups.remove(group)
    core.labels = [heir.serial if label == group.serial else label for label in core.labels]


def _tell_split(core: Core, child: Group, parent: Group, point: Point) -> None:
    """A child that is what an earlier theme was names that one too, after its parent: the history goes on."""
    for group in (child, parent):
        group.since, group.bridges = len(core.labels), {}
    middle = centroid(child)
    earlier = [id_ for id_, was in parent.was if float(was @ middle) >= KINSHIP]
    _tell(core, child, Kind.SPLIT, point.at, child.window, parent.id, *earlier)


def _return(core: Core, theme: Group, point: Point, rules: EvolutionRules) -> None:
    if theme.active:
        return
    if theme.returned and core.visits - theme.returned <= rules.near:
        theme.active, theme.returned, theme.told = True, 0, theme.mass
        _tell(core, theme, Kind.REVIVED, point.at, theme.window[-2:])
    else:
        theme.returned = core.visits


def _grow(core: Core, theme: Group, point: Point) -> None:
    if theme.active and theme.mass >= GREW_BY * theme.told:
        theme.told = theme.mass
        _tell(core, theme, Kind.GREW, point.at, theme.window[-1:])


def _merge(core: Core, home: Group, fits: Sequence[Group], point: Point, rules: EvolutionRules) -> bool:
    """Count the points in a row that fit two themes; enough of them make the two one. True when that happened."""
    near = {group.serial for group in fits}
    for other in core.themes(home):
        first, second = (home, other) if home.serial < other.serial else (other, home)
        if other.serial not in near:
            first.bridges.pop(second.serial, None)
            continue
        first.bridges[second.serial] = first.bridges.get(second.serial, 0) + 1
        settle(other, core.visits, rules)  # who takes its points may be what has become of it: no silence yet
        if first.bridges[second.serial] >= rules.bridges and not strangers(first, second, rules.met):
            _unite(core, *((first, second) if first.mass >= second.mass else (second, first)), point, rules)
            return True
    return False


def _unite(core: Core, keeper: Group, lost: Group, point: Point, rules: EvolutionRules) -> None:
    keeper.was = (*keeper.was, *lost.was, (keeper.id, centroid(keeper)), (lost.id, centroid(lost)))
    take(keeper, lost, rules)
    keeper.active, keeper.returned, keeper.told, keeper.bridges = True, 0, keeper.mass, {}
    keeper.since = keeper.window[-rules.bridges].place
    settle(keeper, core.visits, rules)
    _remove(core, lost, keeper)
    _tell(core, keeper, Kind.MERGED, point.at, keeper.window[-rules.bridges :], lost.id)


def _split(core: Core, theme: Group, point: Point, rules: EvolutionRules) -> None:
    """Split a theme whose recent points are in two halves, unlike each other."""
    parts = _parts(theme, rules) if theme.active or not theme.theme else None
    if not parts:
        return
    core.serial += 1
    old = theme.total
    stays, goes = sorted(parts, key=lambda part: -float(old @ np.mean([m.vector for m in part], axis=0)))
    child = replace(theme, serial=core.serial, id=_id(core.user, point, "split"), size=0, was=())
    share = len(goes) / (len(goes) + len(stays))
    for group, members, part in ((theme, stays, 1 - share), (child, goes, share)):
        reset(group, members)
        group.mass, group.weight, group.hits = group.mass * part, group.weight * part, max(1.0, group.hits * part)
        group.told = group.mass
        settle(group, core.visits, rules)
    theme.size, child.size = theme.size - len(goes), len(goes)
    core.groups.append(child)
    for member in goes:
        core.labels[member.place] = child.serial
    if theme.theme:
        _tell_split(core, child, theme, point)


def _parts(theme: Group, rules: EvolutionRules) -> tuple[list[Member], list[Member]] | None:
    """The halves of a theme's recent members when they are unlike each other: the shortest look back that shows it."""
    fresh = [m for m in theme.window if m.place >= theme.since]
    for look in rules.split_looks:
        members = fresh[-look:]
        if len(members) < look:
            return None
        vectors = np.stack([m.vector for m in members])
        if whole(vectors, rules.birth, rules.split_below):
            continue
        sides = halves(vectors)
        one, two = vectors[~sides], vectors[sides]
        stays = [m for m, side in zip(members, sides, strict=True) if not side]
        goes = [m for m, side in zip(members, sides, strict=True) if side]
        if (
            min(len(one), len(two)) >= rules.birth
            and between(one, two) < rules.split_below
            and mixed(members, sides) <= rules.mixed
            and not any(scattered(part, [theme]) for part in (stays, goes))
            and min(len(distinct(one, ALIKE)), len(distinct(two, ALIKE))) >= rules.birth
        ):
            return stays, goes
    return None


def _fade(core: Core, point: Point) -> None:
    for theme in core.groups:
        if theme.active and core.visits >= theme.deadline:
            theme.active, theme.returned = False, 0
            _tell(core, theme, Kind.FADED, point.at, theme.window[-1:])
