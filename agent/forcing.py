"""A vLLM logits processor that makes the model write a given text, so that we can read how likely the text was.

    completions.create(prompt=context, max_tokens=64, temperature=0, logprobs=0, extra_body={"vllm_xargs": {"force": " Heat"}})

vLLM takes log-probabilities before processors change the logits, so they are the model's own. Unlike `prompt_logprobs` this
keeps the prefix cache: one context and many continuations cost the context once. The forced text ends with the end token;
what comes back is a log-probability for each token of the text and one for that end. vLLM loads this by name, as
agent/vllm_command.py says; nothing of ours imports it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from transformers import AutoTokenizer
from vllm.v1.sample.logits_processor import AdapterLogitsProcessor

if TYPE_CHECKING:
    import torch

ARGUMENT = "force"
Rewrite = Callable[[Sequence[int], "torch.Tensor"], "torch.Tensor"]


class Forcing(AdapterLogitsProcessor):
    """Per request: at step k every token but the k-th of the text is made impossible."""

    def __init__(self, vllm_config: Any, device: Any, is_pin_memory: bool) -> None:
        super().__init__(vllm_config, device, is_pin_memory)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(vllm_config.model_config.tokenizer)

    @classmethod
    def validate_params(cls, sampling_params: Any) -> None:
        """Called before a request is accepted. Raises ValueError, which the client sees as a 400."""
        text = (sampling_params.extra_args or {}).get(ARGUMENT)
        if text is not None and not (isinstance(text, str) and text):
            raise ValueError(f"{ARGUMENT} must be a text that is not empty")

    def is_argmax_invariant(self) -> bool:
        return False

    def new_req_logits_processor(self, params: Any) -> Rewrite | None:
        text = (params.extra_args or {}).get(ARGUMENT)
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
