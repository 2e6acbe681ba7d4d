"""Profiles as a predictor: how much better is the next item predicted with the written profile than without it?

    document = to_json(run(profiles, questions, fused.scores, index, embedder))

The chance of an item among its candidates is the softmax of z-scores: of the prior alone, or of the prior and the best match
of the item to a liked statement. What each counts is learnt on other users (a conditional logit), so that a profile which
says nothing gets no weight and costs nothing. A statement earns its place where the target is likelier with it than without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from eval.cases import Question
from eval.fitted import FOLDS, fold
from eval.stats import bootstrap_ci
from retrieval.embed import Embedder
from retrieval.exact import VectorIndex
from retrieval.fusion import zscores
from retrieval.learn import conditional_logit
from retrieval.readers import ReadError
from retrieval.records import Polarity, Profile, Statement

WORST = 20  # statements that are listed
RIDGE = 3.0  # penalty on the squared weights, in questions: a hundred outweigh it

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Contribution:
    """What a statement adds to the log-probability of its user's next items, in nats, mean over the questions."""

    user: str
    statement: str
    text: str
    contribution: float


@dataclass(frozen=True, slots=True)
class Predictor:
    """`gain_nats`: what profiles add to the log-probability of the next item, mean over `users`, with its bootstrap
    interval. `not_earning`: the percent of the liked `statements` whose contribution is not above 0; `worst` are the first
    of those, the most harmful first."""

    users: int
    questions: int
    gain_nats: float
    ci95: tuple[float, float]
    statements: int
    not_earning: float
    worst: tuple[Contribution, ...]
    kind: str = "predictor"


@dataclass(frozen=True, slots=True)
class Example:
    """A question in numbers: `prior` (items,) and the cosines of the liked statements, (statements, items), NaN where an
    item has no vector. The item that was taken is the first."""

    user: str
    statements: tuple[Statement, ...]
    prior: Floats = field(repr=False)
    cosines: Floats = field(repr=False)


def run(
    profiles: Mapping[str, Profile],
    questions: Sequence[Question],
    prior: Callable[[Question], NDArray[np.floating]],
    index: VectorIndex,
    embedder: Embedder,
    *,
    seed: int = 0,
) -> Predictor:
    """The document, over the questions of users who have a profile; all questions must have equally many candidates.

    `prior` scores the candidates without the profile. Raises ValueError for a profile that has seen the moment of its
    question, and ReadError where no question has a profile.
    """
    asked = [question for question in questions if question.case.user in profiles]
    if not asked:
        raise ReadError("no question is about a user with a profile", hint="build profiles of the tested users first")
    for case in (question.case for question in asked):
        if profiles[case.user].as_of >= case.at:
            raise ValueError(f"the profile of {case.user!r} may have seen the item that it is to predict")
    examples = [example(question, profiles[question.case.user], prior, index, embedder) for question in asked]
    return report(examples, seed)


def example(
    question: Question,
    profile: Profile,
    prior: Callable[[Question], NDArray[np.floating]],
    index: VectorIndex,
    embedder: Embedder,
) -> Example:
    """What is known of one question. A statement points where its text does."""
    target = question.candidates.index(question.case.target)
    order = [target, *(place for place in range(len(question.candidates)) if place != target)]
    liked = tuple(s for s in profile.statements if s.polarity is Polarity.LIKE)
    rows = index.vectors(question.candidates)
    unknown = np.full(embedder.dim, np.nan, dtype=np.float32)
    items = np.stack([rows.get(question.candidates[place], unknown) for place in order])
    words = embedder.embed([s.text for s in liked]) if liked else np.zeros((0, embedder.dim), dtype=np.float32)
    scores = np.asarray(prior(question), dtype=np.float64)[order]
    return Example(profile.user, liked, scores, (words @ items.T).astype(np.float64))


def report(examples: Sequence[Example], seed: int) -> Predictor:
    """The document from examples, at least one."""
    alone, both = _fitted(examples, without=True), _fitted(examples, without=False)
    gains: dict[str, list[float]] = {}
    parts: dict[tuple[str, str], list[float]] = {}
    texts = {(e.user, s.id): s.text for e in examples for s in e.statements}
    for found in examples:
        before, after = alone[fold(found.user)], both[fold(found.user)]
        gain = log_probability(found, after) - log_probability(found, before)
        gains.setdefault(found.user, []).append(gain)
        for statement, part in zip(found.statements, contributions(found, after).tolist(), strict=True):
            parts.setdefault((found.user, statement.id), []).append(part)
    means = {key: float(np.mean(values)) for key, values in parts.items()}
    useless = sorted((mean, key) for key, mean in means.items() if mean <= 0)
    by_user = [float(np.mean(values)) for values in gains.values()]
    return Predictor(
        users=len(gains),
        questions=len(examples),
        gain_nats=float(np.mean(by_user)),
        ci95=bootstrap_ci(by_user, seed),
        statements=len(means),
        not_earning=100 * len(useless) / len(means) if means else 0.0,
        worst=tuple(Contribution(*key, texts[key], mean) for mean, key in useless[:WORST]),
    )


def log_probability(found: Example, weights: Floats) -> float:
    """log P(target among the candidates) in nats: softmax of the weighted z-scores of prior and profile, (2,) weights."""
    return float(log_softmax(_features(found.prior, found.cosines) @ weights)[0])


def contributions(found: Example, weights: Floats) -> Floats:
    """(statements,) What each statement adds to the log-probability of the target: with all, less with all others."""
    whole = log_probability(found, weights)
    others = (np.delete(found.cosines, row, axis=0) for row in range(len(found.cosines)))
    left = [float(log_softmax(_features(found.prior, rest) @ weights)[0]) for rest in others]
    return whole - np.array(left)


def _features(prior: Floats, cosines: Floats) -> Floats:
    """(items, 2) z-scores of the prior and of the best match; a profile that says nothing is 0 everywhere."""
    best = cosines.max(axis=0) if len(cosines) else np.zeros(len(prior))
    return np.stack([zscores(prior), zscores(best)], axis=1)


def _fitted(examples: Sequence[Example], without: bool) -> list[Floats]:
    """For each fold (2,) weights, learnt on the users of all other folds; that of the profile is 0 `without` it."""
    found = []
    for group in range(FOLDS):
        rows = [_features(e.prior, e.cosines) for e in examples if fold(e.user) != group]
        stacked = np.stack(rows) if rows else np.zeros((0, 2, 2))
        stacked[:, :, 1] *= not without
        found.append(conditional_logit(stacked, ridge=RIDGE))
    return found
