"""How far words may carry an item."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retrieval.embed import HashEmbedder, item_text
from retrieval.fusion import FusionWeights
from retrieval.lexical import Lexical
from retrieval.records import Candidate, Item
from retrieval.restraint import MOST_PLACES, bare, restrain, restrained
from retrieval.signals import Signals

SCORES = st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), max_size=25)


def test_what_only_its_own_words_speak_for_stays_near_its_place() -> None:
    without = np.arange(10, 0, -1.0)
    loud = without.copy()
    loud[9] = 100.0
    assert restrained(loud, without, most=3).index(9) == 6
    assert restrained(loud, without, most=100)[0] == 9


def test_without_words_of_its_own_an_item_stays_where_it_is() -> None:
    scores = np.array([1.0, 3.0, 2.0])
    assert restrained(scores, scores) == [1, 2, 0]


def test_bare_is_what_names_an_item_and_files_it() -> None:
    assert bare(Item("a", "Title", "text", ("film",), ("tag",))) == Item("a", "Title", "", ("film",))


@given(SCORES, st.integers(0, 5))
def test_nothing_rises_further_than_it_may_and_nothing_is_lost(pairs: list[tuple[float, float]], most: int) -> None:
    scores, without = (np.array([pair[side] for pair in pairs]) for side in (0, 1))
    found = restrained(scores, without, most)
    place = {int(row): at for at, row in enumerate(np.argsort(-without, kind="stable"))}
    assert sorted(found) == list(range(len(pairs)))
    assert all(place[row] - at <= most for at, row in enumerate(found))


def test_words_that_a_user_would_like_carry_a_candidate_no_further_than_the_bound() -> None:
    """A cookery book that calls itself all that the user reads stands first by its words, and not after."""
    subjects = [Item(f"crime{n}", f"crime heist {n}", "", ("crime",)) for n in range(12)]
    loud = Item("loud", "bread oven", "", ("cookery",), ("crime heist", "crime", "heist"))
    items = [*subjects, loud]
    embedder = HashEmbedder(64)
    signals = Signals(
        items, embedder.embed([item_text(item) for item in items]), Lexical(items), [["crime0", "crime1"]]
    )
    history = ["crime0", "crime1"]
    top = [Candidate("loud", {}, 9.0), *(Candidate(f"crime{n}", {}, 8.0 - n) for n in range(2, 12))]
    weights = FusionWeights(channels={"bm25": 1.0, "taste": 1.0})
    found = restrain(top, {item.id: item for item in items}, history, signals, weights, embedder)
    assert [c.item for c in found].index("loud") == len(top) - 1 - MOST_PLACES
    assert [c.prior for c in found] == sorted((c.prior for c in found), reverse=True)
    assert restrain(top, {item.id: item for item in items}, [], signals, weights, embedder) == top
