"""The one way to talk to an LLM: the OpenAI protocol of a vLLM server, many requests at once.

Three verbs. `complete` asks for validated output (JSON schema, one repair, several samples); `likelihood` asks how probable a
text is after another, `choices` how probable each of a few one-token answers is. What is sent and how answers are read is in
protocol.py.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

import openai
from openai.types import Completion, CompletionUsage
from openai.types.chat.chat_completion import ChatCompletion, Choice

from agent.adapter import shipped
from agent.config import EMBEDDED_MODEL, LLMSettings
from agent.errors import LLMError, LLMOutputError, LLMUnavailableError, LLMUnsupportedError
from agent.protocol import (
    Answer,
    ChatRequest,
    RawChat,
    RawChoice,
    RawScore,
    Usage,
    build_request,
    continuation_logprob,
    defused,
    parse_chat,
)
from prompts.library import Message, Prompt
from retrieval.store import LLMCall

Outcome = Literal["ok", "repaired", "invalid", "unavailable"]
FORCED_TOKENS = 64  # a longer title is scored the slow way
ADAPTER_DIGITS = 8
NO_VLLM = "ranking by likelihood needs a vLLM server"
REPAIR = "That was not valid: {problem}. Answer again with the JSON object only."


@dataclass(frozen=True, slots=True)
class _Label:
    """What the call log says of a call beside its figures."""

    prompt: str
    text: str
    kind: Literal["complete", "score"]
    user: str | None
    attempt: int = 1


class LLM:
    """The client; use one per event loop. `log` receives one LLMCall a request: figures only, never what a user did."""

    def __init__(
        self,
        settings: LLMSettings,
        *,
        client: openai.AsyncOpenAI | None = None,
        log: Callable[[LLMCall], None] | None = None,
    ) -> None:
        self.settings = settings
        self._client = client or openai.AsyncOpenAI(
            base_url=settings.base_url,
            api_key=settings.api_key.get_secret_value(),
            timeout=settings.timeout_s,
            max_retries=settings.retries,  # the SDK retries 408/409/429/5xx and lost connections, with jitter
        )
        self.log = log
        self._gate = asyncio.Semaphore(settings.concurrency)
        self._token_ids: dict[str, int] = {}

    @property
    def identity(self) -> str:
        """Who answers, for what is kept: the model's name, and of the embedded one which adapter. A new adapter of the same
        name is another model, and what an earlier one wrote or scored is not its."""
        model = self.settings.model
        return f"{model}+{shipped()[:ADAPTER_DIGITS]}" if model == EMBEDDED_MODEL else model

    async def complete(
        self, prompt: Prompt, *, n: int = 1, user: str | None = None, **variables: Any
    ) -> list[Answer[Any]]:
        """Up to `n` valid answers in sampled order, at least one.

        Raises LLMOutputError when none is valid after one repair, LLMUnavailableError when the server is out of reach.
        """
        messages = prompt.render(**variables)
        label = _Label(prompt.ref, "\n".join(m.content for m in messages), "complete", user)
        request = build_request(self.settings, prompt, messages, n=n)
        raw, answers, problem = await self._try(prompt, request, label)
        if answers:
            return answers
        broken = raw.choices[0].text[:400] if raw.choices else ""
        retry = (*messages, Message("assistant", broken), Message("user", REPAIR.format(problem=problem)))
        request = build_request(self.settings, prompt, retry, n=1)
        _, answers, problem = await self._try(prompt, request, replace(label, attempt=2))
        if not answers:
            raise LLMOutputError(f"{prompt.ref}: {problem}")
        return answers

    async def likelihood(self, pairs: Sequence[tuple[str, str]], *, ref: str, user: str | None = None) -> list[float]:
        """For each (prefix, continuation) the mean log-probability per token of the continuation after the prefix.

        `ref` names the prompt for the log. Raises LLMUnsupportedError where the server cannot score prompts.
        """

        async def one(prefix: str, continuation: str) -> float:
            label = _Label(ref, prefix + continuation, "score", user)
            raw = await self._measure(label, lambda: self._rate(prefix, continuation))
            return continuation_logprob(raw.tokens, continuation)

        return list(await asyncio.gather(*(one(prefix, text) for prefix, text in pairs)))

    async def choices(self, prefix: str, options: Sequence[str], *, ref: str, user: str | None = None) -> list[float]:
        """The log-probability of each option right after the prefix; an option is one token of the model, such as " A".

        Reads the prefix from the cache. Raises LLMUnsupportedError for an option of several tokens and where the server is
        no vLLM.
        """
        raw = await self._measure(_Label(ref, prefix, "score", user), lambda: self._choose(prefix, options))
        return [logprob for _, logprob in raw.tokens]

    async def models(self) -> list[str]:
        """The ids of the models that the server offers."""
        with _normalised():
            return [model.id async for model in self._client.models.list()]

    async def close(self) -> None:
        await self._client.close()

    async def _try(self, prompt: Prompt, request: ChatRequest, label: _Label) -> tuple[RawChat, list[Answer[Any]], str]:
        """Send once and validate: the raw answer, the valid answers, and the last problem."""
        async with self._gate:
            started = time.monotonic()
            with self._told(label, started):
                raw = await self._chat(request)
        answers, problem = parse_chat(raw, prompt)
        outcome: Outcome = "invalid" if not answers else "ok" if label.attempt == 1 else "repaired"
        self._record(label, raw.usage, started, outcome, raw.choices[0].finish_reason if raw.choices else "none")
        return raw, answers, problem

    async def _measure(self, label: _Label, request: Callable[[], Awaitable[RawScore]]) -> RawScore:
        async with self._gate:
            started = time.monotonic()
            with self._told(label, started):
                raw = await request()
        self._record(label, raw.usage, started, "ok", "stop")
        return raw

    # `post` and not `create`: the SDK walks every message of a request through its type annotations, which costs more
    # than all else that the client does.

    async def _chat(self, request: ChatRequest) -> RawChat:
        with _normalised():
            response = await self._client.post("/chat/completions", cast_to=ChatCompletion, body=request.body())
        return RawChat(tuple(_choice(c) for c in _choices(response)), _usage(response.usage))

    async def _rate(self, prefix: str, continuation: str) -> RawScore:
        """Log-probabilities of a text that ends with `continuation`, or of `continuation` alone.

        The embedded engine is made to write it, which reads the prefix from the cache: 13 times as fast behind a shared
        context of 300 tokens. Other servers read the whole text anew.
        """
        if self.settings.embedded:
            forced = await self._forced(prefix, continuation)
            if forced is not None:
                return forced
        return await self._score(prefix + continuation)

    async def _forced(self, prefix: str, continuation: str) -> RawScore | None:
        """None from a server without our logits processor (agent/processors.py): it writes something else."""
        force = {"force": defused(continuation)}
        response = await self._continue(prefix, max_tokens=FORCED_TOKENS, logprobs=0, vllm_xargs=force)
        choice = next(iter(_choices(response)), None)
        if choice is None or choice.text != defused(continuation) or choice.logprobs is None:
            return None
        logprobs = list(choice.logprobs.token_logprobs or [])[:-1]  # the last one is of the end of the text
        tokens = list(choice.logprobs.tokens or [])
        return RawScore(tuple(zip(tokens, logprobs, strict=False)), _usage(response.usage))

    async def _score(self, text: str) -> RawScore:
        response = await self._continue(text, prompt_logprobs=0)
        entries = next((getattr(choice, "prompt_logprobs", None) for choice in _choices(response)), None)
        if entries is None:
            raise LLMUnsupportedError("the server does not report prompt log-probabilities", hint=NO_VLLM)
        found = (next(iter(entry.values())) for entry in entries if entry)
        return RawScore(tuple((str(e["decoded_token"]), float(e["logprob"])) for e in found), _usage(response.usage))

    async def _choose(self, prefix: str, options: Sequence[str]) -> RawScore:
        ids = [await self._token_id(option) for option in options]
        response = await self._continue(prefix, logprobs=1, logprob_token_ids=ids, return_tokens_as_token_ids=True)
        logprobs = next((choice.logprobs for choice in _choices(response)), None)
        found = logprobs.top_logprobs[0] if logprobs and logprobs.top_logprobs else {}
        missing = [option for option, token in zip(options, ids, strict=True) if f"token_id:{token}" not in found]
        if missing:
            raise LLMUnsupportedError(f"the server does not say how probable {missing[0]!r} is", hint=NO_VLLM)
        pairs = ((option, found[f"token_id:{token}"]) for option, token in zip(options, ids, strict=True))
        return RawScore(tuple(pairs), _usage(response.usage))

    async def _token_id(self, option: str) -> int:
        """The number of the one token that `option` is, asked for once; not logged, as it is about nobody."""
        if option not in self._token_ids:
            response = await self._continue(option, add_special_tokens=False, return_token_ids=True)
            ids = next((getattr(choice, "prompt_token_ids", None) for choice in _choices(response)), None)
            if not ids or len(ids) > 1:
                raise LLMUnsupportedError(f"{option!r} is not known to be one token of the model", hint=NO_VLLM)
            self._token_ids[option] = ids[0]
        return self._token_ids[option]

    async def _continue(self, prompt: str, *, max_tokens: int = 1, **more: Any) -> Completion:
        body = {"model": self.settings.model, "prompt": defused(prompt), "max_tokens": max_tokens, "temperature": 0}
        with _normalised():
            return await self._client.post("/completions", cast_to=Completion, body=body | more)

    @contextmanager
    def _told(self, label: _Label, started: float) -> Iterator[None]:
        """Log a request that found nobody."""
        try:
            yield
        except LLMUnavailableError:
            self._record(label, Usage(), started, "unavailable", "none")
            raise

    def _record(self, label: _Label, usage: Usage, started: float, outcome: Outcome, finish: str) -> None:
        if self.log is None:
            return
        self.log(
            LLMCall(
                id=uuid.uuid4().hex,
                at=datetime.now(UTC),
                prompt=label.prompt,
                prompt_sha256=hashlib.sha256(label.text.encode()).hexdigest(),
                model=self.settings.model,
                kind=label.kind,
                user=label.user,
                tokens_in=usage.tokens_in,
                tokens_out=usage.tokens_out,
                tokens_cached=usage.tokens_cached,
                latency_s=time.monotonic() - started,
                attempts=label.attempt,
                outcome=outcome,
                finish_reason=finish,
            )
        )


def _choices(response: Any) -> Sequence[Any]:
    """The answer's choices. A web page or another service answers 200 too; that is what a wrong base_url looks like."""
    found = getattr(response, "choices", None)
    if not isinstance(found, list):
        raise LLMError("what answered is not an OpenAI-compatible LLM server", hint="check the setting llm.base_url")
    return found


def _choice(choice: Choice) -> RawChoice:
    entries = choice.logprobs.content if choice.logprobs and choice.logprobs.content else []
    tokens = tuple((entry.token, entry.logprob) for entry in entries)
    return RawChoice(choice.message.content or "", choice.finish_reason, tokens)


def _usage(usage: CompletionUsage | None) -> Usage:
    if usage is None:
        return Usage()
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else 0
    return Usage(usage.prompt_tokens, usage.completion_tokens, cached or 0)


@contextmanager
def _normalised() -> Iterator[None]:
    """Turn the SDK's exceptions into ours; what we do not know goes through."""
    try:
        yield
    except openai.APITimeoutError as exc:
        raise LLMUnavailableError("the LLM did not answer in time") from exc
    except openai.APIConnectionError as exc:
        raise LLMUnavailableError("the LLM server cannot be reached") from exc
    except (openai.APIResponseValidationError, ValueError) as exc:
        raise LLMError("what answered does not speak JSON", hint="check the setting llm.base_url") from exc
    except openai.APIStatusError as exc:
        if exc.status_code in (408, 409, 429) or exc.status_code >= 500:
            raise LLMUnavailableError(f"the LLM server answered {exc.status_code}") from exc
        raise LLMError(f"the LLM server refused the request ({exc.status_code}): {_one_line(exc.message)}") from exc


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]
