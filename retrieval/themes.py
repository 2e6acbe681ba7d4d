"""Themes as people see them: the living groups of retrieval.evolution, and the statements that rest on their points.

    found = assemble(user, state, statements, topics, previous, decay)

A statement belongs to the group that most of its evidence is in; what users say of themselves, which has none, joins the theme
that means the same or is a theme of its own. Pure functions on records and arrays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import exp

import numpy as np
from numpy.typing import NDArray

from retrieval.axes import AS_IS, Axes
from retrieval.evolution import State, Tracked, theme_id
from retrieval.records import Horizon, Statement, Theme, ThemeEvent, ThemeEventKind

Vectors = NDArray[np.float32]
SAME = 0.5  # cosine from which two things are about the same: what users say of themselves and a theme, or two themes
SAID_WEIGHT = 3  # what a user says of themselves counts like three plain acts
DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Assembled:
    """`themes`, the active ones first and the most important of these first; `horizons`: statement id -> how lasting what it
    says is; `events`: all steps in the lives of these themes, the oldest first."""

    themes: tuple[Theme, ...]
    horizons: Mapping[str, Horizon] = field(hash=False)
    events: tuple[ThemeEvent, ...]


def centroid(vectors: Vectors) -> Vectors:
    """The unit mean of `vectors` (n, dim)."""
    mean = vectors.mean(axis=0)
    norm = np.linalg.norm(mean)
    unit: Vectors = (mean / norm if norm else mean).astype(np.float32)
    return unit


def medoid(vectors: Vectors) -> int:
    """Index of the row with the greatest mean cosine to all rows; a real member, unlike a mean."""
    return int(np.argmax(vectors @ vectors.sum(axis=0)))


def horizon(group: Tracked) -> Horizon:
    """How lasting a group is: a theme; something that may become one; something that came to nothing."""
    if not group.session:
        return Horizon.LONG
    return Horizon.SHORT if group.active else Horizon.ONE_OFF


def assemble(
    user: str,
    state: State,
    statements: Sequence[Statement],
    topics: Vectors,
    previous: Sequence[Theme],
    now: datetime,
    decay: float,
    axes: Axes = AS_IS,
) -> Assembled:
    """The themes of a profile. `topics` (n, dim): a unit vector for each statement, what it is about. `previous`: the themes
    of the last profile, whose words are carried over by id; new ones have none yet. A theme that no recent statement speaks
    for any more stays as long as its points do, unless the user has since turned to the other side. `decay` a day. `axes`:
    those that the points of the state were placed by."""
    groups = {g.id: g for g in (*state.themes, *state.buds)}
    homes = _homes(user, groups, statements, axes.place(topics))
    rows: dict[str, list[int]] = {}
    for row, home in enumerate(homes):
        rows.setdefault(home, []).append(row)
    rows.pop("", None)
    before = {t.id: t for t in previous}
    lasting = (g.id for g in state.themes if not g.session and g.id in before)
    themes = []
    for id_ in dict.fromkeys((*rows, *lasting)):
        members = rows.get(id_, [])
        own = [statements[row] for row in members]
        said = [s for s in own if not s.evidence]
        base = before.get(id_) or Theme(id_, user, "", "", own[0].polarity, (), "", ())
        themes.append(_theme(base, groups.get(id_), own, topics[members], _said(said, now, decay)))
    themes = [replace(t, active=t.active and not _turned(t, themes)) for t in themes]
    themes.sort(key=lambda t: (-t.active, -t.importance, t.id))
    known = {t.id: t.horizon for t in themes}
    horizons = {s.id: known.get(home, Horizon.SHORT) for s, home in zip(statements, homes, strict=True)}
    return Assembled(tuple(themes), horizons, _steps(state, themes, statements))


def _homes(user: str, groups: Mapping[str, Tracked], statements: Sequence[Statement], placed: Vectors) -> list[str]:
    """The id of the group that each statement belongs to, "" for none. `placed` (n, k): what they say, where the groups are."""
    wanted = {e for s in statements for e in s.evidence}
    group_of = {point: g.id for g in groups.values() for point in g.points if point in wanted}
    lasting = [g for g in groups.values() if not g.session]
    homes = []
    for statement, place in zip(statements, placed, strict=True):
        if statement.evidence:
            votes = Counter(group_of[e] for e in statement.evidence if e in group_of)
            homes.append(max(votes, key=lambda i: (votes[i], groups[i].importance, i), default=""))
        else:
            near = {g.id: float(place @ g.centroid) for g in lasting if g.polarity is statement.polarity}
            best = max(near, key=lambda i: (near[i], i), default="")
            homes.append(best if best and near[best] >= SAME else theme_id(user, statement.id))
    return homes


def _said(statements: Iterable[Statement], now: datetime, decay: float) -> float:
    """What the user's own words weigh, decayed."""
    ages = (max(0.0, (now - s.first_at).total_seconds() / DAY) for s in statements)
    return sum(SAID_WEIGHT * exp(-decay * age) for age in ages)


def _turned(theme: Theme, themes: Sequence[Theme]) -> bool:
    """Does nothing speak for the theme any more, but a theme of the other side that is about the same?"""
    other = (t for t in themes if t.polarity is not theme.polarity and t.statements and t.active)
    return not theme.statements and any(float(np.dot(t.centroid, theme.centroid)) >= SAME for t in other)


def _theme(base: Theme, group: Tracked | None, own: Sequence[Statement], topics: Vectors, said: float) -> Theme:
    """`base` brought up to date with its group, which what only the user's words speak for has not."""
    return replace(
        base,
        polarity=group.polarity if group else base.polarity,
        statements=tuple(s.id for s in own),
        medoid=own[medoid(topics)].id if own else base.medoid,
        centroid=tuple(float(x) for x in centroid(topics)) if own else base.centroid,
        importance=said + (group.importance if group else 0.0),
        trend=group.trend if group else 0.0,
        active=group.active or bool(said) if group else True,
        horizon=horizon(group) if group else Horizon.LONG,
    )


def _steps(state: State, themes: Sequence[Theme], statements: Sequence[Statement]) -> tuple[ThemeEvent, ...]:
    """What happened to the themes and to those that went into them; one that only words speak for is born with them."""
    tracked = {t.id for t in themes}
    for event in reversed(state.events):
        if event.theme in tracked:
            tracked.update(event.sources)
    told = [event for event in state.events if event.theme in tracked]
    by_id = {s.id: s for s in statements}
    lived = {event.theme for event in told}
    for theme in themes:
        if theme.horizon is Horizon.LONG and theme.id not in lived and theme.statements:
            first = min((by_id[i] for i in theme.statements), key=lambda s: (s.first_at, s.id))
            told.append(ThemeEvent(theme.id, ThemeEventKind.BORN, first.first_at, causes=(first.id,)))
    return tuple(sorted(told, key=lambda e: e.at))
