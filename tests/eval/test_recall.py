"""Recall: channels are measured by where the target stands in what they propose, and nobody is shown what they know."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from eval.candidates import generator
from eval.cases import Case, Dataset
from eval.material import Material
from eval.recall import CHANNELS, POOL, Recall, agreement, found, interests, measure, proposals
from eval.results import to_json
from retrieval.embed import HashEmbedder, Vectors, item_text
from retrieval.exact import ExactIndex, Hits
from retrieval.fusion import FusionWeights
from retrieval.records import Event, EventKind, Item

START = datetime(2020, 1, 1, tzinfo=UTC)
WORDS = {"crime": "crime heist detective", "snow": "snow mountain winter", "bread": "bread baking oven"}
ITEMS = {
    f"{topic}{n:03}": Item(f"{topic}{n:03}", f"{words} {topic}{n}") for topic, words in WORDS.items() for n in range(90)
}
WEIGHTS = FusionWeights({"popular": 0.1, "walk": 1.0, "bm25": 1.0, "taste": 1.0})


def seen(user: str, items: list[str]) -> tuple[Event, ...]:
    return tuple(Event(f"{user}{n}", user, EventKind.VIEW, START + timedelta(days=n), i) for n, i in enumerate(items))


TRAIN = {
    "ann": [f"crime{n:03}" for n in range(6)],
    "bob": ["crime000", "crime001", "snow000", "snow001"],
    "cat": ["snow000", "snow001", "bread000"],
    "new": [],
}
TARGETS = {"ann": "snow001", "bob": "crime050", "cat": "bread089", "new": "snow000"}


def dataset(train: dict[str, list[str]] = TRAIN) -> Dataset:
    events = {user: seen(user, items) for user, items in train.items()}
    cases = tuple(Case(user, tuple(train[user]), target, START) for user, target in TARGETS.items())
    return Dataset("made", "d1", ITEMS, events, cases)


MATERIAL = Material(dataset(), HashEmbedder(64).embed([item_text(item) for item in ITEMS.values()]))
CASES = {case.user: case for case in MATERIAL.dataset.cases}


def proposed(user: str, seed: int = 0) -> dict[str, list[str]]:
    lists = proposals(MATERIAL, CASES[user], WEIGHTS, generator(seed, user))
    return {name: list(items) for name, items in lists.items()}


def measured(chroma: ExactIndex | None = None, sample: int | None = None) -> Recall:
    return measure(MATERIAL, lambda _: WEIGHTS, chroma=chroma, sample=sample)


class Forgetful(ExactIndex):
    """An index that finds only every second of the nearest."""

    exact = False

    def query(self, vectors: Vectors, k: int) -> list[Hits]:
        return [hits[::2] for hits in super().query(vectors, 2 * k)]


def test_places_in_the_lists_give_the_shares() -> None:
    figures = found(np.array([0, 49, 50, 99, 150, 199, 200, math.inf]), seed=0)
    assert figures.recall_at_50 == 25
    assert figures.recall_at_100 == 50
    assert figures.recall_at_200 == 75
    assert figures.ci95[0] < 75 < figures.ci95[1]


@pytest.mark.parametrize("user", ["ann", "bob", "cat", "new"])
def test_nobody_is_proposed_what_they_touched_or_anything_twice(user: str) -> None:
    lists = proposed(user)
    assert set(lists) == set(CHANNELS)
    for items in lists.values():
        assert len(items) == len(set(items)) <= POOL
        assert not set(items) & set(TRAIN[user])


def test_each_channel_proposes_by_what_it_knows() -> None:
    lists = proposed("bob")
    assert {item[:4] for item in lists["theme"][:20]} == {"crim", "snow"}
    assert {item[:4] for item in lists["words"][:20]} == {"crim", "snow"}
    assert set(lists["popular"][:5]) >= {"bread000", "crime002"}
    assert set(lists["crowd"][:5]) == {"bread000", *(f"crime{n:03}" for n in range(2, 6))}
    assert set(lists["union"][:10]) & set(lists["theme"][:3])
    assert set(lists["union"][:10]) & set(lists["crowd"][:3])
    assert len(lists["union"]) == POOL


def test_without_a_history_only_popularity_speaks() -> None:
    lists = proposed("new")
    assert {name for name, items in lists.items() if items} == {"popular", "union", "shipped", "fused"}
    assert lists["union"] == lists["popular"]
    assert set(lists["popular"][:4]) == {"crime000", "crime001", "snow000", "snow001"}


def test_equals_are_in_an_order_of_chance_that_the_seed_decides() -> None:
    tail, again, other = (proposed("new", seed)["popular"][10:] for seed in (0, 0, 1))
    assert tail == again != other
    assert tail != sorted(tail)


def test_the_target_changes_nothing_that_is_proposed() -> None:
    moved = Case("ann", CASES["ann"].history, "bread050", START)
    assert proposals(MATERIAL, moved, WEIGHTS, generator(0, "ann")) == proposals(
        MATERIAL, CASES["ann"], WEIGHTS, generator(0, "ann")
    )


def test_the_document_has_the_promised_names() -> None:
    document = to_json(measured())
    assert json.loads(json.dumps(document)) == document
    assert document["kind"] == "recall"
    assert document["users"] == 4
    assert set(document["channels"]) == set(CHANNELS)
    assert set(document["channels"]["theme"]) == {"recall@50", "recall@100", "recall@200", "ci95"}
    assert document["channels"]["popular"]["recall@50"] >= 50  # the targets of ann and new, which others touched
    assert document["chroma_vs_exact"] == {}


def test_a_sample_is_a_part_of_the_users_and_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    document = measure(MATERIAL, lambda _: WEIGHTS, sample=2, progress=lambda *done: told.append(done))
    assert document.users == 2
    assert told == [(1, 2), (2, 2)]


def test_an_index_that_finds_half_has_half_the_recall() -> None:
    index = Forgetful(tuple(ITEMS), MATERIAL.vectors)
    shares = measured(index).chroma_vs_exact
    assert set(shares) == {"50", "100", "200"}
    assert shares["50"] == pytest.approx(50, abs=5)


def test_exact_search_in_the_place_of_chroma_is_not_reported() -> None:
    assert measured(MATERIAL.index).chroma_vs_exact == {}


def test_agreement_counts_what_is_as_near_as_the_last() -> None:
    nearest = [[("a", 0.9), ("b", 0.5), ("c", 0.5)]]
    assert agreement([[("a", 0.9), ("c", 0.5)]], nearest, 2) == 1.0
    assert agreement([[("a", 0.9), ("d", 0.4)]], nearest, 2) == 0.5


def test_interests_are_as_many_as_a_history_has() -> None:
    rows = HashEmbedder(64).embed(
        [f"{WORDS[t]} n{n}" for t, n in (("crime", 1), ("crime", 2), ("crime", 3), ("snow", 1))]
    )
    assert sorted(items for _, items in interests(rows)) == [1, 3]
    assert interests(rows[:0]) == []
