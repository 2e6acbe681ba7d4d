"""The examples in docs/http.md and docs/langchain.md run as they stand, on the small fixture home."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from agent.serve.api import create_app
from agent.serve.problems import KINDS, Problem
from agent.service import Service
from tests.crowd import gather
from tests.fakes import NOW

DOCS = Path(__file__).parents[3] / "docs"


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    return [line for block in blocks("http.md", "bash") for line in block.splitlines() if line]


@pytest.fixture
def api(service: Service) -> Iterator[TestClient]:
    gather(service)
    with TestClient(create_app(service.settings, service, clock=lambda: NOW), base_url="http://localhost") as client:
        yield client


def curl(api: TestClient, line: str) -> Response:
    """What curl would do, for the options that the page uses."""
    words = shlex.split(line)
    assert words.pop(0) == "curl"
    method, body, query, address = "GET", None, {}, ""
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0)
        elif word == "--json":
            method, body = "POST", words.pop(0)
        elif word == "--data-urlencode":
            key, _, value = words.pop(0).partition("=")
            query[key] = value
        elif word != "-G":
            address = word
    headers = {"content-type": "application/json"} if body else {}
    return api.request(method, f"http://{address}", content=body, params=query or None, headers=headers)


def test_every_command_of_the_http_page_works(api: TestClient) -> None:
    lines = commands()
    assert len(lines) > 12
    for line in lines:
        answer = curl(api, line)
        assert answer.status_code == 200, f"{line}: {answer.text}"
        rows = answer.json().get("refused") if isinstance(answer.json(), dict) else None
        assert not rows, f"{line}: {answer.text}"


def test_the_http_page_names_every_address(api: TestClient) -> None:
    asked = {re.sub(r"\?.*", "", line.split("localhost:8000")[1].split()[0]) for line in commands()}
    for path in api.get("/openapi.json").json()["paths"]:
        pattern = re.sub(r"\{\w+\}", "[^/]+", path)
        assert any(re.fullmatch(pattern, one) for one in asked), f"{path} is not on the page"


def test_the_problem_on_the_page_is_a_problem_and_all_codes_are_told() -> None:
    (example,) = blocks("http.md", "json")
    assert Problem.model_validate_json(example).status == 404
    text = (DOCS / "http.md").read_text(encoding="utf-8")
    for _, status, code, _ in KINDS:
        assert re.search(rf"^\| {status} \| .*`{code}`", text, re.MULTILINE), f"{status} {code} is not in the table"


def test_the_langchain_page_runs_from_top_to_bottom(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Service, "open", lambda _: service)
    monkeypatch.setattr(service, "close", lambda: None)  # the fixture closes it
    examples = blocks("langchain.md", "python")
    assert len(examples) == 3
    names: dict[str, Any] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for example in examples:
            exec(compile(example, "docs/langchain.md", "exec"), names)  # noqa: S102  our own page
    lines = printed.getvalue().splitlines()
    assert lines[0].startswith("1 ")
    assert any(line.startswith("2. ") for line in lines)
