"""LangChain: Documents with reasons, a tool that cannot be talked into another user, and one loop for everything."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableLambda, RunnablePassthrough

from agent.errors import NotFoundError, UsageError
from agent.llm import LLM
from agent.serve import langchain
from agent.serve.langchain import LeitmotifRetriever, recommend_tool
from agent.service import Service
from tests.fakes import NOW, FakeLLM


def clock() -> Any:
    return NOW


def retriever(service: Service, user: str | None = "ann", **more: Any) -> LeitmotifRetriever:
    return LeitmotifRetriever(service=service, user=user, clock=clock, **more)


def test_documents_carry_the_reason_and_its_evidence(service: Service) -> None:
    found = retriever(service, k=3).invoke("bread")
    assert len(found) == 3
    for rank, document in enumerate(found, start=1):
        item = service.store.item(str(document.id))
        assert item is not None
        assert document.page_content == f"{item.title}\n{item.text}"
        data = document.metadata
        assert set(data) == {"id", "rank", "score", "reason", "citations", "theme", "degraded"}
        assert (data["id"], data["rank"]) == (item.id, rank)
        assert data["reason"]
    assert any(d.metadata["citations"] and d.metadata["theme"] for d in found)


async def _both(one: LeitmotifRetriever) -> tuple[list[Document], list[Document]]:
    return await one.ainvoke("jazz"), await asyncio.to_thread(one.invoke, "jazz")


def test_sync_and_async_agree(service: Service) -> None:
    first, second = asyncio.run(_both(retriever(service, "bob")))
    assert [d.id for d in first] == [d.id for d in second]


def test_everything_runs_in_one_loop(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The LLM client belongs to one event loop, whoever calls and however."""
    seen: set[tuple[int, str]] = set()
    recommend = service.recommend

    async def watched(*args: Any, **named: Any) -> Any:
        seen.add((id(asyncio.get_running_loop()), threading.current_thread().name))
        return await recommend(*args, **named)

    monkeypatch.setattr(service, "recommend", watched)
    one = retriever(service)
    one.invoke("bread")
    asyncio.run(one.ainvoke("bread"))
    asyncio.run(recommend_tool(service, "bob", clock=clock).ainvoke({"query": "bread"}))
    recommend_tool(service, "bob", clock=clock).invoke({"query": "bread"})
    assert len(seen) == 1
    assert next(iter(seen))[1] == "leitmotif"


def test_the_user_may_come_with_the_run(service: Service) -> None:
    free = retriever(service, None, k=2)
    ann = free.invoke("bread", config={"configurable": {"user": "ann"}})
    assert [d.id for d in ann] == [d.id for d in retriever(service, k=2).invoke("bread")]
    chain = {"question": RunnablePassthrough(), "found": free} | RunnableLambda(lambda x: x["found"])
    assert chain.invoke("bread", config={"configurable": {"user": "ann"}}) == ann


def test_the_user_is_never_guessed_nor_changed(service: Service) -> None:
    with pytest.raises(UsageError, match="which user"):
        retriever(service, None).invoke("bread")
    with pytest.raises(UsageError, match="bound to 'ann'"):
        retriever(service).invoke("bread", config={"configurable": {"user": "bob"}})
    ours = retriever(service, k=1)
    assert ours.invoke("bread", user="bob") == ours.invoke("bread")
    with pytest.raises(NotFoundError):
        retriever(service, "nobody").invoke("bread")


def test_the_model_sees_query_and_k_only(service: Service) -> None:
    tool = recommend_tool(service, "ann", clock=clock)
    assert set(tool.args) == {"query", "k"}
    assert "ann" not in f"{tool.name} {tool.description} {tool.args}"
    call = {"name": "recommend", "args": {"query": "noir", "k": 2, "user": "bob"}, "id": "1", "type": "tool_call"}
    message = tool.invoke(call)
    assert isinstance(message, ToolMessage)
    assert str(message.content).count("\n") == 1
    assert [r["rank"] for r in message.artifact] == [1, 2]
    assert not {r["item"] for r in message.artifact} & service.store.touched_items("ann")
    with pytest.raises(ValueError, match="less than or equal to 20"):
        tool.invoke({"query": "noir", "k": 500})


def test_without_an_llm_the_documents_say_so(service: Service, llm: FakeLLM) -> None:
    llm.fail()
    found = retriever(service, k=2).invoke("noir")
    assert found
    assert all("profile" in d.metadata["degraded"] for d in found)


def test_settings_open_a_service_on_first_use(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Service] = []
    closed: list[bool] = []

    def open_once(_: Any) -> Service:
        opened.append(service)
        return service

    monkeypatch.setattr(Service, "open", open_once)
    monkeypatch.setattr(service, "close", lambda: closed.append(True))
    one = LeitmotifRetriever(service=service.settings, user="ann", k=1, clock=clock)
    assert not opened
    assert one.invoke("bread") == one.invoke("bread")
    assert len(opened) == 1
    one.close()
    one.close()
    assert closed == [True]


def test_the_loop_ends_with_its_service(service: Service) -> None:
    other = Service(service.settings, service.store, service._embedder, FakeLLM())
    loop = langchain._loop_of(other)
    thread = loop._thread
    assert thread.is_alive()
    del other
    gc.collect()
    thread.join(5)
    assert not thread.is_alive()


def test_a_retriever_does_not_show_its_service(service: Service) -> None:
    assert "Service" not in repr(retriever(service))
    assert LLM.__name__ not in str(retriever(service).to_json())
