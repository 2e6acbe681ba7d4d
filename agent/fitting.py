"""`leitmotif fit`: learn the ranking's weights from a deployment's own events, and say whether that helps.

    found = fit(home, store, parts, Lesson(), now)
    found.check.gain, found.check.ci95      # of ndcg@10, fitted less shipped, on users that the weights have not seen

The weights go to a file in the home, which `weights_of` reads. They are compared with the shipped ones, not with those of an
earlier fit: these have seen the very lists that they would be judged by. No LLM is asked; its weight stays as shipped.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agent.errors import ConfigError, LeitmotifError
from retrieval.examples import LEAST, examples, uniform
from retrieval.fusion import SHIPPED, FusionWeights, load_weights
from retrieval.learn import Examples, learn
from retrieval.ranker import prior
from retrieval.store import Store

if TYPE_CHECKING:
    from agent.parts import Parts

Floats = NDArray[np.float64]

LEAST_LISTS = 20
FOLDS = 5  # also the fewest users, so that each fold has one
TOP = 10


@dataclass(frozen=True, slots=True)
class Lesson:
    """How lists are made: `negatives` untouched items beside each of the last `per_user` items of a user."""

    negatives: int = 19
    per_user: int = 3
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """How weights that were learnt on other users rank a user's lists: ndcg@10 (0 to 1), means over users, of the shipped
    weights and of the fitted ones. `gain` is the mean difference, `ci95` its interval, by the normal distribution."""

    shipped: float
    fitted: float
    gain: float
    ci95: tuple[float, float]

    @classmethod
    def of(cls, shipped: Floats, fitted: Floats) -> Check:
        """From one figure a user, two users or more, (users,) each."""
        gains = fitted - shipped
        gain, half = float(gains.mean()), 1.96 * float(gains.std(ddof=1)) / len(gains) ** 0.5
        return cls(float(shipped.mean()), float(fitted.mean()), gain, (gain - half, gain + half))


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was learnt from `lists` of `users`, and whether it was `kept`: written to the home."""

    weights: FusionWeights = field(repr=False)
    check: Check
    users: int
    lists: int
    kept: bool


def weights_file(home: Path) -> Path:
    """Where learnt weights are; without the file, the shipped ones hold."""
    return home / "weights.json"


def weights_of(home: Path) -> FusionWeights:
    """What to rank with. Raises ConfigError for a file that cannot be used."""
    path = weights_file(home)
    try:
        return load_weights(path if path.exists() else SHIPPED)
    except (OSError, ValueError) as exc:
        hint = "run `leitmotif fit` again, or `leitmotif fit --reset` to return to the shipped weights"
        raise ConfigError(f"the learnt weights cannot be used: {exc}", hint=hint) from exc


def forget_weights(home: Path) -> bool:
    """Return to the shipped weights. False if nothing was there."""
    there = weights_file(home).exists()
    weights_file(home).unlink(missing_ok=True)
    return there


def fit(home: Path, store: Store, parts: Parts, lesson: Lesson, now: datetime, force: bool = False) -> Fitted:
    """Learn from what people liked until `now`. The weights are kept unless the shipped ones are clearly better (the interval
    of the gain lies below 0), with `force` always. Raises LeitmotifError for too few events."""
    draw = uniform(parts.lexical.ids, lesson.negatives)
    sequences = store.sequences(until=now)
    made, owners = examples(sequences, parts.builder(), draw, per_user=lesson.per_user, seed=lesson.seed, folds=FOLDS)
    users, whose = np.unique(owners, return_inverse=True)
    if len(made) < LEAST_LISTS or len(users) < FOLDS:
        least = f"{LEAST_LISTS} are needed, of {FOLDS} users or more who liked {LEAST} items each"
        hint = "the shipped weights go on; run `leitmotif fit` again when more has happened"
        raise LeitmotifError(f"too little to learn from: {len(made)} lists of {len(users)} users; {least}", hint=hint)
    shipped = load_weights()
    base = shipped.among(len(sequences))
    check = Check.of(
        _per_user(_ndcg(made, base), whose), _per_user(_cross_fitted(made, whose, base, lesson.seed), whose)
    )
    learnt = replace(learn(made, base, per_user=len(made) / len(users)), stranger=shipped.stranger)
    found = Fitted(learnt, check, len(users), len(made), force or check.ci95[1] >= 0)
    if found.kept:
        about = {"source": "leitmotif fit", "at": now.isoformat(), "users": found.users, "lists": found.lists}
        found.weights.save(weights_file(home), **about)
    return found


def _cross_fitted(made: Examples, whose: NDArray[np.intp], base: FusionWeights, seed: int) -> Floats:
    """(lists,) ndcg of each list with weights that were learnt without its user."""
    fold = (np.random.default_rng(seed).permutation(whose.max() + 1) % FOLDS)[whose]
    found = np.zeros(len(made))
    for held_out in range(FOLDS):
        weights = learn(made.rows(fold != held_out), base, per_user=len(made) / (whose.max() + 1))
        found[fold == held_out] = _ndcg(made.rows(fold == held_out), weights)
    return found


def _ndcg(made: Examples, weights: FusionWeights) -> Floats:
    """(lists,) ndcg@10 of the taken item, the first. Of items that tie with it, half are taken to stand before it."""
    found = np.zeros(len(made))
    for row, raw in enumerate(made.raw):
        scores = prior(dict(zip(made.names, raw.T, strict=True)), weights, asked=False)
        place = (scores > scores[0]).sum() + (scores[1:] == scores[0]).sum() / 2
        found[row] = 1 / np.log2(2 + place) if place < TOP else 0.0
    return found


def _per_user(values: Floats, whose: NDArray[np.intp]) -> Floats:
    """(users,) means."""
    means: Floats = np.bincount(whose, values) / np.bincount(whose)
    return means
