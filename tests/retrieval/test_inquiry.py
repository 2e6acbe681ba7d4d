"""The question that tells most: expected information gain behaves as information does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.inquiry import Floats, answered, belief, information_gain, yes_rates
from retrieval.warmth import N0


def beliefs(k: int) -> st.SearchStrategy[Floats]:
    weights = st.lists(st.floats(0.01, 1.0), min_size=k, max_size=k)
    return weights.map(lambda values: np.array(values) / sum(values))


def rates(questions: int, k: int) -> st.SearchStrategy[Floats]:
    row = st.lists(st.floats(0.0, 1.0), min_size=k, max_size=k)
    return st.lists(row, min_size=questions, max_size=questions).map(np.array)


def entropy(own: Floats) -> float:
    known = own[own > 0]
    return float(-(known * np.log2(known)).sum())


@given(beliefs(4), rates(3, 4))
def test_an_answer_is_expected_to_tell_something_or_nothing_but_never_to_mislead(own: Floats, yes: Floats) -> None:
    gains = information_gain(own, yes)
    assert (gains >= 0).all()
    assert (gains <= min(1.0, entropy(own)) + 1e-9).all()  # a yes or no is one bit at most


@given(beliefs(4), rates(1, 4))
def test_the_gain_is_the_entropy_before_less_the_one_expected_after(own: Floats, yes: Floats) -> None:
    agree = float(yes[0] @ own)
    after = agree * entropy(answered(own, yes[0], True)) + (1 - agree) * entropy(answered(own, yes[0], False))
    assert information_gain(own, yes)[0] == pytest.approx(entropy(own) - after, abs=1e-6)


@given(beliefs(5), st.floats(0.0, 1.0))
def test_what_all_answer_alike_tells_nothing(own: Floats, rate: float) -> None:
    assert information_gain(own, np.full((1, 5), rate))[0] == pytest.approx(0.0, abs=1e-9)


@given(rates(3, 4), st.integers(0, 3))
def test_who_is_known_is_not_asked(yes: Floats, known: int) -> None:
    assert information_gain(np.eye(4)[known], yes) == pytest.approx(np.zeros(3), abs=1e-9)


@given(beliefs(4), st.lists(st.sampled_from([0.0, 1.0]), min_size=4, max_size=4), st.booleans())
def test_an_answer_that_was_given_tells_nothing_more(own: Floats, sure: list[float], answer: bool) -> None:
    yes = np.array(sure)
    assert information_gain(answered(own, yes, answer), yes[None, :])[0] == pytest.approx(0.0, abs=1e-9) or (
        yes @ own in (0.0, 1.0)
    )


@given(beliefs(5), rates(4, 5), st.permutations(range(5)), st.permutations(range(4)))
def test_the_order_of_communities_and_questions_does_not_matter(
    own: Floats, yes: Floats, order: list[int], asked: list[int]
) -> None:
    shuffled = information_gain(own[order], yes[asked][:, order])
    assert shuffled == pytest.approx(information_gain(own, yes)[asked], abs=1e-12)


@given(beliefs(4), rates(2, 4), st.booleans(), st.booleans())
def test_two_answers_tell_the_same_in_either_order(own: Floats, yes: Floats, first: bool, second: bool) -> None:
    one = answered(answered(own, yes[0], first), yes[1], second)
    other = answered(answered(own, yes[1], second), yes[0], first)
    both = own * (yes[0] if first else 1 - yes[0]) * (yes[1] if second else 1 - yes[1])
    if both.sum() > 1e-9:
        assert one == pytest.approx(other, abs=1e-9)


def test_the_question_that_splits_what_is_likely_is_worth_most() -> None:
    own = np.array([0.45, 0.45, 0.05, 0.05])
    yes = np.array([[1.0, 0.0, 0.5, 0.5], [0.5, 0.5, 1.0, 0.0], [0.9, 0.9, 0.9, 0.9]])
    assert information_gain(own, yes).argmax() == 0


SHARES = np.array([0.5, 0.3, 0.2])
NOTHING = np.zeros((0, 3))


def test_of_whom_nothing_is_known_what_holds_of_all_is_believed() -> None:
    assert belief(SHARES, NOTHING, NOTHING, np.zeros(0)) == pytest.approx(SHARES)


def test_words_count_less_and_less_beside_acts() -> None:
    told, done = np.array([[0.0, 0.0, 0.9]]), np.array([[0.9, 0.0, 0.0]])
    words = belief(SHARES, told, NOTHING, np.zeros(0))
    acts = belief(SHARES, NOTHING, done, np.array([1e9]))
    for events in (1.0, 3.0, 12.0):
        share = N0 / (N0 + events)
        mixed = belief(SHARES, told, done, np.array([events]))
        assert mixed == pytest.approx(share * words + (1 - share) * acts, abs=1e-6)


def test_people_of_a_community_say_yes_to_it_and_to_what_many_of_them_share() -> None:
    both = np.array([[20.0, 10.0, 0.0], [10.0, 40.0, 0.0], [0.0, 0.0, 30.0]])
    found = yes_rates(np.array([20.0, 40.0, 30.0]), both, 80)
    assert found.diagonal() == pytest.approx(1.0)
    assert found[1, 0] == pytest.approx((10 + 2 * 0.5) / 22)
    assert 0 < found[2, 0] < 0.05
