"""Results: the published figures equal those worked out by hand on four items and four users, under the promised names."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval import metrics
from eval.cases import HISTORY, Case, Dataset, Question
from eval.results import Asked, Measured, measure, prepare, report, to_json
from eval.runner import Row, question_key
from retrieval.records import Event, EventKind, Item, Refusal

AT = datetime(2026, 1, 1, tzinfo=UTC)
LOG3 = 1 / math.log2(3)  # the gain of the second place
ITEMS = {
    "a": Item("a", "Heat", categories=("film", "crime")),
    "b": Item("b", "Up", categories=("film", "family")),
    "c": Item("c", "Seven", categories=("film", "crime")),
    "d": Item("d", "Fargo", categories=("film", "crime", "comedy")),
}
VECTORS = np.array([[1, 0], [0, 1], [1, 0], [0.6, 0.8]])


def seen(user: str, items: str) -> tuple[Event, ...]:
    return tuple(Event(f"{user}{n}", user, EventKind.VIEW, AT, item) for n, item in enumerate(items))


# a: 3 users (the second time does not count), b: 2, c: 1, d: nobody; out of 4
TRAIN = {"u1": seen("u1", "aab"), "u2": seen("u2", "abc"), "u3": seen("u3", "a"), "u4": ()}
QUESTIONS = [
    Question(Case("u1", ("a", "b"), "c", AT), ("d", "c")),
    Question(Case("u2", ("a", "b", "c"), "d", AT), ("d", "b")),
    Question(Case("u3", ("a",), "b", AT), ("c", "b", "d")),
    Question(Case("u4", (), "a", AT), ("a", "b", "c", "d")),
]
DATASET = Dataset("films", "1f2e", ITEMS, TRAIN, tuple(question.case for question in QUESTIONS))
ASKED = prepare(DATASET, QUESTIONS, VECTORS)


def row(n: int, *scores: float, **named: Any) -> Row:
    case = QUESTIONS[n].case
    return Row(question_key(QUESTIONS[n]), case.user, case.target, scores, **named)


# places of the target: 1, 2, 3, 1
ROWS = [
    row(0, 0.0, 1.0, invalid=1, llm_calls=2, llm_tokens=30, seconds=0.5),
    row(1, 1.0, 2.0, llm_calls=1, llm_tokens=12, seconds=1.0),
    row(2, 3.0, 1.0, 2.0, seconds=1.5),
    row(3, 9.0, 1.0, math.nan, -math.inf, seconds=2.0),
]


def published(measured: dict[str, Measured], asked: Asked = ASKED, **named: Any) -> dict[str, Any]:
    options = {"protocol": "uniform negatives", "seed": 7, "date": AT, "reference": "full", **named}
    document: dict[str, Any] = to_json(report(asked, measured, **options))
    return document


# --- one system -----------------------------------------------------------------------------------------------------


def test_accuracy_is_what_the_places_of_the_targets_say() -> None:
    figures = measure(ASKED, ROWS, seed=0).figures
    assert figures.users == 4
    assert figures.ndcg_at_1 == 50
    assert figures.ndcg_at_5 == figures.ndcg_at_20 == pytest.approx(100 * (1 + LOG3 + 0.5 + 1) / 4)
    assert figures.hit_at_10 == figures.recall_at_10 == 100
    assert figures.precision_at_10 == pytest.approx(10)
    assert figures.mrr == figures.map_at_10 == pytest.approx(100 * (1 + 1 / 2 + 1 / 3 + 1) / 4)


def test_the_interval_is_around_the_mean_and_repeatable() -> None:
    figures, other = measure(ASKED, ROWS, seed=0).figures, measure(ASKED, ROWS, seed=0).figures
    low, high = figures.ci95
    assert 50 <= low < figures.ndcg_at_10 < high <= 100
    assert other.ci95 == figures.ci95


def test_beyond_accuracy_looks_at_the_lists() -> None:
    figures = measure(ASKED, ROWS, seed=0).figures
    assert figures.coverage_at_10 == 100
    # 1 - cosine of the pairs: c d, d b, then c d b; and a b c d
    d1, d2, d3, d4 = 0.4, 0.2, (0.4 + 1 + 0.2) / 3, (1 + 0 + 0.4 + 1 + 0.2 + 0.4) / 6
    assert figures.diversity_at_10 == pytest.approx((d1 + d2 + d3 + d4) / 4)
    # bits of a, b, c, d: d counts as if one user had seen it
    a, b, c, d = math.log2(4 / 3), 1, 2, 2
    assert figures.novelty_at_10 == pytest.approx(
        ((c + d) / 2 + (b + d) / 2 + (b + c + d) / 3 + (a + b + c + d) / 4) / 4
    )


def test_calibration_compares_the_genres_of_history_and_list() -> None:
    def divergence(history: dict[str, float], listed: dict[str, float]) -> float:
        return sum(p * math.log(p / (0.99 * listed.get(g, 0) + 0.01 * p)) for g, p in history.items())

    expected = [
        divergence({"crime": 1 / 2, "family": 1 / 2}, {"crime": 3 / 4, "comedy": 1 / 4}),
        divergence({"crime": 2 / 3, "family": 1 / 3}, {"crime": 1 / 4, "comedy": 1 / 4, "family": 1 / 2}),
        divergence({"crime": 1}, {"crime": 1 / 2, "comedy": 1 / 6, "family": 1 / 3}),
    ]  # u4 has no history, and is in no mean
    assert measure(ASKED, ROWS, seed=0).figures.calibration_at_10 == pytest.approx(sum(expected) / 3)


def test_serendipity_needs_a_target_that_popularity_would_not_show() -> None:
    many = {f"i{n:02}": Item(f"i{n:02}", "") for n in range(11)}
    train = {f"u{n}": seen(f"u{n}", "") for n in range(3)} | {
        "v": tuple(Event(item, "v", EventKind.VIEW, AT, item) for item in list(many)[1:])
    }
    question = Question(Case("u0", (), "i00", AT), tuple(many))  # the only item that nobody has seen
    asked = prepare(Dataset("x", "", many, train, (question.case,)), [question])
    good = Row(question_key(question), "u0", "i00", tuple(float(-n) for n in range(11)))
    figures = measure(asked, [good], seed=0).figures
    assert figures.serendipity_at_10 == pytest.approx(10)
    assert math.isnan(figures.diversity_at_10)
    assert math.isnan(figures.calibration_at_10)
    assert measure(ASKED, ROWS, seed=0).figures.serendipity_at_10 == 0


def test_cost_is_summed_and_time_is_for_a_user() -> None:
    figures = measure(ASKED, ROWS, seed=0).figures
    assert (figures.invalid, figures.llm_calls, figures.llm_tokens) == (1, 3, 42)
    assert figures.seconds_per_user == pytest.approx(1.25)


def test_without_an_opinion_the_given_order_stands() -> None:
    nan = math.nan
    rows = [row(0, nan, nan), row(1, nan, nan), row(2, nan, nan, nan), row(3, nan, nan, nan, nan)]  # places 2, 1, 2, 1
    assert measure(ASKED, rows, seed=0).figures.ndcg_at_10 == pytest.approx(100 * (2 + 2 * LOG3) / 4)


def test_a_user_with_an_error_is_counted_and_in_no_mean() -> None:
    failed = replace(ROWS[2], scores=(), error="KeyError: 'x'", seconds=0.3)
    figures = measure(ASKED, [*ROWS[:2], failed], seed=0).figures
    assert (figures.users, figures.errors, figures.first_error) == (2, 1, "KeyError: 'x'")
    assert figures.ndcg_at_10 == pytest.approx(100 * (1 + LOG3) / 2)
    assert figures.seconds_per_user == pytest.approx((0.5 + 1.0 + 0.3) / 3)


def test_rows_of_other_questions_and_their_order_do_not_matter() -> None:
    other = Row("0" * 16, "u9", "a", (1.0,), llm_calls=99)
    assert measure(ASKED, [other, *reversed(ROWS)], seed=0).figures == measure(ASKED, ROWS, seed=0).figures


def test_nobody_answered_is_no_figure_and_no_crash() -> None:
    document = published({"full": measure(ASKED, [], seed=0), "bm25": measure(ASKED, ROWS, seed=0)})
    full = document["systems"]["full"]
    assert (full["users"], full["errors"], full["ndcg@10"], full["ci95"]) == (0, 0, None, [None, None])
    assert document["pairs"] == []
    json.dumps(document, allow_nan=False)


@given(st.permutations(range(20)), st.integers(0, 19))
def test_the_figures_of_a_user_are_those_of_the_metrics(permutation: list[int], target: int) -> None:
    items = {f"i{n}": Item(f"i{n}", "") for n in range(20)}
    question = Question(Case("u", (), f"i{target}", AT), tuple(items))
    asked = prepare(Dataset("x", "", items, {"u": ()}, (question.case,)), [question])
    scores = tuple(map(float, permutation))
    figures = measure(asked, [Row(question_key(question), "u", f"i{target}", scores)], seed=0).figures
    ranked, relevant = metrics.order(tuple(items), scores), {f"i{target}"}
    for k, ndcg in ((1, figures.ndcg_at_1), (5, figures.ndcg_at_5), (10, figures.ndcg_at_10), (20, figures.ndcg_at_20)):
        assert ndcg == pytest.approx(100 * metrics.ndcg(ranked, relevant, k))
    assert figures.hit_at_10 == 100 * metrics.hit(ranked, relevant, 10)
    assert figures.recall_at_10 == 100 * metrics.recall(ranked, relevant, 10)
    assert figures.precision_at_10 == pytest.approx(100 * metrics.precision(ranked, relevant, 10))
    assert figures.map_at_10 == pytest.approx(100 * metrics.average_precision(ranked, relevant, 10))
    assert figures.mrr == pytest.approx(100 * metrics.mrr(ranked, relevant, 20))


# --- pairs and slices -----------------------------------------------------------------------------------------------


def many(scores: dict[int, float]) -> Measured:
    """ndcg@10 in percent by place among 40 questions; nothing said of the others."""
    ndcg = np.full(40, math.nan)
    ndcg[list(scores)] = list(scores.values())
    return replace(measure(ASKED, ROWS, seed=0), ndcg=ndcg)


def test_pairs_are_matched_by_question_over_those_that_both_answered() -> None:
    full = many({n: 60 + n for n in range(40)})
    later = many({n: 50 + n for n in range(10, 40)})  # its users are the better ones of full
    (pair,) = published({"full": full, "later": later}, asked=wide())["pairs"]
    assert (pair["a"], pair["b"], pair["users"]) == ("full", "later", 30)
    assert pair["difference"] == pytest.approx(10)
    assert pair["ci95"] == pytest.approx([10, 10])
    assert pair["p"] < 0.001


def wide() -> Asked:
    """40 questions, histories of 0 to HISTORY items."""
    cases = [Case(f"u{n}", ("a",) * round(n * HISTORY / 39), "a", AT) for n in range(40)]
    return prepare(DATASET, [Question(case, ("a", "b")) for case in cases])


def test_a_row_moves_with_its_user() -> None:
    first, missing = measure(ASKED, ROWS, seed=0), measure(ASKED, [ROWS[3], ROWS[1]], seed=0)
    (pair,) = published({"full": first, "bm25": missing})["pairs"]
    assert (pair["difference"], pair["ci95"], pair["p"], pair["users"]) == (0, [0, 0], 1, 2)


def test_many_pairs_need_more_evidence() -> None:
    rng = np.random.default_rng(0)
    base = rng.uniform(0, 50, 40)
    others = {name: many(dict(enumerate(base - 2 + rng.normal(0, 6, 40)))) for name in "xyz"}
    pairs = published({"full": many(dict(enumerate(base))), **others}, asked=wide())["pairs"]
    assert [(pair["a"], pair["b"]) for pair in pairs] == [("full", "x"), ("full", "y"), ("full", "z")]
    least = min(pairs, key=lambda pair: pair["p"])
    assert least["p_holm"] == pytest.approx(3 * least["p"], abs=1e-5)
    assert all(pair["p"] <= pair["p_holm"] <= 1 for pair in pairs)


def test_without_the_reference_there_are_no_pairs() -> None:
    assert published({"bm25": measure(ASKED, ROWS, seed=0)})["pairs"] == []


def test_slices_by_history_take_each_user_once() -> None:
    slices = published({"full": many(dict.fromkeys(range(40), 1.0))}, asked=wide())["slices"]
    history = [part for part in slices if part["by"] == "history"]
    assert [part["name"] for part in history] == ["0", "1-4", "5-9", "10-19", "20-49", "50"]
    assert sum(part["systems"]["full"]["users"] for part in history) == 40
    assert history[0]["systems"]["full"] == {"users": 1, "ndcg@10": 1.0}


def test_slices_by_popularity_are_quartiles_of_what_was_seen_in_training() -> None:
    targets = "abcdefgh"
    train = {f"u{n}": seen(f"u{n}", targets[n:-1]) for n in range(7)}  # a: 1 user, b: 2, ... g: 7, h: none
    items = {item: Item(item, item) for item in targets}
    cases = [Case(f"t{item}", (), item, AT) for item in targets]
    asked = prepare(
        Dataset("x", "", items, train, tuple(cases)), [Question(case, ("a", case.target)) for case in cases]
    )
    system = replace(measure(ASKED, ROWS, seed=0), ndcg=np.arange(8, dtype=np.float64))
    slices = [part for part in published({"full": system}, asked=asked)["slices"] if part["by"] == "popularity"]
    assert [(part["name"], part["low"], part["high"]) for part in slices] == [
        ("unseen", 0, 0),
        ("tail", 1, 2),
        ("low", 3, 4),
        ("high", 5, 6),
        ("head", 7, 7),
    ]
    assert [part["systems"]["full"] for part in slices[:2]] == [
        {"users": 1, "ndcg@10": 7},
        {"users": 2, "ndcg@10": 0.5},
    ]


def test_a_slice_counts_only_who_was_answered() -> None:
    slices = published({"full": measure(ASKED, ROWS[:1], seed=0)})["slices"]
    by_name = {part["name"]: part["systems"]["full"] for part in slices if part["by"] == "history"}
    assert by_name == {"0": {"users": 0, "ndcg@10": None}, "1-4": {"users": 1, "ndcg@10": 100}}


# --- the document ---------------------------------------------------------------------------------------------------


def test_the_document_has_the_promised_names() -> None:
    refused = Refusal("candidates.tsv", 3, "19 candidates are needed: 7")
    document = published({"full": measure(ASKED, ROWS, seed=0)}, problems=[refused])
    assert list(document) == [
        "dataset", "digest", "protocol", "seed", "date", "users", "systems", "pairs", "slices", "problems",
    ]  # fmt: skip
    assert set(document["systems"]["full"]) == {
        "ndcg@1", "ndcg@5", "ndcg@10", "ndcg@20", "hit@10", "mrr", "ci95", "invalid", "llm_calls", "llm_tokens",
        "seconds_per_user", "users", "errors", "first_error", "recall@10", "precision@10", "map@10", "coverage@10",
        "diversity@10", "novelty@10", "serendipity@10", "calibration@10",
    }  # fmt: skip
    assert (document["dataset"], document["digest"], document["users"]) == ("films", "1f2e", 4)
    assert (document["protocol"], document["seed"], document["date"]) == ("uniform negatives", 7, AT.isoformat())
    assert document["problems"] == [{"file": "candidates.tsv", "line": 3, "reason": refused.reason}]
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_equal_rows_make_equal_documents() -> None:
    first = published({"full": measure(ASKED, ROWS, seed=0), "bm25": measure(ASKED, ROWS[1:], seed=0)})
    again = prepare(DATASET, QUESTIONS, VECTORS)
    second = published({"full": measure(again, ROWS, seed=0), "bm25": measure(again, ROWS[1:], seed=0)}, asked=again)
    assert json.dumps(first) == json.dumps(second)
