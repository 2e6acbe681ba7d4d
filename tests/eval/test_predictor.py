"""Profiles as a predictor: a statement that points to the next item earns its place, one that points away does not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from eval.cases import Case, Question
from eval.predictor import Example, contributions, log_probability, report, run
from eval.results import to_json
from retrieval.embed import HashEmbedder
from retrieval.exact import ExactIndex
from retrieval.fusion import zscores
from retrieval.readers import ReadError
from retrieval.records import Horizon, Origin, Polarity, Profile, Source, Statement

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EMBEDDER = HashEmbedder(64)
TITLES = {
    f"{word}{n}": f"{word} {word} {word} n{n}" for word in ("crime", "snow", "bread", "chess", "jazz") for n in range(4)
}
INDEX = ExactIndex(tuple(TITLES), EMBEDDER.embed(list(TITLES.values())))
WEIGHTS = np.array([1.0, 2.0])


def said(user: str, text: str, polarity: Polarity = Polarity.LIKE) -> Statement:
    return Statement(
        id=f"{user}-{text}", user=user, text=text, polarity=polarity, facet=text, evidence=(), first_at=NOW, last_at=NOW,
        horizon=Horizon.LONG, source=Source.INFERRED, origin=Origin.MODEL, confidence=1.0, prompt="", model="", written_at=NOW,
    )  # fmt: skip


def profile(user: str, *texts: str) -> Profile:
    return Profile(user, NOW, 1, tuple(said(user, text) for text in texts))


def question(user: str, target: str, candidates: Sequence[str] = tuple(TITLES)) -> Question:
    return Question(Case(user, (), target, NOW + timedelta(days=1)), tuple(candidates))


def flat(asked: Question) -> np.ndarray:
    return np.zeros(len(asked.candidates))


USERS = [f"u{n}" for n in range(24)]
QUESTIONS = [question(user, f"{('crime', 'snow')[n % 2]}{n % 4}") for n, user in enumerate(USERS)]
TRUE = {user: profile(user, ("crime", "snow")[n % 2], "jazz") for n, user in enumerate(USERS)}


def test_a_profile_that_names_what_comes_next_predicts_it_better() -> None:
    found = run(TRUE, QUESTIONS, flat, INDEX, EMBEDDER)
    assert found.ci95[0] > 0.5
    assert (found.users, found.questions, found.statements) == (24, 24, 48)


def test_statements_that_point_elsewhere_do_not_earn_their_place() -> None:
    found = run(TRUE, QUESTIONS, flat, INDEX, EMBEDDER)
    assert found.not_earning == 50
    assert {row.text for row in found.worst} == {"jazz"}
    assert [row.contribution for row in found.worst] == sorted(row.contribution for row in found.worst)


def test_a_profile_about_nothing_gains_nothing() -> None:
    wrong = {user: profile(user, "pottery") for user in USERS}
    found = run(wrong, QUESTIONS, flat, INDEX, EMBEDDER)
    assert abs(found.gain_nats) < 0.3
    assert run({u: profile(u) for u in USERS}, QUESTIONS, flat, INDEX, EMBEDDER).gain_nats == pytest.approx(0)


def test_what_is_disliked_is_no_reason_to_expect_an_item() -> None:
    disliking = {
        user: Profile(user, NOW, 1, (*known.statements[:1], said(user, "bread", Polarity.DISLIKE)))
        for user, known in TRUE.items()
    }
    assert run(disliking, QUESTIONS, flat, INDEX, EMBEDDER).statements == 24


def test_the_order_of_the_candidates_does_not_matter() -> None:
    turned = [Question(q.case, q.candidates[::-1]) for q in QUESTIONS]
    first, second = (run(TRUE, asked, flat, INDEX, EMBEDDER) for asked in (QUESTIONS, turned))
    assert first.gain_nats == pytest.approx(second.gain_nats)


def test_a_users_own_questions_teach_no_weight_for_them() -> None:
    alone = run({"u0": TRUE["u0"]}, [QUESTIONS[0]], flat, INDEX, EMBEDDER)
    assert alone.gain_nats == pytest.approx(0)


def test_a_profile_that_saw_the_moment_of_the_question_is_refused() -> None:
    late = {"u0": Profile("u0", QUESTIONS[0].case.at, 1)}
    with pytest.raises(ValueError, match="may have seen"):
        run(late, QUESTIONS, flat, INDEX, EMBEDDER)


def test_nobody_with_a_profile_is_said_so() -> None:
    with pytest.raises(ReadError, match="no question"):
        run({}, QUESTIONS, flat, INDEX, EMBEDDER)


def test_an_item_without_a_vector_is_neutral() -> None:
    asked = [question(q.case.user, q.case.target, [*TITLES, "unknown"]) for q in QUESTIONS]
    assert run(TRUE, asked, flat, INDEX, EMBEDDER).gain_nats > 0.5


def test_the_document_has_the_promised_names() -> None:
    document = to_json(run(TRUE, QUESTIONS, flat, INDEX, EMBEDDER))
    assert json.loads(json.dumps(document)) == document
    names = {"kind", "users", "questions", "gain_nats", "ci95", "statements", "not_earning", "worst"}
    assert set(document) == names
    assert set(document["worst"][0]) == {"user", "statement", "text", "contribution"}


# --- the arithmetic ---------------------------------------------------------------------------------------------------


def test_log_probability_is_the_softmax_of_weighted_z_scores() -> None:
    prior, cosines = np.array([3.0, 1.0, 2.0]), np.array([[0.1, 0.5, 0.2], [0.3, 0.0, 0.9]])
    expected = softmax(zscores(prior) + 2 * zscores(np.array([0.3, 0.5, 0.9])))
    made = Example("u", (said("u", "a"), said("u", "b")), prior, cosines)
    assert log_probability(made, WEIGHTS) == pytest.approx(np.log(expected[0]))
    without = softmax(zscores(prior) + 2 * zscores(cosines[1]))
    assert contributions(made, WEIGHTS)[0] == pytest.approx(np.log(expected[0] / without[0]))


@settings(max_examples=30)
@given(st.integers(0, 4), st.integers(2, 8), st.integers(0, 1000))
def test_a_statement_said_twice_adds_nothing_by_either(statements: int, items: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cosines = rng.uniform(-1, 1, (statements + 1, items))
    twice = np.concatenate([cosines, cosines[-1:]])
    made = Example("u", tuple(said("u", str(n)) for n in range(statements + 2)), rng.normal(size=items), twice)
    parts = contributions(made, WEIGHTS)
    assert parts.shape == (statements + 2,)
    assert parts[-2:] == pytest.approx([0, 0])


def test_users_count_alike_however_many_questions_they_have() -> None:
    def made(user: str, cosine: float) -> Example:
        return Example(user, (said(user, "x"),), np.zeros(3), np.array([[cosine, 0.0, 0.1]]))

    once = [made(user, 1.0 if n % 4 else -1.0) for n, user in enumerate(USERS)]
    found = report(once, seed=0)
    again = report([*once, *once], seed=0)
    assert (again.users, again.questions) == (24, 48)
    assert found.ci95[0] < found.gain_nats < found.ci95[1]
