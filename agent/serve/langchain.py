"""Leitmotif for LangChain: a retriever of explained recommendations, and a tool for agents.

    retriever = LeitmotifRetriever(service=service, user="mara")
    tool = recommend_tool(service, "mara")

The user is bound by your program, never by the model: a prompt must not be able to ask for somebody else's recommendations.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config
from langchain_core.tools import StructuredTool
from pydantic import BaseModel, Field, PrivateAttr

from agent.config import Settings
from agent.errors import UsageError
from agent.serve import present
from agent.serve.schemas import RecommendationOut, RecommendationsOut
from agent.service import Service

T = TypeVar("T")
Clock = Callable[[], datetime]
USER = "user"  # the key in config["configurable"]
MOST_FOR_MODELS = 20  # recommendations that a tool call may ask for: they all go into a prompt


def _utc_now() -> datetime:
    return datetime.now(UTC)


class _Loop:
    """An event loop in a thread of its own. One a service, for as long as that lives, because the LLM client belongs to one
    loop: a new loop for each synchronous call would break its connections. A daemon, so that it never keeps a program alive."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="leitmotif", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it there and block until it is done."""
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("a synchronous call from inside the service's own loop would wait for itself")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        finally:
            future.cancel()  # what is done stays done; an interrupted wait leaves nothing running

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it there and await it here; cancelling here cancels there."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def stop(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)


_loops: weakref.WeakKeyDictionary[Service, _Loop] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def _loop_of(service: Service) -> _Loop:
    with _lock:
        if service not in _loops:
            _loops[service] = loop = _Loop()
            weakref.finalize(service, loop.stop)
        return _loops[service]


class LeitmotifRetriever(BaseRetriever):
    """The question goes in, explained recommendations for the bound user come out as Documents.

    `page_content` is title and text; `metadata` has id, rank, score, reason, citations, theme and degraded. The user is
    given here or in `config["configurable"]["user"]`; where both are, they must agree. `service` may be Settings: a
    service is then opened on first use, and `close` closes it. A service that is given must not be used in another event
    loop at the same time.
    """

    service: Service | Settings = Field(exclude=True, repr=False)
    user: str | None = None
    k: int = Field(10, ge=1, le=100)
    explain: bool = True
    clock: Clock = Field(default=_utc_now, exclude=True, repr=False)
    _opened: Service | None = PrivateAttr(None)

    def invoke(self, input: str, config: RunnableConfig | None = None, **kwargs: Any) -> list[Document]:  # noqa: A002
        return super().invoke(input, config, **{**kwargs, "user": self._user(config)})

    async def ainvoke(self, input: str, config: RunnableConfig | None = None, **kwargs: Any) -> list[Document]:  # noqa: A002
        return await super().ainvoke(input, config, **{**kwargs, "user": self._user(config)})

    def close(self) -> None:
        """Close the service that was opened here; a given one is the caller's."""
        if self._opened:
            self._opened.close()
            _loop_of(self._opened).stop()
            self._opened = None

    def _get_relevant_documents(  # type: ignore[override]  # LangChain passes further arguments to those who declare them
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002
        user: str,
    ) -> list[Document]:
        service = self._service()
        return _loop_of(service).wait(self._documents(service, user, query))

    async def _aget_relevant_documents(  # type: ignore[override]
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,  # noqa: ARG002
        user: str,
    ) -> list[Document]:
        service = self._service()
        return await _loop_of(service).run(self._documents(service, user, query))

    async def _documents(self, service: Service, user: str, query: str) -> list[Document]:
        found = await _recommend(service, user, query, self.k, self.clock(), explain=self.explain)
        texts = {i: item.text for i, item in service.store.items([r.item for r in found.items]).items()}
        return [_document(r, texts.get(r.item, "")) for r in found.items]

    def _service(self) -> Service:
        if isinstance(self.service, Service):
            return self.service
        with _lock:
            self._opened = self._opened or Service.open(self.service)
        return self._opened

    def _user(self, config: RunnableConfig | None) -> str:
        given = ensure_config(config).get("configurable", {}).get(USER)
        if self.user is not None and given not in (None, self.user):
            raise UsageError(f"this retriever is bound to {self.user!r}", hint="leave the user out of the constructor")
        user = self.user if self.user is not None else given
        if not isinstance(user, str) or not user:
            raise UsageError("for which user?", hint='give user= or config={"configurable": {"user": ...}}')
        return user


class RecommendArgs(BaseModel):
    """What the model may say: never for whom."""

    query: str = Field(description="What the person is looking for, in a few words. Empty for anything they may like.")
    k: int = Field(5, ge=1, le=MOST_FOR_MODELS, description="How many recommendations.")


def recommend_tool(service: Service, user: str, *, clock: Clock = _utc_now) -> StructuredTool:
    """A tool that recommends to `user`. The model reads a numbered list with reasons; the artifact of the tool message holds
    the recommendations as JSON values, citations included, for your program."""

    async def work(query: str, k: int) -> tuple[str, list[dict[str, Any]]]:
        found = await _recommend(service, user, query, k, clock(), explain=True)
        return _told(found.items), [r.model_dump(mode="json") for r in found.items]

    def recommend(query: str, k: int = 5) -> tuple[str, list[dict[str, Any]]]:
        return _loop_of(service).wait(work(query, k))

    async def arecommend(query: str, k: int = 5) -> tuple[str, list[dict[str, Any]]]:
        return await _loop_of(service).run(work(query, k))

    return StructuredTool.from_function(
        func=recommend,
        coroutine=arecommend,
        name="recommend",
        description="Recommend items that fit what is known of this person's interests, each with the reason why.",
        args_schema=RecommendArgs,
        response_format="content_and_artifact",
    )


async def _recommend(
    service: Service, user: str, query: str, k: int, now: datetime, *, explain: bool
) -> RecommendationsOut:
    found = await service.recommend(user, now=now, k=k, query=query or None, explain=explain)
    return present.recommendations(service, user, query or None, k, found)


def _document(rec: RecommendationOut, text: str) -> Document:
    return Document(
        id=rec.item,
        page_content=f"{rec.title}\n{text}".rstrip(),
        metadata={
            "id": rec.item,
            "rank": rec.rank,
            "score": rec.score,
            "reason": rec.reason,
            "citations": [c.model_dump(mode="json") for c in rec.citations],
            "theme": rec.theme_label,
            "degraded": rec.degraded,
        },
    )


def _told(found: list[RecommendationOut]) -> str:
    if not found:
        return "Nothing to recommend."
    return "\n".join(f"{r.rank}. {r.title} [{r.item}]: {r.reason}" for r in found)
