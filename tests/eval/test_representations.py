"""Ways to write a user as text: each is read by the same two questions, and texts about the same thing fall together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.gate import Tally
from agent.writer import Writer
from eval.material import Material
from eval.report import page
from eval.representations import NAMES, WRITTEN, Interest, measure, planted
from eval.results import to_json
from prompts import library
from retrieval.embed import item_text
from retrieval.records import Item
from tests.eval.test_strangers import DATASET, EMBEDDER, ITEMS, topic
from tests.fakes import FakeLLM

MATERIAL = Material(DATASET, EMBEDDER.embed([item_text(item) for item in ITEMS.values()]))
INTERESTS = [
    Interest(name, tuple(ITEMS[i] for i in topic(name, start, start + 6)))
    for name in ("crime", "snow", "bread")
    for start in (0, 6, 12, 18)
]


@pytest.fixture(scope="module")
def document() -> dict[str, object]:
    found: dict[str, object] = to_json(measure(MATERIAL, EMBEDDER, INTERESTS))
    return found


def test_every_way_is_asked_both_questions(document: dict[str, object]) -> None:
    systems = document["systems"]
    assert isinstance(systems, dict)
    assert tuple(systems) == NAMES
    assert (document["interests"], document["subjects"]) == (12, 3)
    for name, figures in systems.items():
        assert figures["ari"] > 0.9, name  # the words of a topic are its own
        assert figures["ndcg@10"] > 45, name  # of 20 in random order: 23
        assert figures["users"] == document["users"] == 6
    assert systems["lexical"]["texts"] == systems["portrait"]["texts"] == 1.0
    assert systems["events"]["texts"] > systems["statements"]["texts"] >= 1.0


def test_a_model_writes_in_the_place_of_the_plain_sentences() -> None:
    llm = FakeLLM()
    writer = Writer(llm, EMBEDDER.embed, 1, Tally())
    found = measure(MATERIAL, EMBEDDER, INTERESTS, sample=2, writer=writer)
    assert tuple(found.systems) == (*NAMES, *WRITTEN)
    assert {"write_statement", "label_theme", "write_portrait"} <= {name for name in library.names() if llm.asked(name)}
    assert found.systems["written"].texts >= found.systems["written_portrait"].texts == 1.0
    assert "fake-1: " in found.notes[0]


def test_without_an_answer_the_model_has_written_nothing() -> None:
    llm = FakeLLM()
    llm.enqueue_invalid(times=500)
    found = measure(MATERIAL, EMBEDDER, INTERESTS[:2], sample=2, writer=Writer(llm, EMBEDDER.embed, 1, Tally()))
    assert "0% of its texts" in found.notes[0]
    plainly, written = found.systems["statements"], found.systems["written"]
    assert (written.ndcg_at_10, written.texts) == (plainly.ndcg_at_10, plainly.texts)


def test_the_page_shows_the_table(document: dict[str, object]) -> None:
    shown = page([{**document, "command": "leitmotif eval representations made"}])
    assert "What each is worth" in shown
    assert "no LLM was asked" in shown


def test_without_planted_interests_there_is_no_agreement() -> None:
    found = measure(MATERIAL, EMBEDDER, sample=2)
    assert found.users == 2
    assert all(worth.ari is None and worth.nmi is None for worth in found.systems.values())


def test_planted_likes_are_read_with_their_subjects_and_known_items(tmp_path: Path) -> None:
    like = {"subject": "jazz", "polarity": "like", "items": ["a", "b", "gone"]}
    users = {"ann": {"interests": [like, {**like, "polarity": "dislike"}, {"polarity": "like", "tags": ["x"]}]}}
    (tmp_path / "planted.json").write_text(json.dumps({"users": users}), "utf-8")
    items = {i: Item(i, i) for i in ("a", "b")}
    assert planted(tmp_path / "planted.json", items) == [Interest("jazz", (items["a"], items["b"]))]
    assert planted(tmp_path / "nothing.json", items) == []
