"""The logits processors without an engine: what they do to one row of logits, and which requests they refuse."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # vLLM's and its dependencies' own, at import
    from agent import processors


PIECES = ("", "a", "b", "c", " film", " films", " with")


class Tokens:
    """A tokenizer with a token a letter, and a few of whole words; 0 is the end."""

    eos_token_id = 0

    def __len__(self) -> int:
        return len(PIECES)

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        assert not add_special_tokens
        return [PIECES.index(letter) for letter in text]

    def batch_decode(self, rows: list[list[int]]) -> list[str]:
        return ["".join(PIECES[token] for token in row) for row in rows]


Make = Callable[[type[Any]], Any]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes a processor, as vLLM would."""
    monkeypatch.setattr("agent.processors.AutoTokenizer.from_pretrained", lambda _folder: Tokens())
    return lambda kind: kind(SimpleNamespace(model_config=SimpleNamespace(tokenizer="")), torch.device("cpu"), False)


def asking(**arguments: Any) -> SimpleNamespace:
    return SimpleNamespace(extra_args=arguments or None)


def test_each_step_allows_the_next_token_of_the_text_and_then_the_end(make: Make) -> None:
    force = make(processors.Forcing).new_req_logits_processor(asking(force="cab"))
    chosen: list[int] = []
    for _ in range(5):
        row = force(chosen, torch.arange(float(len(PIECES))))
        assert int(torch.isfinite(row).sum()) == 1
        chosen.append(int(row.argmax()))
    assert chosen == [3, 1, 2, 0, 0]


def test_what_would_say_a_word_again_is_impossible(make: Make) -> None:
    say_once = make(processors.Once).new_req_logits_processor(asking(once=1))
    row = say_once([PIECES.index(" films"), PIECES.index(" with")], torch.zeros(len(PIECES)))
    assert [piece for piece, logit in zip(PIECES, row, strict=True) if logit == float("-inf")] == [" film", " films"]
    assert bool((say_once([], torch.zeros(len(PIECES))) == 0).all())


@pytest.mark.parametrize("kind", [processors.Forcing, processors.Once])
def test_other_requests_are_left_alone(make: Make, kind: type[Any]) -> None:
    processor = make(kind)
    assert processor.new_req_logits_processor(asking()) is None
    assert processor.new_req_logits_processor(asking(other=1, once=0)) is None
    assert not processor.is_argmax_invariant()


@pytest.mark.parametrize("text", ["", 3, ["a"]])
def test_what_is_no_text_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="must be a text"):
        processors.Forcing.validate_params(asking(force=text))
    processors.Forcing.validate_params(asking())


@pytest.mark.parametrize("value", ["yes", 2, [1]])
def test_what_is_neither_yes_nor_no_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="must be 0 or 1"):
        processors.Once.validate_params(asking(once=value))
    processors.Once.validate_params(asking(once=1))
    processors.Once.validate_params(asking())
