"""Text to unit vectors: the embedder protocol, all-MiniLM through sentence-transformers, and a cache keyed by content.

`embed_cached` embeds only text it has not seen, so a nightly refresh pays for new words alone. Importing this file is
cheap: torch is imported with the first text.

Why not ONNX: onnxruntime is here (Chroma brings it), but an export needs `onnx` or `optimum`, which are not, and int8
vectors are another model's vectors (published cosine to float32: 0.96), so the speed would not be free.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.records import Event, Item
from retrieval.trust import trusted

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Vectors = NDArray[np.float32]
Progress = Callable[[int, int], None]  # (done, total)

CHUNK = 1024  # texts embedded between two writes to the cache: about five seconds of work that an interruption can lose
BULK = 256  # texts at once that are worth all cores
SENTENCES = 2  # of an item's text; MiniLM reads 256 tokens and the first sentences say what the thing is
SENTENCES_CHARS = 400
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")


class Embedder(Protocol):
    """Text to vectors. `embed` gives (n, dim) float32 rows of length 1, in the order of the texts; the row of a blank
    text is zero: no words, no likeness. Equal `name` must mean equal vectors, because it is part of the cache key."""

    @property
    def name(self) -> str: ...

    @property
    def dim(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> Vectors: ...


class VectorCache(Protocol):
    """Where vectors are kept between runs; the SQL store is one. `owner` is whose text it is, so that forgetting a user
    forgets the vectors of that user's words too."""

    def vectors(self, hashes: Sequence[str], model: str) -> Mapping[str, Vectors]: ...

    def put_vectors(self, model: str, owner: str, vectors: Mapping[str, Vectors]) -> None: ...


def unit(rows: NDArray[np.floating]) -> Vectors:
    """`rows` (n, d) scaled to length 1; zero rows stay zero."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0), dtype=np.float32)


class SentenceTransformerEmbedder:
    """A sentence-transformers model in a local folder, loaded with the first text (about five seconds, mostly torch).

    Never downloads. Raises FileNotFoundError when the folder is not there. The CPU is the default on a machine with a
    GPU too, because the LLM server has taken the GPU's memory. Safe to share between threads.
    """

    def __init__(self, path: Path, batch_size: int = 64, device: str = "cpu") -> None:
        if not (path / "modules.json").is_file():
            raise FileNotFoundError(f"no sentence-transformers model in {path}")
        self._path, self._batch_size, self._device = path, batch_size, device
        self._lock = threading.Lock()
        self._loaded: SentenceTransformer | None = None

    @cached_property
    def name(self) -> str:
        """The folder's name and a hash of the weights (0.2 s for 90 MB): a model tuned in place is another model."""
        digest = hashlib.sha256()
        for file in sorted(f for f in self._path.rglob("*") if f.suffix in {".safetensors", ".bin"}):
            digest.update(file.read_bytes())
        return f"{self._path.name}@{digest.hexdigest()[:12]}"

    @cached_property
    def dim(self) -> int:
        """Read from the configuration where that is enough, so that opening an index does not import torch."""
        kinds = {module["type"].rpartition(".")[2] for module in _json(self._path / "modules.json")}
        if kinds <= {"Transformer", "Pooling", "Normalize"}:
            return int(_json(self._path / "config.json")["hidden_size"])
        return int(self._model().encode(["a"], show_progress_bar=False).shape[1])

    def embed(self, texts: Sequence[str]) -> Vectors:
        result = np.zeros((len(texts), self.dim), dtype=np.float32)
        filled = [row for row, text in enumerate(texts) if text.strip()]
        if filled:
            model = self._model()
            _share_the_cores(len(filled))
            # encode() sorts by length itself, so that a batch is not padded to its one long text, and keeps our order.
            result[filled] = unit(
                model.encode([texts[row] for row in filled], batch_size=self._batch_size, show_progress_bar=False)
            )
        return result

    def _model(self) -> SentenceTransformer:
        with self._lock:
            if self._loaded is None:
                self._loaded = _load_quietly(self._path, self._device)
            return self._loaded


def _share_the_cores(texts: int) -> None:
    """All cores for bulk work; one for a few texts, because the LLM server is at work beside us then, and two thread pools
    that wait for each other's cores cost more than they bring (profiles: 25 s of CPU against 11 s for the same work)."""
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)) if texts >= BULK else 1)


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _load_quietly(path: Path, device: str) -> SentenceTransformer:
    """transformers draws a bar while it loads weights and takes no argument against it, only a process-wide switch."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read by huggingface_hub when it is first imported
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return SentenceTransformer(str(path), device=device, local_files_only=True)
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


class HashEmbedder:
    """Every word is a fixed random direction, a text the sum of its words: for tests, where shared words must mean
    similar vectors and nothing may be loaded. Deterministic on every machine."""

    def __init__(self, dim: int = 64) -> None:
        self.dim = dim
        self.name = f"hash-{dim}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        rows = [self._sum(text) for text in texts]
        return unit(np.stack(rows)) if rows else np.zeros((0, self.dim), dtype=np.float32)

    def _sum(self, text: str) -> NDArray[np.float64]:
        words = re.findall(r"\w+", text.casefold()) or ([text] if text.strip() else [])
        return sum((self._direction(word) for word in words), np.zeros(self.dim))

    def _direction(self, word: str) -> NDArray[np.float64]:
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
        return np.random.default_rng(seed).normal(size=self.dim)


@dataclass(frozen=True, slots=True)
class Embedded:
    """`vectors` (n, dim) in the order of the texts; `new` is how many distinct texts the model had to read."""

    vectors: Vectors
    new: int


def text_hash(model: str, text: str) -> str:
    """The cache key of a text under a model: changing either makes a new vector."""
    return hashlib.sha256(f"{model}\x00{text}".encode()).hexdigest()


def embed_cached(
    embedder: Embedder, cache: VectorCache, texts: Sequence[str], owner: str, progress: Progress | None = None
) -> Embedded:
    """Vectors of `texts`, of which only new ones are embedded; these are stored chunk by chunk, so an interrupted run
    keeps what it has done. `progress` is told (done, total) of the new texts."""
    keys = [text_hash(embedder.name, text) for text in texts]
    known = dict(cache.vectors(list(dict.fromkeys(keys)), embedder.name))
    fresh = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    todo = list(fresh)
    for start in range(0, len(todo), CHUNK):
        chunk = todo[start : start + CHUNK]
        made = dict(zip(chunk, embedder.embed([fresh[key] for key in chunk]), strict=True))
        cache.put_vectors(embedder.name, owner, made)
        known.update(made)
        if progress:
            progress(start + len(chunk), len(todo))
    rows = [np.asarray(known[key], dtype=np.float32) for key in keys]
    return Embedded(np.stack(rows) if rows else np.zeros((0, embedder.dim), dtype=np.float32), len(todo))


class CachedEmbedder:
    """An Embedder in front of a cache, for code that need not know about caching. `new` counts what the model read."""

    def __init__(self, embedder: Embedder, cache: VectorCache, owner: str) -> None:
        self._embedder, self._cache, self._owner = embedder, cache, owner
        self.new = 0

    @property
    def name(self) -> str:
        return self._embedder.name

    @property
    def dim(self) -> int:
        return self._embedder.dim

    def embed(self, texts: Sequence[str]) -> Vectors:
        done = embed_cached(self._embedder, self._cache, texts, self._owner)
        self.new += done.new
        return done.vectors


def item_text(item: Item, read: Callable[[Item], Item] = trusted) -> str:
    """The text that stands for an item: "Title. categories, tags. First two sentences", of what `read` leaves of it."""
    item = read(item)
    words = ", ".join(dict.fromkeys((*item.categories, *item.tags)))
    return _joined(item.title, words, _opening(item.text))


def event_text(event: Event, item: Item | None) -> str:
    """What an act was about: the item's text and the user's own words (a review, a query). Blank without either."""
    return _joined(item_text(item) if item else "", _opening(event.text or ""))


def _opening(text: str) -> str:
    """The first sentences of a text, at most SENTENCES_CHARS characters, cut at a word."""
    flat = " ".join(unicodedata.normalize("NFC", text).split())
    start = " ".join(_SENTENCE_END.split(flat)[:SENTENCES]).strip()
    if len(start) <= SENTENCES_CHARS:
        return start
    cut = start[: SENTENCES_CHARS + 1]
    return cut.rsplit(" ", 1)[0][:SENTENCES_CHARS]


def _joined(*parts: str) -> str:
    return ". ".join(part.strip().rstrip(".") for part in parts if part.strip(" ."))
