"""The house rules that a reader can see: small files, small functions, and each library in its place."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("agent", "prompts", "retrieval", "eval")
FILES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
LINES = 300
FUNCTION_LINES = 40
PLACES = {
    "chromadb": ("retrieval/index.py",),
    "vllm": ("agent/launcher.py", "agent/vllm_command.py", "agent/processors.py"),  # these run inside the server
    "openai": ("agent/llm.py", "agent/chat", "agent/serve/", "eval/bench", "eval/rivals.py"),
    "sqlalchemy": ("retrieval/", "agent/config.py"),
    "torch": ("agent/convert.py", "agent/processors.py", "agent/tuning/", "retrieval/embed.py", "eval/"),
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """(top-level name, level) of every import in a file, those under TYPE_CHECKING and inside functions included."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0], node.level


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """(file:function, lines) of every function in a file, its decorators left out."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{name_of(path)}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1


def test_a_file_fits_a_readers_head() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {file: lines for file, lines in lengths.items() if lines > LINES} == {}


def test_a_function_fits_a_screen() -> None:
    lengths = dict(found for path in FILES for found in functions(path))
    assert {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES} == {}


def test_a_file_says_what_it_is_for() -> None:
    assert [name_of(path) for path in FILES if path.stat().st_size and not ast.get_docstring(tree(path))] == []


def prints(path: Path) -> bool:
    called = [node.func for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    return any(isinstance(function, ast.Name) and function.id == "print" for function in called)


def is_script(path: Path) -> bool:
    return '__name__ == "__main__"' in path.read_text(encoding="utf-8")


def test_only_the_edges_print() -> None:
    inner = [path for path in FILES if not name_of(path).startswith("agent/serve/") and not is_script(path)]
    assert [name_of(path) for path in inner if prints(path)] == []


@pytest.mark.parametrize(("library", "places"), PLACES.items())
def test_each_library_has_its_place(library: str, places: tuple[str, ...]) -> None:
    users = [name_of(path) for path in FILES if library in {name for name, _ in imported(path)}]
    assert [file for file in users if not file.startswith(places)] == []


def test_imports_are_absolute_and_eval_is_never_a_name() -> None:
    assert [name_of(path) for path in FILES if any(level for _, level in imported(path))] == []
    bare = [
        (name_of(p), a.name) for p in FILES for n in ast.walk(tree(p)) if isinstance(n, ast.Import) for a in n.names
    ]
    assert [file for file, name in bare if name == "eval"] == []


def test_arrows_run_one_way() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
