"""What an event is about, as a unit vector: the embedding of the item's features, with the catalogue's mean taken out.

MiniLM puts all short texts of one kind near to each other; what they share is in the mean. Without it, two random items of
the sample catalogue have a cosine of .2 to .4; with it about 0, and segments of the planted interests are 94 % pure at the
coverage where raw vectors reach 83 % (docs/decisions/0004).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from retrieval.embed import CachedEmbedder, Embedder, Vectors, event_text, unit
from retrieval.features import features
from retrieval.records import Event, Item
from retrieval.store import Store
from retrieval.trust import trusted

REFIT_AT = 1.5  # the mean is taken anew when the catalogue is half again as large: else segments would shift every day
_META = "topics.mean"
_BATCH = 1000


def topic_text(item: Item) -> str:
    """The words for what an item is about: its features, or its title and text where it has none."""
    known = trusted(item)
    return ", ".join(features(known)) or ". ".join(part for part in (known.title, known.text) if part.strip())


class Topics:
    """Topic vectors of events. The catalogue's mean is kept in the store, so that all processes use the same."""

    def __init__(self, store: Store, embedder: Embedder) -> None:
        self._store = store
        self._embedder = embedder
        self._catalogue = CachedEmbedder(embedder, store, "")
        self._mean: Vectors | None = None

    def of_events(self, user: str, events: Sequence[Event], items: Mapping[str, Item]) -> Vectors:
        """(n, dim) unit rows. A search that led to no item is about its query, whose vector belongs to the user."""
        found = np.zeros((len(events), self._embedder.dim), dtype=np.float32)
        for personal in (False, True):
            rows = [i for i, event in enumerate(events) if (event.item not in items) is personal]
            if rows:
                embedder = CachedEmbedder(self._embedder, self._store, user) if personal else self._catalogue
                texts = [
                    event_text(events[i], None) if personal else topic_text(items[events[i].item or ""]) for i in rows
                ]
                found[rows] = embedder.embed(texts)
        return self._centred(found)

    def of_items(self, items: Sequence[Item]) -> Vectors:
        """(n, dim) unit rows: what items are about, whoever touches them."""
        return self._centred(self._catalogue.embed([topic_text(item) for item in items]))

    def _centred(self, found: Vectors) -> Vectors:
        told = found.any(axis=1, keepdims=True)  # an item without words is about nothing, not about the mean's opposite
        return np.where(told, unit(found - self.mean()), found).astype(np.float32)

    def mean(self) -> Vectors:
        """The mean (dim,) of the catalogue's topic vectors; zeros for an empty catalogue."""
        if self._mean is None:
            self._mean = self._load() if self._store.item_count() else np.zeros(self._embedder.dim, dtype=np.float32)
        return self._mean

    def _load(self) -> Vectors:
        count = self._store.item_count()
        key = f"{_META}.{self._embedder.name}"
        kept = self._store.get_meta(key)
        if kept:
            fitted, _, numbers = kept.partition(" ")
            if count < REFIT_AT * int(fitted):
                return np.array(numbers.split(","), dtype=np.float32)
        total = np.zeros(self._embedder.dim, dtype=np.float64)
        for batch in self._batches():
            total += self._catalogue.embed([topic_text(item) for item in batch]).sum(axis=0)
        mean = (total / count).astype(np.float32)
        self._store.set_meta(key, f"{count} " + ",".join(f"{x:.6f}" for x in mean))
        return mean

    def _batches(self) -> list[list[Item]]:
        items = list(self._store.iter_items())
        return [items[i : i + _BATCH] for i in range(0, len(items), _BATCH)]
