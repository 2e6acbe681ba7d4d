"""The item index: as good as exact search, up to date with its catalogue, and owned by one process."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from retrieval.embed import CachedEmbedder, HashEmbedder, Vectors, unit
from retrieval.exact import ExactIndex, VectorIndex
from retrieval.index import IndexBusyError, ItemIndex, open_index
from retrieval.records import Item
from retrieval.store import Store

EMBEDDER = HashEmbedder(32)
N = 40


class Shelf:
    """A catalogue in memory."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = {item.id: item for item in items}
        self.read = 0

    def catalogue_signature(self) -> tuple[int, str]:
        return len(self.items), str(hash(tuple(sorted(self.items.items()))))

    def iter_items(self, batch: int = 1000) -> Iterator[Item]:
        self.read += 1
        return iter([self.items[key] for key in sorted(self.items)])

    def put(self, item_id: str, title: str) -> None:
        self.items[item_id] = Item(item_id, title)


class RandomEmbedder:
    """Vectors with no structure at all: the hardest case for an approximate index."""

    name = "random"
    dim = 384

    def embed(self, texts: Sequence[str]) -> Vectors:
        rows = [np.random.default_rng([ord(c) for c in text]).normal(size=self.dim) for text in texts]
        return unit(np.stack(rows))


@pytest.fixture
def shelf() -> Shelf:
    return Shelf([Item(f"i{n}", f"title{n} topic{n % 4}") for n in range(N)])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "index"


def best(index: VectorIndex, text: str) -> str:
    return index.query(EMBEDDER.embed([text]), 1)[0][0][0]


def directory(root: Path) -> Path:
    (found,) = root.glob("chroma-*")
    return found


def test_recall_against_exact_search(root: Path) -> None:
    embedder = RandomEmbedder()
    shelf = Shelf([Item(f"i{n}", f"title{n}") for n in range(2_000)])
    exact = ExactIndex()
    exact.ensure(shelf, embedder)
    queries = embedder.embed([f"query{n}" for n in range(50)])
    index = open_index(root, shelf, embedder)
    pairs = list(zip(index.query(queries, 20), exact.query(queries, 20), strict=True))
    index.close()
    recall = np.mean([len(dict(a).keys() & dict(b).keys()) / 20 for a, b in pairs])
    assert recall >= 0.98
    for (_, first), (_, second) in ((a[0], b[0]) for a, b in pairs):
        assert first == pytest.approx(second, abs=1e-5)


def test_both_indexes_answer_alike(root: Path, shelf: Shelf) -> None:
    exact = ExactIndex()
    with_chroma = open_index(root, shelf, EMBEDDER)
    exact.ensure(shelf, EMBEDDER)
    assert (with_chroma.exact, exact.exact) == (False, True)
    for index in (with_chroma, exact):
        assert len(index) == N
        hits = index.query(EMBEDDER.embed(["title3 topic3", "", "title8"]), 5)
        assert [len(row) for row in hits] == [5, 5, 5]
        item_id, similarity = hits[0][0]
        assert item_id == "i3"
        assert similarity == pytest.approx(1.0, abs=1e-5)
        assert hits[1][0][1] == 0.0
        assert hits[2][0][0] == "i8"
        assert len(index.query(EMBEDDER.embed(["x"]), 10 * N)[0]) == N
        assert index.query(EMBEDDER.embed(["x"]), 0) == [[]]
        assert index.query(EMBEDDER.embed([]), 3) == []
        assert index.vectors([]) == {}
        known = index.vectors(["i3", "nope", "i3"])
        assert list(known) == ["i3"]
        assert np.allclose(known["i3"], EMBEDDER.embed(["title3 topic3"])[0], atol=1e-6)
        index.close()


@pytest.mark.parametrize("kind", ["chroma", "exact"])
def test_ensure_follows_the_catalogue(root: Path, shelf: Shelf, kind: str) -> None:
    index: VectorIndex = ExactIndex() if kind == "exact" else ItemIndex(root, EMBEDDER.name, EMBEDDER.dim)
    steps: list[tuple[int, int]] = []
    assert index.ensure(shelf, EMBEDDER, lambda done, total: steps.append((done, total)))
    assert steps == [(N, N)]
    assert not index.ensure(shelf, EMBEDDER)
    shelf.put("i1", "volcano")
    shelf.put("new", "submarine")
    del shelf.items["i2"]
    assert index.ensure(shelf, EMBEDDER)
    assert best(index, "volcano") == "i1"
    assert best(index, "submarine") == "new"
    assert "i2" not in dict(index.query(EMBEDDER.embed(["title2"]), 10 * N)[0])
    assert len(index) == N
    index.close()


def test_a_small_change_is_written_in_place_and_a_large_one_is_a_rebuild(root: Path, shelf: Shelf) -> None:
    with_cache = open_index(root, shelf, EMBEDDER)
    first = directory(root)
    shelf.put("i1", "volcano")
    assert with_cache.ensure(shelf, EMBEDDER)
    assert directory(root) == first
    for n in range(N // 2):
        shelf.put(f"i{n}", f"island{n}")
    assert with_cache.ensure(shelf, EMBEDDER)
    assert best(with_cache, "island7") == "i7"
    with_cache.close()
    assert directory(root) != first


def test_a_restart_reads_nothing_and_embeds_nothing(root: Path, shelf: Shelf) -> None:
    for _ in range(5):  # below a thousand items, the bytes of the HNSW files differ from opening to opening
        index = open_index(root, shelf, EMBEDDER)
        assert best(index, "title5 topic1") == "i5"
        index.close()
    assert shelf.read == 1


def test_many_batches_restart_without_a_rebuild(root: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Chroma still holds back when the manifest is written must not make the fingerprint wrong."""
    shelf = Shelf([Item(f"i{n}", f"title{n}") for n in range(1_500)])
    for n in range(3):
        open_index(root, shelf, EMBEDDER).close()
        shelf.put(f"new{n}", f"new title{n}")
    open_index(root, shelf, EMBEDDER).close()
    first = directory(root)
    open_index(root, shelf, EMBEDDER).close()
    assert directory(root) == first
    assert shelf.read == 4


def test_an_empty_catalogue(root: Path) -> None:
    shelf = Shelf([])
    for _ in range(2):
        index = open_index(root, shelf, EMBEDDER)
        assert index.query(EMBEDDER.embed(["x", "y"]), 5) == [[], []]
        assert index.vectors(["x"]) == {}
        index.close()
    assert shelf.read == 1
    shelf.put("i1", "volcano")
    index = open_index(root, shelf, EMBEDDER)
    assert best(index, "volcano") == "i1"
    index.close()


def test_another_embedder_means_a_rebuild(root: Path, shelf: Shelf) -> None:
    open_index(root, shelf, EMBEDDER).close()
    other = HashEmbedder(16)
    index = open_index(root, shelf, other)
    assert index.query(other.embed(["title5 topic1"]), 1)[0][0][0] == "i5"
    with pytest.raises(ValueError, match="hash-16"):
        index.ensure(shelf, EMBEDDER)
    index.close()


def test_a_failed_build_leaves_the_old_index_and_no_rubbish(root: Path, shelf: Shelf) -> None:
    class Broken(HashEmbedder):
        def embed(self, texts: Sequence[str]) -> Vectors:
            raise RuntimeError("no more memory")

    open_index(root, shelf, EMBEDDER).close()
    first = directory(root)
    for n in range(N):
        shelf.put(f"i{n}", f"island{n}")
    with pytest.raises(RuntimeError, match="no more memory"):
        open_index(root, shelf, Broken(32))
    assert directory(root) == first
    index = open_index(root, shelf, EMBEDDER)  # and the lock was given back
    assert best(index, "island7") == "i7"
    index.close()


def test_what_a_killed_build_left_is_swept_up(root: Path, shelf: Shelf) -> None:
    open_index(root, shelf, EMBEDDER).close()
    shutil.copytree(directory(root), root / "chroma-half-built")
    open_index(root, shelf, EMBEDDER).close()
    assert directory(root).name != "chroma-half-built"


def test_queries_go_on_while_the_index_is_rebuilt(root: Path, shelf: Shelf) -> None:
    index = open_index(root, shelf, EMBEDDER)
    failures: list[Exception] = []
    stop = threading.Event()

    def ask() -> None:
        try:
            while not stop.is_set():
                assert len(index.query(EMBEDDER.embed(["topic1"]), 5)[0]) == 5
        except Exception as exc:  # whatever it is, the main thread reports it
            failures.append(exc)

    thread = threading.Thread(target=ask)
    thread.start()
    for version in range(3):
        for n in range(N):
            shelf.put(f"i{n}", f"version{version} title{n}")
        assert index.ensure(shelf, EMBEDDER)
    stop.set()
    thread.join()
    index.close()
    assert failures == []


HOLDER = """
import sys
from pathlib import Path
from retrieval.index import ItemIndex
index = ItemIndex(Path(sys.argv[1]), "hash-32", 32)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_process_falls_back_to_exact_search(root: Path, tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path / 'store.db'}") as store:
        cached = CachedEmbedder(EMBEDDER, store, "")
        store.ingest([Item(f"i{n}", f"title{n}") for n in range(N)])
        open_index(root, store, cached).close()
        assert cached.new == N
        command = [sys.executable, "-c", HOLDER, str(root)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
            assert owner.stdout is not None
            assert owner.stdout.readline() == b"held\n"
            start = time.monotonic()
            with pytest.raises(IndexBusyError, match="another process"):
                ItemIndex(root, EMBEDDER.name, EMBEDDER.dim)
            assert time.monotonic() - start < 1.0
            index = open_index(root, store, cached)
            assert index.exact
            assert best(index, "title7") == "i7"
            assert cached.new == N  # all from the cache
            index.close()
            owner.kill()
        index = open_index(root, store, cached)  # a killed owner leaves no lock
        assert not index.exact
        index.close()


def test_using_it_before_ensure_is_an_error(root: Path) -> None:
    index = ItemIndex(root, EMBEDDER.name, EMBEDDER.dim)
    with pytest.raises(RuntimeError, match="ensure"):
        index.query(EMBEDDER.embed(["x"]), 1)
    index.close()
    index.close()


def test_exact_index_refuses_rows_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="2 ids"):
        ExactIndex(["a", "b"], np.zeros((1, 3), dtype=np.float32))


def test_chroma_is_quiet(
    root: Path, shelf: Shelf, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        open_index(root, shelf, EMBEDDER).close()
    assert capfd.readouterr() == ("", "")
    assert not [record for record in caplog.records if record.name.startswith("chromadb")]
