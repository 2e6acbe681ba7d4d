"""Themes as people see them: statements under the groups that their evidence is in, with ids, words and steps kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from retrieval.evolution import State
from retrieval.merge import confidence
from retrieval.records import Horizon, Origin, Polarity, Source, Statement, Theme, ThemeEventKind
from retrieval.themes import SAID_WEIGHT, Assembled, Vectors, _turned, assemble, centroid, medoid
from tests.retrieval.planted import DIM, T0, Life

DAY = timedelta(days=1)
DECAY = 0.01
NOWHERE = np.eye(1, DIM, dtype=np.float32)[0]


def at_angle(*degrees: float) -> Vectors:
    """Unit vectors (n, 32) in one plane, so that cosines can be read off."""
    radians = np.radians(np.array(degrees, dtype=np.float32))
    plane = np.stack([np.cos(radians), np.sin(radians)], axis=1)
    return np.pad(plane, ((0, 0), (0, 30)))


def said(name: str, *evidence: str) -> Statement:
    """A statement that rests on events; without any, the user's own word."""
    return Statement(
        id=name,
        user="u",
        text=f"Likes {name}",
        polarity=Polarity.LIKE,
        facet=name,
        evidence=evidence,
        first_at=T0,
        last_at=T0,
        horizon=Horizon.SHORT,
        source=Source.INFERRED if evidence else Source.ASSERTED,
        origin=Origin.MODEL,
        confidence=confidence(2),
        prompt="p@1",
        model="m",
        written_at=T0,
    )


def settled() -> Life:
    life = Life(100)
    life.live(50, "jazz", "bread")
    return life


def of(life: Life, topic: str, count: int = 3) -> list[str]:
    """The latest events of a topic."""
    return [p.id for p in life.points if life.truth[p.id] == topic][-count:]


def assembled(life: Life, state: State, statements: Sequence[Statement], previous: Sequence[Theme] = ()) -> Assembled:
    row_of = {p.id: row for row, p in enumerate(life.points)}
    topics = [centroid(life.vectors[[row_of[e] for e in s.evidence]]) if s.evidence else NOWHERE for s in statements]
    return assemble("u", state, statements, np.array(topics).reshape(-1, DIM), previous, life.now, DECAY)


def test_a_medoid_is_the_most_central_member() -> None:
    assert medoid(at_angle(0, 10, 50)) == 1


def test_a_centroid_is_a_unit_vector() -> None:
    assert centroid(at_angle(0, 90)) == pytest.approx(at_angle(45)[0], abs=1e-6)
    assert centroid(at_angle(0, 180)).shape == (32,)  # opposites cancel; nothing breaks


def test_a_statement_belongs_to_the_theme_that_most_of_its_evidence_is_in() -> None:
    life = settled()
    state = life.state()
    mixed = said("mixed", *of(life, "jazz", 3), *of(life, "bread", 1))
    found = assembled(life, state, [mixed, said("crust", *of(life, "bread"))])
    homes = {i: t.id for t in found.themes for i in t.statements}
    assert homes == {"mixed": life.of(state, "jazz"), "crust": life.of(state, "bread")}
    assert set(found.horizons.values()) == {Horizon.LONG}
    assert [t.importance for t in found.themes] == sorted((t.importance for t in state.themes), reverse=True)


def test_words_are_carried_over_by_id_and_new_themes_have_none() -> None:
    life = settled()
    state = life.state()
    jazz = life.of(state, "jazz") or ""
    known = Theme(jazz, "u", "Jazz", "Likes jazz", Polarity.LIKE, (), "", (), origin=Origin.MODEL)
    found = assembled(life, state, [said(t, *of(life, t)) for t in ("jazz", "bread")], [known])
    assert {t.label for t in found.themes} == {"Jazz", ""}


def test_a_theme_stays_when_no_recent_statement_speaks_for_it() -> None:
    life = settled()
    first = assembled(life, life.state(), [said("jazz", *of(life, "jazz"))])
    later = assembled(life, life.state(), [], first.themes)
    assert [(t.id, t.statements, t.importance) for t in later.themes] == [
        (first.themes[0].id, (), first.themes[0].importance)
    ]


def test_what_was_liked_and_is_now_avoided_is_no_active_theme() -> None:
    """The liked theme still has its points; what speaks for the user now is the dislike of the same thing."""
    life = settled()
    jazz = said("jazz", *of(life, "jazz"))
    first = assembled(life, life.state(), [jazz])
    [theme] = first.themes
    avoided = replace(theme, id="t-avoided", polarity=Polarity.DISLIKE, statements=("d",))
    assert _turned(replace(theme, statements=()), [avoided])
    assert not _turned(theme, [avoided])  # statements still speak for it
    assert not _turned(replace(theme, statements=()), [replace(avoided, statements=())])
    assert not _turned(replace(theme, statements=()), [replace(avoided, centroid=tuple(-x for x in theme.centroid))])


def test_a_burst_that_nobody_comes_back_to_is_for_a_while_and_then_a_one_off() -> None:
    life = settled()
    life.burst(4, "football")
    gift = said("football", *of(life, "football"))
    [fresh] = assembled(life, life.state(), [gift]).themes
    assert (fresh.active, fresh.horizon) == (True, Horizon.SHORT)
    life.live(60, "jazz", "bread")
    [over] = assembled(life, life.state(), [gift]).themes
    assert (over.id, over.active, over.horizon) == (fresh.id, False, Horizon.ONE_OFF)


def test_what_users_say_of_themselves_joins_what_means_the_same_or_is_a_theme_of_its_own() -> None:
    life = settled()
    state = life.state()
    statements = [said("swing"), said("opera")]
    jazz = next(t for t in state.themes if t.id == life.of(state, "jazz"))
    topics = np.array([jazz.centroid, NOWHERE])
    found = assemble("u", state, statements, topics, (), T0 + 100 * DAY, DECAY)
    homes = {i: t for t in found.themes for i in t.statements}
    assert homes["swing"].id == jazz.id
    assert homes["swing"].importance > jazz.importance
    assert homes["opera"].importance == pytest.approx(SAID_WEIGHT * np.exp(-1))
    [born] = [e for e in found.events if e.theme == homes["opera"].id]
    assert (born.kind, born.at, born.causes) == (ThemeEventKind.BORN, T0, ("opera",))


def test_the_steps_are_those_of_the_themes_shown_and_of_what_went_into_them() -> None:
    life = Life(100)
    life.live(60, "jazz", "noir", "bread")
    life.join("jazz", "noir", "club")
    life.live(20, "club", "bread")
    state = life.state()
    merged = next(e for e in state.events if e.kind is ThemeEventKind.MERGED)
    evidence = of(life, "club")
    found = assembled(life, state, [said("club", *evidence)])
    assert {e.theme for e in found.events} == {merged.theme, *merged.sources}
    assert all(set(e.causes) <= set(life.truth) and e.causes for e in found.events)
    assert [e.at for e in found.events] == sorted(e.at for e in found.events)


def test_a_statement_of_which_nothing_is_known_is_in_no_theme() -> None:
    life = settled()
    lost = replace(said("lost", "e-unknown"), evidence=("e-unknown",))
    found = assemble("u", life.state(), [lost], NOWHERE[None], (), life.now, DECAY)
    assert found.themes == ()
    assert found.horizons == {"lost": Horizon.SHORT}
