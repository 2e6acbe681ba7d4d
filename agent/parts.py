"""What is derived from one state of the catalogue: statistics, indexes, and the workers that use them.

What everybody chose changes all the time; `Parts` counts it anew when it has grown by a hundredth, and when somebody was
forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from threading import RLock
from typing import Generic, TypeVar

import numpy as np

from agent import sensitive
from agent.asking import Asking
from agent.config import Settings
from agent.crowds import Crowds
from agent.entailment import Entailment
from agent.evidence import ENOUGH
from agent.explain import Explainer
from agent.fitting import weights_of
from agent.gate import Crowd, Tally, crowd
from agent.llm import LLM
from agent.profiler import Profiler
from agent.recommender import Recommender
from agent.rerank import Reranker
from agent.sensitive_meaning import telling
from agent.slate import Slates
from agent.writer import Writer
from retrieval.embed import CachedEmbedder, Embedder, Progress
from retrieval.exact import VectorIndex
from retrieval.examples import Build
from retrieval.features import CatalogueStats, catalogue_stats
from retrieval.index import open_index
from retrieval.lexical import Lexical
from retrieval.population import count
from retrieval.records import Item
from retrieval.signals import Signals
from retrieval.store import Store
from retrieval.topics import Topics

FRESH = 200
GROWTH = 0.01  # share of new events at which everybody's choices are counted anew
LEAST_GROWTH = 100  # events


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Counted(Generic[_T]):
    """What was counted over everybody, and the state of the events that it was counted from."""

    value: _T
    events: int
    erased: int

    def still_holds(self, events: int, erased: int) -> bool:
        grown = events - self.events
        return erased == self.erased and 0 <= grown <= max(LEAST_GROWTH, GROWTH * self.events)


def newest(items: Iterable[Item]) -> list[tuple[datetime | None, str]]:
    """The FRESH latest items with the time of their publication, latest first; those without a time come last."""
    dated = [(item.published_at, item.id) for item in items]
    known = sorted(((at, i) for at, i in dated if at is not None), key=lambda pair: (-pair[0].timestamp(), pair[1]))
    return [*known, *sorted((at, i) for at, i in dated if at is None)][:FRESH]


class Parts:
    """What is derived from one state of the catalogue. Each part is made on first use: `themes` needs no index."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        embedder: Embedder,
        llm: LLM,
        signature: tuple[int, str],
        before: Parts | None,
        tally: Tally,
    ) -> None:
        """`before`: the parts of the last state, whose index goes on living, since requests in flight may still use it."""
        self.signature = signature
        self._settings = settings
        self._store = store
        self._embedder = embedder
        self._shared = CachedEmbedder(embedder, store, "")
        self._llm = llm
        self._index: VectorIndex | None = before._index if before else None
        self._tally = tally
        self._counted: _Counted[Signals] | None = None
        self._crowd: _Counted[Crowd] | None = None
        self._ensured = False
        self._making = RLock()  # `warm` runs in threads

    @cached_property
    def stats(self) -> CatalogueStats:
        counted = catalogue_stats(self._store.iter_items())
        alike = telling([feature for feature, n in counted.counts.items() if n >= ENOUGH], self._shared.embed)
        return replace(counted, unsaid=alike | sensitive.company(self._store.iter_items()))

    @cached_property
    def profiler(self) -> Profiler:
        settings = self._settings.profile
        entailment = Entailment(settings.entailment_model) if settings.entailment_model else None
        return self._profiler(Writer(self._llm, self._shared.embed, settings.samples, self._tally, entailment))

    @cached_property
    def sketcher(self) -> Profiler:
        return self._profiler(Writer(None, self._shared.embed, 0, Tally()))  # keeps nothing, so it counts nothing

    @cached_property
    def crowds(self) -> Crowds:
        writers = [Writer(llm, self._shared.embed, 0, self._tally) for llm in (self._llm, None)]
        return Crowds(self._store, self._embedder, writers, self.stats, self._settings.communities)

    @cached_property
    def asking(self) -> Asking:
        return Asking(self._store, self._embedder, self._llm, self.crowds)

    def _profiler(self, writer: Writer) -> Profiler:
        return Profiler(self._store, self._embedder, writer, self.stats, self.crowd, self._settings.profile)

    def crowd(self) -> Crowd:
        """What others choose and what there is, for the gate. Counted anew as the signals are."""
        events, erased = self._store.event_state()
        if self._crowd is None or not self._crowd.still_holds(events, erased):
            items = list(self._store.iter_items())
            population = count(items, self._store.sequences().values())
            topics = Topics(self._store, self._embedder)
            self._crowd = _Counted(crowd(items, self.stats, population, topics.of_items), events, erased)
        return self._crowd.value

    @cached_property
    def lexical(self) -> Lexical:
        return Lexical(self._store.iter_items())

    @cached_property
    def recommender(self) -> Recommender:
        settings, weights = self._settings.recommend, weights_of(self._settings.home)
        fits = settings.asks == "fits" and self._llm.settings.tuned
        reranker, explainer = Reranker(self._llm, self._store, fits), Explainer(self._llm, self._shared.embed)
        weights = replace(weights, stranger={**weights.stranger, "community": settings.community})
        slates = Slates(
            self._store,
            self.index(),
            self.lexical,
            self._embedder,
            settings,
            weights,
            newest(self._store.iter_items()),
            self._settings.communities.least,
        )
        return Recommender(self._store, slates, reranker, explainer, settings, weights)

    def index(self, progress: Progress | None = None) -> VectorIndex:
        """The item index, up to date; the first call may embed the whole catalogue and tells `progress` (done, total)."""
        with self._making:
            if self._index is None:
                self._index = open_index(self._settings.home / "index", self._store, self._shared, progress)
            elif not self._ensured:
                self._index.ensure(self._store, self._shared, progress)
            self._ensured = True
            return self._index

    def warm(self, now: datetime) -> tuple[Recommender, Signals]:
        """The recommender, and what everybody chose before `now`. May embed a whole catalogue: call it in a thread where
        others wait. Raises ConfigError for learnt weights that cannot be used."""
        with self._making:
            return self.recommender, self._signals(now)

    def _signals(self, now: datetime) -> Signals:
        events, erased = self._store.event_state()  # before reading them, so that what comes meanwhile counts as new
        if self._counted is None or not self._counted.still_holds(events, erased):
            self._counted = None  # the old counts go before the new ones come: both may not fit
            signals = self.builder()(self._store.sequences(until=now).values())
            self._counted = _Counted(signals, events, erased)
        return self._counted.value

    def builder(self) -> Build:
        """Makes Signals of this catalogue from any histories. Items that are not indexed have no direction: zeros."""
        ids = self.lexical.ids
        known = self.index().vectors(ids)
        vectors = np.zeros((len(ids), self._embedder.dim), dtype=np.float32)
        for row, item_id in enumerate(ids):
            if item_id in known:
                vectors[row] = known[item_id]
        return partial(Signals, list(self._store.items(ids).values()), vectors, self.lexical)

    def close(self) -> None:
        if self._index is not None:
            self._index.close()
