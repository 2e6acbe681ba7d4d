"""The distribution: four top-level names that are ours alone, and everything that the code reads at run time in the wheel."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMES = ["agent", "prompts", "retrieval", "eval"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_a_package_is_the_folder_in_the_repository(name: str) -> None:
    found = importlib.util.find_spec(name)
    assert found is not None
    assert found.origin == str(ROOT / name / "__init__.py")


def test_no_other_distribution_brings_a_package_of_our_name() -> None:
    claimed = importlib.metadata.packages_distributions()
    for name in NAMES:
        assert set(claimed.get(name, [])) <= {"leitmotif"}


@pytest.mark.parametrize("name", NAMES)
def test_no_package_hides_one_of_the_standard_library(name: str) -> None:
    modules = {path.stem for path in (ROOT / name).glob("*.py")} - {"__init__", "__main__"}
    assert name not in sys.stdlib_module_names
    assert not modules & set(sys.builtin_module_names)


def test_the_wheel_holds_the_four_packages_whole() -> None:
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert sorted(wheel["packages"]) == sorted(NAMES)
    narrowing = {"include", "exclude", "only-include", "sources", "only-packages"}
    assert not narrowing & wheel.keys()
    assert not narrowing & PROJECT["tool"]["hatch"]["build"].keys()


@pytest.mark.parametrize(
    "pattern",
    [
        "prompts/templates/*.md",
        "retrieval/sample/items.jsonl",
        "retrieval/sample/events.jsonl",
        "retrieval/migrations/versions/v*.py",
        "agent/py.typed",
        "prompts/py.typed",
        "retrieval/py.typed",
        "eval/py.typed",
        "eval/report.html.j2",
        "eval/results/*.json",
    ],
)
def test_what_is_read_at_run_time_lies_in_a_package_and_is_not_ignored(pattern: str) -> None:
    files = list(ROOT.glob(pattern))
    assert files
    ignored = {line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()}  # hatchling leaves these out
    for file in files:
        assert not ignored & set(file.relative_to(ROOT).parts)
        assert not any(file.match(line) for line in ignored)


def test_it_cannot_be_uploaded_by_accident() -> None:
    assert "Private :: Do Not Upload" in PROJECT["project"]["classifiers"]


def test_the_command_exists() -> None:
    module, _, function = PROJECT["project"]["scripts"]["leitmotif"].partition(":")
    path = ROOT / Path(*module.split(".")).with_suffix(".py")
    if not path.is_file():
        pytest.skip("the command line is not written yet")
    assert f"def {function}(" in path.read_text(encoding="utf-8")


def test_the_core_loads_no_heavy_library() -> None:
    heavy = ["vllm", "torch", "chromadb", "transformers", "sentence_transformers", "ray"]
    code = f"import json, sys, agent.service; print(json.dumps([m for m in {heavy} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert json.loads(done.stdout) == []
