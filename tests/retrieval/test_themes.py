"""Themes: an id survives as long as its meaning does, and what happened to it is told as it was."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.merge import confidence
from retrieval.records import Horizon, Origin, Polarity, Source, Statement, Theme, ThemeEvent, ThemeEventKind
from retrieval.themes import (
    Cluster,
    Evidence,
    ThemeRules,
    Vectors,
    centroid,
    cluster,
    clusters,
    evolve,
    importance,
    match,
    medoid,
    theme_id,
)

T0 = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
RULES = ThemeRules()
LIKE, DISLIKE = Polarity.LIKE, Polarity.DISLIKE
Kind = ThemeEventKind


def at_angle(*degrees: float) -> Vectors:
    """Unit vectors (n, 32) in one plane, so that cosines can be read off."""
    radians = np.radians(np.array(degrees, dtype=np.float32))
    plane = np.stack([np.cos(radians), np.sin(radians)], axis=1)
    return np.pad(plane, ((0, 0), (0, 30)))


def said(name: str, polarity: Polarity = LIKE) -> Statement:
    """A statement from the events "name1" and so on; `Evidence` knows their times."""
    return Statement(
        id=name,
        user="u",
        text=f"Likes {name}",
        polarity=polarity,
        facet=name,
        evidence=(name,),
        first_at=T0,
        last_at=T0,
        horizon=Horizon.SHORT,
        source=Source.INFERRED,
        origin=Origin.MODEL,
        confidence=confidence(2),
        prompt="p@1",
        model="m",
        written_at=T0,
    )


def group(angle: float, *names: str, polarity: Polarity = LIKE) -> Cluster:
    members = tuple(said(name, polarity) for name in names)
    return Cluster(polarity, members, members[0], at_angle(angle)[0])


def shown(**events: int | tuple[int, float]) -> Evidence:
    """statement=number of events, or (number, day of them); the events of "jazz" are jazz0, jazz1, ..."""
    times = {}
    for name, given_ in events.items():
        number, day = given_ if isinstance(given_, tuple) else (given_, 0.0)
        times[name] = {f"{name}{n}": T0 + day * DAY for n in range(number)}
    return Evidence(times)


def step(
    previous: list[Theme], found: list[Cluster], evidence: Evidence, day: float = 0, rules: ThemeRules = RULES
) -> tuple[list[Theme], list[ThemeEvent]]:
    return evolve("u", previous, found, evidence, T0 + day * DAY, rules)


def kinds(events: list[ThemeEvent]) -> list[tuple[str, ThemeEventKind]]:
    return [(e.theme, e.kind) for e in events]


# --- clusters -------------------------------------------------------------------------------------------------------


def test_near_statements_come_together_and_far_ones_do_not() -> None:
    labels = cluster(at_angle(0, 90, 5, 95, 180), 0.5)
    assert labels.tolist() == [0, 1, 0, 1, 2]


@pytest.mark.parametrize("count", [0, 1])
def test_few_statements_need_no_clustering(count: int) -> None:
    assert cluster(at_angle(*range(count)), 1.0).tolist() == [0] * count


def test_a_medoid_is_the_most_central_member() -> None:
    assert medoid(at_angle(0, 10, 50)) == 1


def test_a_centroid_is_a_unit_vector() -> None:
    assert centroid(at_angle(0, 90)) == pytest.approx(at_angle(45)[0], abs=1e-6)
    assert centroid(at_angle(0, 180)).shape == (32,)  # opposites cancel; nothing breaks


def test_likes_and_dislikes_are_never_one_cluster() -> None:
    statements = [said("a"), said("b", DISLIKE), said("c")]
    found = clusters(statements, at_angle(0, 0, 0), 1.0)
    assert [(c.polarity, [s.id for s in c.statements]) for c in found] == [(LIKE, ["a", "c"]), (DISLIKE, ["b"])]


@given(st.lists(st.floats(0, 360), max_size=20), st.floats(0.1, 3))
def test_every_statement_is_in_one_cluster(angles: list[float], distance: float) -> None:
    statements = [said(f"s{n}", list(Polarity)[n % 2]) for n in range(len(angles))]
    found = clusters(statements, at_angle(*angles), distance)
    assert sorted(s.id for c in found for s in c.statements) == sorted(s.id for s in statements)
    assert all(c.medoid in c.statements for c in found)


# --- importance -----------------------------------------------------------------------------------------------------


def test_importance_is_decayed_evidence() -> None:
    now = T0 + 100 * DAY
    assert importance([now, T0], now, 0.01) == pytest.approx(1 + math.exp(-1))


def test_what_has_not_happened_yet_has_no_importance() -> None:
    assert importance([T0 + DAY], T0, 0.01) == 0.0
    assert importance([], T0, 0.01) == 0.0


def test_trend_is_the_change_over_a_month() -> None:
    evidence = Evidence({"jazz": {"old": T0, "new": T0 + 90 * DAY}})
    [theme], _ = step([], [group(0, "jazz")], evidence, 100)
    assert theme.importance == pytest.approx(math.exp(-1) + math.exp(-0.1))
    assert theme.trend == pytest.approx(theme.importance - math.exp(-0.7))


def test_an_event_behind_two_statements_counts_once() -> None:
    evidence = Evidence({"a": {"e": T0}, "b": {"e": T0}})
    [theme], _ = step([], [group(0, "a", "b")], evidence)
    assert theme.importance == pytest.approx(1.0)


# --- matching -------------------------------------------------------------------------------------------------------


def test_matching_maximises_the_whole_and_not_the_first() -> None:
    # greedy would give the first to its nearest (cosine .98) and leave the second with .34
    assert match(at_angle(0, 40), at_angle(10, -30), 0.5) == {0: 1, 1: 0}


def test_what_is_too_far_stays_unmatched() -> None:
    assert match(at_angle(0), at_angle(80), 0.5) == {}
    assert match(at_angle(0, 90), at_angle(), 0.5) == {}


@given(st.lists(st.floats(0, 360), max_size=8), st.lists(st.floats(0, 360), max_size=8), st.floats(-1, 1))
def test_matching_is_one_to_one(old: list[float], new: list[float], threshold: float) -> None:
    before, after = at_angle(*old), at_angle(*new)
    pairs = match(before, after, threshold)
    assert len(set(pairs.values())) == len(pairs)
    assert all(float(after[row] @ before[column]) >= threshold for row, column in pairs.items())


def test_an_id_comes_from_the_founding_statement_and_is_never_taken_twice() -> None:
    first = theme_id("u", said("jazz"), ())
    assert theme_id("u", said("jazz"), ()) == first
    assert theme_id("v", said("jazz"), ()) != first
    assert theme_id("u", said("jazz"), {first}) != first


# --- the life of a theme --------------------------------------------------------------------------------------------


def grown(*found: Cluster, evidence: Evidence) -> list[Theme]:
    """First themes, with labels."""
    themes, _ = step([], list(found), evidence)
    return [replace(t, label=t.medoid.title(), summary="s") for t in themes]


def test_a_new_theme_is_born_without_a_name() -> None:
    [theme], events = step([], [group(0, "jazz")], shown(jazz=3))
    assert kinds(events) == [(theme.id, Kind.BORN)]
    assert theme.label == ""
    assert theme.active


def test_a_theme_keeps_its_id_and_name_through_small_changes() -> None:
    [before] = grown(group(0, "jazz"), evidence=shown(jazz=4))
    [after], events = step([before], [group(30, "jazz", "bop")], shown(jazz=4, bop=1), 1)
    assert (after.id, after.label) == (before.id, before.label)
    assert after.statements == ("jazz", "bop")
    assert events == []


def test_a_theme_with_half_again_the_importance_grew() -> None:
    [before] = grown(group(0, "jazz"), evidence=shown(jazz=2))
    [after], events = step([before], [group(0, "jazz", "bop")], shown(jazz=2, bop=2))
    assert kinds(events) == [(after.id, Kind.GREW)]


def test_a_like_and_a_dislike_of_the_same_thing_are_two_themes() -> None:
    [before] = grown(group(0, "jazz"), evidence=shown(jazz=2))
    themes, events = step([before], [group(0, "nojazz", polarity=DISLIKE)], shown(jazz=2, nojazz=2))
    assert {t.polarity for t in themes if t.active} == {DISLIKE}
    assert set(kinds(events)) == {(before.id, Kind.FADED), (themes[0].id, Kind.BORN)}


def test_half_of_a_theme_that_goes_its_own_way_is_a_split() -> None:
    [before] = grown(group(0, "jazz", "bop"), evidence=shown(jazz=3, bop=3))
    themes, events = step([before], [group(5, "jazz"), group(80, "bop")], shown(jazz=3, bop=3))
    new = next(t for t in themes if t.id != before.id)
    assert {t.id for t in themes} == {before.id, new.id}
    [split] = [e for e in events if e.kind is Kind.SPLIT]
    assert (split.theme, split.sources) == (new.id, (before.id,))


def test_a_split_with_the_founding_statement_gets_an_id_of_its_own() -> None:
    [before] = grown(group(0, "jazz", "bop"), evidence=shown(jazz=3, bop=3))
    themes, _ = step([before], [group(80, "jazz"), group(5, "bop")], shown(jazz=3, bop=3))
    assert len({t.id for t in themes}) == 2


def test_two_themes_that_become_one_are_merged() -> None:
    evidence = shown(jazz=5, bop=2)
    jazz, bop = grown(group(0, "jazz"), group(60, "bop"), evidence=evidence)
    themes, events = step([jazz, bop], [group(15, "jazz", "bop")], evidence)
    assert [(t.id, t.active) for t in themes] == [(jazz.id, True), (bop.id, False)]
    assert (jazz.id, Kind.MERGED, (bop.id,)) in [(e.theme, e.kind, e.sources) for e in events]
    assert (bop.id, Kind.MERGED, (jazz.id,)) in [(e.theme, e.kind, e.sources) for e in events]
    assert themes[1].statements == ()


def test_ancestry_is_told_by_events_when_statements_were_rewritten() -> None:
    evidence = Evidence({"old": {"e1": T0, "e2": T0}, "new": {"e1": T0, "e2": T0, "e3": T0}})
    [before] = grown(group(0, "old"), evidence=evidence)
    themes, events = step([before], [group(85, "new")], evidence)
    assert (themes[0].id, Kind.SPLIT) in kinds(events)
    assert (before.id, Kind.MERGED) in kinds(events)


def test_a_theme_that_nothing_recent_speaks_for_fades_and_stays_known() -> None:
    jazz, bread = grown(group(0, "jazz"), group(90, "bread"), evidence=shown(jazz=2, bread=2))
    themes, events = step([jazz, bread], [group(90, "bread")], shown(jazz=2, bread=2), 1)
    faded = next(t for t in themes if t.id == jazz.id)
    assert kinds(events) == [(jazz.id, Kind.FADED)]
    assert (faded.active, faded.label, faded.importance) == (False, jazz.label, 0.0)


def test_a_theme_fades_beside_much_stronger_ones() -> None:
    jazz, bread = grown(group(0, "jazz"), group(90, "bread"), evidence=shown(jazz=1, bread=1))
    found = [group(0, "jazz"), group(90, "bread", "more")]
    themes, events = step([jazz, bread], found, shown(jazz=1, bread=1, more=30))
    assert [t.active for t in themes] == [True, False]
    assert (jazz.id, Kind.FADED) in kinds(events)


def test_a_user_who_was_away_for_years_keeps_their_themes() -> None:
    before = grown(group(0, "jazz"), group(90, "bread"), evidence=shown(jazz=3, bread=2))
    themes, events = step(before, [group(0, "jazz"), group(90, "bread")], shown(jazz=3, bread=2), 3000)
    assert all(t.active for t in themes)
    assert events == []


def test_a_faded_theme_that_comes_back_is_revived_under_its_id() -> None:
    jazz, bread = grown(group(0, "jazz"), group(90, "bread"), evidence=shown(jazz=2, bread=2))
    asleep, _ = step([jazz, bread], [group(90, "bread")], shown(jazz=2, bread=2), 1)
    evidence = shown(jazz=2, bread=2, swing=(3, 50))
    themes, events = step(asleep, [group(90, "bread"), group(10, "swing")], evidence, 50)
    back = next(t for t in themes if t.id == jazz.id)
    assert (back.active, back.label) == (True, jazz.label)
    assert (jazz.id, Kind.REVIVED) in kinds(events)


def test_what_faded_once_is_not_told_again() -> None:
    [jazz] = grown(group(0, "jazz"), evidence=shown(jazz=2))
    once, _ = step([jazz], [], shown(jazz=2), 1)
    twice, events = step(once, [], shown(jazz=2), 2)
    assert events == []
    assert [t.id for t in twice] == [jazz.id]


def test_the_strongest_active_theme_comes_first() -> None:
    themes, _ = step([], [group(0, "weak"), group(90, "strong")], shown(weak=1, strong=3))
    assert [t.medoid for t in themes] == ["strong", "weak"]


# --- replay ---------------------------------------------------------------------------------------------------------

PLACES = {"jazz": 0.0, "bop": 40.0, "bread": 90.0, "oven": 130.0, "noir": 200.0}
ALWAYS = shown(**{name: (3, -float(age)) for age, name in enumerate(sorted(PLACES))})
DAYS = st.lists(st.sets(st.sampled_from(sorted(PLACES)), max_size=5), min_size=1, max_size=6)


def live(days: list[set[str]]) -> list[tuple[list[Theme], list[ThemeEvent]]]:
    """A life: on each day some statements hold; the themes of all days and what happened on each."""
    themes: list[Theme] = []
    told = []
    for day, names in enumerate(days):
        statements = [said(name) for name in sorted(names)]
        vectors = at_angle(*(PLACES[s.id] for s in statements))
        themes, events = step(themes, clusters(statements, vectors, 1.0), ALWAYS, float(day))
        told.append((themes, events))
    return told


@given(DAYS)
def test_the_same_life_gives_the_same_themes(days: list[set[str]]) -> None:
    assert live(days) == live(days)


@given(DAYS)
def test_ids_are_unique_and_no_theme_is_ever_lost(days: list[set[str]]) -> None:
    known: set[str] = set()
    for themes, _ in live(days):
        ids = [t.id for t in themes]
        assert len(set(ids)) == len(ids)
        assert known <= set(ids)
        known |= set(ids)


@given(DAYS)
def test_every_statement_of_the_day_is_in_one_theme(days: list[set[str]]) -> None:
    for names, (themes, _) in zip(days, live(days), strict=True):
        assert sorted(i for t in themes for i in t.statements) == sorted(names)


@given(DAYS)
def test_every_beginning_and_end_is_told(days: list[set[str]]) -> None:
    before: dict[str, bool] = {}
    for themes, events in live(days):
        told = set(kinds(events))
        for theme in themes:
            if theme.id not in before:
                assert told & {(theme.id, Kind.BORN), (theme.id, Kind.SPLIT)}
            elif theme.active and not before[theme.id]:
                assert (theme.id, Kind.REVIVED) in told
            elif before[theme.id] and not theme.active:
                assert told & {(theme.id, Kind.FADED), (theme.id, Kind.MERGED)}
        before = {t.id: t.active for t in themes}


@given(DAYS)
def test_a_day_without_news_tells_nothing(days: list[set[str]]) -> None:
    (*_, (themes, _)) = live(days)
    statements = [said(name) for name in sorted(days[-1])]
    vectors = at_angle(*(PLACES[s.id] for s in statements))
    again, events = step(themes, clusters(statements, vectors, 1.0), ALWAYS, len(days) - 1.0)
    assert [t.id for t in again] == [t.id for t in themes]
    assert events == []
