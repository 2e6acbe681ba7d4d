"""The course of themes: at the profile's moment it is their importance, and what proposes nothing has none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.course import course
from retrieval.evolution import EvolutionRules, Point, State, replay
from retrieval.records import Horizon, Origin, Polarity, Profile, Source, Statement, Theme
from retrieval.themes import assemble

NOW = datetime(2026, 6, 1, tzinfo=UTC)
RULES = EvolutionRules(decay=0.02, keep=8)


def lived(days: list[int]) -> State:
    """Points of two subjects in turn, so many days ago."""
    points = [
        Point(f"p{n}", NOW - timedelta(days=ago, minutes=n), Polarity.LIKE, 1 + n % 3) for n, ago in enumerate(days)
    ]
    rows = np.eye(6, dtype=np.float32)[[n % 2 for n in range(len(days))]]
    rows += 0.3 * np.eye(6, dtype=np.float32)[[2 + n % 4 for n in range(len(days))]]
    return replay("ann", points, rows / np.linalg.norm(rows, axis=1, keepdims=True), NOW, RULES)


def said(number: int, evidence: tuple[str, ...]) -> Statement:
    return Statement(
        f"s{number}", "ann", "Likes jazz", Polarity.LIKE, "jazz", evidence, NOW - timedelta(days=40), NOW, Horizon.LONG,
        Source.INFERRED if evidence else Source.ASSERTED, Origin.USER, 1.0, "", "", NOW,
    )  # fmt: skip


def profiled(state: State) -> Profile:
    statements = [said(n, group.points) for n, group in enumerate((*state.themes, *state.buds))]
    statements.append(said(99, ()))
    topics = np.zeros((len(statements), 6), dtype=np.float32)
    topics[-1, 5] = 1
    themes = assemble("ann", state, statements, topics, (), NOW, RULES.decay).themes
    return Profile("ann", NOW, 1, tuple(statements), themes)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=40))
def test_the_course_ends_at_the_importance_of_the_theme(days: list[int]) -> None:
    state = lived(days)
    profile = profiled(state)
    found = course(state, profile, (), RULES.decay)
    for theme in profile.themes:
        if theme.horizon is not Horizon.ONE_OFF:
            assert found.importance(theme.id, [NOW])[0] == pytest.approx(theme.importance, rel=1e-4)
            first = found.acts[theme.id][0][0]
            assert found.importance(theme.id, [first - timedelta(seconds=1)])[0] == 0


@pytest.mark.parametrize("horizon", [Horizon.ONE_OFF, Horizon.SHARED])
def test_what_is_no_taste_of_the_owner_has_no_course(horizon: Horizon) -> None:
    state = lived([9, 8, 30, 29, 60, 59, 90, 89])
    profile = profiled(state)
    marked = tuple(replace(t, horizon=horizon) if n == 0 else t for n, t in enumerate(profile.themes))
    found = course(state, replace(profile, themes=marked), (), RULES.decay)
    assert set(found.acts) == {t.id for t in profile.themes[1:]}


def test_a_muted_theme_has_no_course() -> None:
    state = lived([9, 8, 30, 29, 60, 59, 90, 89])
    profile = profiled(state)
    muted: Theme = profile.themes[0]
    assert muted.id in course(state, profile, (), RULES.decay).acts
    assert muted.id not in course(state, profile, muted.statements, RULES.decay).acts
