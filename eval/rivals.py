"""Rivals in writing profiles: LangChain's summarise chain, and mem0, on the same model, the same events and the same embedder.

    chain = LangChain(Chat(settings.llm))
    written = await chain.write("mara", lines(events, items))

Both read what our writer reads (the last events, each with the item's words and the user's own) and neither cites evidence.
mem0 is not a dependency (it holds back the protobuf that vLLM brings): where it is not installed, its row says so.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import openai
from langchain_core.messages import BaseMessage, convert_to_openai_messages
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompt_values import PromptValue
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda

from agent.config import LLMSettings
from agent.errors import LeitmotifError, LLMUnavailableError
from retrieval.embed import item_text
from retrieval.records import Event, EventKind, Item

CHUNK = 20  # events in one request: about 1,000 tokens
ANSWER_TOKENS = 256
HINT_MEM0 = "pip install mem0ai qdrant-client (in an environment of its own: it changes protobuf)"
MAP = "Summarise this person's interests as a list of short statements, one a line."
REDUCE = (
    "Merge these lists into one list of short statements about the same person's interests, one a line, each said once."
)
_BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s*")
_DID = {
    EventKind.RATE: "rated {value:g}",
    EventKind.VIEW: "viewed",
    EventKind.CLICK: "clicked",
    EventKind.PURCHASE: "bought",
    EventKind.LIKE: "liked",
    EventKind.SHARE: "shared",
    EventKind.DISLIKE: "disliked",
    EventKind.HIDE: "hid",
}


@dataclass(slots=True)
class Cost:
    """What a rival asked of the LLM. `refused`: requests that the server did not take; `longest`: tokens of the longest
    prompt; `fault`: the last thing that the rival raised."""

    calls: int = 0
    tokens: int = 0
    refused: int = 0
    longest: int = 0
    fault: str = ""


class Rival(Protocol):
    """Writes statements about a user from lines about what they did. `room` is the context of the model in tokens, 0 where it
    has not been asked for; `at_once`: users that may be written about at the same time."""

    version: str
    at_once: int

    @property
    def room(self) -> int: ...

    async def write(self, user: str, lines: Sequence[str]) -> tuple[tuple[str, ...], Cost]: ...

    async def close(self) -> None: ...


def lines(events: Sequence[Event], items: Mapping[str, Item]) -> list[str]:
    """One line an event: what was done, the item as the index reads it, and the user's own words."""
    return [line for event in events if (line := _line(event, items.get(event.item or "")))]


def _line(event: Event, item: Item | None) -> str:
    if item is None:
        return f"searched for: {event.text}" if event.text else ""
    did = _DID.get(event.kind, "chose").format(value=event.value or 0)
    return f"{did}: {item_text(item)}" + (f" Said: {event.text}" if event.text else "")


def statements(text: str) -> tuple[str, ...]:
    """The lines of an answer that are statements: without bullets, headings and what is said twice word for word."""
    found = (_BULLET.sub("", line).strip(" *\t") for line in text.splitlines())
    return tuple(dict.fromkeys(line for line in found if line and not line.endswith(":")))


# --- LangChain --------------------------------------------------------------------------------------------------------


class LangChain:
    """Map and reduce, as in LangChain's summarise chain: a list for each chunk of events, then one list out of these."""

    room = 0
    at_once = 8

    def __init__(self, chat: Chat) -> None:
        self.version = importlib.metadata.version("langchain-core")
        self._chat = chat

    async def write(self, user: str, lines: Sequence[str]) -> tuple[tuple[str, ...], Cost]:  # noqa: ARG002
        cost = Cost()

        async def model(prompt: PromptValue) -> str:
            return await self._chat.answer(prompt.to_messages(), cost)

        each, merge = (_template(task) | RunnableLambda(model) | StrOutputParser() for task in (MAP, REDUCE))
        lists = await each.abatch([{"text": "\n".join(lines[i : i + CHUNK])} for i in range(0, len(lines), CHUNK)])
        whole = "\n".join(lists)
        return statements(whole if len(lists) < 2 else await merge.ainvoke({"text": whole})), cost

    async def close(self) -> None:
        await self._chat.close()


def _template(task: str) -> ChatPromptTemplate:
    return ChatPromptTemplate.from_messages([("system", task), ("user", "{text}")])


class Chat:
    """Free text from the same server: a list in JSON would be our way to ask, not LangChain's."""

    def __init__(self, settings: LLMSettings, client: openai.AsyncOpenAI | None = None) -> None:
        self._settings = settings
        self._client = client or openai.AsyncOpenAI(
            base_url=settings.base_url, api_key=settings.api_key.get_secret_value(), timeout=settings.timeout_s
        )
        self._gate = asyncio.Semaphore(settings.concurrency)

    async def answer(self, messages: Sequence[BaseMessage], cost: Cost) -> str:
        """The answer, greedy and with a frequency penalty against loops; what it cost is added to `cost`. A prompt that is too
        long is answered with nothing. Raises LLMUnavailableError."""
        body: dict[str, Any] = {
            "model": self._settings.model,
            "messages": convert_to_openai_messages(list(messages)),
            "max_tokens": ANSWER_TOKENS,
            "temperature": 0,
            "frequency_penalty": 0.3,
        }
        cost.calls += 1
        async with self._gate:
            try:
                answer = await self._client.chat.completions.create(**body)
            except openai.BadRequestError:
                cost.refused += 1
                return ""
            except openai.APIError as exc:
                raise LLMUnavailableError(f"the LLM server did not answer ({type(exc).__name__})") from exc
        if answer.usage:
            cost.tokens += answer.usage.total_tokens
            cost.longest = max(cost.longest, answer.usage.prompt_tokens)
        return answer.choices[0].message.content or ""

    async def close(self) -> None:
        await self._client.close()


# --- mem0 -------------------------------------------------------------------------------------------------------------


class NotInstalledError(LeitmotifError):
    """A rival that is no dependency of ours is not here."""

    hint = HINT_MEM0


class Mem0:
    """`Memory.add` of the events in chunks, then all that is stored. What it raises is counted and kept, not the end: a rival
    that fails on one chunk may store the next.

    Raises NotInstalledError.
    """

    at_once = 1

    def __init__(self, settings: LLMSettings, embedder: Path, folder: Path) -> None:
        os.environ["MEM0_TELEMETRY"] = "False"  # both are read when mem0 is imported
        os.environ["MEM0_DIR"] = str(folder)
        try:
            from mem0 import Memory  # type: ignore[import-not-found, unused-ignore]
        except ImportError as exc:
            raise NotInstalledError(f"mem0 cannot be imported ({exc})") from exc
        logging.getLogger("mem0").setLevel(logging.CRITICAL)  # what it raises is in the row
        self.version = importlib.metadata.version("mem0ai")
        self._cost = Cost()
        self._tokens = _Tokens(settings)
        self._memory = Memory.from_config(_mem0_config(settings, embedder, folder))
        self._call = self._memory.llm.generate_response
        self._memory.llm.generate_response = self._counted

    @property
    def room(self) -> int:
        return self._tokens.room

    async def write(self, user: str, lines: Sequence[str]) -> tuple[tuple[str, ...], Cost]:
        self._cost = Cost()
        return await asyncio.to_thread(self._write, user, lines), self._cost

    def _write(self, user: str, lines: Sequence[str]) -> tuple[str, ...]:
        for start in range(0, len(lines), CHUNK):
            message = {"role": "user", "content": "\n".join(lines[start : start + CHUNK])}
            try:
                self._memory.add([message], user_id=user)
            except Exception as exc:  # whatever mem0 raises is a fault of its row, not the end of the run
                self._cost.fault = " ".join(str(exc).split())[:200]
        scope = {"user_id": user}
        found = self._memory.get_all(**(scope if self.version.startswith("1.") else {"filters": scope}))
        return tuple(dict.fromkeys(row["memory"] for row in found["results"]))

    def _counted(self, messages: Sequence[Mapping[str, str]], **more: Any) -> str:
        """mem0's call of the LLM. The length of a prompt is asked of the server, since one that is refused has no usage."""
        asked = self._tokens.count([dict(message) for message in messages])
        self._cost.calls += 1
        self._cost.longest = max(self._cost.longest, asked)
        try:
            answer: str = self._call(messages=messages, **more)
        except openai.BadRequestError:
            self._cost.refused += 1
            raise
        self._cost.tokens += asked + self._tokens.count([{"role": "assistant", "content": answer}])
        return answer

    async def close(self) -> None:
        self._memory.vector_store.client.close()


class _Tokens:
    """Counts the tokens of messages by vLLM's /tokenize, which also says how many the model takes (`room`)."""

    def __init__(self, settings: LLMSettings) -> None:
        root = settings.base_url.rstrip("/").removesuffix("/v1")
        self._model = settings.model
        self._server = openai.OpenAI(base_url=root, api_key=settings.api_key.get_secret_value())
        self.room = 0

    def count(self, messages: Sequence[Mapping[str, str]]) -> int:
        body = {"model": self._model, "messages": messages}
        found: Any = self._server.post("/tokenize", body=body, cast_to=object)
        self.room = int(found["max_model_len"])
        return int(found["count"])


def _mem0_config(settings: LLMSettings, embedder: Path, folder: Path) -> dict[str, Any]:
    """The server, the embedder and a vector store that are all on this machine."""
    llm = {
        "model": settings.model,
        "vllm_base_url": settings.base_url,
        "api_key": settings.api_key.get_secret_value(),
        "temperature": 0,
        "max_tokens": ANSWER_TOKENS,
    }
    dims = 384  # of MiniLM
    store = {
        "path": str(folder / "qdrant"),
        "collection_name": "memories",
        "embedding_model_dims": dims,
        "on_disk": True,
    }
    return {
        "llm": {"provider": "vllm", "config": llm},
        "embedder": {"provider": "huggingface", "config": {"model": str(embedder), "embedding_dims": dims}},
        "vector_store": {"provider": "qdrant", "config": store},
        "history_db_path": str(folder / "history.db"),
    }
