"""What goes wrong ends in one line, a hint and an exit code; with --json in one document. Never in a traceback."""

from __future__ import annotations

import errno
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.errors import LLMUnavailableError
from agent.serve import edge
from agent.serve.commands import session
from prompts.library import PromptError
from tests.agent.serve.conftest import Cli
from tests.fakes import FakeLLM

USAGE = [
    ("nonsense",),
    ("llm",),
    ("llm", "nonsense"),
    ("profile",),
    ("profile", "ann", "--all"),
    ("profile", "ann", "--as-of", "yesterday"),
    ("profile", "nobody"),
    ("themes",),
    ("themes", "nobody"),
    ("themes", "ann"),
    ("recommend", "nobody"),
    ("recommend", "ann", "-k", "0"),
    ("recommend", "ann", "-k", "many"),
    ("recommend", "ann", "--nonsense"),
    ("cold-start", " "),
    ("cold-start", "x" * 2001),
    ("why", "ann", "nothing"),
    ("feedback", "ann", "noir-film-1", "love"),
    ("feedback", "ann", "nothing", "like"),
    ("feedback", "nobody", "noir-film-1", "like"),
    ("export", "nobody"),
    ("forget", "nobody", "--yes"),
    ("forget", "ann"),
    ("ingest", "missing.csv"),
    ("ingest", "."),
    ("ingest", ".", "--format", "nonsense"),
    ("ingest", ".", "--map", "nonsense"),
    ("ingest", ".", "--map", "user=a", "--map", "user=b"),
    ("serve", "--host", "192.0.2.1"),
    ("serve", "--host", "example.org"),
    ("serve", "--port", "99999"),
]


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_bad_usage(filled: Cli, arguments: tuple[str, ...]) -> None:
    ran = filled(*arguments)
    assert ran.code == 2
    assert ran.out == ""
    lines = ran.err.splitlines()
    assert lines[0].startswith("error: ")
    assert all(line.startswith("hint: ") for line in lines[1:])
    in_json = filled(*arguments, "--json")
    assert in_json.code == 2
    assert in_json.json["error"] == lines[0].removeprefix("error: ")


def test_without_a_command_there_is_help(run: Cli) -> None:
    assert run().code == 2
    assert "recommend" in run().out


def test_a_group_without_a_command_says_where_its_commands_are(run: Cli) -> None:
    lines = run("edit").err.splitlines()
    assert lines == ["error: `leitmotif edit` needs a command", "hint: `leitmotif edit --help` lists them"]


def test_nobody_to_profile(run: Cli) -> None:
    ran = run("profile", "--all", "--json")
    assert ran.code == 2
    assert "leitmotif ingest" in ran.json["hint"]


@pytest.mark.parametrize("who", [["ann"], ["--all"]])
def test_profile_without_an_llm(filled: Cli, llm: FakeLLM, who: list[str]) -> None:
    llm.fail(LLMUnavailableError("the LLM server cannot be reached"))
    ran = filled("profile", *who)
    assert ran.code == 1
    assert ran.err.startswith(
        "error: the LLM server cannot be reached\nhint: start the embedded one with `leitmotif llm start`"
    )


def test_a_damaged_database(run: Cli, cli_home: Path) -> None:
    cli_home.mkdir()
    (cli_home / "leitmotif.db").write_bytes(b"this is no database" * 100)
    ran = run("themes", "ann")
    assert ran.code == 1
    assert len(ran.err.splitlines()) == 2
    assert "not a database" in ran.err


def test_bad_settings(run: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEITMOTIF_LLM__NONSENSE", "1")
    ran = run("themes", "ann", "--json")
    assert ran.code == 2
    assert "nonsense" in ran.json["error"]


@pytest.mark.parametrize(
    ("raised", "code", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 1, "free some space"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 1, "check the rights"),
        (OSError("odd"), 1, "leitmotif doctor"),
        (PromptError("bad\ntemplate"), 1, "bad template"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_faults_from_below(
    run: Cli, monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int, words: str
) -> None:
    def fail(_: Any) -> Any:
        raise raised

    monkeypatch.setattr(session, "open_service", fail)
    ran = run("themes", "ann", "--json")
    assert ran.code == code
    assert set(ran.json) == {"error", "hint"}
    assert words in ran.err
    assert len(ran.err.splitlines()) <= 2


def test_bugs_stay_visible(run: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(session, "open_service", fail)
    with pytest.raises(ZeroDivisionError):
        run("themes", "ann")


def test_forget_asks(filled: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    for answer, code in ((False, 1), (True, 0)):
        monkeypatch.setattr("typer.confirm", lambda *_, answer=answer, **__: answer)
        assert filled("forget", "ann").code == code


def test_json_is_looked_for_before_a_double_dash_only() -> None:
    assert edge.wants_json(["--json", "--", "x"])
    assert not edge.wants_json(["cold-start", "--", "--json"])


def test_errors_are_one_document_even_with_line_breaks(run: Cli) -> None:
    ran = run("ingest", "a\nb.csv", "--json")
    assert json.loads(ran.out)["error"] == "a b.csv does not exist"
