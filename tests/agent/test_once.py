"""The logits processor that lets no word come twice, without an engine: a few dozen tokens, and what is barred after them."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agent import guard

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # vLLM's and its dependencies' own, at import
    from agent import once

PIECES = (
    '{"',
    "text",
    '":"',
    '"}',
    ",",
    "-",
    *(
        " about",
        " with",
        " a",
        " and",
        " mostly",
        " detective",
        " detectives",
        " det",
        "ect",
        "ive",
        "ives",
        " Scandinavian",
    ),
    *(
        "cold",
        " cold",
        " case",
        " cases",
        " cos",
        "y",
        "iness",
        "i",
        " cosy",
        " com",
        "ed",
        "ies",
        "edy",
        "edies",
        " comedy",
    ),
    *(" pot", "tery", "ter", "s", "films", " films", " film", "maker", " slow", " burn", "burn", "slow", " jazz"),
)
IDS = {piece: token for token, piece in enumerate(PIECES)}
VOCABULARY = once.Vocabulary(PIECES)


def tokens(*pieces: str) -> list[int]:
    return [IDS[piece] for piece in ('{"', "text", '":"', *pieces)]


def barred(*pieces: str) -> set[str]:
    return {PIECES[token] for token in VOCABULARY.barred(tokens(*pieces))}


def test_nothing_is_barred_before_anything_is_said() -> None:
    assert barred() == set()


def test_a_word_is_barred_in_all_its_forms() -> None:
    after = barred("cold", " case", " about", " detectives", ",", " mostly", " with", " a")
    assert {" detective", " detectives", " case", " cases", " cold", " mostly", " about"} <= after
    assert not {" a", " with", " films", " Scandinavian", ",", '"}'} & after


def test_a_word_in_pieces_can_neither_be_begun_nor_ended_again() -> None:
    assert {" pot", " detective"} <= barred(" pot", "tery", " and", " det", "ect", "ive", ",")
    assert {"tery"} == barred("films", " and", " pot", "tery", " with", " pot") & {"tery", "ter"}
    assert {"edy", "edies"} <= barred(" comedy", " and", " com")
    assert {"iness", "y"} <= barred(" cosy", " films", " and", " cos")


def test_a_word_that_is_being_written_may_be_ended() -> None:
    assert not {"ive", "ives", "ect"} & barred(" det")
    assert "ive" not in barred(" det", "ect")
    assert "s" not in barred(" pot", "ter")


def test_a_compound_says_its_parts() -> None:
    assert "burn" in barred(" burn", " films", ",", " slow", "-")
    assert {" films", " slow", " burn"} <= barred("films", ",", " slow", "-", "burn")
    assert not {"burn", "slow"} & barred("films", ",", " slow", "-")  # "slow-slow" is its own affair


def test_names_of_fields_are_not_said() -> None:
    assert barred("films") >= {" films", " film"}
    assert IDS["text"] not in VOCABULARY.barred(tokens("films", ","))


@given(st.lists(st.sampled_from(range(6, len(PIECES))), max_size=40))
def test_what_keeps_to_it_never_loops(wanted: list[int]) -> None:
    written = tokens()
    for token in wanted:
        if token not in VOCABULARY.barred(written):
            written.append(token)
    said = "".join(PIECES[token] for token in written).removeprefix('{"text":"')
    whole = said[: said.rfind(" ")] if " " in said.strip() else ""  # the last word may be half a word
    assert not guard.loops(whole)


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> once.Once:
    tokenizer = type(
        "Pieces", (), {"__len__": lambda _: len(PIECES), "batch_decode": lambda _, ids: [PIECES[i] for (i,) in ids]}
    )
    monkeypatch.setattr("agent.once.AutoTokenizer.from_pretrained", lambda _folder: tokenizer())
    return once.Once(SimpleNamespace(model_config=SimpleNamespace(tokenizer="")), torch.device("cpu"), False)


def asking(**arguments: Any) -> SimpleNamespace:
    return SimpleNamespace(extra_args=arguments or None)


def test_a_request_that_asks_for_it_gets_it(processor: once.Once) -> None:
    say_once = processor.new_req_logits_processor(asking(once=1))
    assert say_once is not None
    row = say_once(tokens(" detectives", " and"), torch.zeros(len(PIECES)))
    assert row[IDS[" detective"]] == float("-inf")
    assert row[IDS[" films"]] == 0
    assert bool((say_once(tokens(), torch.zeros(len(PIECES))) == 0).all())


def test_other_requests_are_left_alone(processor: once.Once) -> None:
    assert processor.new_req_logits_processor(asking()) is None
    assert processor.new_req_logits_processor(asking(once=0)) is None
    assert not processor.is_argmax_invariant()


@pytest.mark.parametrize("value", ["yes", 2, [1]])
def test_what_is_neither_yes_nor_no_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="must be 0 or 1"):
        once.Once.validate_params(asking(once=value))
    once.Once.validate_params(asking(once=1))
    once.Once.validate_params(asking())
