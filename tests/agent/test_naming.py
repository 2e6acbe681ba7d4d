"""Themes get their names all at once, no two the same, and keep them while their evidence lasts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from agent.errors import LLMUnavailableError
from agent.gate import Tally
from agent.naming import named
from agent.writer import Writer
from retrieval.records import Origin, Polarity, Profile, Statement, Theme, ThemeEvent, ThemeEventKind
from tests.agent.test_writer import EMBED, shown, written
from tests.fakes import NOW, FakeLLM


def statements(count: int) -> list[Statement]:
    one = written(None)
    return [replace(one, id=f"s-{n}", evidence=(f"e-{n}-1", f"e-{n}-2")) for n in range(count)]


def theme(statement: Statement, label: str = "") -> Theme:
    id_ = f"t-{statement.id}"
    return Theme(id_, "ann", label, "", Polarity.LIKE, (statement.id,), statement.id, (1.0,))


def name(
    llm: FakeLLM, themes: Sequence[Theme], said: Sequence[Statement], previous: Profile | None = None
) -> tuple[list[Theme], list[ThemeEvent]]:
    writer = Writer(llm, EMBED, 1, Tally())
    return asyncio.run(named(writer, themes, previous, said, lambda _: shown(), NOW))


def test_all_are_asked_for_at_once_and_no_two_have_one_name(llm: FakeLLM) -> None:
    said = statements(3)
    llm.delay = 0.01
    for _ in said:
        llm.enqueue({"label": "arctic mysteries"})
    found, renamed = name(llm, [theme(s) for s in said], said)
    assert llm.busiest == 3
    assert len({t.label for t in found}) == 3
    assert [t.origin for t in found] == [Origin.MODEL, Origin.FALLBACK, Origin.FALLBACK]
    assert all(t.summary == s.text for t, s in zip(found, said, strict=True))
    assert renamed == []


def test_a_name_stays_while_half_of_its_evidence_does(llm: FakeLLM) -> None:
    said = statements(2)
    old = [theme(s, f"Name {s.id}") for s in said]
    before = Profile("ann", NOW, 1, tuple(said), tuple(old))
    now = [said[0], replace(said[1], evidence=("e-new-1", "e-new-2", "e-1-2"))]
    llm.enqueue({"label": "arctic mysteries"})
    found, renamed = name(llm, [theme(s) if s is now[1] else old[0] for s in now], now, before)
    assert [t.label for t in found] == ["Name s-0", "Arctic mysteries"]
    assert [(step.theme, step.kind) for step in renamed] == [("t-s-1", ThemeEventKind.RENAMED)]
    assert set(renamed[0].causes) == set(now[1].evidence)
    assert len(llm.history) == 1


def test_without_the_model_there_are_no_half_named_themes(llm: FakeLLM) -> None:
    said = statements(2)
    llm.fail(times=1)
    with pytest.raises(LLMUnavailableError):
        name(llm, [theme(s) for s in said], said)
