"""Rendered examples to token ids, and these to padded batches. The loss is on the answer alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.tuning.render import Rendered

if TYPE_CHECKING:
    import torch

IGNORED = -100  # the label that cross-entropy leaves out
STEP = 16  # tokens; lengths are multiples of it, because the CPU's kernels are prepared anew (and kept) for each shape
ANSWERS = 64  # the same for the number of answer tokens in a batch


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids of a prompt with its answer; the last `answer` of them are learnt, the end of the turn included."""

    ids: tuple[int, ...]
    answer: int


def encode(tokenizer: Any, rendered: Rendered) -> Encoded:
    """In the chat format of the base model, as the server renders it; what is scored and not written, as running text."""
    answer = tokenizer(rendered.answer, add_special_tokens=False).input_ids
    if rendered.prompt.output is None:
        head = tokenizer(rendered.prompt.text(**rendered.variables), add_special_tokens=False).input_ids
        return Encoded((*head, *answer), len(answer))
    messages = [{"role": m.role, "content": m.content} for m in rendered.messages]
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    head = tokenizer(prompt, add_special_tokens=False).input_ids
    return Encoded((*head, *answer, tokenizer.eos_token_id), len(answer) + 1)


def collate(examples: Sequence[Encoded], pad: int) -> dict[str, torch.Tensor]:
    """`input_ids`, `attention_mask` and `labels`, each (n, longest up to a multiple of STEP), padded on the right."""
    import torch

    longest = -(-max(len(e.ids) for e in examples) // STEP) * STEP

    def padded(rows: Iterable[Sequence[int]], fill: int) -> torch.Tensor:
        return torch.tensor([[*row, *[fill] * (longest - len(row))] for row in rows])

    return {
        "input_ids": padded((e.ids for e in examples), pad),
        "attention_mask": padded(([1] * len(e.ids) for e in examples), 0),
        "labels": padded(([IGNORED] * (len(e.ids) - e.answer) + list(e.ids[-e.answer :]) for e in examples), IGNORED),
    }


def answers(states: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The hidden states (m, width) from which an answer's token is told, and that token's label (m,), with rows that
    are left out up to a multiple of ANSWERS. `states` (n, length, width), `labels` (n, length)."""
    import torch

    wanted = labels[:, 1:] != IGNORED
    chosen, told = states[:, :-1][wanted], labels[:, 1:][wanted]
    missing = -len(told) % ANSWERS
    return torch.nn.functional.pad(chosen, (0, 0, 0, missing)), torch.nn.functional.pad(
        told, (0, missing), value=IGNORED
    )
