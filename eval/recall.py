"""Retrieval measured by itself: how often is the item that came next among the first 50, 100 or 200 that a channel proposes?

    document = to_json(measure(Material(dataset, vectors), lambda user: weights, chroma=index))

Ranked is the whole catalogue but for what the user touched in training. "theme" (near to the interests of the history),
"words" (BM25), "popular", "crowd" (walks over users) and "latent" (factors) propose on their own; "union" shares its places
equally among them; "shipped" is what `leitmotif recommend` proposes, with clusters of the history for themes; "fused" is the
ranker's prior of every item, what retrieval would find if it cost nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from eval.candidates import generator
from eval.cases import Case, distinct
from eval.material import Material
from eval.stats import bootstrap_ci
from retrieval.embed import Progress, Vectors
from retrieval.exact import Hits, VectorIndex
from retrieval.fusion import FusionWeights, quotas
from retrieval.ranker import prior
from retrieval.records import Polarity, Theme
from retrieval.search import Shares, Wants, propose, share_out
from retrieval.themes import medoid

WARD = 1.2  # distance on unit vectors at which interests stop merging; about 1.41 is two unlike things
POOL = 200  # what `recommend` scores (agent.config.RecommendSettings.pool)
SIGNALS = {"words": "bm25", "popular": "popular", "crowd": "walk", "latent": "latent"}
CHANNELS = ("theme", *SIGNALS, "union", "shipped", "fused")
_ROUNDING = 1e-5  # of cosines in float32, computed in two ways

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Found:
    """In percent of the users; `ci95` is the bootstrap interval of recall@200."""

    recall_at_50: float
    recall_at_100: float
    recall_at_200: float
    ci95: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Recall:
    """`chroma_vs_exact`: k -> percent of the k nearest items that Chroma finds, over all interests of the `users`; empty
    where there was no Chroma index to ask. `seconds` is the time of everything."""

    dataset: str
    digest: str
    seed: int
    users: int
    catalogue: int
    channels: Mapping[str, Found]
    chroma_vs_exact: Mapping[str, float]
    seconds: float
    kind: str = "recall"


def measure(
    material: Material,
    weights: Callable[[str], FusionWeights],
    *,
    chroma: VectorIndex | None = None,
    sample: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Recall:
    """The document. `weights` of a user are those of "fused"; `sample` keeps so many random cases.

    `chroma` is compared with exact search and must hold the vectors of `material`. An index that is exact itself (another
    process owns Chroma's folder) says nothing of Chroma and is passed over.
    """
    started = time.perf_counter()
    cases = material.dataset.cases
    chosen = [cases[n] for n in sorted(np.random.default_rng(seed).permutation(len(cases))[:sample].tolist())]
    places: dict[str, list[float]] = {name: [] for name in CHANNELS}
    for done, case in enumerate(chosen, 1):
        proposed = proposals(material, case, weights(case.user), generator(seed, case.user, "recall"))
        for name, items in proposed.items():
            places[name].append(items.index(case.target) if case.target in items else np.inf)
        if progress:
            progress(done, len(chosen))
    asked = [interest for case in chosen for interest, _ in interests(_vectors(material, case))]
    return Recall(
        material.dataset.name,
        material.dataset.digest,
        seed,
        len(chosen),
        len(material.items),
        {name: found(np.array(where), seed) for name, where in places.items()},
        _against_exact(chroma, material.index, asked),
        time.perf_counter() - started,
    )


def found(places: Floats, seed: int) -> Found:
    """`places` (users,): where the target stands, from 0, infinite where it was not proposed."""
    at_50, at_100, at_200 = (float(100 * (places < k).mean()) for k in (50, 100, 200))
    return Found(at_50, at_100, at_200, bootstrap_ci(100.0 * (places < 200), seed))


def proposals(
    material: Material, case: Case, weights: FusionWeights, rng: np.random.Generator
) -> dict[str, Sequence[str]]:
    """Channel -> at most POOL items that the user did not touch in training, best first. A channel that has no opinion
    proposes nothing."""
    touched = _touched(material, case)
    ids = tuple(material.dataset.items)
    free = rng.permutation([row for row, item_id in enumerate(ids) if item_id not in touched])
    raw = material.signals.channels(case.history, ids)

    def best(scores: Floats) -> list[str]:
        """`free` is in random order, so that chance decides between equals and not the order of the catalogue."""
        return [ids[row] for row in free[np.argsort(-scores[free], kind="stable")[:POOL]]]

    lists: dict[str, Sequence[str]] = {"theme": _by_interests(material, case, touched)}
    lists |= {name: best(raw[channel]) if channel in raw else () for name, channel in SIGNALS.items()}
    speaking = [items for items in lists.values() if items]
    lists["union"] = share_out(speaking, quotas([1.0] * len(speaking), POOL))
    lists["shipped"] = shipped(material, case)
    lists["fused"] = best(prior(raw, weights, asked=False))
    return lists


def shipped(material: Material, case: Case) -> list[str]:
    """The POOL of items that `recommend` would rank for this history. There are no statements here: the interests stand for
    the themes, and words propose nothing."""
    themes = [
        Theme(str(n), case.user, "", "", Polarity.LIKE, ("",), "", tuple(vector.tolist()), importance=float(items))
        for n, (vector, items) in enumerate(interests(_vectors(material, case)))
    ]
    popularity = material.signals.popularity()
    wants = Wants(themes, case.history, popularity=popularity, exclude=_touched(material, case))
    return propose(wants, material.index, material.lexical, material.signals, POOL, Shares())


def _touched(material: Material, case: Case) -> frozenset[str]:
    return frozenset(distinct(event.item for event in material.dataset.train.get(case.user, ())))


def interests(vectors: Vectors) -> list[tuple[Vectors, int]]:
    """(vector, items) of each interest of a history, `vectors` (n, dim): Ward's clusters, each searched with by the item in
    its middle (PinnerSage, arXiv 2007.03634). These are vectors of the index, not around the catalogue's mean as
    `retrieval.clustering` expects them."""
    labels = clustered(vectors)
    parts = [vectors[labels == label] for label in dict.fromkeys(labels.tolist())]
    return [(part[medoid(part)], len(part)) for part in parts]


def clustered(vectors: Vectors) -> NDArray[np.int64]:
    """A label for each of `vectors` (n, dim): Ward's tree, cut at one height."""
    if len(vectors) < 2:
        return np.zeros(len(vectors), dtype=np.int64)
    return np.asarray(fcluster(linkage(vectors, method="ward"), t=WARD, criterion="distance"), dtype=np.int64)


def agreement(answers: Sequence[Hits], exact: Sequence[Hits], k: int) -> float:
    """The share of the `k` nearest that were found, mean over the queries. An item as near as the k-th counts as one of
    them, whatever its id."""
    shares = [
        sum(cosine >= nearest[:k][-1][1] - _ROUNDING for _, cosine in answer[:k]) / len(nearest[:k])
        for answer, nearest in zip(answers, exact, strict=True)
    ]
    return float(np.mean(shares))


def _against_exact(chroma: VectorIndex | None, exact: VectorIndex, queries: Sequence[Vectors]) -> dict[str, float]:
    if chroma is None or chroma.exact or not queries:
        return {}
    vectors = np.stack(queries)
    answers, nearest = chroma.query(vectors, POOL), exact.query(vectors, POOL)
    return {str(k): 100 * agreement(answers, nearest, k) for k in (50, 100, 200)}


def _by_interests(material: Material, case: Case, touched: frozenset[str]) -> list[str]:
    """Items near to each interest, by quotas in proportion to the items that showed it."""
    asked = interests(_vectors(material, case))
    if not asked:
        return []
    # at most len(touched) of the hits are excluded and POOL are what other interests gave: this is always enough
    hits = material.index.query(np.stack([vector for vector, _ in asked]), 2 * POOL + len(touched))
    lists = [[item for item, _ in near if item not in touched] for near in hits]
    return share_out(lists, quotas([items for _, items in asked], POOL))


def _vectors(material: Material, case: Case) -> Vectors:
    """(n, dim) of the items of the history that have a vector."""
    rows = list(material.index.vectors(case.history).values())
    return np.stack(rows) if rows else np.zeros((0, material.vectors.shape[1]), dtype=np.float32)
