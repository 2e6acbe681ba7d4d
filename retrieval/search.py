"""From a profile (or a query, or nothing) to candidates: channels propose items, then every item is scored by every channel.

    pool = candidates(Wants(themes=profile.themes, exclude=seen), index, lexical)

Proposing: "theme" (nearest to each theme, by quota), "crowd" (where others' choices lead from the history), "query" (nearest
to the user's question), "bm25" (exact words), "popular" and "fresh". Any of them may be missing. Scoring: these, "dislike",
all that `retrieval.signals` says of the history, and what it says of the items that the user's own words name ("said_latent",
"said_words"): a stranger has no history, and those who chose these items have. `score` alone ranks a given list of items.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from retrieval.embed import Vectors
from retrieval.exact import VectorIndex
from retrieval.fusion import FusionWeights, load_weights, quotas
from retrieval.lexical import Lexical
from retrieval.ranker import prior
from retrieval.records import Candidate, Polarity, Theme
from retrieval.signals import Signals

OVERFETCH = 3  # hits asked for per place: what a user has seen lies near the themes, so many hits are excluded
NAMED = 3  # items nearest to what a user says that stand for it, where others' choices are asked
WIDEN = 4  # factor to ask again with, where exclusion left a theme short


@dataclass(frozen=True, slots=True)
class Shares:
    """How the places of the pool are divided between the channels that have something to say. Without a query "query"
    is silent and the themes come first; with one, the query does. Chosen by hand, to be revisited when measured."""

    theme: float = 0.5
    crowd: float = 0.3
    query: float = 0.8
    bm25: float = 0.2
    popular: float = 0.2
    fresh: float = 0.1


@dataclass(frozen=True, slots=True)
class Wants:
    """What is looked for. Everything is optional.

    `history`: ids of liked items, each once, oldest first; with it the prior is what `signals` make of it, and the themes are
    there to propose.
    `theme_vectors`: theme id -> (m, dim) unit vectors to search with, its medoids say; the centroid where absent.
    `theme_texts`: theme id -> words for BM25, the medoid statement say. `query_vector` is (dim,), `query` its text.
    `said` (m, dim): unit vectors of what users say of themselves, if they do. `community`: item id -> the share of those who
    describe themselves alike that chose it. `popularity`: item id -> how many people took it. `fresh`: item ids, newest
    first. `exclude`: never proposed.
    `against`: (m, dim) what counts like a disliked theme, for now.
    """

    themes: Sequence[Theme] = ()
    history: Sequence[str] = ()
    theme_vectors: Mapping[str, Vectors] = field(default_factory=dict)
    theme_texts: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    query_vector: Vectors | None = None
    said: Vectors | None = None
    community: Mapping[str, float] = field(default_factory=dict)
    popularity: Mapping[str, float] = field(default_factory=dict)
    fresh: Sequence[str] = ()
    exclude: frozenset[str] = frozenset()
    against: Vectors | None = None

    @property
    def asked(self) -> bool:
        return self.query_vector is not None or bool(self.query.strip())

    def active(self, polarity: Polarity) -> list[Theme]:
        return [theme for theme in self.themes if theme.active and theme.polarity == polarity]

    def vectors(self, theme: Theme) -> Vectors:
        """(m, dim) vectors of a theme."""
        given = self.theme_vectors.get(theme.id)
        return np.atleast_2d(np.asarray(theme.centroid if given is None else given, dtype=np.float32))


def candidates(
    wants: Wants,
    index: VectorIndex,
    lexical: Lexical | None = None,
    signals: Signals | None = None,
    *,
    pool: int = 200,
    weights: FusionWeights | None = None,
    shares: Shares | None = None,
) -> list[Candidate]:
    """At most `pool` items that were proposed by some channel, with their prior, best first; ties by item id."""
    proposed = propose(wants, index, lexical, signals, pool, shares or Shares())
    return score(wants, proposed, index, lexical, signals, weights)


def propose(
    wants: Wants, index: VectorIndex, lexical: Lexical | None, signals: Signals | None, pool: int, shares: Shares
) -> list[str]:
    """At most `pool` distinct item ids. A place that a channel cannot fill goes to the others, in turn."""
    lists = {
        "theme": _by_themes(wants, index, pool),
        "crowd": signals.nearest(wants.history, pool, wants.exclude) if signals else [],
        "query": _by_query(wants, index, pool),
        "bm25": _by_words(wants, lexical, pool),
        "popular": _popular(wants, pool),
        "fresh": [item for item in wants.fresh if item not in wants.exclude][:pool],
    }
    spoken = {name: items for name, items in lists.items() if items}
    places = quotas([getattr(shares, name) for name in spoken], pool)
    return share_out(list(spoken.values()), places)


def score(
    wants: Wants,
    item_ids: Sequence[str],
    index: VectorIndex,
    lexical: Lexical | None = None,
    signals: Signals | None = None,
    weights: FusionWeights | None = None,
) -> list[Candidate]:
    """All of `item_ids` as candidates, best prior first, ties by item id. Without `weights`, the shipped ones.

    Every item gets its exact score from every channel that has an opinion on it, whichever channel proposed it: to read
    "not among the hits" as zero would punish what one channel ranked just too low. Raw scores: cosines for "theme",
    "query" and "dislike", BM25, the count for "popular", and for "fresh" 1 for the newest down to 0 for the oldest of the
    list. `theme` is the liked theme that is nearest.
    """
    ids = list(dict.fromkeys(item_ids))
    if not ids:
        return []
    rows = _matrix(ids, index)
    likes = wants.active(Polarity.LIKE)
    near = np.stack([_nearest(rows, wants.vectors(theme)) for theme in likes]) if likes else None
    channels = _channels(wants, ids, rows, lexical) | _personal(wants, ids, signals) | _said(wants, ids, index, signals)
    if near is not None:
        channels["theme"] = near.max(axis=0)
    fused = prior(channels, weights or load_weights(), wants.asked) if channels else np.zeros(len(ids))
    found = [
        Candidate(
            item=item_id,
            channels={name: float(raw[row]) for name, raw in channels.items() if np.isfinite(raw[row])},
            prior=float(fused[row]),
            theme=likes[int(near[:, row].argmax())].id if near is not None and np.isfinite(near[0, row]) else None,
        )
        for row, item_id in enumerate(ids)
    ]
    return sorted(found, key=lambda candidate: (-candidate.prior, candidate.item))


def _channels(wants: Wants, ids: list[str], rows: Vectors, lexical: Lexical | None) -> dict[str, NDArray[np.floating]]:
    """The raw scores of all channels but "theme", each (n,); NaN is no opinion. Silent channels are left out."""
    channels: dict[str, NDArray[np.floating]] = {}
    if wants.query_vector is not None:
        channels["query"] = _nearest(rows, np.atleast_2d(wants.query_vector))
    disliked = [wants.vectors(theme) for theme in wants.active(Polarity.DISLIKE)]
    if disliked := [*disliked, *([] if wants.against is None else [wants.against])]:
        channels["dislike"] = _nearest(rows, np.concatenate(disliked))
    words = _word_scores(wants, lexical)
    if words is not None and lexical is not None:
        at = lexical.rows(ids)
        channels["bm25"] = np.where(at >= 0, words[at], np.nan)
    if wants.popularity:
        channels["popular"] = np.array([wants.popularity.get(item_id, 0.0) for item_id in ids])
    if wants.community:
        channels["community"] = np.log(np.array([wants.community.get(item_id, np.nan) for item_id in ids]))
    if wants.fresh:
        newness = {item_id: 1.0 - place / len(wants.fresh) for place, item_id in enumerate(wants.fresh)}
        channels["fresh"] = np.array([newness.get(item_id, np.nan) for item_id in ids])
    return channels


def _personal(wants: Wants, ids: list[str], signals: Signals | None) -> dict[str, NDArray[np.floating]]:
    """What the history says, each (n,); nothing without one. With a query, "bm25" is that of the query."""
    found = signals.channels(wants.history, ids) if signals and wants.history else {}
    return {name: raw for name, raw in found.items() if name != "bm25" or not wants.asked}


def _said(wants: Wants, ids: list[str], index: VectorIndex, signals: Signals | None) -> dict[str, NDArray[np.floating]]:
    """What those chose who chose the items that the user's words name; nothing with a query, which names more."""
    if signals is None or wants.said is None or wants.asked:
        return {}
    named = dict.fromkeys(item_id for hits in index.query(wants.said, NAMED) for item_id, _ in hits)
    found = signals.channels(tuple(named), ids) if named else {}
    return {f"said_{name}": found[name] for name in ("latent", "words") if name in found}


def _matrix(ids: Sequence[str], index: VectorIndex) -> Vectors:
    """(n, dim) vectors of the items; rows of NaN for those that are not indexed."""
    known = index.vectors(ids)
    dim = len(next(iter(known.values()))) if known else 1
    rows = np.full((len(ids), dim), np.nan, dtype=np.float32)
    for row, item_id in enumerate(ids):
        if item_id in known:
            rows[row] = known[item_id]
    return rows


def _nearest(rows: Vectors, targets: Vectors) -> NDArray[np.floating]:
    """The cosine of each row (n, dim) to the nearest of the targets (m, dim): (n,). NaN for unknown rows."""
    if np.isnan(rows).all():
        return np.full(len(rows), np.nan)
    with np.errstate(invalid="ignore"):  # NaN is meant to pass through
        nearest: NDArray[np.floating] = (rows @ targets.T).max(axis=1)
    return nearest


def _word_scores(wants: Wants, lexical: Lexical | None) -> NDArray[np.floating] | None:
    """BM25 of the whole catalogue: of the query if there is one, else the best over the themes. The scores of a theme are
    scaled by its best hit first, because a longer statement scores higher whatever it says."""
    if lexical is None or not len(lexical):
        return None
    if wants.asked:
        return lexical.scores(wants.query) if wants.query.strip() else None
    texts = [wants.theme_texts.get(theme.id, "") for theme in wants.active(Polarity.LIKE)]
    scores = [found / found.max() for found in map(lexical.scores, texts) if found.max() > 0]
    return np.max(scores, axis=0) if scores else None


def _by_themes(wants: Wants, index: VectorIndex, pool: int) -> list[str]:
    """Items of all liked themes, shared out by importance: each theme has its quota of items near to it."""
    themes = wants.active(Polarity.LIKE)
    if not themes or not len(index):
        return []
    themes.sort(key=lambda theme: (-theme.importance, theme.id))
    vectors = [wants.vectors(theme) for theme in themes]
    owners = [row for row, found in enumerate(vectors) for _ in found]
    places = quotas([theme.importance for theme in themes], pool)
    k = max(places) * OVERFETCH
    most = min(len(index), k + len(wants.exclude))  # no more than all that is excluded can be missing
    while True:
        hits = index.query(np.concatenate(vectors), k)
        lists = [_merged(hits, owners, row, wants.exclude) for row in range(len(themes))]
        short = any(len(items) < places[row] for row, items in enumerate(lists))
        if not short or k >= most:
            return share_out(lists, places)
        k = min(k * WIDEN, most)


def _merged(hits: list[list[tuple[str, float]]], owners: list[int], theme: int, exclude: frozenset[str]) -> list[str]:
    """The hits of one theme's vectors as one list, best first, without what is excluded."""
    best: dict[str, float] = {}
    for owner, found in zip(owners, hits, strict=True):
        if owner == theme:
            for item_id, similarity in found:
                if item_id not in exclude:
                    best[item_id] = max(similarity, best.get(item_id, -1.0))
    return sorted(best, key=lambda item_id: (-best[item_id], item_id))


def _by_query(wants: Wants, index: VectorIndex, pool: int) -> list[str]:
    if wants.query_vector is None:
        return []
    # at most len(exclude) of the hits can be excluded, so this is always enough
    hits = index.query(np.atleast_2d(wants.query_vector), pool + len(wants.exclude))[0]
    return [item_id for item_id, _ in hits if item_id not in wants.exclude][:pool]


def _by_words(wants: Wants, lexical: Lexical | None, pool: int) -> list[str]:
    words = _word_scores(wants, lexical)
    if words is None or lexical is None:
        return []
    return _best({lexical.ids[row]: float(words[row]) for row in np.flatnonzero(words > 0)}, wants.exclude, pool)


def _popular(wants: Wants, pool: int) -> list[str]:
    return _best(wants.popularity, wants.exclude, pool)


def _best(scores: Mapping[str, float], exclude: frozenset[str], k: int) -> list[str]:
    free: Iterable[tuple[str, float]] = ((i, s) for i, s in scores.items() if i not in exclude)
    return [item_id for item_id, _ in heapq.nsmallest(k, free, key=lambda pair: (-pair[1], pair[0]))]


def share_out(lists: Sequence[Sequence[str]], places: Sequence[int]) -> list[str]:
    """Take from each list its number of places, skipping what another took, then fill up in turn to the sum of places.

    The lists are interleaved in proportion to their places, first choices first, so that every beginning of the result
    is shared out as fairly as the whole.
    """
    taken: dict[str, None] = {}  # a dict keeps the order of taking
    queues = [iter(items) for items in lists]

    def take(row: int) -> bool:
        item_id = next((i for i in queues[row] if i not in taken), None)
        if item_id is not None:
            taken[item_id] = None
        return item_id is not None

    for _, row in sorted((turn / count, row) for row, count in enumerate(places) for turn in range(count)):
        take(row)
    waiting = list(range(len(lists)))
    while waiting and len(taken) < sum(places):
        waiting = [row for row in waiting if len(taken) < sum(places) and take(row)]
    return list(taken)
