"""What goes to the server and what comes back, as data: build a request, parse an answer. Pure; the sending is llm.py's.

What the model returns is untrusted: it is validated even though the server was asked to constrain it, because old servers
ignore the constraint in silence.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from agent.config import LLMSettings
from agent.errors import LLMError, LLMOutputError
from prompts.library import Message, Prompt

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """All that decides an answer; hashable, so that fakes and tests can look it up.

    There is no seed: vLLM 0.32 on the CPU loses its engine to a seeded request whose prompt is read in chunks ("CPU Generator
    does not use offset"), and a seed would not repeat an answer anyway, as that depends on what else is in the batch.
    """

    model: str
    messages: tuple[Message, ...]
    schema: str
    max_tokens: int
    temperature: float
    frequency_penalty: float
    once: bool
    n: int

    def body(self) -> dict[str, Any]:
        """The JSON body of a chat completion."""
        return {
            "model": self.model,
            "messages": [{"role": m.role, "content": defused(m.content)} for m in self.messages],
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "frequency_penalty": self.frequency_penalty,
            "n": self.n,
            "logprobs": True,
            **({"vllm_xargs": {"once": 1}} if self.once else {}),  # agent/once.py
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": json.loads(self.schema), "strict": True},
            },
        }


@dataclass(frozen=True, slots=True)
class Usage:
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0


@dataclass(frozen=True, slots=True)
class RawChoice:
    """One sampled answer: text, why it ended, and the tokens with their log-probabilities (may be empty)."""

    text: str
    finish_reason: str
    tokens: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class RawChat:
    choices: tuple[RawChoice, ...]
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class RawScore:
    """The tokens of a scored text with their log-probabilities; the first token has none and is left out."""

    tokens: tuple[tuple[str, float], ...]
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A validated answer. `logprob` is the mean log-probability per token of the answer (0 where not reported)."""

    output: T
    logprob: float


@cache
def schema_of(output: type[BaseModel]) -> str:
    """The JSON schema of an answer; one frozen text a type, so that the server compiles its grammar once."""
    return json.dumps(output.model_json_schema(), sort_keys=True)


def build_request(settings: LLMSettings, prompt: Prompt, messages: Sequence[Message], *, n: int) -> ChatRequest:
    """The request for `messages` of `prompt`. Without a temperature it is greedy: all samples would be the same, so there is
    one."""
    if prompt.output is None:
        raise LLMError(f"prompt {prompt.ref} has no output type")
    return ChatRequest(
        model=settings.model,
        messages=tuple(messages),
        schema=schema_of(prompt.output),
        max_tokens=prompt.params.max_tokens,
        temperature=prompt.params.temperature,
        frequency_penalty=prompt.params.frequency_penalty,
        once=prompt.params.once,
        n=n if prompt.params.temperature > 0 else 1,
    )


def parse_choice(choice: RawChoice, output: type[T]) -> Answer[T]:
    """Validate one sampled answer. Raises LLMOutputError with the problem in one line."""
    if choice.finish_reason == "length":
        raise LLMOutputError("the answer was cut off at the token limit")
    try:
        value = output.model_validate_json(choice.text)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        raise LLMOutputError(f"{'.'.join(map(str, first['loc'])) or 'answer'}: {first['msg']}") from exc
    return Answer(value, _mean([logprob for _, logprob in choice.tokens]) if choice.tokens else 0.0)


def parse_chat(raw: RawChat, prompt: Prompt) -> tuple[list[Answer[Any]], str]:
    """The valid answers among the samples, and what was wrong with the last invalid one."""
    assert prompt.output is not None  # noqa: S101  build_request has refused such a prompt
    answers: list[Answer[Any]] = []
    problem = "no answer"
    for choice in raw.choices:
        try:
            answers.append(parse_choice(choice, prompt.output))
        except LLMOutputError as exc:
            problem = str(exc)
    return answers, problem


def defused(text: str) -> str:
    """`text` without the control tokens of chat templates (`<|im_end|>`): servers read them even inside a message."""
    return text.replace("<|", "< |")


def continuation_logprob(tokens: Sequence[tuple[str, float]], continuation: str) -> float:
    """Mean log-probability per token of the last tokens, those that spell `continuation`.

    Counted in UTF-8 bytes, since tokens may be parts of a character; such a part is decoded as U+FFFD and counts as one.
    """
    taken: list[float] = []
    left = len(continuation.encode())
    for text, logprob in reversed(tokens):
        if left <= 0:
            break
        taken.append(logprob)
        left -= sum(1 if char == "\ufffd" else len(char.encode()) for char in text)
    return _mean(taken)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
