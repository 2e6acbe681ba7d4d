"""The baselines: each against a computation of its own, what it may see, and that odd questions do not break it."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from agent.errors import UsageError
from eval.baselines import BASELINES, make
from eval.baselines.base import Baseline, Method
from eval.baselines.counts import ItemKNN, Recency
from eval.baselines.factors import ALS, BPR
from eval.baselines.text import BM25
from eval.cases import Case, Dataset, Question
from retrieval.embed import HashEmbedder, item_text
from retrieval.exact import ExactIndex
from retrieval.lexical import tokens
from retrieval.records import Event, EventKind, Item

START = datetime(2020, 1, 1, tzinfo=UTC)
TITLES = {
    "alien": "Alien space horror",
    "aliens": "Aliens space marines",
    "solaris": "Solaris space memory",
    "emma": "Emma village romance",
    "persuasion": "Persuasion seaside romance",
    "room": "A Room with a View",
    "blank": "",
}
ITEMS = {item: Item(item, title) for item, title in TITLES.items()}
CAST = {
    "ann": ["alien", "aliens", "solaris"],
    "bob": ["aliens", "alien"],
    "cat": ["emma", "persuasion", "room"],
    "dan": ["persuasion", "emma"],
    "eve": ["emma", "alien"],
}
EMBEDDER = HashEmbedder(64)
INDEX = ExactIndex(list(ITEMS), EMBEDDER.embed([item_text(item) for item in ITEMS.values()]))
SMALL_ALS = ALS(0, factors=4, regularization=1.0, alpha=10.0)
SMALL_BPR = BPR(0, factors=4, iterations=200)


def made(train: Mapping[str, Sequence[str]], timed: bool = True, items: Mapping[str, Item] = ITEMS) -> Dataset:
    """Users -> items, a day apart from START on."""
    events = {
        user: tuple(
            Event(f"{user}{n}", user, EventKind.VIEW, START + timedelta(days=n), item)
            for n, item in enumerate(sequence)
        )
        for user, sequence in train.items()
    }
    return Dataset("made", "0", items, events, (), timed)


def asked(history: Sequence[str], candidates: Sequence[str], user: str = "ann", days: float = 100) -> Question:
    return Question(Case(user, tuple(history), "target", START + timedelta(days=days)), tuple(candidates))


def scores(name: str, question: Question, dataset: Dataset, seed: int = 0) -> list[float]:
    return list(asyncio.run(make(name, dataset, INDEX, seed).rank(question)).scores)


def scored(method: Method, question: Question, dataset: Dataset) -> dict[str, float]:
    ranking = asyncio.run(Baseline("any", method, dataset).rank(question))
    return dict(zip(question.candidates, ranking.scores, strict=True))


DATA = made(CAST)
ALL = list(ITEMS)
EVERY = pytest.mark.parametrize("name", BASELINES)
SEQUENCES = st.dictionaries(
    st.sampled_from("abcdefgh"), st.lists(st.sampled_from(ALL), min_size=1, max_size=6, unique=True), min_size=1
)

# --- all of them ------------------------------------------------------------------------------------------------------


HISTORIES = [(), ("gone",), ("blank",), ("alien", "gone"), ("alien", "aliens", "alien")]


@EVERY
@pytest.mark.parametrize("train", [CAST, {}, {"ann": ["gone"], "bob": []}], ids=["cast", "nobody", "gone"])
def test_any_question_gets_a_number_or_no_opinion_for_each_candidate(name: str, train: Mapping[str, list[str]]) -> None:
    for timed in (True, False):
        system = make(name, made(train, timed), INDEX, 0)
        for history in HISTORIES:
            found = asyncio.run(system.rank(asked(history, ["emma", "unheard of", "blank", "alien"]))).scores
            assert len(found) == 4
            assert not np.isinf(found).any()
            assert name == "random" or math.isnan(found[1])
            assert name.startswith("embed") or np.isfinite([found[0], *found[2:]]).all()


@EVERY
def test_the_target_is_never_looked_at(name: str) -> None:
    question = asked(["alien"], ["emma", "solaris", "room"])
    told = replace(question, case=replace(question.case, target="room"))
    assert scores(name, question, DATA) == scores(name, told, DATA)


@EVERY
def test_equal_keys_mean_equal_answers(name: str) -> None:
    question = asked(["alien", "emma"], ["aliens", "solaris", "room"])
    assert make(name, DATA, INDEX, 3).key == make(name, DATA, INDEX, 3).key
    assert scores(name, question, DATA, 3) == scores(name, question, DATA, 3)


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "random"])
def test_a_score_belongs_to_the_item_and_not_to_its_place(name: str) -> None:
    found = dict(zip(ALL, scores(name, asked(["alien"], ALL), DATA), strict=True))
    other = dict(zip(ALL[::-1], scores(name, asked(["alien"], ALL[::-1]), DATA), strict=True))
    assert found == pytest.approx(other, nan_ok=True)


def test_names_and_keys_tell_the_baselines_apart() -> None:
    systems = [make(name, DATA, INDEX, 0) for name in BASELINES]
    assert tuple(system.name for system in systems) == BASELINES
    assert len({system.key for system in systems}) == len(BASELINES)
    with pytest.raises(UsageError, match="popp"):
        make("popp", DATA, INDEX, 0)


def test_a_key_changes_with_what_changes_the_answers() -> None:
    def changed(name: str, index: ExactIndex = INDEX, seed: int = 0) -> bool:
        return make(name, DATA, index, seed).key != make(name, DATA, INDEX, 0).key

    assert [name for name in BASELINES if changed(name, seed=1)] == ["random", "als", "bpr"]
    other = ExactIndex(ALL, HashEmbedder(32).embed(ALL))
    assert [name for name in BASELINES if changed(name, index=other)] == ["embed_mean", "embed_max"]


# --- chance and counts ------------------------------------------------------------------------------------------------


def test_chance_is_fair_and_depends_on_the_user() -> None:
    drawn = np.array([scores("random", asked([], "abcd", user=f"u{n}"), DATA) for n in range(400)])
    assert np.bincount(drawn.argmax(axis=1), minlength=4).min() > 60
    assert len({tuple(row) for row in drawn}) == 400


@settings(max_examples=25)
@given(SEQUENCES)
def test_popularity_counts_users_and_not_events(train: dict[str, list[str]]) -> None:
    counts = Counter(item for items in train.values() for item in items)
    again = {user: [*items, *items] for user, items in train.items()}
    assert scores("pop", asked([], ALL), made(again)) == [counts[item] for item in ALL]


def test_recency_halves_with_the_half_life_and_does_not_see_what_comes_later() -> None:
    data = made({"u": ["alien", "emma", "room"], "v": ["aliens", "alien", "aliens"]})  # on days 0, 1 and 2
    found = scored(Recency(half_life_days=2), asked([], ALL, days=2), data)
    assert found["emma"] == pytest.approx(0.5**0.5)
    assert found["alien"] == pytest.approx(0.5 + 0.5**0.5)
    assert found["room"] == 0  # at that very moment
    assert scored(Recency(2), asked([], ["aliens"], days=4), data)["aliens"] == pytest.approx(0.25)  # the first act


def test_recency_without_times_counts_steps_to_the_end() -> None:
    data = made({"u": ["alien", "emma", "room", "alien"], "v": ["emma"]}, timed=False)
    found = scored(Recency(half_life_steps=1), asked([], ALL, days=0), data)
    assert [found[item] for item in ("alien", "emma", "room", "blank")] == [0.25, 1.5, 1.0, 0.0]


@settings(max_examples=25)
@given(SEQUENCES, st.lists(st.sampled_from(ALL), unique=True, max_size=4), st.floats(0, 3))
def test_item_knn_is_the_shrunk_cosine_of_scaled_users(
    train: dict[str, list[str]], history: list[str], shrink: float
) -> None:
    rows = np.array([[float(item in items) for item in ALL] for items in train.values()])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    weights = rows.T @ rows
    norms = np.sqrt(np.diag(weights))
    average = np.mean([1 / len(items) for items in train.values()])
    found = scored(ItemKNN(shrink), asked(history, ALL), made(train))
    for place, item in enumerate(ALL):
        parts = [
            weights[other, place] / (norms[other] * norms[place] + shrink * average)
            for other in (ALL.index(name) for name in history)
            if other != place and weights[other, place] > 0
        ]
        assert found[item] == pytest.approx(sum(parts), abs=1e-6)


# --- text -------------------------------------------------------------------------------------------------------------


def lucene(query: list[str], document: list[str], documents: list[list[str]]) -> float:
    """BM25 as Lucene computes it since version 8: without the constant factor k1 + 1. k1 1.5, b 0.75."""
    average = sum(map(len, documents)) / len(documents)
    total = 0.0
    for word in query:
        holding = sum(word in other for other in documents)
        idf = math.log(1 + (len(documents) - holding + 0.5) / (holding + 0.5))
        count = document.count(word)
        total += idf * count / (count + 1.5 * (1 - 0.75 + 0.75 * len(document) / average))
    return total


def test_bm25_is_that_of_bm25s_and_of_lucene() -> None:
    documents = [tokens(title) for title in TITLES.values()]
    query = ["alien", "space", "horror", "alien", "space", "marine", "emma", "village", "romance"]  # with repetitions
    index = bm25s.BM25()
    index.index(documents, show_progress=False)
    found = scores("bm25", asked(["alien", "aliens", "emma"], ALL), DATA)
    assert found == pytest.approx(index.get_scores(query).tolist())
    assert found == pytest.approx([lucene(query, document, documents) for document in documents], rel=1e-5)


def test_bm25_asks_with_categories_but_not_with_descriptions_or_stop_words() -> None:
    items = {
        "seen": Item("seen", "The Thing with a Name", "A robot and a dog.", ("Western",)),
        "category": Item("category", "Unforgiven", categories=("Western",)),
        "described": Item("described", "Heat", "A western in Los Angeles."),
        "robot": Item("robot", "Robot"),
        "with": Item("with", "Gone with the Wind"),
    }
    found = scored(BM25(), asked(["seen"], list(items)), made({}, items=items))
    assert found["category"] > found["described"] > 0
    assert found["robot"] == found["with"] == 0
    found = scored(BM25(), asked(["it"], ["it", "x"]), made({}, items={"it": Item("it", "It"), "x": Item("x", "X")}))
    assert found["it"] > found["x"] == 0


def test_embeddings_are_the_cosine_to_the_mean_and_to_the_nearest() -> None:
    vectors = INDEX.vectors(ALL)
    history = np.stack([vectors["alien"], vectors["emma"]])
    mean = history.mean(axis=0) / np.linalg.norm(history.mean(axis=0))
    question = asked(["alien", "emma", "gone"], ALL)
    assert scores("embed_mean", question, DATA) == pytest.approx([vectors[item] @ mean for item in ALL], abs=1e-6)
    nearest = [max(vectors[item] @ row for row in history) for item in ALL]
    assert scores("embed_max", question, DATA) == pytest.approx(nearest, abs=1e-6)


@pytest.mark.parametrize("name", ["embed_mean", "embed_max"])
def test_without_a_vector_there_is_no_opinion(name: str) -> None:
    assert np.isnan(scores(name, asked([], ALL), DATA)).all()
    assert np.isnan(scores(name, asked(["gone"], ALL), DATA)).all()
    found = scores(name, asked(["alien"], ["gone", "aliens", "aliens"]), DATA)
    assert math.isnan(found[0])
    assert found[1] == found[2] > 0


# --- factors ----------------------------------------------------------------------------------------------------------

GROUPS = {f"u{n}": [f"{'ab'[n % 2]}{(n + step) % 6}" for step in range(4)] for n in range(24)}
GROUPED = made(
    GROUPS, items={item: Item(item, item) for item in [*(f"{g}{n}" for g in "ab" for n in range(6)), "untaken"]}
)


@pytest.mark.parametrize("method", [SMALL_ALS, SMALL_BPR], ids=["als", "bpr"])
@pytest.mark.parametrize("user", ["u0", "stranger"])
def test_factors_find_the_taste_of_the_history_whoever_has_it(method: Method, user: str) -> None:
    found = scored(method, asked(["a0", "a1", "a2"], ["a4", "b4", "untaken"], user), GROUPED)
    assert found["a4"] > max(found["b4"], found["untaken"])
    found = scored(method, asked(["b1", "b2", "b3"], ["a4", "b4", "untaken"], user), GROUPED)
    assert found["b4"] > max(found["a4"], found["untaken"])


def test_als_folds_a_history_in_by_the_equation_of_the_paper() -> None:
    items = list(GROUPED.items)
    taken = csr_matrix([[float(item in sequence) for item in items] for sequence in GROUPS.values()], dtype=np.float32)
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(4, 1.0, 10.0, num_threads=1, random_state=0)
        model.fit(taken, show_progress=False)
    factors = model.item_factors.astype(np.float64)
    own = factors[[items.index(item) for item in ("a0", "b1")]]
    # (Y'Y + Y'(C - I)Y + lambda I) x = Y'C p, with a confidence C of alpha where an item was taken and 1 elsewhere
    user = np.linalg.solve(factors.T @ factors + 9.0 * own.T @ own + np.eye(4), 10.0 * own.sum(axis=0))
    found = scored(SMALL_ALS, asked(["a0", "b1"], items), GROUPED)
    assert [found[item] for item in items] == pytest.approx((factors @ user).tolist(), abs=1e-4)


def test_bpr_learns_from_uniform_negatives_that_nobody_takes_an_item() -> None:
    below = {}
    for uniform in (0.0, 2.0):  # 0 leaves one user who took everything: an eighth of the entries
        found = scored(replace(SMALL_BPR, uniform=uniform), asked([], list(GROUPED.items)), GROUPED)
        below[uniform] = found["untaken"] - np.mean([score for item, score in found.items() if item != "untaken"])
    assert below[2.0] < below[0.0] < 0


def test_bpr_likes_what_is_popular_for_somebody_without_history() -> None:
    crowd = {f"u{n}": ["alien", "emma" if n % 3 == 0 else "room"] for n in range(30)}
    found = scored(SMALL_BPR, asked([], ["alien", "emma", "room", "solaris"]), made(crowd))
    assert found["alien"] > found["room"] > found["emma"] > found["solaris"]
