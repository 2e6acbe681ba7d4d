"""What a user's statements ought to name: interests that were planted, or else what their likes hold more of than others'.

    truth = planted(folder / "planted.json", as_of) or overrepresented(people)

docs/eval.md has the form of a file of planted interests, so that others can bring theirs.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eval.facts import Fact
from retrieval.readers import ReadError
from retrieval.records import Polarity

LIFT = 1.25  # times the share among the likes of all users
LEAST = 5  # items of a user that have the feature
SIGNIFICANT = 2.0  # standard deviations above what the share of all users gives
STRONGEST = 5  # features that count as a user's interests


@dataclass(frozen=True, slots=True)
class Interest:
    """Something that statements ought to name; one of the `tags` is enough."""

    tags: tuple[str, ...]
    polarity: Polarity = Polarity.LIKE


def planted(path: Path, moments: Mapping[str, datetime]) -> dict[str, list[Interest]]:
    """The planted interests of each user in `moments` that had begun by then. Raises ReadError."""
    try:
        users = json.loads(path.read_text(encoding="utf-8"))["users"]
        known = {user: users[user]["interests"] for user in moments if user in users}
        return {
            user: [_interest(entry) for entry in entries if _begun(entry, moments[user])]
            for user, entries in known.items()
        }
    except (OSError, ValueError, KeyError, TypeError) as exc:
        hint = "see docs/eval.md for the form of planted interests"
        raise ReadError(
            f"{path.name}: not a file of planted interests ({type(exc).__name__}: {exc})", hint=hint
        ) from exc


def _interest(entry: Mapping[str, Any]) -> Interest:
    return Interest(tuple(map(str, entry["tags"])), Polarity(entry["polarity"]))


def _begun(entry: Mapping[str, Any], at: datetime) -> bool:
    return datetime.fromisoformat(entry["started"]).replace(tzinfo=UTC) <= at


def overrepresented(likes: Mapping[str, Sequence[Fact]]) -> dict[str, list[Interest]]:
    """For each user up to STRONGEST features (categories, tags) that their liked items have LIFT times as often as those of
    all users, on LEAST items and SIGNIFICANT deviations of a binomial above: the strongest first."""
    counts = {user: Counter(f for fact in facts for f in fact.features) for user, facts in likes.items()}
    items = {user: sum(fact.item is not None for fact in facts) for user, facts in likes.items()}
    every: Counter[str] = sum(counts.values(), Counter())
    total = sum(items.values())
    found = {}
    for user, own in counts.items():
        scores = {f: _excess(n, items[user], every[f] / total) for f, n in own.items() if n >= LEAST}
        strong = sorted((f for f, score in scores.items() if score >= SIGNIFICANT), key=lambda f: (-scores[f], f))
        found[user] = [Interest((feature,)) for feature in strong[:STRONGEST]]
    return found


def _excess(count: int, of: int, share: float) -> float:
    """Standard deviations above what `share` gives; 0 below the LIFT."""
    spread = math.sqrt(of * share * (1 - share))
    return (count - of * share) / spread if spread and count >= LIFT * share * of else 0.0
