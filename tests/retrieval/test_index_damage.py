"""Whatever happens to the directory of the item index, the next start notices and repairs it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from retrieval.index import open_index
from retrieval.records import Item
from tests.retrieval.test_index import EMBEDDER, Shelf, best, directory

N = 1_000  # Chroma writes its HNSW files from a thousand rows on


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "index"


def _hnsw(root: Path, name: str) -> Path:
    return next(directory(root).glob(f"*/{name}"))


def _halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no manifest": lambda root: (root / "manifest.json").unlink(),
    "half a manifest": lambda root: _halve(root / "manifest.json"),
    "manifest of another kind": lambda root: (root / "manifest.json").write_text('["x"]'),
    "unknown schema": lambda root: _edit_manifest(root, schema=99),
    "wrong count": lambda root: _edit_manifest(root, count=N + 1),
    "no directory": lambda root: shutil.rmtree(directory(root)),
    "no HNSW files": lambda root: shutil.rmtree(_hnsw(root, "header.bin").parent),
    "half a header": lambda root: _halve(_hnsw(root, "header.bin")),  # a segmentation fault if Chroma opened it
    "half the vectors": lambda root: _halve(_hnsw(root, "data_level0.bin")),  # silently wrong answers
    "junk": lambda root: _hnsw(root, "length.bin").write_bytes(b"junk" * 99),
    "half a database": lambda root: _halve(directory(root) / "chroma.sqlite3"),
    "no database": lambda root: (directory(root) / "chroma.sqlite3").unlink(),
    "not a database": lambda root: (directory(root) / "chroma.sqlite3").write_bytes(b"junk" * 999),
}


def _edit_manifest(root: Path, **changes: int) -> None:
    path = root / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index big enough for Chroma to have written its HNSW files."""
    root = tmp_path_factory.mktemp("built") / "index"
    open_index(root, _thousand(), EMBEDDER).close()
    return root


def _thousand() -> Shelf:
    return Shelf([Item(f"i{n}", f"title{n}") for n in range(N)])


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_noticed_and_repaired(built: Path, root: Path, damage: str) -> None:
    shutil.copytree(built, root)
    first = directory(root)
    DAMAGE[damage](root)
    index = open_index(root, _thousand(), EMBEDDER)
    assert best(index, "title7") == "i7"
    assert len(index) == N
    index.close()
    assert directory(root) != first  # one directory is left, and it is a new one
    repaired = _thousand()
    open_index(root, repaired, EMBEDDER).close()
    assert repaired.read == 0


def test_a_copy_is_not_taken_for_damage(built: Path, root: Path) -> None:
    shutil.copytree(built, root)
    shelf = _thousand()
    open_index(root, shelf, EMBEDDER).close()
    assert shelf.read == 0
