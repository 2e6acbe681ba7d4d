"""Group unit vectors by meaning: six well-known algorithms behind one function, each finding its own number of groups.

    found = group(vectors)                      # Ward's tree
    found = group(vectors, "kmeans")            # any of ALGORITHMS
    found.labels, found.clusters, found.silhouette, found.rule

The result depends on the set of rows alone. Rows are put in an order of their own first, so that theirs does not matter; equal
rows count once, because a theme is what is said and not how often; nothing is random that has no fixed seed. How the
algorithms compare: `python -m eval.bench_clustering`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from threadpoolctl import threadpool_limits

Algorithm = Literal["ward", "average", "kmeans", "dbscan", "hdbscan", "birch"]
Vectors = NDArray[np.float32]
Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Score = Callable[[NDArray[np.integer]], float | None]  # of a partition of the distinct rows

ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
PAIRWISE = 10_000  # rows of which all pairs are kept: 2.6 GB and 14 s (Ward, 384 dimensions, 2 cores) at this many
_DIGITS = 6  # of a cosine; what lies below is rounding of the embedder, and may not break a tie
_SAMPLE = 2000  # rows that a silhouette is taken of, and up to which K-means reads all at once
_STEP = 0.025  # between two cuts that are tried
_COARSER = 1.15  # how much the leaves of BIRCH grow at a time
_TRIED = 10  # numbers of clusters that K-means tries, beside all up to 8
_SEED = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """When to stop joining. Cosines, so that a rule means the same for three rows and for three thousand.

    `likeness`: the two halves of a cluster of "ward" and "average" have at least a mean cosine in this range; where in it the
    cut lies is what gives the best silhouette. With both ends equal the cut is fixed. Ward's own height grows with the
    size of clusters: cut at 1.2 it finds 4 of 3 planted interests of 4 sentences each, and 34 of 5 of 40 (eval/LOG.md).
    `alone`: where no split has a silhouette above this, "ward", "average" and "kmeans" leave all together.
    `radius`: the root mean square distance to its centre that a leaf of BIRCH may have.
    """

    likeness: tuple[float, float] = (0.2, 0.35)
    alone: float = 0.12
    radius: float = 0.5


@dataclass(frozen=True, slots=True)
class Grouping:
    """`labels` (n,) are 0..clusters-1 by first appearance. `rule` says how the number was found, with its figure.

    `silhouette` is the mean over the distinct rows (a sample of 2,000 where there are more), None where it is undefined: one
    cluster, or every row its own. `cut` is the mean cosine that a tree was cut at; `Rules((cut, cut))` cuts there again.
    """

    labels: Labels
    algorithm: Algorithm
    clusters: int
    rule: str
    silhouette: float | None
    cut: float | None = None


@dataclass(frozen=True, slots=True)
class _Choice:
    labels: NDArray[np.integer]
    rule: str
    cut: float | None = None


def group(vectors: Vectors, algorithm: Algorithm = "ward", rules: Rules | None = None) -> Grouping:
    """Cluster `vectors` (n, dim), unit rows; a row of zeros is like nothing.

    Noise of "dbscan" and "hdbscan" becomes clusters of one. Raises ValueError for rows that are not finite, for an algorithm
    that is none of ALGORITHMS, and for more than PAIRWISE distinct rows with one that needs all pairs; "kmeans" and "birch" do
    not. Ties between equal cosines go to the row whose bytes are less.
    """
    if algorithm not in _FIND:
        raise ValueError(f"{algorithm!r} is none of {', '.join(ALGORITHMS)}")
    if not np.isfinite(vectors).all():
        raise ValueError("vectors must be finite")
    rows, back = _canonical(vectors)
    if len(rows) < 2:
        return Grouping(np.zeros(len(vectors), dtype=np.int64), algorithm, len(rows), "nothing to tell apart", None)
    if len(rows) > PAIRWISE and algorithm not in ("kmeans", "birch"):
        raise ValueError(f"{algorithm} compares all pairs: at most {PAIRWISE} distinct rows, not {len(rows)}")
    score = _Silhouette(rows)
    find = _FIND[algorithm] if len(rows) > 2 else _average  # two rows have a cosine and no density or silhouette
    choice = find(rows, rules or Rules(), score)
    labels = by_first_appearance(choice.labels[back])
    return Grouping(labels, algorithm, int(labels.max()) + 1, choice.rule, score(choice.labels), choice.cut)


def by_first_appearance(labels: NDArray[np.integer]) -> Labels:
    """The same partition (n,), numbered 0.. in the order in which its parts come up."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)


def _canonical(vectors: Vectors) -> tuple[Vectors, Labels]:
    """The distinct rows in the order of their bytes, and for each given row which of them it is."""
    whole = np.ascontiguousarray(vectors, dtype=np.float32) + np.float32(0.0)  # -0.0 and 0.0 are equal numbers
    keys = whole.view(np.dtype((np.void, whole.itemsize * whole.shape[1]))).ravel()
    _, first, back = np.unique(keys, return_index=True, return_inverse=True)
    return whole[first], back.astype(np.int64)


def _cosines(rows: Vectors) -> Floats:
    wide = rows.astype(np.float64)
    cosines: Floats = np.round(wide @ wide.T, _DIGITS)
    return cosines


class _Silhouette:
    """The mean silhouette (Rousseeuw 1987) of a partition of `rows`, by Euclidean distance; rows alone count 0."""

    def __init__(self, rows: Vectors) -> None:
        self._some = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _SAMPLE)).round().astype(np.int64))
        self._distances = _distances(rows[self._some])

    def __call__(self, labels: NDArray[np.integer]) -> float | None:
        found, own = np.unique(labels[self._some], return_inverse=True)
        n, k = len(own), len(found)
        if k < 2 or k >= n:
            return None
        member = np.zeros((n, k))
        member[np.arange(n), own] = 1.0
        sizes = member.sum(axis=0)
        sums = self._distances @ member
        inside = sums[np.arange(n), own] / np.maximum(sizes[own] - 1, 1)
        means = sums / sizes
        means[np.arange(n), own] = np.inf
        outside = means.min(axis=1)
        widest = np.maximum(inside, outside)
        return float(
            np.where((sizes[own] > 1) & (widest > 0), (outside - inside) / np.where(widest, widest, 1), 0).mean()
        )


def _distances(rows: Vectors) -> Floats:
    """(n, n) Euclidean distances."""
    cosines = _cosines(rows)
    squares = np.diag(cosines)
    distances: Floats = np.sqrt(np.maximum(squares[:, None] + squares - 2 * cosines, 0.0))
    np.fill_diagonal(distances, 0.0)
    return distances


# The trees -------------------------------------------------------------------------------------------------------------


def _ward(rows: Vectors, rules: Rules, score: Score) -> _Choice:
    """Ward 1963, on Euclidean distances."""
    tree = linkage(squareform(_distances(rows), checks=False), method="ward")
    return _cut(tree, _unlike(tree, rows), rules, score)


def _average(rows: Vectors, rules: Rules, score: Score) -> _Choice:
    """Average linkage (UPGMA) of 1 - cosine: the height of a join is what it is cut by."""
    unlike = np.clip(1 - _cosines(rows), 0.0, 2.0)
    np.fill_diagonal(unlike, 0.0)
    tree = linkage(squareform(unlike, checks=False), method="average")
    return _cut(tree, tree[:, 2], rules, score)


def _unlike(tree: Floats, rows: Vectors) -> Floats:
    """(n - 1,) One less the mean cosine between the two sides of each join of Ward's tree, at least that of the joins below.

    The height h of a join is sqrt(2ab/(a+b)) times the distance of the two means, a and b being the sizes; that and the
    squared lengths of the means give the product of the means, which is the mean of all products.
    """
    n = len(rows)
    squares = [*np.einsum("ij,ij->i", rows, rows, dtype=np.float64).tolist(), *[0.0] * (n - 1)]
    sizes = [1.0] * n + tree[:, 3].tolist()
    highest = [0.0] * (2 * n - 1)
    for join, (left, right, height, both) in enumerate(tree.tolist(), start=n):
        i, j = int(left), int(right)
        a, b = sizes[i], sizes[j]
        apart = height * height * both / (2 * a * b)
        product = (squares[i] + squares[j] - apart) / 2
        squares[join] = (a * a * squares[i] + b * b * squares[j] + 2 * a * b * product) / (both * both)
        highest[join] = max(1 - product, highest[i], highest[j])
    return np.array(highest[n:])


def _cut(tree: Floats, unlike: Floats, rules: Rules, score: Score) -> _Choice:
    low, high = rules.likeness
    cuts = np.linspace(low, high, round((high - low) / _STEP) + 1)
    parts = {float(cut): fcluster(tree, 1 - cut + 1e-9, "monocrit", monocrit=unlike) for cut in cuts}
    best, silhouette = _best(parts, score, rules.alone)
    held = f"the halves of a cluster have a mean cosine of {best:.3g}"
    chosen = "" if len(parts) == 1 else f", of {low:g} to {high:g} the cut with the best silhouette ({silhouette:.2f})"
    return _Choice(parts[best], held + chosen, best)


def _best(parts: Mapping[float, NDArray[np.integer]], score: Score, alone: float) -> tuple[float, float]:
    """The key of the partition with the best silhouette, and that; one cluster counts `alone`. Ties go to the first."""
    scores = {}
    for key, labels in parts.items():
        silhouette = score(labels)
        scores[key] = (alone if labels.min() == labels.max() else 0.0) if silhouette is None else silhouette
    best = max(scores, key=lambda key: round(scores[key], _DIGITS))
    return best, scores[best]


# scikit-learn's --------------------------------------------------------------------------------------------------------


def _kmeans(rows: Vectors, rules: Rules, score: Score) -> _Choice:
    """Lloyd from k-means++; in mini-batches (Sculley 2010) for more than _SAMPLE rows. At most 2 sqrt(n) clusters."""
    from sklearn.cluster import KMeans, MiniBatchKMeans  # here and below: the import takes a second

    method = KMeans if len(rows) <= _SAMPLE else MiniBatchKMeans
    most = min(round(2 * len(rows) ** 0.5), len(rows) - 1)
    tried = {round(k) for k in np.geomspace(2, max(most, 2), _TRIED)} | set(range(2, min(most, 8) + 1))
    parts: dict[float, NDArray[np.integer]] = {1: np.zeros(len(rows), dtype=np.int64)}
    with threadpool_limits(1):  # one thread sums in one order, and is three times as fast on a few rows
        for k in sorted(k for k in tried if k < len(rows)):
            parts[k] = method(n_clusters=k, n_init=2, random_state=_SEED).fit_predict(rows)
    best, silhouette = _best(parts, score, rules.alone)
    return _Choice(parts[best], f"k = {best:.0f}, of {len(parts)} tried the best silhouette ({silhouette:.2f})")


def _dbscan(rows: Vectors, _: Rules, __: Score) -> _Choice:
    """Ester et al. 1996: a row is dense with ln n rows, at least two, within the distance at the knee of the distances
    to the last of them."""
    from sklearn.cluster import DBSCAN

    distances = _distances(rows)
    dense = min(max(2, round(np.log(len(rows)))), len(rows))
    eps = _knee(np.sort(np.partition(distances, dense - 1, axis=1)[:, dense - 1]))
    labels = DBSCAN(eps=max(eps, 1e-6), min_samples=dense, metric="precomputed").fit_predict(distances)
    return _Choice(_singletons(labels), f"{dense} rows within {eps:.2f}, the knee of the distances, are dense")


def _knee(values: Floats) -> float:
    """The value farthest below the chord from the first to the last of ascending `values` (Kneedle, Satopää et al. 2011)."""
    span = values[-1] - values[0]
    if span <= 0:
        return float(values[-1])
    return float(values[np.argmax(np.linspace(0, 1, len(values)) - (values - values[0]) / span)])


def _hdbscan(rows: Vectors, _: Rules, __: Score) -> _Choice:
    """Campello et al. 2013: clusters of at least half the root of n, and no fewer than two."""
    from sklearn.cluster import HDBSCAN

    least = max(2, round(len(rows) ** 0.5 / 2))
    method = HDBSCAN(min_cluster_size=least, min_samples=1, metric="precomputed", algorithm="brute", copy=False)
    labels = method.fit_predict(_distances(rows))
    return _Choice(_singletons(labels), f"what stays together longest in clusters of at least {least}")


def _birch(rows: Vectors, rules: Rules, score: Score) -> _Choice:
    """Zhang et al. 1996: the leaves of a clustering feature tree in one pass, then a global clustering of the leaves, here
    Ward's. As in the paper the radius grows when the leaves are too many to compare."""
    from sklearn.cluster import Birch

    radius = rules.radius
    with threadpool_limits(1):
        while len((leaves := Birch(threshold=radius, n_clusters=None).fit(rows)).subcluster_centers_) > PAIRWISE:
            radius *= _COARSER
    leaf = leaves.labels_
    centres = leaves.subcluster_centers_.astype(np.float32)
    first = f"{len(centres)} leaves of radius {radius:.2g}"
    if len(centres) < 2:
        return _Choice(leaf, first)
    found = _ward(centres, rules, lambda labels: score(labels[leaf]))
    return _Choice(found.labels[leaf], f"{first}; {found.rule}", found.cut)


def _singletons(labels: NDArray[np.integer]) -> NDArray[np.integer]:
    """Noise (-1) as clusters of one."""
    noise = np.flatnonzero(labels < 0)
    alone = labels.astype(np.int64)
    alone[noise] = max(int(labels.max()), -1) + 1 + np.arange(len(noise))
    return alone


_FIND: Mapping[Algorithm, Callable[[Vectors, Rules, Score], _Choice]] = {
    "ward": _ward,
    "average": _average,
    "kmeans": _kmeans,
    "dbscan": _dbscan,
    "hdbscan": _hdbscan,
    "birch": _birch,
}
