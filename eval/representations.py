"""What a user's text is worth, by how it is written: words, event texts, statements, a portrait. One table.

    document = to_json(measure(material, embedder, interests=planted, writer=Writer(llm, ...)))

lexical     TF-IDF of the texts of the items, and latent semantic analysis (Deerwester et al. 1990): 64 dimensions
events      sentence embeddings of the texts of the events' items, one a row
statements  plain sentences on what clusters of these items share
portrait    one paragraph from the names of the clusters
written     the same two in the model's words, where a writer with a model is given: `written`, `written_portrait`

Two questions. Do the texts of one planted interest, each of another user, fall together (clusters by Ward's tree against the
subjects: adjusted Rand index, normalised mutual information)? And does the next item stand first among 20 when all are ranked
by their cosine to the nearest row of the user's text? No count of what others chose is used.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from agent import plain
from agent.evidence import common
from agent.writer import Writer
from eval import metrics
from eval.authored import author
from eval.candidates import uniform
from eval.cases import Question
from eval.material import Material
from eval.recall import clustered
from eval.stats import bootstrap_ci
from retrieval.clustering import group
from retrieval.embed import Embedder, Vectors, item_text, unit
from retrieval.features import CatalogueStats, catalogue_stats, distinctive
from retrieval.records import Item, Polarity

NAMES = ("lexical", "events", "statements", "portrait")
WRITTEN = ("written", "written_portrait")
DIMENSIONS = 64
K = 10

Texts = Callable[[Sequence[Item]], list[str]]  # of what somebody took to the texts that stand for them


@dataclass(frozen=True, slots=True)
class Interest:
    """Items that one user took for one reason; `subject` is the planted truth, which users share."""

    subject: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Worth:
    """`ari` and `nmi` against the planted subjects, None where nothing is planted; ndcg@10 in percent of `users`; `texts` a
    user, and the seconds of all."""

    ari: float | None
    nmi: float | None
    ndcg_at_10: float
    ci95: tuple[float, float]
    users: int
    texts: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Representations:
    """`interests` of `subjects` were clustered."""

    dataset: str
    digest: str
    seed: int
    users: int
    interests: int
    subjects: int
    systems: Mapping[str, Worth]
    notes: tuple[str, ...]
    kind: str = "representations"


def measure(
    material: Material,
    embedder: Embedder,
    interests: Sequence[Interest] = (),
    *,
    sample: int = 300,
    seed: int = 0,
    writer: Writer | None = None,
) -> Representations:
    """The document: at most `sample` random users, and the planted `interests`. Raises LLMUnavailableError, with a `writer`."""
    dataset = material.dataset
    drawn = [question for question in uniform(dataset, seed).questions if question.case.history]
    asked = [drawn[n] for n in sorted(np.random.default_rng(seed).permutation(len(drawn))[:sample].tolist())]
    plainly = _Plain(material, catalogue_stats(dataset.items.values()))
    texts, notes = (
        plainly.texts,
        ("Statements and portraits are the plain ones, made from the data: no LLM was asked.",),
    )
    if writer is not None:
        histories = [[dataset.items[i] for i in question.case.history] for question in asked]
        more, written = _in_own_words(writer, plainly, [*histories, *(interest.items for interest in interests)])
        texts |= more
        notes = (f"`written` by {writer.model}: {written:.0%} of its texts are in its words, the others plain.",)
    rows = {}
    for name in (NAMES[0], *texts):
        space = _Lexical(material) if name == "lexical" else _Sentences(material, embedder, texts[name])
        rows[name] = _worth(space, dataset.items, interests, asked, seed)
    subjects = len({interest.subject for interest in interests})
    return Representations(dataset.name, dataset.digest, seed, len(asked), len(interests), subjects, rows, notes)


def planted(path: Path, items: Mapping[str, Item]) -> list[Interest]:
    """The likes of a file of planted interests that name their subject and their items; none where it has no such thing."""
    users = json.loads(path.read_text(encoding="utf-8")).get("users", {}) if path.is_file() else {}
    return [
        Interest(str(entry["subject"]), tuple(items[i] for i in entry["items"] if i in items))
        for user in users.values()
        for entry in user["interests"]
        if entry.get("polarity") == Polarity.LIKE and "subject" in entry and len(entry.get("items", ())) > 1
    ]


class _Lexical:
    """Words: one vector for all that somebody took."""

    def __init__(self, material: Material) -> None:
        from sklearn.decomposition import TruncatedSVD  # the import takes a second
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._rows = {item.id: row for row, item in enumerate(material.items)}
        words = TfidfVectorizer(stop_words="english").fit_transform([item_text(item) for item in material.items])
        size = min(DIMENSIONS, words.shape[1] - 1, len(material.items) - 1)
        self.items = unit(TruncatedSVD(max(size, 1), random_state=0).fit_transform(words))

    def of(self, items: Sequence[Item]) -> Vectors:
        return unit(self.items[[self._rows[item.id] for item in items]].mean(axis=0, keepdims=True))

    def rows(self, ids: Sequence[str]) -> Vectors:
        return self.items[[self._rows[i] for i in ids]]


class _Sentences:
    """Sentence embeddings of the texts that stand for somebody, around the mean of the catalogue."""

    def __init__(self, material: Material, embedder: Embedder, texts: Texts) -> None:
        self._rows = {item.id: row for row, item in enumerate(material.items)}
        self._mean = material.vectors.mean(axis=0)
        self._vectors = unit(material.vectors - self._mean)
        self._embedder = embedder
        self._texts = texts
        self._known = dict(zip(map(item_text, material.items), self._vectors, strict=True))

    def of(self, items: Sequence[Item]) -> Vectors:
        texts = self._texts(items)
        missing = [text for text in texts if text not in self._known]
        if missing:
            made = unit(self._embedder.embed(missing) - self._mean)
            self._known.update(zip(missing, made, strict=True))
        return np.array([self._known[text] for text in texts], dtype=np.float32)

    def rows(self, ids: Sequence[str]) -> Vectors:
        return self._vectors[[self._rows[i] for i in ids]]


@dataclass(frozen=True)
class _Plain:
    """The plain texts of what somebody took."""

    material: Material
    stats: CatalogueStats

    @property
    def texts(self) -> dict[str, Texts]:
        return {"events": lambda items: list(map(item_text, items)), "statements": self.said, "portrait": self.portrait}

    def said(self, items: Sequence[Item]) -> list[str]:
        """A statement for each cluster that shares something; the texts of the items where none does."""
        found = [common(own, [f for f, _ in distinctive(own, self.stats)], self.stats) for own in self.clusters(items)]
        said = [plain.statement(Polarity.LIKE, evidence.phrase) for evidence in found if evidence.features]
        return list(dict.fromkeys(said)) or [item_text(item) for item in items]

    def portrait(self, items: Sequence[Item]) -> list[str]:
        features = [[f for f, _ in distinctive(own, self.stats)] for own in self.clusters(items)]
        labels = list(dict.fromkeys(plain.label(own) for own in features if own))
        return [plain.portrait(labels, [])] if labels else [item_text(item) for item in items]

    def clusters(self, items: Sequence[Item]) -> list[list[Item]]:
        """Clusters by Ward's tree, the largest first."""
        places = {item.id: row for row, item in enumerate(self.material.items)}
        vectors = unit(self.material.vectors[[places[i.id] for i in items]] - self.material.vectors.mean(axis=0))
        labels = clustered(vectors).tolist()
        groups = [[item for item, own in zip(items, labels, strict=True) if own == label] for label in set(labels)]
        return sorted(groups, key=lambda own: (-len(own), own[0].id))


def _in_own_words(writer: Writer, plainly: _Plain, taken: Sequence[Sequence[Item]]) -> tuple[dict[str, Texts], float]:
    """The texts of the model, and the share of them in its words. Each lot of items in `taken` is written about beforehand."""
    lots = {_key(items): plainly.clusters(items) for items in taken}
    found = author(writer, lots, plainly.stats, datetime.now(UTC))
    told = sum(len(own.statements) + bool(own.portrait) for own in found.values())

    def said(items: Sequence[Item]) -> list[str]:
        return list(found[_key(items)].statements) or [item_text(item) for item in items]

    def portrait(items: Sequence[Item]) -> list[str]:
        own = found[_key(items)].portrait
        return [own] if own else [item_text(item) for item in items]

    share = sum(own.written for own in found.values()) / max(told, 1)
    return dict(zip(WRITTEN, (said, portrait), strict=True)), share


def _key(items: Sequence[Item]) -> tuple[str, ...]:
    return tuple(item.id for item in items)


def _worth(
    space: _Lexical | _Sentences,
    items: Mapping[str, Item],
    interests: Sequence[Interest],
    asked: Sequence[Question],
    seed: int,
) -> Worth:
    begun = time.perf_counter()
    ari, nmi = _agreement(space, interests) if interests else (None, None)
    ndcg, texts = [], []
    for question in asked:
        own = space.of([items[i] for i in question.case.history])
        scores = (space.rows(question.candidates) @ own.T).max(axis=1)
        ndcg.append(100 * metrics.ndcg(metrics.order(question.candidates, scores.tolist()), {question.case.target}, K))
        texts.append(len(own))
    seconds = time.perf_counter() - begun
    return Worth(ari, nmi, float(np.mean(ndcg)), bootstrap_ci(ndcg, seed), len(ndcg), float(np.mean(texts)), seconds)


def _agreement(space: _Lexical | _Sentences, interests: Sequence[Interest]) -> tuple[float, float]:
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    rows = np.concatenate([unit(space.of(i.items).mean(axis=0, keepdims=True)) for i in interests])
    rows = unit(
        rows - rows.mean(axis=0)
    )  # what all texts of one form share ("Likes ... films") tells no two of them apart
    labels, truth = group(rows).labels, [interest.subject for interest in interests]
    return float(adjusted_rand_score(truth, labels)), float(normalized_mutual_info_score(truth, labels))
