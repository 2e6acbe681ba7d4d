"""What every evaluation works with: settings, embedder, LLM client, and the folder where answers and vectors are kept."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from agent.config import Settings
from agent.llm import LLM
from agent.weights import embedder_folder
from eval.cases import Dataset
from eval.dataset import load
from eval.material import Material, embedded
from retrieval.embed import Embedder, SentenceTransformerEmbedder, Vectors, item_text
from retrieval.exact import VectorIndex
from retrieval.index import open_index
from retrieval.readers import ColumnMap
from retrieval.records import Item

if TYPE_CHECKING:
    from eval.rank import Tell


@dataclass
class Workshop:
    """`folder`, where answers are kept, is `eval` in the home; `now` bounds the times of events."""

    settings: Settings
    now: datetime

    @property
    def folder(self) -> Path:
        return self.settings.home / "eval"

    @cached_property
    def embedder(self) -> Embedder:
        embed = self.settings.embed
        return SentenceTransformerEmbedder(embedder_folder(embed.model), embed.batch_size)

    @cached_property
    def llm(self) -> LLM:
        return LLM(self.settings.llm)

    def load(self, path: Path, source_format: str, columns: ColumnMap | None, users: int | None, seed: int) -> Dataset:
        return load(path, format=source_format, columns=columns, users=users, seed=seed, now=self.now)

    def material(self, dataset: Dataset, tell: Tell) -> Material:
        return embedded(dataset, self.embedder, self.folder, partial(tell, "vectors"))


@contextmanager
def chroma(material: Material) -> Iterator[VectorIndex]:
    """A Chroma index of the items with their vectors, in a folder that goes again."""
    with tempfile.TemporaryDirectory() as folder:
        index = open_index(Path(folder), _Catalogue(material), _Known(material))
        try:
            yield index
        finally:
            index.close()


@dataclass(frozen=True)
class _Catalogue:
    """The items of a dataset as the index wants to read them."""

    material: Material

    def catalogue_signature(self) -> tuple[int, str]:
        return len(self.material.items), self.material.dataset.digest

    def iter_items(self, batch: int = 1000) -> Iterator[Item]:  # noqa: ARG002  they are at hand
        yield from self.material.items


class _Known:
    """An embedder of the texts of a dataset's items, whose vectors are known."""

    name = "known"

    def __init__(self, material: Material) -> None:
        texts = (item_text(item) for item in material.items)
        self._vectors = dict(zip(texts, material.vectors, strict=True))
        self.dim = material.vectors.shape[1]

    def embed(self, texts: Sequence[str]) -> Vectors:
        return np.array([self._vectors[text] for text in texts], dtype=np.float32).reshape(len(texts), self.dim)
