"""What one question is worth: simulated people, strangers among them, and a document that compares ways to ask."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.config import Settings
from eval.questions import WAYS, Run
from eval.report import page
from eval.results import to_json
from eval.simulated import people
from eval.workshop import Workshop
from retrieval.embed import HashEmbedder
from retrieval.readers import ReadError
from tests.fakes import NOW

SAMPLE = Path(__file__).parents[2] / "retrieval" / "sample"


class _Shop(Workshop):
    embedder = HashEmbedder(128)


def test_simulated_people_have_planted_subjects_and_take_their_items() -> None:
    found = people(SAMPLE, 30, seed=1, now=NOW)
    assert len(found.train) == len(found.cases) == 30
    for case in found.cases:
        assert case.target not in case.history
        assert set(case.history) == {event.item for event in found.train[case.user]}
    assert people(SAMPLE, 30, seed=1, now=NOW) == found
    assert people(SAMPLE, 30, seed=2, now=NOW).cases != found.cases


def test_a_folder_without_planted_subjects_is_refused(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text('{"id": "a", "title": "A"}\n', "utf-8")
    (tmp_path / "events.jsonl").write_text("", "utf-8")
    with pytest.raises(ReadError, match="planted"):
        people(tmp_path, 3, seed=0, now=NOW)


def test_questions_are_compared_on_the_same_strangers(tmp_path: Path) -> None:
    dataset = people(SAMPLE, 60, seed=0, now=NOW)
    run = Run(_Shop(Settings(home=tmp_path), NOW), dataset, 20, 0, lambda *_: None)
    document = to_json(asyncio.run(run.document()))
    assert document["kind"] == "questions"
    assert document["users"] == 20
    assert 0 < document["asked"] <= 20
    rows = document["systems"]
    assert tuple(rows) == (*WAYS, "communities")
    assert {rows[way]["users"] for way in WAYS} == {document["asked"]}
    assert rows["nothing"]["gain"] == rows["nothing"]["match_gain"] == 0
    assert rows["best"]["match"] > rows["nothing"]["match"]  # an answer tells something
    assert "One question" in page([{**document, "command": "leitmotif eval questions made"}])
