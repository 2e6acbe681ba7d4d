"""Reading examples: what is valid, and that an error names the place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent.errors import UsageError
from agent.tuning.examples import Act, StatementExample, load, load_rounds

GOOD: dict[str, Any] = {
    "id": "films-statement-001",
    "task": "statement",
    "domain": "films",
    "language": "en",
    "case": "plain",
    "split": "train",
    "origin": "written",
    "input": {"polarity": "like", "events": [{"act": "liked", "kind": "film", "title": "X", "features": ["noir"]}]},
    "answer": "film noir",
}


def write(folder: Path, *rows: dict[str, Any]) -> Path:
    (folder / "films.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_each_folder_in_the_preferences_is_a_round_of_its_own(tmp_path: Path) -> None:
    for place, count in (("a", 1), ("round-3/c", 3), ("round-2/b", 2)):
        file = tmp_path / f"{place}.jsonl"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{json.dumps({'chosen': GOOD, 'refused': GOOD})}\n" * count)
    assert [len(pairs) for pairs in load_rounds(tmp_path)] == [1, 2, 3]
    assert load_rounds(tmp_path / "nothing") == []


def test_a_line_becomes_an_example(tmp_path: Path) -> None:
    (found,) = load(write(tmp_path, GOOD))
    assert isinstance(found, StatementExample)
    assert (found.answer, found.input.events[0].features) == ("film noir", ("noir",))


@pytest.mark.parametrize(
    ("key", "value", "where"),
    [("split", "all", "split"), ("task", "poem", "task"), ("answer", 3, "answer"), ("mood", "good", "mood")],
)
def test_a_bad_line_is_named(tmp_path: Path, key: str, value: object, where: str) -> None:
    with pytest.raises(UsageError, match=rf"films\.jsonl, line 2:.*{where}|films\.jsonl, line 2: .*tag"):
        load(write(tmp_path, GOOD, {**GOOD, key: value}))


def test_a_folder_without_examples_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no examples"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("act", "against"),
    [("liked", False), ("rated 4.5", False), ("rated 2", True), ("disliked", True), ("hid", True), ("viewed", False)],
)
def test_an_act_speaks_for_or_against(act: str, against: bool) -> None:
    assert Act(act=act).against is against
