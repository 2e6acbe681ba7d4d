"""The command line as a function: arguments in, exit code and both streams out, with no model behind it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.config import Settings
from agent.serve import cli
from agent.serve.commands import session
from agent.service import Service
from retrieval.embed import HashEmbedder
from retrieval.store import Store
from tests.fakes import FakeLLM, catalogue, people


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout; anything else there is a failure."""
        return json.loads(self.out)


Cli = Callable[..., Ran]


@pytest.fixture
def cli_home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def run(cli_home: Path, llm: FakeLLM, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run `leitmotif ARGS --home HOME` with fakes in the place of the models; unknown errors are raised."""

    def open_service(settings: Settings) -> Service:
        settings.home.mkdir(parents=True, exist_ok=True)
        return Service(settings, Store(settings.db_url), HashEmbedder(256), llm)

    monkeypatch.setattr(session, "open_service", open_service)
    monkeypatch.setenv("LEITMOTIF_HOME", str(cli_home))
    monkeypatch.setenv("COLUMNS", "200")  # nothing is wrapped

    def invoke(*arguments: object) -> Ran:
        capsys.readouterr()
        code = cli.main([str(a) for a in arguments])
        streams = capsys.readouterr()
        return Ran(code, streams.out, streams.err)

    return invoke


@pytest.fixture
def filled(run: Cli, cli_home: Path) -> Cli:
    """The same on a home with the small catalogue and its three people."""
    cli_home.mkdir()
    with Store(Settings(home=cli_home).db_url) as store:
        store.ingest([*catalogue(), *people()])
    return run


@pytest.fixture
def profiled(filled: Cli) -> Cli:
    """The same with profiles."""
    assert filled("profile", "--all").code == 0
    return filled
