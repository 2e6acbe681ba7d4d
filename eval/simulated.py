"""Many people with planted interests, where the real ones of a dataset are few: their subjects, pairs and items.

    dataset = people(Path("retrieval/sample"), 300, seed=0, now=now)

Each has the subjects of a random planted user, of which one may be swapped for a random other, and takes items of them in turn;
the last item is the one to test. Who they are stands in their id: "p017 jazz + chess".
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from eval.cases import Case, Dataset
from retrieval.readers import ReadError, read
from retrieval.records import Event, EventKind, Item

SWAPPED = 0.3  # of the people have a subject that nobody's plan gave them
ITEMS = 6  # at most, of a subject


def people(path: Path, count: int, seed: int, now: datetime) -> Dataset:
    """`count` people. Raises ReadError where the folder has no planted interests with subjects and their items."""
    items = {record.id: record for record in read(path, now=now) if isinstance(record, Item)}
    try:
        plan = json.loads((path / "planted.json").read_text(encoding="utf-8"))
        catalogue = {name: [i for i in about["items"] if i in items] for name, about in plan["subjects"].items()}
        tastes = [_liked(user["interests"]) for user in plan["users"].values()]
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ReadError(f"{path.name} has no planted subjects", hint="see docs/eval.md") from exc
    rng = np.random.default_rng([seed, 11])
    train, cases = {}, []
    for number in range(count):
        subjects = _subjects([t for t in tastes if len(t) > 1], sorted(catalogue), rng)
        taken = _taken([catalogue[s] for s in subjects], rng)
        user = f"p{number:03d} {' + '.join(subjects)}"
        days = [now - timedelta(days=len(taken) - place) for place in range(len(taken))]
        events = [
            Event(f"{user}/{n}", user, EventKind.LIKE, at, item)
            for n, (at, item) in enumerate(zip(days, taken, strict=True))
        ]
        train[user] = tuple(events[:-1])
        cases.append(Case(user, tuple(taken[:-1]), taken[-1], days[-1]))
    return Dataset(
        f"{path.resolve().name} ({count} simulated)", f"{path.name}-{count}-{seed}", items, train, tuple(cases)
    )


def _liked(interests: list[dict[str, object]]) -> list[str]:
    return list(dict.fromkeys(str(entry["subject"]) for entry in interests if entry["polarity"] == "like"))


def _subjects(tastes: list[list[str]], every: list[str], rng: np.random.Generator) -> list[str]:
    own = list(tastes[int(rng.integers(len(tastes)))])
    own = [own[n] for n in rng.permutation(len(own))[:3]]
    if rng.uniform() < SWAPPED:
        own[-1] = every[int(rng.integers(len(every)))]
    return list(dict.fromkeys(own))


def _taken(catalogues: list[list[str]], rng: np.random.Generator) -> list[str]:
    """Items of each subject in turn, the subject of the last at random."""
    queues = [[own[n] for n in rng.permutation(len(own))[:ITEMS]] for own in catalogues]
    order = rng.permutation([row for row, own in enumerate(queues) for _ in own])
    found = [queues[row].pop() for row in order]
    return list(dict.fromkeys(found))
