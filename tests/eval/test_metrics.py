"""Accuracy metrics: they agree with trec_eval (through ir_measures), and hold what their definitions promise."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import pairwise

import ir_measures
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import AP, RR, P, Qrel, R, ScoredDoc, Success, nDCG

from eval.metrics import average_precision, hit, mrr, ndcg, order, precision, recall

METRICS = {ndcg: nDCG, hit: Success, recall: R, precision: P, mrr: RR, average_precision: AP}
EVERY = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.__name__)
Metric = Callable[[list[str], set[str], int], float]

IDS = [f"i{n}" for n in range(12)]
RANKED = st.permutations(IDS).flatmap(lambda ids: st.integers(0, 12).map(lambda n: ids[:n]))
RELEVANT = st.sets(st.sampled_from([*IDS, "never shown"]), min_size=1)
CUT = st.integers(1, 15)


@pytest.mark.parametrize("k", [1, 3, 10, 15, 40])
def test_agrees_with_trec_eval(k: int) -> None:
    """Random rankings of 15 of 30 items, 1 to 20 of them relevant: cut above, at and below the length of the list."""
    rng = random.Random(k)
    catalogue = [f"d{n}" for n in range(30)]
    ranked = {f"q{n}": rng.sample(catalogue, 15) for n in range(150)}
    relevant = {query: set(rng.sample(catalogue, rng.choice([1, 1, 2, 5, 20]))) for query in ranked}
    run = [ScoredDoc(query, item, -float(place)) for query, items in ranked.items() for place, item in enumerate(items)]
    qrels = [Qrel(query, item, 1) for query, items in relevant.items() for item in items]
    theirs = {
        (found.measure, found.query_id): found.value
        for found in ir_measures.iter_calc([measure @ k for measure in METRICS.values()], qrels, run)
    }
    ours = {
        (measure @ k, query): metric(ranked[query], relevant[query], k)
        for metric, measure in METRICS.items()
        for query in ranked
    }
    assert ours == pytest.approx(theirs)


def test_worked_example() -> None:
    ranked, relevant = list("abcde"), {"b", "e", "z"}
    assert hit(ranked, relevant, 1) == 0
    assert hit(ranked, relevant, 2) == 1
    assert recall(ranked, relevant, 5) == pytest.approx(2 / 3)
    assert precision(ranked, relevant, 10) == pytest.approx(2 / 10)
    assert mrr(ranked, relevant, 5) == pytest.approx(1 / 2)
    assert average_precision(ranked, relevant, 5) == pytest.approx((1 / 2 + 2 / 5) / 3)
    ideal = 1 + 1 / math.log2(3) + 1 / 2
    assert ndcg(ranked, relevant, 5) == pytest.approx((1 / math.log2(3) + 1 / math.log2(6)) / ideal)


# --- properties -----------------------------------------------------------------------------------------------------


@EVERY
@given(RANKED, RELEVANT, CUT)
def test_every_metric_lies_between_0_and_1(metric: Metric, ranked: list[str], relevant: set[str], k: int) -> None:
    assert 0 <= metric(ranked, relevant, k) <= 1


@pytest.mark.parametrize("metric", [hit, recall, mrr, average_precision])
@given(RANKED, RELEVANT)
def test_a_longer_list_never_finds_less(metric: Metric, ranked: list[str], relevant: set[str]) -> None:
    assert all(a <= b for a, b in pairwise(metric(ranked, relevant, k) for k in range(1, 15)))


@EVERY
@given(RELEVANT, CUT)
def test_the_best_ranking_is_perfect_as_far_as_it_can_be(metric: Metric, relevant: set[str], k: int) -> None:
    best = [*sorted(relevant), *(item for item in IDS if item not in relevant)]
    reachable = {
        recall: min(1.0, k / len(relevant)),
        precision: min(1.0, len(relevant) / k),
        average_precision: min(1.0, k / len(relevant)),
    }
    assert metric(best, relevant, k) == pytest.approx(reachable.get(metric, 1.0))


@EVERY
@given(RANKED, RELEVANT, CUT, st.randoms())
def test_only_the_places_of_the_relevant_items_matter(
    metric: Metric, ranked: list[str], relevant: set[str], k: int, rng: random.Random
) -> None:
    renamed = dict(zip([*IDS, "never shown"], rng.sample(range(100), 13), strict=True))
    tail = rng.sample(ranked[k:], len(ranked[k:]))
    other = [f"x{renamed[item]}" for item in [*ranked[:k], *tail]]
    assert metric(other, {f"x{renamed[item]}" for item in relevant}, k) == metric(ranked, relevant, k)


@EVERY
@given(st.permutations(IDS), st.integers(0, 10), CUT)
def test_moving_the_target_up_never_hurts(metric: Metric, ranked: list[str], place: int, k: int) -> None:
    higher = [*ranked[:place], ranked[place + 1], ranked[place], *ranked[place + 2 :]]
    target = {ranked[place + 1]}
    assert metric(higher, target, k) >= metric(ranked, target, k)


# --- what has no meaning is refused -----------------------------------------------------------------------------------


@EVERY
def test_a_meaningless_question_is_refused(metric: Metric) -> None:
    with pytest.raises(ValueError, match="k is at least 1"):
        metric(["a"], {"a"}, 0)
    with pytest.raises(ValueError, match="nothing is relevant"):
        metric(["a"], set(), 1)
    with pytest.raises(ValueError, match="twice in the top 3"):
        metric(["a", "b", "a"], {"a"}, 3)
    assert metric(["a", "b", "a"], {"a"}, 1) == 1


# --- from scores to a ranking -----------------------------------------------------------------------------------------

SCORE = st.sampled_from([0.0, -0.0, 1.0, 0.5, math.inf, -math.inf, math.nan]) | st.floats()


@given(st.lists(SCORE, max_size=40))
def test_order_is_by_score_then_as_shown_and_silence_is_last(scores: list[float]) -> None:
    shown = [f"i{n}" for n in range(len(scores))]
    expected = sorted(
        range(len(scores)), key=lambda n: (math.isnan(scores[n]), -scores[n] if scores[n] == scores[n] else 0)
    )
    assert order(shown, scores) == [shown[n] for n in expected]


@pytest.mark.parametrize("score", [0.0, math.nan])
def test_a_system_that_knows_nothing_does_as_well_as_chance(score: float) -> None:
    """All 20 places that the shuffle can give the target: .227, the expectation of a random ranking of 20 candidates."""
    negatives = [f"n{n}" for n in range(19)]
    shuffles = [[*negatives[:place], "target", *negatives[place:]] for place in range(20)]
    figures = [ndcg(order(shown, [score] * 20), {"target"}, 10) for shown in shuffles]
    assert sum(figures) / 20 == pytest.approx(0.2272, abs=1e-4)


def test_every_candidate_needs_a_score() -> None:
    with pytest.raises(ValueError, match="2 candidates have 1 scores"):
        order(["a", "b"], [1.0])
