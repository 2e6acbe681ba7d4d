"""Examples to learn from: what was taken stands first, and nobody's own choices are in the counts they are scored by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

import numpy as np
import pytest

from retrieval.embed import HashEmbedder, item_text
from retrieval.examples import examples, uniform
from retrieval.learn import Examples
from retrieval.lexical import Lexical
from retrieval.records import Item
from retrieval.signals import CHANNELS, Signals

ITEMS = [Item(f"i{n:02}", f"title{n} kind{n % 4}") for n in range(24)]
IDS = [item.id for item in ITEMS]
VECTORS = HashEmbedder(32).embed([item_text(item) for item in ITEMS])
LEXICAL = Lexical(ITEMS)
PEOPLE = {f"u{n}": [f"i{(n + 4 * step) % 24:02}" for step in range(4 + n % 3)] for n in range(12)}
POPULAR = CHANNELS.index("popular")


def build(sequences: Iterable[Sequence[str]]) -> Signals:
    return Signals(ITEMS, VECTORS, LEXICAL, sequences)


def test_each_list_is_a_taken_item_before_untouched_ones() -> None:
    shown: list[tuple[str, str, list[str]]] = []
    draw = uniform(IDS, 5)

    def noted(user: str, target: str, touched: Set[str], rng: np.random.Generator) -> Sequence[str]:
        shown.append((user, target, list(draw(user, target, touched, rng))))
        return shown[-1][2]

    made, owners = examples(PEOPLE, build, noted, per_user=2)
    assert made.names == CHANNELS
    assert made.raw.shape == (24, 6, len(CHANNELS))
    assert np.bincount(owners).tolist() == [2] * len(PEOPLE)
    for user, target, negatives in shown:
        assert target in PEOPLE[user][-2:]
        assert len(set(negatives)) == 5
        assert not set(negatives) & set(PEOPLE[user])


def test_nobodys_own_choice_is_in_their_counts() -> None:
    alone = {"a": ["i00", "i01", "i02"], "b": ["i03", "i04", "i05"], "c": ["i06", "i07", "i08"]}
    made, _ = examples(alone, build, uniform(IDS, 4), folds=3)
    assert len(made) == 6
    assert (made.raw[:, 0, POPULAR] == 0).all()  # each target was taken by its own user only


def test_only_what_came_before_is_history() -> None:
    """Somebody else went i00, i01: of a history that ends before i01, it is the target that follows."""
    people = {"a": ["i00", "i01", "i02"], "b": ["i00", "i01", "i02"]}
    made, _ = examples(people, build, uniform(IDS, 4), folds=2)
    follows = made.raw[:, :, CHANNELS.index("next")]
    assert (follows.argmax(axis=1) == 0).all()


def test_the_same_seed_gives_the_same_lists_in_any_order_of_users() -> None:
    one, owners = examples(PEOPLE, build, uniform(IDS, 5), seed=3)
    two, others = examples(dict(reversed(PEOPLE.items())), build, uniform(IDS, 5), seed=3)
    assert np.array_equal(one.raw, two.raw, equal_nan=True)
    assert np.array_equal(owners, others)
    other = examples(PEOPLE, build, uniform(IDS, 5), seed=4)[0]
    assert not np.array_equal(one.raw, other.raw, equal_nan=True)


@pytest.mark.parametrize(
    "people", [{}, {"a": ["i00", "i01"]}, {"a": IDS}], ids=["nobody", "too little", "nothing left to draw"]
)
def test_nothing_to_learn_from_is_an_empty_set(people: dict[str, list[str]]) -> None:
    made, owners = examples(people, build, uniform(IDS, 5))
    assert isinstance(made, Examples)
    assert len(made) == len(owners) == 0


def test_lists_that_lack_negatives_are_left_out() -> None:
    people = {**PEOPLE, "z": IDS[:22]}
    made, owners = examples(people, build, uniform(IDS, 5))
    assert len(made) == 36
    assert sorted(people).index("z") not in owners
