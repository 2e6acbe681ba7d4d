"""Which clustering finds planted interests? Prints a table: adjusted Rand index, clusters found, silhouette, milliseconds.

    python -m eval.bench_clustering                     # every algorithm, on sentences and on synthetic clusters
    python -m eval.bench_clustering --algorithms ward average --runs 40
    python -m eval.bench_clustering --rows 10000        # one large set: seconds and memory, communities too

Sentences: for each subject planted in the sample catalogue, 40 statements as code words them from one to three of its items, in
vectors around the catalogue's mean, as profiles have them. A run draws some subjects and some statements of each. Synthetic:
directions drawn uniformly in 384 dimensions, and rows around each with the mean cosine that is named.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.metrics import adjusted_rand_score

from agent.plain import phrase, statement
from agent.weights import locate_embedder
from retrieval.clustering import ALGORITHMS, Algorithm, Vectors, group
from retrieval.communities import assign, found, updated
from retrieval.embed import SentenceTransformerEmbedder, unit
from retrieval.features import DOMAINS
from retrieval.readers import read
from retrieval.records import Item, Polarity
from retrieval.topics import topic_text

SAMPLE = Path(__file__).parents[1] / "retrieval" / "sample"
NOW = datetime(2026, 11, 1, tzinfo=UTC)  # all of the sample is before it
STATEMENTS = 40  # of a subject
SHAPES = ((1, 5), (1, 30), (2, 3), (3, 4), (3, 10), (5, 6), (5, 20), (8, 10), (5, 40), (10, 30))
DIM = 384
OLD: Final = "height"  # Ward cut at HEIGHT, as themes were before
HEIGHT = 1.2

Method = Algorithm | Literal["height"]
Truth = NDArray[np.int64]
Draw = Callable[[np.random.Generator, int, int], tuple[Vectors, Truth]]


def sentences() -> Draw:
    """Draws from statements of the sample's planted subjects, by all-MiniLM-L6-v2 (half a minute)."""
    items = {row.id: row for row in read(SAMPLE, now=NOW) if isinstance(row, Item)}
    subjects = json.loads((SAMPLE / "planted.json").read_text(encoding="utf-8"))["subjects"]
    dice = np.random.default_rng(0)
    said = [_said([items[i] for i in about["items"]], dice) for _, about in sorted(subjects.items())]
    embedder = SentenceTransformerEmbedder(locate_embedder())
    mean = embedder.embed([topic_text(item) for item in items.values()]).mean(axis=0)
    vectors = [unit(embedder.embed(texts) - mean) for texts in said]

    def draw(dice: np.random.Generator, subjects: int, each: int) -> tuple[Vectors, Truth]:
        chosen = [vectors[s] for s in dice.choice(len(vectors), subjects, replace=False)]
        rows = [own[dice.choice(len(own), min(each, len(own)), replace=False)] for own in chosen]
        return np.concatenate(rows), np.repeat(np.arange(subjects), [len(own) for own in rows])

    return draw


def _said(items: list[Item], dice: np.random.Generator) -> list[str]:
    texts: dict[str, None] = {}
    for _ in range(5 * STATEMENTS):
        some = [items[i] for i in dice.choice(len(items), int(dice.choice([1, 2, 2, 3])), replace=False)]
        words = [category for item in some for category in item.categories]
        tags = dice.permutation(sorted({tag for item in some for tag in item.tags})).tolist()
        genres = [word for word in dict.fromkeys(words) if word not in DOMAINS]
        domains = [DOMAINS[word] for word in words if word in DOMAINS]
        texts[statement(Polarity.LIKE, phrase(genres, tags, list(dict.fromkeys(domains))))] = None
    return list(texts)[:STATEMENTS]


def synthetic(cosine: float) -> Draw:
    """Draws clusters with the given mean cosine between two rows of one."""

    def draw(dice: np.random.Generator, clusters: int, each: int) -> tuple[Vectors, Truth]:
        centres = unit(dice.standard_normal((clusters, DIM)))
        truth = np.repeat(np.arange(clusters), each)
        noise = unit(dice.standard_normal((len(truth), DIM)))
        return unit(centres[truth] + (1 / cosine - 1) ** 0.5 * noise), truth

    return draw


def table(name: str, draw: Draw, algorithms: list[Algorithm], runs: int) -> Iterator[str]:
    """A line for each algorithm and shape, means over the runs and the median time; then a line of all shapes together."""
    methods: list[Method] = [OLD, *algorithms]
    for method in methods:
        scores = []
        for subjects, each in SHAPES:
            rows = np.array([_run(draw, method, subjects, each, seed) for seed in range(runs)])
            ari, clusters = rows[:, :2].mean(axis=0)
            known = rows[np.isfinite(rows[:, 2]), 2]
            silhouette = f"{known.mean():.2f}" if len(known) else "-"
            shape = f"{subjects}x{each}"
            milliseconds = np.median(rows[:, 3])
            yield f"{name:<14}{method:<9}{shape:>6}{ari:>7.2f}{clusters:>7.1f}{silhouette:>7}{milliseconds:>9.1f}"
            scores.append(ari)
        yield f"{name:<14}{method:<9}{'all':>6}{np.mean(scores):>7.2f}"


def _run(draw: Draw, method: Method, subjects: int, each: int, seed: int) -> tuple[float, ...]:
    vectors, truth = draw(np.random.default_rng(seed), subjects, each)
    began = time.perf_counter()
    if method == OLD:
        labels = fcluster(linkage(vectors, method="ward"), t=HEIGHT, criterion="distance")
        silhouette = np.nan
    else:
        result = group(vectors, method)
        labels, silhouette = result.labels, result.silhouette or np.nan
    spent = 1000 * (time.perf_counter() - began)
    return adjusted_rand_score(truth, labels), len(set(labels.tolist())), silhouette, spent


def large(rows: int, algorithms: list[Algorithm]) -> Iterator[str]:
    """100 synthetic clusters at once. The memory is the process's peak so far."""
    vectors, truth = synthetic(0.4)(np.random.default_rng(0), 100, rows // 100)
    order = np.random.default_rng(0).permutation(len(vectors))
    vectors, truth = vectors[order], truth[order]
    for algorithm in algorithms:
        began = time.perf_counter()
        result = group(vectors, algorithm)
        spent = time.perf_counter() - began
        yield _large(algorithm, float(adjusted_rand_score(truth, result.labels)), result.clusters, spent)
    began = time.perf_counter()
    known = found(vectors[: rows // 2])
    for batch in np.array_split(vectors[rows // 2 :], 10):
        known = updated(known, batch)
    spent = time.perf_counter() - began
    yield _large("communities", float(adjusted_rand_score(truth, assign(known, vectors)[0])), len(known.sums), spent)


def _large(name: str, ari: float, clusters: int, seconds: float) -> str:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return f"{name:<14}{ari:>7.2f}{clusters:>7}{seconds:>9.1f} s{peak:>7.2f} GB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--algorithms", nargs="+", choices=ALGORITHMS, default=list(ALGORITHMS))
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--rows", type=int)
    given = parser.parse_args()
    if given.rows:
        lines = large(given.rows, given.algorithms)
    else:
        draws = {"sentences": sentences(), "cosine 0.5": synthetic(0.5), "cosine 0.3": synthetic(0.3)}
        sys.stdout.write(f"{'data':<14}{'method':<9}{'shape':>6}{'ARI':>7}{'found':>7}{'silh.':>7}{'ms':>9}\n")
        lines = (line for name, draw in draws.items() for line in table(name, draw, given.algorithms, given.runs))
    for line in lines:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
