"""What is derived from a dataset before anybody is asked: vectors, words and counts, from training events alone."""

from __future__ import annotations

import hashlib
from collections.abc import Set
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from eval.cases import Dataset
from retrieval.embed import Embedder, Progress, Vectors, item_text
from retrieval.exact import BATCH, ExactIndex, batches
from retrieval.lexical import Lexical
from retrieval.records import Item
from retrieval.signals import Signals


@dataclass(frozen=True)
class Material:
    """A dataset and the unit vectors of its items, (items, dim), in the order of `dataset.items`."""

    dataset: Dataset = field(repr=False)
    vectors: Vectors = field(repr=False)

    @cached_property
    def items(self) -> tuple[Item, ...]:
        return tuple(self.dataset.items.values())

    @cached_property
    def lexical(self) -> Lexical:
        return Lexical(self.items)

    @cached_property
    def index(self) -> ExactIndex:
        return ExactIndex(tuple(self.dataset.items), self.vectors)

    @cached_property
    def signals(self) -> Signals:
        """From everybody's training events: what test questions are scored by."""
        return self.signals_without(frozenset())

    def signals_without(self, users: Set[str]) -> Signals:
        """From the training events of all others: what questions about the training events of `users` are scored by."""
        sequences = (items for user, items in self.dataset.sequences().items() if user not in users)
        return Signals(self.items, self.vectors, self.lexical, sequences)


def embedded(dataset: Dataset, embedder: Embedder, folder: Path, progress: Progress | None = None) -> Material:
    """The material, with the vectors kept in `folder` by the content of the texts, so that they are made once."""
    texts = [item_text(item) for item in dataset.items.values()]
    digest = hashlib.sha256("\0".join([embedder.name, *texts]).encode("utf-8", "surrogatepass")).hexdigest()[:24]
    path = folder / f"vectors-{digest}.npy"
    if path.is_file():
        return Material(dataset, np.load(path))
    parts = [np.zeros((0, embedder.dim), dtype=np.float32)]
    done = 0
    for batch in batches(texts, BATCH):
        parts.append(embedder.embed(batch))
        done += len(batch)
        if progress:
            progress(done, len(texts))
    vectors = np.concatenate(parts)
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.save(file, vectors)
    part.replace(path)
    return Material(dataset, vectors)
