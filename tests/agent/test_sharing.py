"""An account of two people, from the events to what is recommended: the lesser one's theme is kept out until it is claimed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.changes import changes, note
from agent.control import Wish
from agent.service import Service
from retrieval.records import EditKind, Event, Horizon, Profile, Theme
from tests.fakes import DAY, NOW, act, catalogue, make_service

SUBJECT = ("film-1", "film-2", "book-1", "book-2", "course-1")


def household(user: str = "dan") -> list[Event]:
    """Noir on Thursday evenings, more of it on Tuesdays, and bread on Saturday mornings, for sixteen weeks."""
    found = []
    for week in range(16):
        item = SUBJECT[week % 5]
        found.append(act(user, -7.0 * week + 0.5, f"noir-{item}"))
        found.append(act(user, -7.0 * week - 1.5, f"noir-{SUBJECT[week % 3]}"))
        found.append(act(user, -7.0 * week + 2, f"bread-{item}"))
    return found


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with make_service(tmp_path, records=[*catalogue(), *household()]) as opened:
        yield opened


def built(service: Service, days: int = 0) -> Profile:
    return asyncio.run(service.profile("dan", now=NOW + days * DAY))


def apart(profile: Profile) -> list[Theme]:
    return [t for t in profile.themes if t.horizon is Horizon.SHARED]


def served(service: Service, days: int = 0) -> set[str | None]:
    """The themes that propose what is recommended."""
    found = asyncio.run(service.recommend("dan", k=10, now=NOW + days * DAY, explain=False))
    assert found.recommendations
    return {r.theme for r in found.recommendations}


def test_the_lesser_persons_theme_is_marked_and_says_why(service: Service) -> None:
    profile = built(service)
    [theme] = apart(profile)
    said = {s.id: s for s in profile.statements}
    assert all("bread" in e for s in theme.statements for e in said[s].evidence)
    assert not theme.active
    assert {said[s].horizon for s in theme.statements} == {Horizon.SHARED}
    assert note(theme, said).startswith("shared: it seems to be somebody else's")
    assert theme.label.lower() not in profile.portrait.lower()


def test_it_proposes_nothing(service: Service) -> None:
    [theme] = apart(built(service))
    assert theme.id not in served(service)


@pytest.mark.parametrize("kind", [EditKind.PIN, EditKind.BOOST])
def test_the_owner_can_say_that_it_is_theirs(service: Service, kind: EditKind) -> None:
    [theme] = apart(built(service))
    made = asyncio.run(service.control.edit("dan", Wish(kind, theme.id), now=NOW + DAY)).profile
    assert made is not None
    assert not apart(made)
    later = built(service, days=2)
    assert not apart(later)
    assert next(t for t in later.themes if t.id == theme.id).active
    assert theme.id in served(service, days=2)


def test_a_claim_that_is_taken_back_does_not_hold(service: Service) -> None:
    [theme] = apart(built(service))
    for day, kind in ((1, EditKind.PIN), (2, EditKind.CLEAR)):
        asyncio.run(service.control.edit("dan", Wish(kind, theme.id), now=NOW + day * DAY))
    assert [t.id for t in apart(built(service, days=3))] == [theme.id]


def test_what_the_owner_says_of_it_makes_it_theirs(service: Service) -> None:
    [theme] = apart(built(service))
    wish = Wish(EditKind.REWORD, theme.statements[0], text="sourdough baking")
    asyncio.run(service.control.edit("dan", wish, now=NOW + DAY))
    assert not apart(built(service, days=2))


def test_a_difference_says_that_a_theme_is_somebody_elses(tmp_path: Path) -> None:
    events = sorted(household(), key=lambda e: e.at)
    with make_service(tmp_path, records=[*catalogue(), *events[:18]]) as service:
        before = built(service)
        service.ingest_records(events[18:])
        after = built(service, days=1)
        kinds = [c.kind for c in changes(before, after, service.store.theme_events("dan"))]
    assert not apart(before)
    assert "shared" in kinds


def test_the_picture_shows_what_recommendations_are_made_from(service: Service) -> None:
    profile = built(service)
    [theme] = apart(profile)
    parts = service.parts
    found = parts.profiler.course(profile, frozenset())
    drawn = [t for t in profile.themes if t.id in found.acts]
    assert drawn
    assert theme not in drawn
    for shown in drawn:
        assert found.importance(shown.id, [profile.as_of])[0] == pytest.approx(shown.importance)
    muted = parts.profiler.course(profile, frozenset(drawn[0].statements))
    assert set(muted.acts) == {t.id for t in drawn[1:]}
