"""Weights learnt inside a dataset, on other users' training events: each user is ranked with weights that saw nothing of them.

    lessons = collect(material, questions)    # questions of eval.candidates.validation
    weights = fit(lessons, base)[fold(user)]  # learnt on the users of all other folds

Users are in FOLDS groups, by a hash of their id. Two walls stand between a tested item and the weights: the lists are made
from training events alone (eval.candidates), and the scores of a list come from counts in which the users of its fold have
no part, as a tested item has none in its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from eval.cases import Question
from eval.material import Material
from retrieval.examples import raw_scores
from retrieval.fusion import FusionWeights
from retrieval.learn import Examples, learn
from retrieval.signals import CHANNELS

FOLDS = 5


@dataclass(frozen=True, slots=True)
class Lessons:
    """Examples to learn from (the taken item first), the fold of each one's user, and the questions they came from, whose
    candidates stand in the same order."""

    examples: Examples
    folds: NDArray[np.intp] = field(repr=False)
    questions: tuple[Question, ...] = field(repr=False)

    def rows(self, places: NDArray[np.intp]) -> Lessons:
        questions = tuple(self.questions[place] for place in places)
        return Lessons(self.examples.rows(places), self.folds[places], questions)


def fold(user: str) -> int:
    """The group of a user, in which nobody's weights or counts come from the group itself."""
    return int.from_bytes(hashlib.blake2b(user.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "big") % FOLDS


def collect(
    material: Material, questions: Sequence[Question], progress: Callable[[int, int], None] | None = None
) -> Lessons:
    """The raw channel scores of training questions. All must have equally many candidates."""
    ordered = sorted((_first(question) for question in questions), key=lambda q: fold(q.case.user))
    folds = np.array([fold(question.case.user) for question in ordered], dtype=np.intp)
    rows = []
    for place, question in enumerate(ordered):
        if place == 0 or folds[place] != folds[place - 1]:
            everybody = material.dataset.train
            signals = material.signals_without({user for user in everybody if fold(user) == folds[place]})
        rows.append(raw_scores(signals, question.case.history, question.candidates))
        if progress:
            progress(place + 1, len(ordered))
    raw = np.array(rows) if rows else np.zeros((0, 0, len(CHANNELS)))
    return Lessons(Examples(CHANNELS, raw), folds, tuple(ordered))


def fit(lessons: Lessons, base: FusionWeights, without: Sequence[str] = (), trees: bool = True) -> list[FusionWeights]:
    """For each fold, the weights for its users: learnt on all others, without the channels in `without`."""
    examples = lessons.examples.without(*without)
    each = len(examples) / max(len({question.case.user for question in lessons.questions}), 1)
    return [learn(examples.rows(lessons.folds != group), base, per_user=each, trees=trees) for group in range(FOLDS)]


def _first(question: Question) -> Question:
    """The question with its target in front."""
    target = question.case.target
    return Question(question.case, (target, *(item for item in question.candidates if item != target)))
