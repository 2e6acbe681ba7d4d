"""Writes docs/cli.md from the --help of every command; a test compares the two. Run: python -m agent.serve.docs"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer import Context
from typer.main import get_command

from agent.serve.cli import app

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
_WIDTH = 100
_INTRO = """# The command line

Made from `--help` by `python -m agent.serve.docs`; a test checks that it agrees.

`--json` and `--home` may stand before or after the command. With `--json` there is exactly one JSON document on stdout; its
fields are described in `agent/serve/schemas.py`, and an error is `{"error": ..., "hint": ...}`. Progress and messages go to
stderr. Exit codes: 0 done, 1 failed, 2 bad usage or input, 130 interrupted.
"""


def page() -> str:
    """The page as it should be."""
    parts = [_INTRO]
    for name, text in _commands("leitmotif", get_command(app), None):
        parts.append(f"## {name}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def _commands(name: str, command: Any, parent: Context | None) -> Iterator[tuple[str, str]]:
    context = Context(command, info_name=name.rpartition(" ")[2], parent=parent, terminal_width=_WIDTH)
    yield name, command.get_help(context)
    for child, below in getattr(command, "commands", {}).items():
        yield from _commands(f"{name} {child}", below, context)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
