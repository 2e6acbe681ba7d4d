"""Streams of sentences made from the features of the project's own catalogue ("Likes chess books about endgame and strategy.").

A topic is a subject that the catalogue was planned with (retrieval/sample/planted.json), but not one whose items mostly belong
to others. Two subjects can go together when no item belongs to both: else they are not two to begin with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import combinations
from pathlib import Path

from eval.streams import sentences
from eval.streams.lives import Words
from eval.streams.sentences import said, said_together
from retrieval.features import DOMAINS
from retrieval.readers import read
from retrieval.records import Item

SAMPLE = Path(__file__).parents[2] / "retrieval" / "sample"
NOW = datetime(2026, 11, 1, tzinfo=UTC)  # after all that the sample holds


@cache
def words() -> Words:
    """The words of the sample catalogue."""
    items = {item.id: item for item in read(SAMPLE / "items.jsonl", now=NOW) if isinstance(item, Item)}
    subjects = json.loads((SAMPLE / "planted.json").read_text(encoding="utf-8"))["subjects"]
    members = _own({subject: frozenset(known["items"]) for subject, known in subjects.items()})
    phrases = {name: _phrases(name, [items[i] for i in ids]) for name, ids in members.items()}
    return Words(
        {subject: said(own) for subject, own in phrases.items()},
        tuple((a, b) for a, b in combinations(members, 2) if not members[a] & members[b]),
        lambda a, b: said_together(phrases[a], phrases[b]),
        sentences.words().noise,
    )


def _phrases(subject: str, items: Sequence[Item]) -> list[str]:
    """ "chess books about endgame and strategy": a phrase of each item, the oldest first."""
    name = subject.replace("-", " ")
    found = []
    for item in sorted(items, key=lambda item: (item.published_at or NOW, item.id)):
        noun = next((DOMAINS[word] for word in item.categories if word in DOMAINS), "things")
        rest = [tag for tag in item.tags if tag not in name][:2]
        found.append(f"{name} {noun}" + (f" about {' and '.join(rest)}" if rest else ""))
    return found


def _own(subjects: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """The subjects most of whose items belong to no other subject."""

    def shared(name: str) -> int:
        others = frozenset().union(*(ids for other, ids in subjects.items() if other != name))
        return len(subjects[name] & others)

    return {name: ids for name, ids in subjects.items() if 2 * shared(name) < len(ids)}
