"""What the page shows, put into the words and the order in which it is shown. The template only draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent import plain
from agent.changes import note
from agent.serve.web.chart import NARROW, WIDE, Chart, colours, draw
from agent.serve.web.words import WORDS_DEGRADED, WORDS_HORIZON, WORDS_ORIGIN, WORDS_PART
from retrieval.course import Course
from retrieval.records import (
    Event,
    EventKind,
    Item,
    Polarity,
    Profile,
    Recommendation,
    Statement,
    Theme,
    ThemeEvent,
)

STEADY = 0.1  # a change under this share of the importance is none


@dataclass(frozen=True, slots=True)
class Act:
    """One event, to be read after its date."""

    at: datetime
    words: str
    quote: str | None


@dataclass(frozen=True, slots=True)
class Said:
    """A statement. `anchor` is its id in the document, `target` its own."""

    anchor: str
    target: str
    text: str
    polarity: Polarity
    notes: tuple[str, ...]
    confidence: float
    acts: tuple[Act, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A theme and its statements; `colour` is that of its band in the picture, `target` its id ("" for what is in none)."""

    anchor: str
    target: str
    label: str
    colour: str | None
    polarity: Polarity | None
    notes: tuple[str, ...]
    active: bool
    statements: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a score: `share` of the largest in the list, from 0 to 1."""

    name: str
    value: float
    share: float


@dataclass(frozen=True, slots=True)
class Cite:
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Card:
    rank: int
    title: str
    url: str | None
    kind: str
    about: str
    reason: str
    origin: str
    colour: str | None
    theme: str
    cites: tuple[Cite, ...]
    parts: tuple[Part, ...]
    degraded: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    at: datetime
    theme: str
    words: str


@dataclass(frozen=True, slots=True)
class Person:
    """One user, ready to be drawn. `anchor` prefixes every id in their part of the document."""

    anchor: str
    name: str
    as_of: datetime
    portrait: str
    portrait_origin: str
    events_seen: int
    charts: tuple[Chart, ...]
    summary: str
    groups: tuple[Group, ...]
    cards: tuple[Card, ...]
    steps: tuple[Step, ...]


def person(
    anchor: str,
    profile: Profile,
    steps: Sequence[ThemeEvent],
    found: Sequence[Recommendation],
    items: Mapping[str, Item],
    events: Mapping[str, Event],
    course: Course,
) -> Person:
    """A profile and what it led to; `events` and `items` hold the evidence, `items` the recommended ones too."""
    charts = (draw(profile, course, steps, size) for size in (WIDE, NARROW))
    palette = colours(profile, course)
    names = {t.id: t.label for t in profile.themes}
    return Person(
        anchor=anchor,
        name=profile.user,
        as_of=profile.as_of,
        portrait=profile.portrait,
        portrait_origin=WORDS_ORIGIN[profile.portrait_origin],
        events_seen=profile.events_seen,
        charts=tuple(c for c in charts if c is not None),
        summary=_summary([t for t in profile.themes if t.id in palette]),
        groups=groups(anchor, profile, items, events, palette),
        cards=cards(anchor, profile, found, items, palette),
        steps=tuple(_step(s, names) for s in sorted(steps, key=lambda s: (s.at, s.theme, s.kind))),
    )


def groups(
    anchor: str, profile: Profile, items: Mapping[str, Item], events: Mapping[str, Event], palette: Mapping[str, str]
) -> tuple[Group, ...]:
    """Themes with their statements, those that are liked first; what is in no theme comes last. `palette`: by theme id."""
    said = {s.id: _said(f"{anchor}-s{n}", s, items, events) for n, s in enumerate(profile.statements)}
    known = {s.id: s for s in profile.statements}
    found = [
        Group(
            anchor=f"{anchor}-t{n}",
            target=theme.id,
            label=theme.label,
            colour=palette.get(theme.id),
            polarity=theme.polarity,
            notes=(note(theme, known) or _trend(theme), f"weight {theme.importance:.1f}"),
            active=theme.active,
            statements=tuple(said[i] for i in theme.statements if i in said),
        )
        for n, theme in enumerate(profile.themes)
    ]
    found.sort(key=lambda g: (not g.active, g.polarity is Polarity.DISLIKE))
    homed = {i for theme in profile.themes for i in theme.statements}
    rest = tuple(said[s.id] for s in profile.statements if s.id not in homed)
    if rest:
        found.append(Group(f"{anchor}-rest", "", "Besides", None, None, (), True, rest))
    return tuple(g for g in found if g.statements)


def cards(
    anchor: str,
    profile: Profile,
    found: Sequence[Recommendation],
    items: Mapping[str, Item],
    palette: Mapping[str, str],
) -> tuple[Card, ...]:
    """Recommendations in their order."""
    places = {s.id: Cite(f"{anchor}-s{n}", s.text) for n, s in enumerate(profile.statements)}
    names = {t.id: t.label for t in profile.themes}
    largest = _largest(found)
    return tuple(
        Card(
            rank=r.rank,
            title=item.title,
            url=_web(item.url),
            kind=item.categories[0] if item.categories else "",
            about="\u00a0· ".join((*item.categories[1:3], *item.tags[:3])),
            reason=r.reason,
            origin=WORDS_ORIGIN[r.reason_origin],
            colour=palette.get(r.theme or ""),
            theme=names.get(r.theme or "", ""),
            cites=tuple(dict.fromkeys(places[c.statement] for c in r.citations if c.statement in places)),
            parts=tuple(_part(name, r.parts[name], largest[name]) for name in sorted(r.parts, key=_place)),
            degraded=tuple(WORDS_DEGRADED.get(d, d) for d in r.degraded),
        )
        for r in found
        for item in (items.get(r.item) or Item(r.item, r.item),)
    )


def _said(anchor: str, statement: Statement, items: Mapping[str, Item], events: Mapping[str, Event]) -> Said:
    shown = sorted((events[e] for e in statement.evidence if e in events), key=lambda e: (e.at, e.id), reverse=True)
    notes = [WORDS_ORIGIN[statement.origin], WORDS_HORIZON[statement.horizon], _span(statement)]
    return Said(
        anchor=anchor,
        target=statement.id,
        text=statement.text,
        polarity=statement.polarity,
        notes=tuple([*notes, "superseded"] if statement.superseded_by else notes),
        confidence=statement.confidence,
        acts=tuple(Act(e.at, _act(e, items), e.text) for e in shown),
    )


def _act(event: Event, items: Mapping[str, Item]) -> str:
    """What was done, after a date: "Rated The Long Thaw 4.5", "Searched"."""
    if event.kind is EventKind.SEARCH:
        words = "searched"
    else:
        gone = Item(event.item or "", "something that has left the catalogue")
        words = plain.act(event, items.get(event.item or "", gone))
    return words[:1].upper() + words[1:]


def _span(statement: Statement) -> str:
    first, last = statement.first_at, statement.last_at
    if (first.year, first.month) == (last.year, last.month):
        return f"{first:%b %Y}"
    return f"{first:%b} to {last:%b %Y}" if first.year == last.year else f"{first:%b %Y} to {last:%b %Y}"


def _trend(theme: Theme) -> str:
    if not theme.active:
        return "faded"
    if abs(theme.trend) <= STEADY * theme.importance:
        return "steady"
    return "rising" if theme.trend > 0 else "receding"


def _step(step: ThemeEvent, names: Mapping[str, str]) -> Step:
    """What happened to a theme in words. Sources that are gone have no name any more."""
    sources = [names[s] for s in step.sources if names.get(s)]
    detail = f" ({step.detail})" if step.detail else ""
    origin = f" with {plain.enumerate_words(sources)}" if sources else ""
    return Step(step.at, names.get(step.theme) or "a theme that is gone", f"{step.kind.value}{origin}{detail}")


def _summary(themes: Sequence[Theme]) -> str:
    """The picture in words, for those who do not see it."""
    if not themes:
        return "No themes yet."
    said = [f"{t.label} ({t.polarity.value}, {_trend(t)}, weight {t.importance:.1f})" for t in themes]
    return f"Weight of each theme over time. On the last day: {'; '.join(said)}."


def _largest(found: Sequence[Recommendation]) -> dict[str, float]:
    largest: dict[str, float] = {}
    for r in found:
        for name, value in r.parts.items():
            largest[name] = max(abs(value), largest.get(name, 0.0))
    return largest


def _place(part: str) -> tuple[int, str]:
    """The same order on every card, what decides first."""
    known = list(WORDS_PART)
    return (known.index(part) if part in known else len(known), part)


def _part(name: str, value: float, largest: float) -> Part:
    return Part(WORDS_PART.get(name, name), value, max(0.0, value / largest) if largest else 0.0)


def _web(url: str | None) -> str | None:
    """Item text is hostile: only an address that a browser opens as a page becomes a link."""
    return url if url and url.startswith(("https://", "http://")) else None
