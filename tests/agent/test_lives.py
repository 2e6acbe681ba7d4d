"""The history of a profile: what changed, back to an earlier version, events taken back, and other ways to group."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from agent.changes import changes, note
from agent.errors import NotFoundError, UsageError
from agent.service import Service
from retrieval.clustering import ALGORITHMS
from retrieval.records import Event, EventKind, Horizon, Polarity, Profile, Statement, Theme, ThemeEvent, ThemeEventKind
from tests.agent.evidence import said
from tests.fakes import DAY, NOW, FakeLLM, act, catalogue, make_service

WHAT = ["film-1", "film-2", "book-1", "book-2", "course-1", "course-2"]


def at(day: float) -> datetime:
    return act("x", day, None).at


def noir_then_bread() -> list[Event]:
    noir = [act("ann", 3 * n, f"noir-{what}") for n, what in enumerate(WHAT)]
    return [*noir, *(act("ann", 20 + 3 * n, f"bread-{what}") for n, what in enumerate(WHAT))]


def service_with(tmp_path: Path, events: Sequence[Event], llm: FakeLLM | None = None) -> Service:
    return make_service(tmp_path, llm or FakeLLM(), [*catalogue(), *events])


def build(service: Service, day: float | None = None, now: datetime = NOW) -> Profile:
    return asyncio.run(service.profile("ann", now=now, as_of=None if day is None else at(day)))


def words(profile: Profile) -> list[tuple[str, tuple[str, ...]]]:
    return sorted((s.text, s.evidence) for s in profile.statements)


# What changed -------------------------------------------------------------------------------------------------------


def theme(id_: str, label: str = "Jazz", importance: float = 2.0, **more: object) -> Theme:
    return replace(Theme(id_, "ann", label, "", Polarity.LIKE, (), "", (), importance), **more)  # type: ignore[arg-type]


def told(then: Sequence[Theme], now: Sequence[Theme], *steps: ThemeEvent) -> list[tuple[str, str]]:
    old, new = (Profile("ann", NOW, n, (), tuple(t)) for n, t in enumerate((then, now), start=1))
    return [(change.kind, change.text) for change in changes(old, new, steps)]


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ({}, {"importance": 2.2}, []),
        ({}, {"importance": 4.0}, [("rose", "“Jazz” rose from 2.0 to 4.0.")]),
        ({}, {"importance": 1.0}, [("fell", "“Jazz” fell from 2.0 to 1.0.")]),
        ({}, {"active": False, "importance": 0.1}, [("faded", "“Jazz” has faded.")]),
        ({"active": False}, {}, [("revived", "“Jazz” is back.")]),
        ({}, {"label": "Swing"}, [("renamed", "“Jazz” is called “Swing” now.")]),
        ({"horizon": Horizon.SHORT}, {}, [("lasting", "“Jazz” has become lasting.")]),
        (
            {"horizon": Horizon.SHORT},
            {"horizon": Horizon.ONE_OFF, "active": False},
            [("one-off", "“Jazz” came to nothing and is kept out of recommendations.")],
        ),
    ],
)
def test_a_theme_that_changed_is_told_in_words(
    then: dict[str, object], now: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    old, new = theme("t"), theme("t")
    assert told([replace(old, **then)], [replace(new, **now)]) == expected  # type: ignore[arg-type]


def test_themes_that_came_and_went_are_told_with_where_from_and_where_to() -> None:
    split = ThemeEvent("t3", ThemeEventKind.SPLIT, NOW, ("t1",))
    merged = ThemeEvent("t1", ThemeEventKind.MERGED, NOW, ("t2",))
    found = told(
        [theme("t1"), theme("t2", "Swing"), theme("t4", "Chess")],
        [theme("t1"), theme("t3", "Free jazz"), theme("t5", "Bread")],
        merged,
        split,
    )
    assert found == [
        ("split", "“Free jazz” has split off from “Jazz”."),
        ("new", "“Bread” is new."),
        ("merged", "“Swing” went into “Jazz”."),
        ("gone", "“Chess” is gone: nothing speaks for it any more."),
    ]


def test_statements_that_came_and_went_are_told_with_what_took_their_place() -> None:
    old, new = said("Likes noir", "noir"), said("Dislikes noir", "bread")
    lost = said("Likes bread", "bread")
    then = Profile("ann", NOW, 1, (replace(old, superseded_by=new.id), lost))
    found = [change.text for change in changes(then, Profile("ann", NOW, 2, (new,)), ())]
    assert found == [
        "New: Dislikes noir.",
        "No longer said: Likes noir: now “Dislikes noir”.",
        "No longer said: Likes bread.",
    ]


def test_the_reason_why_something_is_kept_out_is_said() -> None:
    gift: Statement = said("Likes football", "noir")
    statements = {gift.id: gift}
    assert note(theme("t"), statements) == ""
    assert note(theme("t", active=False), statements).startswith("faded")
    assert note(theme("t", horizon=Horizon.SHORT), statements).startswith("short-term")
    one_off = note(theme("t", horizon=Horizon.ONE_OFF, statements=(gift.id,)), statements)
    assert "that nothing followed; kept out of recommendations" in one_off
    assert str(gift.first_at.year) in one_off


def test_two_moments_are_compared(tmp_path: Path) -> None:
    with service_with(tmp_path, noir_then_bread()) as service:
        build(service, 17)
        build(service)
        lives = service.lives("ann")
        found = lives.compare("ann", at(17), NOW)
        same = lives.compare("ann", NOW, NOW)
        with pytest.raises(NotFoundError, match="as of") as caught:
            lives.compare("ann", at(1), NOW)
    assert (found.then.version, found.now.version) == (1, 2)
    assert "new" in {change.kind for change in found.changes}
    assert same.changes == ()
    assert "--as-of" in caught.value.hint


# Back to an earlier version -----------------------------------------------------------------------------------------


def test_a_rollback_brings_back_the_words_and_holds_until_something_new_happens(tmp_path: Path) -> None:
    llm = FakeLLM()
    with service_with(tmp_path, noir_then_bread()[:6], llm) as service:
        first = build(service, 17)
        llm.enqueue('{"text": "arctic crime"}')
        service.ingest_records([act("ann", 18, "noir-film-1", EventKind.SHARE)])
        second = build(service, 19)
        assert words(second) != words(first)
        asked = llm.requests
        back = service.lives("ann").rollback("ann", 1, at(19.5))
        later = build(service, 25)
        assert llm.requests == asked
        assert service.lives("ann").versions("ann")[2].restores == 1
    assert (back.version, back.restores) == (3, 1)
    assert words(back) == words(later) == words(first)
    assert [t.label for t in back.themes] == [t.label for t in later.themes] == [t.label for t in first.themes]


def test_after_a_rollback_new_events_are_written_about(tmp_path: Path) -> None:
    with service_with(tmp_path, noir_then_bread()[:6]) as service:
        build(service, 17)
        build(service, 18.5)
        service.lives("ann").rollback("ann", 1, at(19))
        service.ingest_records(noir_then_bread()[6:])
        profile = build(service, 50)
    assert {s.evidence[0].split("-")[3] for s in profile.statements} == {"noir", "bread"}


def test_a_rollback_of_a_rollback_is_where_one_was(tmp_path: Path) -> None:
    with service_with(tmp_path, noir_then_bread()) as service:
        build(service, 17)
        newest = build(service)
        lives = service.lives("ann")
        assert words(lives.rollback("ann", 1, NOW + DAY)) != words(newest)
        again = lives.rollback("ann", 2, NOW + 2 * DAY)
    assert words(again) == words(newest)
    assert {t.id for t in again.themes} == {t.id for t in newest.themes}


def test_a_rollback_needs_another_version(tmp_path: Path) -> None:
    with service_with(tmp_path, noir_then_bread()) as service:
        build(service)
        lives = service.lives("ann")
        with pytest.raises(NotFoundError, match="no version 7"):
            lives.rollback("ann", 7, NOW)
        with pytest.raises(UsageError, match="holds now"):
            lives.rollback("ann", 1, NOW)


# Events taken back --------------------------------------------------------------------------------------------------


def test_what_leaned_on_an_event_goes_with_it_and_the_rest_is_written_anew(tmp_path: Path) -> None:
    events = noir_then_bread()
    with service_with(tmp_path, events) as service:
        before = build(service)
        gone = [e.id for e in events if "bread" in e.id]
        report = service.lives("ann").withdraw("ann", gone)
        at_once = service.themes("ann")[0]
        after = build(service)
        steps = service.themes("ann")[1]
    assert report.rows == {"events": 6}
    assert any("bread" in s.evidence[0] for s in before.statements)
    for profile in (at_once, after):
        assert not set(gone) & {e for s in profile.statements for e in s.evidence}
    assert len(after.themes) == 1
    assert after.events_seen == 6
    assert not set(gone) & {e for s in steps for e in s.causes}


def test_a_change_of_taste_that_is_taken_back_was_none(tmp_path: Path) -> None:
    liked = [act("ann", n, f"noir-{what}") for n, what in enumerate(WHAT[:2])]
    hidden = [act("ann", 30 + n, f"noir-{what}", EventKind.HIDE) for n, what in enumerate(WHAT[2:])]
    with service_with(tmp_path, [*liked, *hidden]) as service:
        build(service, 10)
        assert {s.polarity for s in build(service).statements} == {Polarity.DISLIKE}
        service.lives("ann").withdraw("ann", [e.id for e in hidden])
        assert {s.polarity for s in build(service).statements} == {Polarity.LIKE}
        assert {s.polarity for s in service.store.statements("ann")} == {Polarity.LIKE}


def test_nobody_takes_back_what_another_did(service: Service) -> None:
    mine, theirs = (service.store.events(user)[0].id for user in ("ann", "bob"))
    with pytest.raises(NotFoundError, match="no event"):
        service.lives("ann").withdraw("ann", [mine, theirs])
    assert service.store.events_by_id("ann", [mine])
    assert service.store.events_by_id("bob", [theirs])


# Another way to group -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_any_algorithm_groups_the_statements_of_the_profile(service: Service, algorithm: str) -> None:
    profile = asyncio.run(service.profile("ann", now=NOW))
    before = service.store.export_user("ann")
    sides = service.lives("ann").grouping("ann", algorithm)  # type: ignore[arg-type]
    assert [side.polarity for side in sides] == [Polarity.LIKE, Polarity.DISLIKE]
    assert {i for side in sides for group in side.groups for i in group} == {s.id for s in profile.statements}
    assert all(len(side.groups) == side.grouping.clusters and side.grouping.rule for side in sides)
    assert service.store.export_user("ann") == before
