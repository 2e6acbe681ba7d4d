"""The rivals: what they are shown, how their answers are read, and that one that fails or is missing is a row and no crash."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
import openai
import pytest

from agent.config import LLMSettings, Settings
from agent.errors import LLMUnavailableError, UsageError
from eval.authors import theirs
from eval.rivals import CHUNK, MAP, REDUCE, Chat, LangChain, Mem0, NotInstalledError, lines, statements
from eval.workshop import Workshop
from retrieval.records import Event, EventKind
from tests.fakes import act, catalogue

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ITEMS = {item.id: item for item in catalogue()}
SETTINGS = LLMSettings(model="fake-1", base_url="http://127.0.0.1:1/v1")


class Server:
    """An OpenAI server in the process: answers each chat with `answer`, and keeps what it was asked."""

    def __init__(self, answer: str = "- Likes noir\n- Likes bread", status: int = 200) -> None:
        self.answer, self.status = answer, status
        self.asked: list[list[dict[str, str]]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(json.loads(request.content)["messages"])
        if self.status != 200:
            return httpx.Response(self.status, json={"error": {"message": "too long"}})
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": self.answer}}
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        body = {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "fake-1",
            "choices": [choice],
            "usage": usage,
        }
        return httpx.Response(200, json=body)

    def chain(self) -> LangChain:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self))
        client = openai.AsyncOpenAI(base_url=SETTINGS.base_url, api_key="none", http_client=http, max_retries=0)
        return LangChain(Chat(SETTINGS, client))


def test_rivals_read_what_was_done_what_it_is_and_what_the_user_said() -> None:
    rated = act("ann", 1, "noir-film-1", EventKind.RATE, value=4.5, text="Bleak. Good.")
    searched = Event("s", "ann", EventKind.SEARCH, NOW, None, text="rye bread")
    first, second = lines([rated, searched], ITEMS)
    assert first.startswith("rated 4.5: The Long Thaw. film, ")
    assert first.endswith("Said: Bleak. Good.")
    assert second == "searched for: rye bread"


def test_an_answer_is_read_line_by_line_without_bullets_headings_and_repeats() -> None:
    text = "Here are the interests:\n1. Likes noir\n* **Likes bread**\n\n- Likes noir\n"
    assert statements(text) == ("Likes noir", "Likes bread")


def test_the_chain_maps_chunks_and_reduces_their_lists() -> None:
    server = Server()
    told = [f"liked: thing {n}" for n in range(CHUNK + 1)]
    found, cost = asyncio.run(server.chain().write("ann", told))
    assert found == ("Likes noir", "Likes bread")
    assert [messages[0]["content"] for messages in server.asked] == [MAP, MAP, REDUCE]
    assert told[CHUNK] in {messages[1]["content"] for messages in server.asked}
    assert (cost.calls, cost.tokens, cost.refused) == (3, 45, 0)


def test_a_short_history_needs_no_reduction_and_braces_are_no_template() -> None:
    server = Server()
    asyncio.run(server.chain().write("ann", ["searched for: {text} {unknown}"]))
    assert [messages[1]["content"] for messages in server.asked] == ["searched for: {text} {unknown}"]


def test_a_prompt_that_is_too_long_is_counted_and_a_server_that_is_away_stops_the_run() -> None:
    found, cost = asyncio.run(Server(status=400).chain().write("ann", ["liked: noir"]))
    assert (found, cost.refused) == ((), 1)
    with pytest.raises(LLMUnavailableError):
        asyncio.run(Server(status=503).chain().write("ann", ["liked: noir"]))


def shop(tmp_path: Path) -> Workshop:
    return Workshop(Settings(home=tmp_path, llm=SETTINGS), NOW)


def test_a_rival_that_is_not_installed_is_a_row_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mem0", None)
    found = asyncio.run(theirs("mem0", shop(tmp_path), {"ann": ()}, ITEMS, lambda *_: None))
    assert not found.statements
    assert found.note.startswith("not installed: pip install mem0ai")


def test_nobody_answers_to_an_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nobody"):
        asyncio.run(theirs("nobody", shop(tmp_path), {}, ITEMS, lambda *_: None))


def test_mem0_opens_on_this_machine_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEM0_TELEMETRY", "False")  # importing it is enough to make it call home
    monkeypatch.setenv("MEM0_DIR", str(tmp_path))
    pytest.importorskip("mem0")
    from agent.weights import embedder_folder

    rival = Mem0(SETTINGS, embedder_folder("embedded"), tmp_path)
    assert (rival.version[0] in "12", rival.room) == (True, 0)
    asyncio.run(rival.close())


def test_the_missing_rival_has_a_hint() -> None:
    assert "mem0ai" in NotInstalledError("gone").hint


def test_what_a_rival_answered_is_not_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    monkeypatch.setattr("eval.authors.Chat", lambda _: server.chain()._chat)
    histories = {"ann": (act("ann", 1, "noir-film-1"),), "bob": (act("bob", 1, "jazz-film-1"),)}
    runs = [asyncio.run(theirs("langchain", shop(tmp_path), histories, ITEMS, lambda *_: None)) for _ in range(2)]
    assert len(server.asked) == 2
    assert runs[0].statements == runs[1].statements
    assert [(run.calls, run.tokens, run.note) for run in runs] == [(2, 30, "")] * 2
    changed = histories | {"bob": (act("bob", 1, "bread-film-1"),)}
    asyncio.run(theirs("langchain", shop(tmp_path), changed, ITEMS, lambda *_: None))
    assert len(server.asked) == 3
