"""Streams of films: any source whose items have genres as categories, a MovieLens folder above all.

A topic is a genre that at least 20 films have and no other beside it; two of them go together where 20 films have both and no
third. The text of a point is the film's: title, genres, tags. Tags carry no time and may be later than the planted one, which
does not matter here: who watched a film is planted, too.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

from agent.errors import UsageError
from eval.streams.lives import Words
from retrieval.embed import item_text
from retrieval.features import DOMAINS
from retrieval.readers import read
from retrieval.records import Item

LEAST, MOST = 20, 60  # films of a topic
MANY = 4  # genres that make a film one of no topic


def words(path: Path, now: datetime) -> Words:
    """The words of a catalogue, each topic from its oldest films to its newest. Raises UsageError where it has too few topics,
    ReadError where it cannot be read."""
    films = [item for item in read(path, now=now) if isinstance(item, Item)]
    groups: dict[tuple[str, ...], list[Item]] = defaultdict(list)
    for item in films:
        groups[tuple(sorted(word for word in item.categories if word not in DOMAINS))].append(item)
    texts = {genres: _texts(own) for genres, own in groups.items()}
    topics = {genres[0]: own for genres, own in texts.items() if len(genres) == 1 and len(own) >= LEAST}
    both = {
        pair: own for pair, own in texts.items() if len(pair) == 2 and len(own) >= LEAST and topics.keys() >= set(pair)
    }
    if len(topics) < 9 or not both:
        raise UsageError(
            f"{path.name} has {len(topics)} genres that enough films have alone, and 9 are needed",
            hint="name a MovieLens folder, or a .jsonl file of streams",
        )
    noise = tuple(texts[genres][0] for genres in sorted(texts) if len(genres) >= MANY)
    return Words(topics, tuple((a, b) for a, b in both), lambda a, b: both[min(a, b), max(a, b)], noise)


def _texts(films: list[Item]) -> list[str]:
    """At most MOST of them, spread over the years."""
    oldest = datetime.min.replace(tzinfo=UTC)
    ordered = sorted(films, key=lambda item: (item.published_at or oldest, item.id))
    step = max(1.0, len(ordered) / MOST)
    return [item_text(ordered[int(n * step)]) for n in range(min(MOST, len(ordered)))]
