"""What a few items have in common that the rest of the catalogue has not: the plain facts behind a statement.

A feature is a category or a tag. Its weight is how often it occurs among the items times the log of how much more
frequent it is there than in the catalogue (the pointwise Kullback-Leibler term), so what is true of everything weighs
nothing.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from retrieval.records import Item
from retrieval.trust import trusted

DOMAINS: Mapping[str, str] = {
    "film": "films",
    "movie": "films",
    "book": "books",
    "game": "games",
    "music": "music",
    "article": "articles",
    "news": "news",
    "course": "courses",
    "travel": "destinations",
    "podcast": "podcasts",
    "recipe": "recipes",
    "product": "products",
}
"""Categories that name what kind of thing an item is, with the noun used for several of them."""

_WORD = re.compile(r"[^\W\d_]+")
_INSIDE = re.compile(r"(?<=[\w,;] )[^\W\d_]{3,}")  # words that begin no sentence
_ALWAYS = 0.9  # of a word's occurrences are capitals where it is a name
_LEAST_LIFT = 1.5  # a feature under half again the catalogue's share says nothing about the person


@dataclass(frozen=True, slots=True)
class CatalogueStats:
    """How many items there are, in how many each feature occurs, and the words that the catalogue uses.

    `unsaid` are features that nothing may be said of; whoever makes the statistics decides which. `names` has the words that
    the catalogue's texts write with a capital in the middle of a sentence, by their lower case.
    """

    items: int
    counts: Mapping[str, int]
    words: frozenset[str] = frozenset()
    unsaid: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)

    def share(self, feature: str) -> float:
        """Share of the catalogue that has `feature`, smoothed so that it is never 0."""
        return (self.counts.get(feature, 0) + 0.5) / (self.items + 1)


def features(item: Item) -> tuple[str, ...]:
    """Trusted categories and tags in lower case, each once, without those that only name the kind of thing."""
    item = trusted(item)
    seen = dict.fromkeys(f.strip().lower() for f in (*item.categories, *item.tags))
    return tuple(f for f in seen if f and f not in DOMAINS)


def kind(item: Item) -> str | None:
    """The category that names what kind of thing an item is ("film"), where there is one."""
    return next((c.lower() for c in item.categories if c.lower() in DOMAINS), None)


def domain(item: Item) -> str | None:
    """The noun for items of this kind ("films"), where the categories say it."""
    found = kind(item)
    return DOMAINS[found] if found else None


def catalogue_stats(items: Iterable[Item]) -> CatalogueStats:
    counts: Counter[str] = Counter()
    words: set[str] = set()
    written: Counter[str] = Counter()
    total = 0
    for item in map(trusted, items):
        total += 1
        counts.update(features(item))
        written.update(_INSIDE.findall(item.text))
        words.update(_WORD.findall(f"{item.title} {item.text} {' '.join(features(item))}".lower()))
    return CatalogueStats(total, counts, frozenset(words), names=_names(written))


def _names(written: Mapping[str, int]) -> dict[str, str]:
    """Lower case -> as written, of words that begin with a capital nearly always."""
    total: Counter[str] = Counter()
    for word, count in written.items():
        total[word.lower()] += count
    return {
        w.lower(): w
        for w, n in written.items()
        if w[0].isupper() and w[1:].islower() and n >= _ALWAYS * total[w.lower()]
    }


def distinctive(items: Sequence[Item], stats: CatalogueStats) -> list[tuple[str, float]]:
    """Features of `items` by falling weight. A feature of a single one of several does not count."""
    found = Counter(f for item in items for f in features(item))
    least = min(2, len(items))
    weights = {}
    for feature, count in found.items():
        share = count / len(items)
        lift = share / stats.share(feature)
        if count >= least and lift >= _LEAST_LIFT:
            weights[feature] = share * math.log(lift)
    return sorted(weights.items(), key=lambda pair: (-pair[1], pair[0]))


def domains(items: Sequence[Item]) -> list[str]:
    """The nouns for the kinds of things among `items`, most frequent first."""
    counts = Counter(d for d in map(domain, items) if d)
    return [d for d, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]
