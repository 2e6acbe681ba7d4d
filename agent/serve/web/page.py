"""The page: who likes what, since when, on what evidence, and what follows from it; one HTML document that needs no network.

    html = render(Page("Leitmotif", now, figures=(("people", "2"),), users=(UserView(...),)))

No script, no font, no picture comes from elsewhere, and no script runs at all: people are switched by links and `:target`.
Every text goes through Jinja's autoescape, because titles, reviews and queries are hostile until shown otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from agent.results import ColdStart
from agent.serve.edits import EditIn, PreviewOut
from agent.serve.web import view
from retrieval.course import Course
from retrieval.records import Event, Item, Profile, Question, Recommendation, ThemeEvent

HERE = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class UserView:
    """A person: `theme_events` is the whole history; `items` and `events` hold the evidence and what is recommended; the
    picture is drawn from `course`."""

    profile: Profile
    theme_events: Sequence[ThemeEvent]
    recommendations: Sequence[Recommendation]
    items: Mapping[str, Item]
    events: Mapping[str, Event]
    course: Course


@dataclass(frozen=True, slots=True)
class ColdStartView:
    """A stranger: what they wrote of themselves, and what came of it."""

    text: str
    result: ColdStart
    items: Mapping[str, Item]


@dataclass(frozen=True, slots=True)
class Link:
    """A person who is on another page."""

    name: str
    href: str
    current: bool = False


@dataclass(frozen=True, slots=True)
class Hand:
    """What makes the page of one person one that they can correct. `marks`: statement or theme id -> "muted", say; `tried`: an
    edit that was only shown, and what was asked for; `refused`: why one was not done."""

    user: str
    marks: Mapping[str, str]
    questions: Sequence[Question] = ()
    tried: PreviewOut | None = None
    asked: EditIn | None = None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """`people` are links to other pages; without any, the page itself switches between its users. `notice` is shown on top,
    `lead` under the title. `hand`: with it, there are forms."""

    title: str
    generated_at: datetime
    figures: Sequence[tuple[str, str]] = ()
    users: tuple[UserView, ...] = ()
    cold_start: ColdStartView | None = None
    people: tuple[Link, ...] = ()
    lead: str = ""
    notice: str = ""
    hand: Hand | None = None


def render(page: Page) -> str:
    """The document. The same page gives the same bytes."""
    people = [
        view.person(f"p{n}", u.profile, u.theme_events, u.recommendations, u.items, u.events, u.course)
        for n, u in enumerate(page.users, start=1)
    ]
    return (
        _environment()
        .get_template("page.html.j2")
        .render(page=page, people=people, stranger=_stranger(page.cold_start), links=page.people, hand=page.hand)
    )


def _stranger(cold: ColdStartView | None) -> dict[str, object] | None:
    if cold is None:
        return None
    profile = cold.result.profile
    return {
        "text": cold.text,
        "ignored": cold.result.ignored,
        "groups": view.groups("new", profile, cold.items, {}, {}),
        "cards": view.cards("new", profile, cold.result.recommendations, cold.items, {}),
    }


@cache
def _environment() -> Environment:
    env = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters["day"] = lambda at: f"{at.day} {at:%b %Y}"
    return env
