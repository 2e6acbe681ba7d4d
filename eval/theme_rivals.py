"""BERTopic and River's DenStream as followers of themes. Neither is a dependency: `pip install bertopic river` beside us.

BERTopic fits a topic model on every 25 points and merges it into what it has (`merge_models`: known topics keep their number,
new ones are added). Vectors are given; HDBSCAN from scikit-learn stands for the hdbscan package, PCA for UMAP. DenStream sees
each point once, in 32 dimensions by a random projection, because it works on dictionaries; at a checkpoint each point belongs
to the nearest of its clusters. Their settings are the best of a few, on seeds that are not reported.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import import_module
from typing import Any

import numpy as np

from eval.rivals import NotInstalledError
from eval.theme_systems import LEAST, Batch, Chronicle, System, ThemeRules
from retrieval.embed import Vectors
from retrieval.records import ThemeEvent

FIT_EVERY = 25
PCA_DIM = 8
MERGE_SIMILARITY = 0.3  # cosine; the default, 0.7, is for vectors that are not centred and does worse here
DIM = 32


def make(name: str, seed: int) -> System:
    """Raises NotInstalledError with what to do."""
    try:
        return BERTopicMerged(seed) if name == "bertopic" else DenStreamed(seed)
    except ImportError as error:
        raise NotInstalledError(f"{error.name} is not installed", hint="pip install bertopic river") from error


class BERTopicMerged:
    """BERTopic with `merge_models`."""

    def __init__(self, seed: int) -> None:
        self._bertopic: Any = import_module("bertopic").BERTopic
        logging.getLogger("BERTopic").setLevel(logging.ERROR)
        self._seed = seed
        self._model: Any = None
        self._done: list[str] = []
        self._waiting: list[tuple[str, Vectors, str]] = []
        self._chronicle = Chronicle(ThemeRules())
        self.assignment: Mapping[str, str] = {}

    def advance(self, batch: Batch, now: datetime) -> None:
        ids = [point.id for point in batch.points]
        self._waiting += zip(ids, batch.vectors, batch.texts, strict=True)
        if len(self._waiting) >= FIT_EVERY:
            self._fit()
        self._chronicle.note(self.assignment, batch.points, now)

    def _fit(self) -> None:
        from sklearn.cluster import HDBSCAN
        from sklearn.decomposition import PCA
        from sklearn.feature_extraction.text import CountVectorizer

        ids, rows, texts = zip(*self._waiting, strict=True)
        self._waiting = []
        model = self._bertopic(
            embedding_model=None,
            umap_model=PCA(min(PCA_DIM, len(rows[0])), random_state=self._seed),
            hdbscan_model=HDBSCAN(min_cluster_size=LEAST, copy=True),
            vectorizer_model=CountVectorizer(analyzer=str.split),  # no word is left out: a text may be an id
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the libraries; nothing here is ours
            model.fit(list(texts), embeddings=np.stack(rows))
            if model.topic_embeddings_ is None or set(model.topics_) == {-1}:
                self._done += ids  # nothing but outliers
                self.assignment = {**self.assignment}
                return
            self._model = (
                self._bertopic.merge_models([self._model, model], min_similarity=MERGE_SIMILARITY)
                if self._model
                else model
            )
        new = self._model.topics_[-len(ids) :]
        self._done += ids
        self.assignment = {**self.assignment, **{i: str(t) for i, t in zip(ids, new, strict=True) if t != -1}}

    @property
    def events(self) -> Sequence[ThemeEvent]:
        return self._chronicle.events


class DenStreamed:
    """DenStream by River."""

    def __init__(self, seed: int) -> None:
        self._model: Any = import_module("river.cluster").DenStream(
            decaying_factor=0.01, beta=0.5, mu=2.5, epsilon=0.1, n_samples_init=20, stream_speed=1
        )
        self._rng = np.random.default_rng(seed)
        self._projection: Any = None
        self._ids: list[str] = []
        self._rows: list[Vectors] = []
        self._chronicle = Chronicle(ThemeRules())
        self.assignment: Mapping[str, str] = {}

    def advance(self, batch: Batch, now: datetime) -> None:
        if self._projection is None:
            dim = batch.vectors.shape[1]
            self._projection = self._rng.normal(size=(dim, DIM)) / math.sqrt(DIM)
        low = batch.vectors @ self._projection
        for row in low:
            self._model.learn_one(dict(enumerate(row.tolist())))
        self._ids += [point.id for point in batch.points]
        self._rows.append(low)
        if self._model.initialized:
            self._model.predict_one(dict(enumerate(low[-1].tolist())))  # makes the clusters
            self._assign()
        self._chronicle.note(self.assignment, batch.points, now)

    def _assign(self) -> None:
        centres = {name: list(found.center.values()) for name, found in self._model.clusters.items()}
        if not centres:
            self.assignment = {}
            return
        gaps = np.linalg.norm(np.concatenate(self._rows)[:, None] - np.array(list(centres.values()))[None], axis=2)
        names = list(centres)
        self.assignment = {point: str(names[n]) for point, n in zip(self._ids, gaps.argmin(axis=1), strict=True)}

    @property
    def events(self) -> Sequence[ThemeEvent]:
        return self._chronicle.events
