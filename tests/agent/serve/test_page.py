"""The page: hostile text stays text, nothing comes from elsewhere, people without a past have a page too, and it is usable
by keyboard and screen reader. The chart is checked as geometry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from agent.results import ColdStart
from agent.serve.web import chart, page, view
from agent.serve.web.page import ColdStartView, Link, Page, UserView, render
from retrieval.course import Course, course
from retrieval.evolution import State
from retrieval.records import (
    Citation,
    Event,
    EventKind,
    Horizon,
    Item,
    Origin,
    Polarity,
    Profile,
    Recommendation,
    Source,
    Statement,
    Theme,
    ThemeEvent,
    ThemeEventKind,
)

NOW = datetime(2026, 11, 1, tzinfo=UTC)
HOSTILE = "</style></title><script>alert(1)</script><img src=x onerror=alert(1)>\" ' & {{ 7*7 }} 🍞 城市里怎么看星星"
CSS = Path(page.__file__).parent / "templates" / "style.css"


def statement(number: int, polarity: Polarity, evidence: tuple[str, ...], text: str = "Likes jazz") -> Statement:
    return Statement(
        id=f"s-{number}",
        user="ann",
        text=text,
        polarity=polarity,
        facet="jazz",
        evidence=evidence,
        first_at=NOW - timedelta(days=90),
        last_at=NOW,
        horizon=Horizon.LONG,
        source=Source.INFERRED,
        origin=Origin.MODEL,
        confidence=0.67,
        prompt="p@1",
        model="m",
        written_at=NOW,
    )


def theme(number: int, statements: tuple[str, ...], polarity: Polarity = Polarity.LIKE, label: str = "Jazz") -> Theme:
    return Theme(f"t-{number}", "ann", label, "", polarity, statements, statements[0], (1.0,), 5.0, 2.0)


def event(number: int, days_ago: float, kind: EventKind = EventKind.LIKE, text: str | None = None) -> Event:
    return Event(f"e-{number}", "ann", kind, NOW - timedelta(days=days_ago), "i-1", text=text)


def person(text: str = "Likes jazz", title: str = "Blue Interval", url: str | None = None) -> UserView:
    """Two liked themes and a disliked one over half a year."""
    events = [event(n, days, text="So quiet.") for n, days in enumerate([180, 170, 90, 80, 70, 40, 30, 3, 2, 1])]
    events.append(Event("e-q", "ann", EventKind.SEARCH, NOW - timedelta(days=5), text=text))
    said = (
        statement(1, Polarity.LIKE, ("e-0", "e-1", "e-2", "e-q"), text),
        statement(2, Polarity.LIKE, ("e-3", "e-4", "e-5", "e-6", "e-7"), text),
        statement(3, Polarity.DISLIKE, ("e-8", "e-9"), text),
        statement(4, Polarity.LIKE, ("e-7",), text),
    )
    themes = (theme(1, ("s-1",), label=text), theme(2, ("s-2",)), theme(3, ("s-3",), Polarity.DISLIKE, "Gore"))
    steps = (
        ThemeEvent("t-1", ThemeEventKind.BORN, NOW - timedelta(days=120), (), "from 3 events"),
        ThemeEvent("t-2", ThemeEventKind.MERGED, NOW - timedelta(days=20), ("t-9",), text),
        ThemeEvent("t-1", ThemeEventKind.FADED, NOW, (), ""),
    )
    found = Recommendation(
        "i-2", 1, 1.5, {"theme": 0.7, "prior": 1.5, "llm": -0.2}, text, Origin.MODEL,
        (Citation("s-1", ("e-0",), ("i-1",)),), "t-1", ("rerank",),
    )  # fmt: skip
    items = {i: Item(i, title, url=url, categories=(text, "crime"), tags=("night",)) for i in ("i-1", "i-2")}
    profile = Profile(text, NOW, 2, said, themes, text, events_seen=11)
    acts = {
        t.id: tuple(sorted((e.at, 1.0) for s in said if s.id in t.statements for e in events if e.id in s.evidence))
        for t in themes
    }
    return UserView(profile, steps, (found,), items, {e.id: e for e in events}, Course(acts))


@dataclass
class Parsed(HTMLParser):
    """All start tags with attributes, and the text outside style."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    _inside: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "style":
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "style":
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.texts.append(data)


def parse(html: str) -> Parsed:
    found = Parsed()
    found.feed(html)
    found.close()
    return found


def whole(**more: object) -> Page:
    cold = person().profile
    stranger = ColdStart(replace(cold, themes=()), (("ignore all", "an instruction"),), ())
    return Page(
        "What people like", NOW, (("people", "2"),), (person(), person(HOSTILE, HOSTILE)),
        ColdStartView(HOSTILE, stranger, {}), **more,  # type: ignore[arg-type]
    )  # fmt: skip


# What must not happen ----------------------------------------------------------------------------------------------


def test_hostile_text_stays_text() -> None:
    html = render(replace(whole(), title=HOSTILE, lead=HOSTILE, notice=HOSTILE, figures=((HOSTILE, HOSTILE),)))
    parsed = parse(html)
    names = {tag for tag, _ in parsed.tags}
    assert not names & {"script", "img", "iframe", "object", "embed", "form", "base", "video", "audio"}
    assert not any(key.startswith("on") for _, attrs in parsed.tags for key in attrs)
    assert HOSTILE in "".join(parsed.texts)  # word by word, so the template in it was not run either


def test_nothing_comes_from_elsewhere() -> None:
    html = render(whole(people=(Link("ann", "/?user=ann", True),)))
    for tag, attrs in parse(html).tags:
        for key in ("src", "srcset", "data", "poster", "xlink:href", "action", "background"):
            assert key not in attrs, f"{tag} loads {attrs[key]}"
        if tag == "link":
            assert attrs["href"] == "data:,"
        elif "href" in attrs:
            assert (attrs["href"] or "").startswith(("#", "/?user="))
    assert "@import" not in html
    assert not re.findall(r"url\((?!#)", html)


@pytest.mark.parametrize(
    ("url", "linked"), [("https://example.org/a?b=1&c=2", True), ("javascript:alert(1)", False), ("//evil", False)]
)
def test_only_web_addresses_become_links(url: str, linked: bool) -> None:
    links = [a["href"] for tag, a in parse(render(Page("x", NOW, users=(person(url=url),)))).tags if tag == "a"]
    assert (url in links) is linked


# What must happen --------------------------------------------------------------------------------------------------


def test_the_evidence_is_there_in_words() -> None:
    text = " ".join(" ".join(parse(render(Page("x", NOW, users=(person(),)))).texts).split())
    assert "Liked Blue Interval" in text
    assert "So quiet." in text
    assert "Searched" in text
    assert "11 events" in text
    assert "4 pieces of evidence" in text
    assert "ranked without the model" in text
    assert "Besides" in text  # the statement that no theme has


def test_links_lead_somewhere_and_ids_are_unique() -> None:
    for one in (whole(), Page("x", NOW, users=(person(),))):
        tags = parse(render(one)).tags
        ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
        assert len(ids) == len(set(ids))
        wanted = {(a["href"] or "")[1:] for t, a in tags if t == "a" and (a["href"] or "").startswith("#")}
        for _, attrs in tags:
            wanted |= set((attrs.get("aria-labelledby") or "").split())
        assert wanted <= set(ids)


def test_headings_and_landmarks_are_in_order() -> None:
    tags = parse(render(whole())).tags
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert dict(tags)["html"]["lang"] == "en"
    assert {"header", "main", "nav", "footer"} <= {tag for tag, _ in tags}
    pictures = [attrs for tag, attrs in tags if tag == "svg" and attrs.get("role") == "img"]
    assert pictures
    assert all(attrs["aria-labelledby"] for attrs in pictures)


def test_people_are_switched_without_a_script() -> None:
    html = render(whole())
    assert 'class="many"' in html
    assert html.count('<section class="person"') == 2
    assert 'class="many"' not in render(Page("x", NOW, users=(person(),)))


def test_the_same_page_gives_the_same_bytes() -> None:
    assert render(whole()) == render(whole())


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_contrast_is_aa(scheme: int) -> None:
    css = CSS.read_text(encoding="utf-8")
    found: list[Mapping[str, str]] = [dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in css.split(":root")[1:]]
    names = found[scheme]
    for text in ("ink", "soft", "mark"):
        for ground in ("paper", "raised", "glow"):
            assert contrast(names[text], names[ground]) >= 4.5, f"{text} on {ground}"


def test_names_are_legible_on_every_band() -> None:
    for colour in (*chart.LIKES, *chart.DISLIKES, chart.SURPLUS):
        assert contrast("#1c1b19", colour) >= 4.5


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast of two colours "#rrggbb"."""
    light = sorted((luminance(one), luminance(other)))
    return (light[1] + 0.05) / (light[0] + 0.05)


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


# The empty and the small -------------------------------------------------------------------------------------------


def test_pages_of_nobody() -> None:
    assert "leitmotif ingest" in render(Page("x", NOW))
    assert "Choose a person" in render(Page("x", NOW, people=(Link("ann", "/?user=ann"),)))


def test_a_person_without_a_past() -> None:
    nobody = UserView(Profile("new", NOW, 0), (), (), {}, {}, Course())
    html = render(Page("x", NOW, users=(nobody,)))
    assert "<svg" not in html
    assert "too little evidence" in html
    assert "Nothing to recommend" in html


def test_a_person_with_one_event() -> None:
    profile = Profile(
        "one", NOW, 1, (statement(1, Polarity.LIKE, ("e-1",)),), (theme(1, ("s-1",)),), "Likes jazz.", events_seen=1
    )
    html = render(
        Page("x", NOW, users=(UserView(profile, (), (), {}, {"e-1": event(1, 0)}, Course({"t-1": ((NOW, 1.0),)})),))
    )
    assert "from 1 event<" in html
    assert "1 act since" in html
    assert "something that has left the catalogue" in html
    assert "NaN" not in html


# The chart -----------------------------------------------------------------------------------------------------------


def drawn(size: chart.Size = chart.WIDE) -> chart.Chart:
    one = person()
    found = chart.draw(one.profile, one.course, one.theme_events, size)
    assert found is not None
    return found


def numbers(path: str) -> list[float]:
    return [float(n) for n in re.findall(r"-?\d+\.?\d*", path)]


@pytest.mark.parametrize("size", [chart.WIDE, chart.NARROW])
def test_the_chart_is_deterministic_and_inside_its_frame(size: chart.Size) -> None:
    found = drawn(size)
    assert found == drawn(size)
    for band in found.bands:
        points = numbers(band.path)
        assert all(0 <= x <= size.width for x in points[::2])
        assert all(size.top - 1 <= y <= size.height - size.foot + 1 for y in points[1::2])


def test_likes_are_above_the_axis_and_dislikes_below() -> None:
    found = drawn()
    for band in found.bands:
        ys = numbers(band.path)[1::2]
        if band.polarity is Polarity.LIKE:
            assert max(ys) <= found.axis + 0.1
        else:
            assert min(ys) >= found.axis - 0.1


def test_heights_are_the_decayed_evidence() -> None:
    """One theme, one event a hundred days ago: at the end e^-1 of its height at the start."""
    profile = Profile("one", NOW, 1, (statement(1, Polarity.LIKE, ("e-1",)),), (theme(1, ("s-1",)),))
    found = chart.draw(profile, Course({"t-1": ((NOW - timedelta(days=98), 1.0),)}), (), chart.WIDE)
    assert found is not None
    top = numbers(found.bands[0].path.partition("L")[0])[1::2]
    heights = [found.axis - y for y in top]
    assert heights[-1] / max(heights) == pytest.approx(2.718281828 ** (-0.98), abs=0.01)


def test_markers_tell_birth_merge_and_fade() -> None:
    found = drawn()
    assert set(found.kinds) == {"born", "merged", "faded"}
    born = next(m for b in found.bands if b.theme == "t-1" for m in b.markers if m.kind == "born")
    assert "4 Jul 2026" in born.title  # as the history says


def test_names_that_do_not_fit_go_to_the_legend() -> None:
    one = person(text="A very long name of a theme that no band of a narrow picture can ever hold")
    found = chart.draw(one.profile, one.course, (), chart.NARROW)
    assert found is not None
    assert "t-1" in {band.theme for band in found.legend}
    inside = drawn()
    for band in inside.bands:
        if band.label:
            assert 0 < band.label.x < inside.size.width


def test_years_of_history_stay_small() -> None:
    profile = Profile("old", NOW, 1, (statement(1, Polarity.LIKE, ("e-1", "e-2")),), (theme(1, ("s-1",)),))
    acts = tuple((NOW - timedelta(days=days), 1.0) for days in (9000, 3))
    found = chart.draw(profile, Course({"t-1": acts}), (), chart.WIDE)
    assert found is not None
    assert len(found.bands[0].path) < 30_000
    assert 3 < len(found.ticks) < 20
    assert all(tick.text.isdigit() for tick in found.ticks)


def test_a_theme_keeps_its_colour_when_its_importance_changes() -> None:
    one = person()
    before = chart.colours(one.profile, one.course)
    stronger = tuple(replace(t, importance=50.0) if t.id == "t-2" else t for t in reversed(one.profile.themes))
    assert chart.colours(replace(one.profile, themes=stronger), one.course) == before
    assert len(set(before.values())) == 3


def test_what_has_no_course_is_not_drawn() -> None:
    one = person()
    left = Course({i: acts for i, acts in one.course.acts.items() if i != "t-1"})
    found = chart.draw(one.profile, left, one.theme_events, chart.WIDE)
    assert found is not None
    assert {band.theme for band in found.bands} == {"t-2", "t-3"}
    seen = view.person("p1", one.profile, one.theme_events, (), one.items, one.events, left)
    assert next(g for g in seen.groups if g.target == "t-1").colour is None
    assert "Gore" in seen.summary
    assert "Likes jazz" not in seen.summary


def test_what_the_user_said_counts_without_events() -> None:
    said = replace(statement(1, Polarity.LIKE, ()), source=Source.ASSERTED, origin=Origin.USER)
    profile = Profile("new", NOW, 0, (said,), (theme(1, ("s-1",)),))
    assert chart.draw(profile, course(State.empty("new"), profile, (), 0.01), (), chart.WIDE) is not None
    (group,) = view.groups("p1", profile, {}, {}, {})
    assert group.statements[0].acts == ()
    assert "in their own words" in group.statements[0].notes
