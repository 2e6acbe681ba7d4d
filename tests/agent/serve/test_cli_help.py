"""Help: there for every command, with an example, quick, and the same as docs/cli.md."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from typer.main import get_command

from agent.serve import docs
from agent.serve.cli import app
from retrieval.readers import FORMATS
from tests.agent.serve.conftest import Cli

HEAVY = ("torch", "chromadb", "vllm", "transformers", "sentence_transformers", "openai", "sklearn", "scipy", "uvicorn")


def _names(command: Any = None, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    children = getattr(command or get_command(app), "commands", {})
    return [path, *(name for child, below in children.items() for name in _names(below, (*path, child)))]


@pytest.mark.parametrize("path", _names(), ids=" ".join)
def test_help(run: Cli, path: tuple[str, ...]) -> None:
    ran = run(*path, "--help")
    assert ran.code == 0
    assert ran.out.startswith(f"Usage: {' '.join(('leitmotif', *path))}")
    if path and path not in {("llm",), ("eval",), ("edit",), ("communities",)}:  # groups
        assert "Example: leitmotif " in ran.out
        assert "--json" in ran.out
        assert "--home" in ran.out
    assert "..." not in ran.out.partition("Commands:")[2], "a first sentence is too long for the list"


def test_version(run: Cli) -> None:
    assert run("--version").out.startswith("leitmotif ")


def test_help_names_every_format(run: Cli) -> None:
    shown = run("ingest", "--help").out
    assert all(name in shown for name in FORMATS)


def test_the_page_agrees_with_help() -> None:
    for file, text in docs.pages().items():
        assert file.read_text("utf-8") == text, "run `python -m agent.serve.docs`"


def test_start_up_loads_nothing_heavy() -> None:
    """In a process of its own, because this one has loaded much already."""
    check = (
        "import sys; from agent.serve.cli import main; main(['--help']);"
        f"print('loaded:', [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, timeout=120)
    assert ran.stderr.strip() == "loaded: []"


def test_the_module_is_a_program() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "agent.serve.cli", "themes", "ann", "--json", "--home", "/proc/nowhere"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    assert ran.stdout.count("\n") == 1
