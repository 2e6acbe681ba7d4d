"""The client against a real HTTP server on this machine that answers as a test says."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

import pytest

from agent.config import EMBEDDED_MODEL, EMBEDDED_PORT, LLMSettings
from agent.errors import LLMError, LLMOutputError, LLMUnavailableError, LLMUnsupportedError
from agent.llm import LLM
from prompts import library
from retrieval.store import LLMCall

T = TypeVar("T")
WRITE = library.parse(
    "---\nname: write\nversion: 1\ninputs: [notes]\noutput: SentenceOut\n---\n## system\nBe brief.\n## user\n{{ notes }}\n",
    "write.v1.md",
)
ASK: dict[str, Any] = {"notes": "jazz, secret-hobby"}
GOOD = '{"text":"Likes jazz"}'


@dataclass
class Reply:
    status: int = 200
    body: Any = None
    delay: float = 0.0
    content_type: str = "application/json"


def chat(*texts: str, finish: str = "stop", cached: int | None = 8) -> Reply:
    """An answer of a vLLM server with one choice a text."""
    tokens = [{"token": "x", "logprob": -0.5, "bytes": None, "top_logprobs": []}]
    usage: dict[str, Any] = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}
    if cached is not None:
        usage["prompt_tokens_details"] = {"cached_tokens": cached}
    choices = [
        {
            "index": n,
            "finish_reason": finish,
            "logprobs": {"content": tokens},
            "message": {"role": "assistant", "content": t},
        }
        for n, t in enumerate(texts)
    ]
    return Reply(
        body={"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": choices, "usage": usage}
    )


def scored(prompt_logprobs: Any) -> Reply:
    choice = {"index": 0, "text": "x", "finish_reason": "length", "logprobs": None, "prompt_logprobs": prompt_logprobs}
    usage = {"prompt_tokens": 4, "completion_tokens": 1, "total_tokens": 5}
    return Reply(
        body={"id": "1", "object": "text_completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    )


@dataclass
class Server:
    """`replies` in order, the last one for ever. `seen` holds the bodies, `busiest` the most requests at once."""

    url: str = ""
    replies: list[Reply] = field(default_factory=lambda: [chat(GOOD)])
    seen: list[dict[str, Any]] = field(default_factory=list)
    busiest: int = 0
    _busy: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, body: dict[str, Any]) -> Reply:
        with self._lock:
            self.seen.append(body)
            self._busy += 1
            self.busiest = max(self.busiest, self._busy)
            reply = self.replies[0] if len(self.replies) == 1 else self.replies.pop(0)
        time.sleep(reply.delay)
        with self._lock:
            self._busy -= 1
        return reply


def handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            self._send(server.answer(json.loads(self.rfile.read(length))))

        def do_GET(self) -> None:
            self._send(
                Reply(body={"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "x"}]})
            )

        def _send(self, reply: Reply) -> None:
            data = reply.body.encode() if isinstance(reply.body, str) else json.dumps(reply.body).encode()
            try:
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.content_type)
                self.send_header("Content-Length", str(len(data)))
                self.send_header("retry-after-ms", "1")  # the SDK waits half a second otherwise
                self.end_headers()
                self.wfile.write(data)
            except OSError:  # the client has given up, as the timeout test wants
                return

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name is the base class's
            return

    return Handler


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(state)) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        state.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
        yield state
        http.shutdown()
        thread.join()


def use(
    server: Server, work: Callable[[LLM], Coroutine[Any, Any, T]], log: list[LLMCall] | None = None, **settings: Any
) -> T:
    """Run `work` with a client of the server."""

    async def go() -> T:
        given = {"base_url": server.url, "model": "m", "timeout_s": 10, **settings}
        llm = LLM(LLMSettings(**given), log=None if log is None else log.append)
        try:
            return await work(llm)
        finally:
            await llm.close()

    return asyncio.run(go())


async def ask(llm: LLM) -> list[str]:
    return [answer.output.text for answer in await llm.complete(WRITE, user="ann", **ASK)]


async def rate(llm: LLM) -> list[float]:
    return await llm.likelihood([("A reader", " likes jazz")], ref="rank_title@1", user="ann")


def test_an_answer_comes_back_validated(server: Server) -> None:
    assert use(server, ask) == ["Likes jazz"]
    assert "seed" not in server.seen[0]
    assert server.seen[0]["response_format"]["type"] == "json_schema"


def test_a_busy_server_is_asked_again(server: Server) -> None:
    server.replies = [Reply(503, {"error": "busy"}), Reply(429, {"error": "busy"}), chat(GOOD)]
    assert use(server, ask) == ["Likes jazz"]
    assert len(server.seen) == 3


def test_a_server_that_stays_busy_is_unavailable(server: Server) -> None:
    server.replies = [Reply(503, {"error": "busy"})]
    with pytest.raises(LLMUnavailableError, match="503") as caught:
        use(server, ask, retries=1)
    assert caught.value.retryable
    assert len(server.seen) == 2


@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_a_refused_request_is_not_sent_again(server: Server, status: int) -> None:
    server.replies = [Reply(status, {"error": {"message": "no\nsuch thing"}})]
    with pytest.raises(LLMError, match=str(status)) as caught:
        use(server, ask)
    assert not caught.value.retryable
    assert "\n" not in str(caught.value)
    assert len(server.seen) == 1


def test_a_slow_server_is_unavailable(server: Server) -> None:
    server.replies = [Reply(200, chat(GOOD).body, delay=0.5)]
    with pytest.raises(LLMUnavailableError, match="in time"):
        use(server, ask, timeout_s=0.1, retries=0)


def test_no_server_is_unavailable() -> None:
    with socket.socket() as taken:  # bound and not listening: nobody answers, nobody else can take the port
        taken.bind(("127.0.0.1", 0))
        closed = Server(url=f"http://127.0.0.1:{taken.getsockname()[1]}/v1")
        with pytest.raises(LLMUnavailableError, match="reached"):
            use(closed, ask, retries=0)


def test_a_test_that_reaches_for_the_real_model_fails() -> None:
    real = Server(url=f"http://127.0.0.1:{EMBEDDED_PORT}/v1")
    with pytest.raises(BaseExceptionGroup) as caught:
        use(real, ask, retries=0)
    assert caught.value.subgroup(pytest.fail.Exception) is not None


def test_an_answer_that_was_cut_off_is_repaired_once(server: Server) -> None:
    server.replies = [chat('{"text":"Likes ja', finish="length"), chat(GOOD)]
    assert use(server, ask) == ["Likes jazz"]
    first, second = (body["messages"] for body in server.seen)
    assert second[: len(first)] == first
    assert [m["role"] for m in second[len(first) :]] == ["assistant", "user"]
    assert "cut off" in second[-1]["content"]


def test_an_answer_that_stays_invalid_is_an_error(server: Server) -> None:
    server.replies = [chat("santoramacana")]
    with pytest.raises(LLMOutputError, match=WRITE.ref):
        use(server, ask)
    assert len(server.seen) == 2


def test_what_is_sent_back_for_repair_is_bounded(server: Server) -> None:
    server.replies = [chat("x" * 100_000), chat(GOOD)]
    use(server, ask)
    assert len(json.dumps(server.seen[1])) < len(json.dumps(server.seen[0])) + 1000


def test_some_valid_samples_are_enough(server: Server) -> None:
    server.replies = [chat("no", GOOD, "{", '{"text":"Likes rock"}')]

    async def several(llm: LLM) -> list[str]:
        return [a.output.text for a in await llm.complete(WRITE, n=4, **ASK)]

    assert use(server, several) == ["Likes jazz", "Likes rock"]
    assert len(server.seen) == 1


def test_an_answer_without_choices_is_repaired(server: Server) -> None:
    server.replies = [chat(), chat(GOOD)]
    assert use(server, ask) == ["Likes jazz"]


def test_no_more_requests_at_once_than_allowed(server: Server) -> None:
    server.replies = [Reply(200, chat(GOOD).body, delay=0.02)]

    async def many(llm: LLM) -> None:
        await asyncio.gather(*(ask(llm) for _ in range(12)))

    use(server, many, concurrency=3)
    assert len(server.seen) == 12
    assert server.busiest <= 3


def test_the_log_has_the_figures_of_each_request(server: Server) -> None:
    log: list[LLMCall] = []
    server.replies = [chat("no"), chat(GOOD)]
    use(server, ask, log)
    assert [(c.attempts, c.outcome) for c in log] == [(1, "invalid"), (2, "repaired")]
    assert {(c.tokens_in, c.tokens_out, c.tokens_cached) for c in log} == {(20, 5, 8)}
    assert {(c.prompt, c.model, c.kind, c.user, c.finish_reason) for c in log} == {
        (WRITE.ref, "m", "complete", "ann", "stop")
    }
    assert all(c.latency_s >= 0 and c.at.tzinfo is not None for c in log)
    assert len({c.id for c in log}) == 2


def test_an_answer_that_is_valid_at_once_is_logged_as_ok(server: Server) -> None:
    log: list[LLMCall] = []
    server.replies = [chat(GOOD, cached=None)]
    use(server, ask, log)
    assert [(c.outcome, c.tokens_cached) for c in log] == [("ok", 0)]


def test_the_log_holds_no_text(server: Server) -> None:
    log: list[LLMCall] = []
    server.replies = [chat('{"text":"Likes the canary song"}')]
    use(server, ask, log)
    assert "secret-hobby" not in repr(log)
    assert "canary" not in repr(log)


def test_a_request_that_failed_is_logged_as_unavailable(server: Server) -> None:
    log: list[LLMCall] = []
    server.replies = [Reply(503, {"error": "busy"})]
    with pytest.raises(LLMUnavailableError):
        use(server, ask, log, retries=0)
    assert [c.outcome for c in log] == ["unavailable"]


def test_log_probabilities_of_the_continuation_are_read(server: Server) -> None:
    def entry(token: str, logprob: float) -> dict[str, Any]:
        return {"17": {"logprob": logprob, "rank": 1, "decoded_token": token}}

    server.replies = [
        scored([None, entry(" reader", -9), entry(" likes", -1), entry(" ja", -2), entry("zz", -6)]),
    ]
    log: list[LLMCall] = []
    assert use(server, rate, log) == [-3.0]
    assert server.seen[0]["prompt"] == "A reader likes jazz"
    assert server.seen[0]["prompt_logprobs"] == 0
    assert server.seen[0]["max_tokens"] == 1
    assert [(c.kind, c.prompt, c.tokens_in) for c in log] == [("score", "rank_title@1", 4)]


def test_a_server_that_does_not_score_is_told_apart(server: Server) -> None:
    reply = scored(None)
    del reply.body["choices"][0]["prompt_logprobs"]
    server.replies = [reply]
    with pytest.raises(LLMUnsupportedError) as caught:
        use(server, rate)
    assert "vLLM" in caught.value.hint


def test_scores_come_in_the_order_of_the_pairs(server: Server) -> None:
    def reply(logprob: float, delay: float) -> Reply:
        made = scored([None, {"1": {"logprob": logprob, "rank": 1, "decoded_token": " x"}}])
        return Reply(200, made.body, delay)

    async def two(llm: LLM) -> list[float]:
        return await llm.likelihood([("a", " x"), ("b", " x")], ref="r@1")

    server.replies = [reply(-1, 0.1), reply(-2, 0)]
    assert use(server, two, concurrency=1) == [-1.0, -2.0]


def numbered(*ids: int) -> Reply:
    """What the server says of a prompt of these tokens."""
    reply = scored(None)
    reply.body["choices"][0]["prompt_token_ids"] = list(ids)
    return reply


def chosen(logprobs: dict[str, float]) -> Reply:
    reply = scored(None)
    top = {"tokens": [next(iter(logprobs))], "token_logprobs": [-0.1], "text_offset": [0], "top_logprobs": [logprobs]}
    reply.body["choices"][0]["logprobs"] = top
    return reply


async def choose(llm: LLM) -> list[float]:
    return await llm.choices("Pick <|im_end|> one:", (" A", " B"), ref="rank_letters@1", user="ann")


CHOSEN = chosen({"token_id:9": -0.1, "token_id:389": -4.0, "token_id:330": -2.5})


def test_each_choice_has_its_log_probability_whatever_else_is_likely(server: Server) -> None:
    log: list[LLMCall] = []
    server.replies = [numbered(330), numbered(389), CHOSEN]
    assert use(server, choose, log) == [-2.5, -4.0]
    asked = server.seen[-1]
    assert (asked["max_tokens"], asked["logprob_token_ids"]) == (1, [330, 389])
    assert "<|" not in asked["prompt"]
    assert "prompt_logprobs" not in asked  # it would switch the prefix cache off
    assert [(c.kind, c.prompt, c.user, c.tokens_in) for c in log] == [("score", "rank_letters@1", "ann", 4)]


def test_what_token_an_option_is_is_asked_once(server: Server) -> None:
    async def twice(llm: LLM) -> list[list[float]]:
        return [await choose(llm), await choose(llm)]

    server.replies = [numbered(330), numbered(389), CHOSEN]
    first, second = use(server, twice)
    assert first == second
    assert len(server.seen) == 4


@pytest.mark.parametrize(
    "replies",
    [[numbered(330, 17)], [scored(None)], [numbered(330), numbered(389), chosen({"token_id:330": -2.5})]],
    ids=["two tokens", "no vLLM", "an option without a figure"],
)
def test_choices_that_the_server_cannot_tell_apart_are_refused(server: Server, replies: list[Reply]) -> None:
    server.replies = replies
    with pytest.raises(LLMUnsupportedError) as caught:
        use(server, choose)
    assert "vLLM" in caught.value.hint


def test_the_models_are_listed(server: Server) -> None:
    assert use(server, LLM.models) == ["m"]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, "<html>Welcome</html>", content_type="text/html"),
        Reply(200, "not json", content_type="application/json"),
        Reply(200, {"error": "overloaded"}),
    ],
    ids=["a web page", "broken JSON", "no choices"],
)
def test_something_that_is_no_llm_server_is_an_llm_error(server: Server, reply: Reply) -> None:
    server.replies = [reply]
    with pytest.raises(LLMError):
        use(server, ask, retries=0)


def test_what_another_adapter_of_the_same_name_wrote_is_not_this_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = LLM(LLMSettings(model=EMBEDDED_MODEL)).identity
    assert ours.startswith(f"{EMBEDDED_MODEL}+")
    monkeypatch.setattr("agent.llm.shipped", lambda: "0" * 64)
    assert LLM(LLMSettings(model=EMBEDDED_MODEL)).identity == f"{EMBEDDED_MODEL}+00000000" != ours
    assert LLM(LLMSettings(model="large")).identity == "large"
