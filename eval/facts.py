"""What a user did, as a judge of statements reads it: one fact for each item and each search, with its words and its side.

    known = facts(dataset.train[user], dataset.items)

A word is compared by its Snowball stem in English, Spanish, German and French at once, and Chinese by pairs of characters, so
that nobody has to know the language of a text. Nothing here comes from the code that writes or checks profiles (agent.guard,
agent.writer, retrieval.segments): a judge that shared their rules would share their mistakes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import numpy as np
import snowballstemmer

from retrieval.features import domain, features
from retrieval.records import Event, EventKind, Item, Polarity

TEXT_CHARS = 4000  # of an item's text or a review: more is no description
LIKED_PLACE = 0.75  # of the scale of ratings: four stars and a bit of half to five
EVEN_PLACE = 0.5
BAD_PLACE = 0.3
POOR_PLACE = 0.65
ABOVE, BELOW = -0.25, -0.5  # standard deviations from the user's mean

_STEMMERS = {name: snowballstemmer.stemmer(name) for name in ("english", "spanish", "german", "french")}
_HAN = re.compile(r"[\u3400-\u9fff]+")
_WORD = re.compile(r"[^\W\d_\u3400-\u9fff]+")
_YEAR = re.compile(r"\(\d{4}\)")
_FOR = frozenset({EventKind.LIKE, EventKind.SHARE})
_AGAINST = frozenset({EventKind.DISLIKE, EventKind.HIDE})


@dataclass(frozen=True, slots=True)
class Fact:
    """A user and one item (or one search, `item` None) in the light of all that they did with it.

    `side` is None where the ratings say neither. `keys` are the words of the item, `marks` those of them in its title,
    categories and tags, `own` the words of the user (reviews, the query), `title` the words of the title in their order, `noun`
    the kind of thing ("films"), None where nothing says it.
    """

    item: str | None
    side: Polarity | None
    first_at: datetime
    last_at: datetime
    events: frozenset[str]
    keys: frozenset[str]
    marks: frozenset[str]
    own: frozenset[str]
    title: tuple[str, ...]
    features: frozenset[str]
    noun: str | None


@lru_cache(maxsize=200_000)
def word_keys(word: str) -> frozenset[str]:
    """The stems of one word, each with its language; of Chinese the pairs of characters."""
    if _HAN.fullmatch(word):
        return frozenset(word[i : i + 2] for i in range(max(len(word) - 1, 1)))
    return frozenset(f"{name[:2]}:{stemmer.stemWord(word)}" for name, stemmer in _STEMMERS.items())


def english(word: str) -> str:
    """The English stem, by which the features of a catalogue are found in a sentence."""
    found: str = _STEMMERS["english"].stemWord(word)
    return found


def words(text: str) -> list[str]:
    """The words of `text` in lower case, compounds in their parts; a run of Chinese is one word."""
    found = re.findall(f"{_HAN.pattern}|{_WORD.pattern}", text.casefold())
    return [word for word in found if word != "s"]  # the rest of a genitive


def title_words(item: Item) -> tuple[str, ...]:
    """The words of a title, without the year in brackets that film catalogues add."""
    return tuple(words(_YEAR.sub("", item.title)))


def keys(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(key for text in texts for word in words(text) for key in word_keys(word))


def holds(word: str, known: frozenset[str]) -> bool:
    """Is `word` among the keys `known`? Of Chinese all of its pairs must be, of other words one stem."""
    own = word_keys(word)
    return own <= known if _HAN.fullmatch(word) else bool(own & known)


def facts(events: Sequence[Event], items: Mapping[str, Item]) -> tuple[Fact, ...]:
    """The facts of one user in the order of their first event. `events` in time order; unknown items are left out."""
    rated = [e.value for e in events if e.kind is EventKind.RATE and e.value is not None]
    scale = Scale.of(rated)
    groups: dict[str, list[Event]] = {}
    for event in events:
        if event.item in items:
            groups.setdefault(f"item {event.item}", []).append(event)
        elif event.kind is EventKind.SEARCH and event.text:
            groups.setdefault(f"search {event.text.casefold()}", []).append(event)
    return tuple(_fact(group, items, scale) for group in groups.values())


def _fact(group: Sequence[Event], items: Mapping[str, Item], scale: Scale) -> Fact:
    item = items.get(group[0].item or "")
    said = [event.text[:TEXT_CHARS] for event in group if event.text]
    named = features(item) if item else ()
    marks = keys([item.title, *item.categories, *item.tags]) if item else frozenset()
    return Fact(
        item=item.id if item else None,
        side=_side(group, scale),
        first_at=group[0].at,
        last_at=group[-1].at,
        events=frozenset(event.id for event in group),
        keys=marks | keys([item.text[:TEXT_CHARS]]) if item else marks,
        marks=marks,
        own=keys(said),
        title=title_words(item) if item else (),
        features=frozenset(named),
        noun=domain(item) if item else None,
    )


@dataclass(frozen=True, slots=True)
class Scale:
    """How one user rates: mean, standard deviation, and the ends of the scale that they use (at least 1 to 5 of stars)."""

    mean: float
    deviation: float
    low: float
    high: float

    @classmethod
    def of(cls, rated: Sequence[float]) -> Scale:
        if not rated:
            return cls(3.0, 1.0, 0.5, 5.0)
        top = next(top for top in (1.0, 5.0, 10.0, 100.0, max(rated)) if max(rated) <= top)
        return cls(float(np.mean(rated)), float(np.std(rated)), min(0.1 * top, *rated), top)

    def side(self, value: float) -> Polarity | None:
        """A rating is for the thing at the upper quarter of the scale, or in its upper half and about the user's mean or
        above; it is against it near the bottom, or in the lower two thirds and below the mean by half a deviation."""
        place = (value - self.low) / (self.high - self.low) if self.high > self.low else 1.0
        score = (value - self.mean) / self.deviation if self.deviation else 0.0
        if place >= LIKED_PLACE or (place >= EVEN_PLACE and score >= ABOVE):
            return Polarity.LIKE
        return Polarity.DISLIKE if place <= BAD_PLACE or (place <= POOR_PLACE and score <= BELOW) else None


def _side(group: Sequence[Event], scale: Scale) -> Polarity | None:
    """The last verdict on the thing; who only looked, bought or searched is taken to be interested."""
    says: Polarity | None = Polarity.LIKE
    for event in group:
        if event.kind in _FOR:
            says = Polarity.LIKE
        elif event.kind in _AGAINST:
            says = Polarity.DISLIKE
        elif event.kind is EventKind.RATE and event.value is not None:
            says = scale.side(event.value)
    return says
