"""Themes: cluster statements, keep yesterday's ids, tell what happened. Pure functions on arrays and records.

Ward linkage with a distance threshold and no fixed number of clusters, medoids instead of means, and importance as
the sum of exp(-decay * age) over the evidence: PinnerSage (arXiv 2007.03634). Old and new clusters are matched one to one
by the Hungarian method on the cosine of their centroids, so that an id survives as long as its meaning does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.optimize import linear_sum_assignment

from retrieval.records import Polarity, Statement, Theme, ThemeEvent, ThemeEventKind

Vectors = NDArray[np.float32]
TREND_DAYS = 30
GREW_BY = 1.5  # a theme "grew" when its evidence is half again what it was
SHARE = 0.5  # the share of a theme's statements that makes it the source of another


@dataclass(frozen=True, slots=True)
class ThemeRules:
    """`distance` is Ward's, on unit vectors (0 identical, about 1.41 two orthogonal singletons); `match` a cosine;
    `decay` per day. A theme with less than `fade_below` of the importance of the user's strongest theme of its polarity has
    faded: relative, so that a user who was away for years comes back to their themes and not to none."""

    distance: float = 1.2
    match: float = 0.5
    decay: float = 0.01
    fade_below: float = 0.1


@dataclass(frozen=True, slots=True)
class Evidence:
    """When each statement was shown: statement id -> event id -> time. What the user said counts as an event too."""

    times: Mapping[str, Mapping[str, datetime]]

    def of(self, statements: Iterable[str]) -> dict[str, datetime]:
        """The events behind several statements, each once."""
        return {event: at for id_ in statements for event, at in self.times.get(id_, {}).items()}


@dataclass(frozen=True, slots=True)
class Cluster:
    """Statements that belong together, before they have an id. `centroid` (dim,) is a unit vector."""

    polarity: Polarity
    statements: tuple[Statement, ...]
    medoid: Statement
    centroid: Vectors


def cluster(vectors: Vectors, distance: float) -> NDArray[np.int64]:
    """Labels 0..c-1 of `vectors` (n, dim), numbered by first appearance."""
    if len(vectors) < 2:
        return np.zeros(len(vectors), dtype=np.int64)
    raw = fcluster(linkage(vectors, method="ward"), t=distance, criterion="distance")
    _, first, inverse = np.unique(raw, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)


def centroid(vectors: Vectors) -> Vectors:
    """The unit mean of `vectors` (n, dim)."""
    mean = vectors.mean(axis=0)
    norm = np.linalg.norm(mean)
    unit: Vectors = (mean / norm if norm else mean).astype(np.float32)
    return unit


def medoid(vectors: Vectors) -> int:
    """Index of the row with the greatest mean cosine to all rows; a real member, unlike a mean."""
    return int(np.argmax(vectors @ vectors.sum(axis=0)))


def clusters(statements: Sequence[Statement], vectors: Vectors, distance: float) -> list[Cluster]:
    """Cluster likes and dislikes apart. `vectors` (n, dim): unit rows, one a statement."""
    found: list[Cluster] = []
    for says in Polarity:
        rows = np.array([i for i, s in enumerate(statements) if s.polarity is says], dtype=np.int64)
        labels = cluster(vectors[rows], distance)
        for label in range(int(labels.max()) + 1 if len(labels) else 0):
            members = rows[labels == label]
            own = vectors[members]
            found.append(
                Cluster(says, tuple(statements[i] for i in members), statements[members[medoid(own)]], centroid(own))
            )
    return found


def importance(times: Sequence[datetime], now: datetime, decay: float) -> float:
    """Sum of exp(-decay * age in days) over `times` not after `now`."""
    ages = np.array([(now - t).total_seconds() / 86400 for t in times if t <= now])
    return float(np.exp(-decay * ages).sum())


def match(old: Vectors, new: Vectors, threshold: float) -> dict[int, int]:
    """One-to-one map new row -> old row that maximises total cosine; pairs under `threshold` stay unmatched.

    `old` (m, dim) and `new` (n, dim) hold unit rows.
    """
    if not len(old) or not len(new):
        return {}
    similarity = new @ old.T
    rows, columns = linear_sum_assignment(-similarity)
    return {int(r): int(c) for r, c in zip(rows, columns, strict=True) if similarity[r, c] >= threshold}


def theme_id(user: str, first: Statement, taken: Collection[str]) -> str:
    """A stable id from the statement that founded the theme; replaying the same events gives the same id.

    `taken` holds the ids in use: a theme that splits off with its parent's founding statement needs one of its own.
    """
    seed = f"{user}\0{first.id}"
    while (found := "t-" + hashlib.sha256(seed.encode()).hexdigest()[:10]) in taken:
        seed += "\0"
    return found


def evolve(
    user: str,
    previous: Sequence[Theme],
    found: Sequence[Cluster],
    evidence: Evidence,
    now: datetime,
    rules: ThemeRules,
) -> tuple[list[Theme], list[ThemeEvent]]:
    """Today's themes under yesterday's ids, and what happened to them.

    `evidence` must know the statements of `previous` too: ancestry is told by shared events, because a statement that is
    rewritten has a new id. Labels and summaries are carried over for matched themes and empty for new ones: words are the
    writer's work. A previous theme without a successor stays, inactive.
    """
    matched = _match_by_polarity(previous, found, rules.match)
    taken = {t.id for t in previous}
    themes: list[Theme] = []
    for index, group in enumerate(found):
        theme = _theme(matched.get(index) or _newborn(user, group, taken), group, evidence, now, rules)
        taken.add(theme.id)
        themes.append(theme)
    themes = _active(themes, rules)
    events: list[ThemeEvent] = []
    for index, theme in enumerate(themes):
        events += _happened(matched.get(index), theme, previous, evidence, now)
    continued = {t.id for t in themes}
    for lost in previous:
        if lost.id not in continued:
            theme, event = _retire(lost, themes, evidence, now)
            themes.append(theme)
            events += [event] if lost.active else []
    themes.sort(key=lambda t: (-t.active, -t.importance, t.id))
    return themes, events


def _match_by_polarity(previous: Sequence[Theme], found: Sequence[Cluster], threshold: float) -> dict[int, Theme]:
    result: dict[int, Theme] = {}
    for says in Polarity:
        old = [t for t in previous if t.polarity is says]
        new = [i for i, c in enumerate(found) if c.polarity is says]
        if old and new:
            pairs = match(
                np.array([t.centroid for t in old], dtype=np.float32),
                np.array([found[i].centroid for i in new]),
                threshold,
            )
            result |= {new[row]: old[column] for row, column in pairs.items()}
    return result


def _newborn(user: str, group: Cluster, taken: Collection[str]) -> Theme:
    first = min(group.statements, key=lambda s: (s.first_at, s.id))
    return Theme(theme_id(user, first, taken), user, "", "", group.polarity, (), "", ())


def _theme(base: Theme, group: Cluster, evidence: Evidence, now: datetime, rules: ThemeRules) -> Theme:
    moments = list(evidence.of(s.id for s in group.statements).values())
    value = importance(moments, now, rules.decay)
    earlier = importance(moments, now - timedelta(days=TREND_DAYS), rules.decay)
    return replace(
        base,
        statements=tuple(s.id for s in group.statements),
        medoid=group.medoid.id,
        centroid=tuple(float(x) for x in group.centroid),
        importance=value,
        trend=value - earlier,
    )


def _active(themes: Sequence[Theme], rules: ThemeRules) -> list[Theme]:
    strongest = {says: max((t.importance for t in themes if t.polarity is says), default=0.0) for says in Polarity}
    return [replace(t, active=t.importance >= rules.fade_below * strongest[t.polarity]) for t in themes]


def _happened(
    before: Theme | None, theme: Theme, previous: Sequence[Theme], evidence: Evidence, now: datetime
) -> list[ThemeEvent]:
    """Born or split when new; grew, faded or revived when known; merged when others' evidence moved in."""
    own = evidence.of(theme.statements).keys()
    others = {
        t.id: evidence.of(t.statements).keys()
        for t in previous
        if t.id != theme.id and t.polarity is theme.polarity
    }  # fmt: skip
    if before is None:
        parents = tuple(id_ for id_, events in others.items() if len(own & events) > SHARE * len(own))
        kind = ThemeEventKind.SPLIT if parents else ThemeEventKind.BORN
        return [ThemeEvent(theme.id, kind, now, parents, f"from {len(own)} events")]
    sources = tuple(id_ for id_, events in others.items() if events and len(own & events) > SHARE * len(events))
    found: list[ThemeEvent] = []
    if sources:
        found.append(ThemeEvent(theme.id, ThemeEventKind.MERGED, now, sources, f"took in {len(sources)} themes"))
    if before.active and not theme.active:
        found.append(ThemeEvent(theme.id, ThemeEventKind.FADED, now, (), f"importance fell to {theme.importance:.2f}"))
    elif theme.active and not before.active:
        found.append(
            ThemeEvent(theme.id, ThemeEventKind.REVIVED, now, (), f"importance is {theme.importance:.2f} again")
        )
    elif theme.active and theme.importance >= GREW_BY * before.importance:
        detail = f"importance {before.importance:.2f} to {theme.importance:.2f}"
        found.append(ThemeEvent(theme.id, ThemeEventKind.GREW, now, (), detail))
    return found


def _retire(lost: Theme, themes: Sequence[Theme], evidence: Evidence, now: datetime) -> tuple[Theme, ThemeEvent]:
    """A theme that no cluster continues: merged into the one that holds most of its evidence, or faded."""
    own = evidence.of(lost.statements).keys()
    retired = replace(lost, active=False, importance=0.0, trend=-lost.importance, statements=())
    for heir in themes:
        if heir.polarity is lost.polarity and len(own & evidence.of(heir.statements).keys()) > SHARE * len(own):
            return retired, ThemeEvent(lost.id, ThemeEventKind.MERGED, now, (heir.id,), "went into another theme")
    return retired, ThemeEvent(lost.id, ThemeEventKind.FADED, now, (), "nothing recent speaks for it")
