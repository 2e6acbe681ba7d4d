"""The logits processor without an engine: what it does to one row of logits, and which requests it refuses."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

import pytest
import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # vLLM's and its dependencies' own, at import
    from agent import forcing


class Letters:
    """A tokenizer with a token a letter; 0 is the end."""

    eos_token_id = 0

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        assert not add_special_tokens
        return [ord(letter) - ord("a") + 1 for letter in text]


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> forcing.Forcing:
    monkeypatch.setattr("agent.forcing.AutoTokenizer.from_pretrained", lambda _folder: Letters())
    return forcing.Forcing(SimpleNamespace(model_config=SimpleNamespace(tokenizer="")), torch.device("cpu"), False)


def asking(**arguments: Any) -> SimpleNamespace:
    return SimpleNamespace(extra_args=arguments or None)


def test_each_step_allows_the_next_token_of_the_text_and_then_the_end(processor: forcing.Forcing) -> None:
    force = processor.new_req_logits_processor(asking(force="cab"))
    assert force is not None
    chosen: list[int] = []
    for _ in range(5):
        row = force(chosen, torch.arange(27.0))
        assert int(torch.isfinite(row).sum()) == 1
        chosen.append(int(row.argmax()))
    assert chosen == [3, 1, 2, 0, 0]


def test_other_requests_are_left_alone(processor: forcing.Forcing) -> None:
    assert processor.new_req_logits_processor(asking()) is None
    assert processor.new_req_logits_processor(asking(other=1)) is None
    assert not processor.is_argmax_invariant()


@pytest.mark.parametrize("text", ["", 3, ["a"]])
def test_what_is_no_text_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="must be a text"):
        forcing.Forcing.validate_params(asking(force=text))
    forcing.Forcing.validate_params(asking())
