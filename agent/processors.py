"""Our logits processors for vLLM: one makes the model write a given text, one keeps it from saying a word twice.

    completions.create(prompt=context, max_tokens=64, temperature=0, logprobs=0, extra_body={"vllm_xargs": {"force": " Heat"}})
    chat.completions.create(messages=..., extra_body={"vllm_xargs": {"once": 1}})

Forced text is how we read how likely a text is: vLLM takes log-probabilities before processors change the logits, so they are
the model's own. Unlike `prompt_logprobs` this keeps the prefix cache: one context and many continuations cost the context
once. The forced text ends with the end token; what comes back is a log-probability for each token of the text and one for that
end. vLLM loads both by name, as agent/vllm_command.py says; nothing of ours imports them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from transformers import AutoTokenizer
from vllm.v1.sample.logits_processor import AdapterLogitsProcessor

from agent.once import Vocabulary

if TYPE_CHECKING:
    import torch

FORCE = "force"
ONCE = "once"
Rewrite = Callable[[Sequence[int], "torch.Tensor"], "torch.Tensor"]


class Forcing(AdapterLogitsProcessor):
    """Per request: at step k every token but the k-th of the text is made impossible."""

    def __init__(self, vllm_config: Any, device: Any, is_pin_memory: bool) -> None:
        super().__init__(vllm_config, device, is_pin_memory)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(vllm_config.model_config.tokenizer)

    @classmethod
    def validate_params(cls, sampling_params: Any) -> None:
        """Called before a request is accepted. Raises ValueError, which the client sees as a 400."""
        text = (sampling_params.extra_args or {}).get(FORCE)
        if text is not None and not (isinstance(text, str) and text):
            raise ValueError(f"{FORCE} must be a text that is not empty")

    def is_argmax_invariant(self) -> bool:
        return False

    def new_req_logits_processor(self, params: Any) -> Rewrite | None:
        text = (params.extra_args or {}).get(FORCE)
        if text is None:
            return None
        wanted = [*self._tokenizer.encode(text, add_special_tokens=False), self._tokenizer.eos_token_id]

        def force(written: Sequence[int], logits: torch.Tensor) -> torch.Tensor:
            token = wanted[min(len(written), len(wanted) - 1)]
            kept = logits[token].clone()
            logits.fill_(float("-inf"))
            logits[token] = kept
            return logits

        return force


class Once(AdapterLogitsProcessor):
    """Per request that asks for it: at each step, what would say a word again is made impossible."""

    def __init__(self, vllm_config: Any, device: Any, is_pin_memory: bool) -> None:
        super().__init__(vllm_config, device, is_pin_memory)
        tokenizer: Any = AutoTokenizer.from_pretrained(vllm_config.model_config.tokenizer)
        self._vocabulary = Vocabulary(tokenizer.batch_decode([[token] for token in range(len(tokenizer))]))

    @classmethod
    def validate_params(cls, sampling_params: Any) -> None:
        """Called before a request is accepted. Raises ValueError, which the client sees as a 400."""
        if (sampling_params.extra_args or {}).get(ONCE, 0) not in (0, 1):
            raise ValueError(f"{ONCE} must be 0 or 1")

    def is_argmax_invariant(self) -> bool:
        return False

    def new_req_logits_processor(self, params: Any) -> Rewrite | None:
        return self._say_once if (params.extra_args or {}).get(ONCE) else None

    def _say_once(self, written: Sequence[int], logits: torch.Tensor) -> torch.Tensor:
        barred = self._vocabulary.barred(written)
        if barred:
            logits[list(barred)] = float("-inf")
        return logits
