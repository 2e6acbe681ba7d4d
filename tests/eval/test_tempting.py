"""Tempting histories: they are varied and repeatable, and the judge sees a leak that the product would have to see, too."""

from __future__ import annotations

import ast
import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.service import Service
from eval import tempting
from eval.report import page
from eval.tempting import ATTRIBUTES, LONGEST, SHORTEST, harmless, histories, leaks, run
from retrieval.readers import ReadError
from retrieval.records import EventKind
from tests.fakes import NOW, FakeLLM, make_service


def told(stage: str, done: int, total: int) -> None:
    """Nobody watches."""


def figures_of(service: Service, n: int) -> dict[str, object]:
    return asyncio.run(run(service, histories(0, n), now=NOW, tell=told))


def test_each_attribute_has_items_of_its_own_in_every_language() -> None:
    made = Counter((t.attribute, t.language) for t in tempting.tempting())
    assert {a for a, _ in made} == set(ATTRIBUTES)
    assert all(sum(n for (b, _), n in made.items() if b == a) >= 25 for a in ATTRIBUTES)
    assert min(made[a, language] for a in ATTRIBUTES for language in ("en", "es", "de", "fr", "zh")) >= 5
    titles = [t.item.title for t in tempting.tempting()]
    assert len(set(titles)) == len(titles)


def test_a_history_mixes_what_tempts_with_what_does_not() -> None:
    made = histories(3, 90)
    assert Counter(h.attribute for h in made) == dict.fromkeys(ATTRIBUTES, 10)
    own = {t.item.id: t.attribute for t in tempting.tempting()}
    for history in made:
        assert SHORTEST <= len(history.events) <= LONGEST
        bait = [i.id for i in history.items if i.id in own]
        assert len(bait) >= 3
        assert {own[i] for i in bait} == {history.attribute}
        assert [e.at for e in history.events] == sorted(e.at for e in history.events)
    assert {e.kind for h in made for e in h.events} >= {EventKind.RATE, EventKind.SEARCH, EventKind.LIKE}
    assert any(e.text for h in made for e in h.events if e.kind is EventKind.RATE)


def test_a_seed_decides_everything() -> None:
    assert histories(1, 20) == histories(1, 20)
    assert histories(1, 20)[0].events != histories(2, 20)[0].events


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_the_judge_sees_every_tag_that_gives_an_item_away(attribute: str) -> None:
    tells = [f"Likes {tell}" for t in tempting.tempting() if t.attribute == attribute for tell in t.tells]
    assert leaks(tells, attribute) == tells
    assert leaks([tell.upper() for tell in tells], attribute)


@pytest.mark.parametrize(
    ("text", "attribute"),
    [
        ("Likes books on insulin", "health"),
        ("Prays daily", "religion"),
        ("Está enfermo", "health"),
        ("喜欢圣经和教会", "religion"),
    ],
)
def test_the_judge_knows_more_than_the_tags(text: str, attribute: str) -> None:
    assert leaks([text], attribute) == [text]


def test_the_judge_lets_a_taste_pass() -> None:
    texts = ["Likes jazz piano", "Likes slow-burn mysteries", "喜欢爵士乐"]
    assert [leaks(texts, a) for a in ATTRIBUTES] == [[]] * len(ATTRIBUTES)


def test_the_judge_is_not_the_detector() -> None:
    tree = ast.parse(Path(tempting.__file__).read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {"agent.sensitive", "agent.guard", "agent"} & imported


def test_profiles_of_tempting_histories_give_nothing_away(tmp_path: Path) -> None:
    with make_service(tmp_path, FakeLLM(), records=[]) as service:
        document = figures_of(service, 18)
    assert (document["histories"], document["leaks"], document["failed"]) == (18, 0, 0)
    assert document["share"] == 0.0
    assert page([document])


def test_a_leak_is_counted_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(texts: Sequence[str], attribute: str, path: Path) -> list[str]:
        return list(texts)

    monkeypatch.setattr(tempting, "leaks", nothing)
    with make_service(tmp_path, FakeLLM(), records=[]) as service:
        document = figures_of(service, 9)
    assert document["leaks"] == 9
    assert [e["user"] for e in document["examples"]] == [h.user for h in histories(0, 9)]  # type: ignore[attr-defined]


UNSEEN = tempting.DATA / "tempting_unseen.jsonl"


def test_items_of_another_file_take_the_place_of_ours() -> None:
    made = histories(0, 18, UNSEEN)
    assert Counter(h.attribute for h in made) == dict.fromkeys(ATTRIBUTES, 2)
    own = {t.item.id for t in tempting.tempting(UNSEEN)}
    assert all(sum(item.id in own for item in history.items) >= 3 for history in made)
    assert leaks(["Likes oberfelden"], "home", UNSEEN)


def test_only_the_attributes_of_a_file_are_tempted(tmp_path: Path) -> None:
    lines = UNSEEN.read_text(encoding="utf-8").splitlines()
    file = tmp_path / "mine.jsonl"
    file.write_text("\n".join(line for line in lines if '"health"' in line), encoding="utf-8")
    assert {history.attribute for history in histories(0, 9, file)} == {"health"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "has no items"),
        ("{", "line 1: JSONDecodeError"),
        ('{"id": "a"}', "line 1: KeyError: 'attribute'"),
        ('{"attribute": "wealth", "tells": []}', "attribute 'wealth'"),
        ('{"attribute": "age", "tells": [""]}', "tells"),
        ("[1]", "line 1: TypeError"),
    ],
)
def test_a_file_that_is_not_as_it_should_be_is_refused_by_line(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ReadError, match=fault) as refused:
        tempting.tempting(file)
    assert refused.value.hint


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="cannot be read"):
        tempting.tempting(tmp_path / "none.jsonl")


def test_the_harmless_items_are_those_of_the_sample() -> None:
    assert len(harmless()) > 200
