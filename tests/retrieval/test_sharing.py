"""Whose themes are they? Two people on one account are told apart only where everything says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.records import Event, EventKind
from retrieval.sharing import SharingRules, Visit, sharing, visits

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
RULES = SharingRules()


def visit(week: int, day: int, hour: int, *themes: str, device: str = "") -> Visit:
    return Visit(MONDAY + timedelta(weeks=week, days=day, hours=hour), frozenset(themes), device)


def household(weeks: int = 14) -> list[Visit]:
    """Thrillers on weekday evenings, cartoons on Saturday mornings."""
    found = []
    for week in range(weeks):
        found.append(visit(week, week % 4, 20 + week % 3, "thriller", device="tv"))
        found.append(visit(week, 5, 7 + week % 2, "cartoons", device="tablet"))
    return found


def test_two_people_who_never_meet_are_told_apart() -> None:
    found = sharing(household(), RULES)
    assert found is not None
    assert {frozenset(side) for side in found.sides} == {frozenset({"thriller"}), frozenset({"cartoons"})}
    assert found.visits == (14, 14)
    assert max(found.p_hours, found.p_days) <= RULES.level


def test_themes_that_meet_are_on_one_side() -> None:
    more = [visit(week, 2, 21, "thriller", "noir", device="tv") for week in range(14)]
    found = sharing(sorted([*household(), *more], key=lambda v: v.at), RULES)
    assert found is not None
    assert frozenset({"cartoons"}) in found.sides


@pytest.mark.parametrize(
    "one_person",
    [
        [visit(v.at.isocalendar().week, v.at.weekday(), 20, *v.themes) for v in household()],
        [Visit(v.at - timedelta(days=v.at.weekday() // 5), v.themes) for v in household()],
        [Visit(v.at, frozenset({"thriller", "cartoons"})) if n % 6 == 0 else v for n, v in enumerate(household())],
        [Visit(v.at, v.themes, "tv") for v in household()],
        household(7),
        [v for n, v in enumerate(household(30)) if (n < 30) is ("thriller" in v.themes)],
        [Visit(v.at, frozenset({"thriller"})) for v in household()],
        [],
    ],
    ids=[
        "same hours",
        "same days",
        "met in a visit",
        "same device",
        "too little",
        "one after the other",
        "one",
        "none",
    ],
)
def test_one_person_stays_one(one_person: list[Visit]) -> None:
    assert sharing(one_person, RULES) is None


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_habits_without_a_pattern_are_not_two_people(seed: int) -> None:
    dice = Random(seed)
    found = [
        visit(week, dice.randrange(7), dice.randrange(24), dice.choice(["a", "b", "c", "d"])) for week in range(60)
    ]
    assert sharing(found, RULES) is None


def test_a_pause_ends_a_visit() -> None:
    at = [0, 30, 80, 200]
    events = [
        Event(f"e{n}", "ann", EventKind.VIEW, MONDAY + timedelta(minutes=m), f"i{n}", context={"device": "tv"})
        for n, m in enumerate(at)
    ]
    found = visits(events, {"e0": "a", "e1": "b", "e3": "a"}, RULES.pause)
    assert [(v.themes, v.device) for v in found] == [(frozenset({"a", "b"}), "tv"), (frozenset({"a"}), "tv")]
