"""Lists to learn the fusion's weights from, out of what people chose: an item that was taken, before some never touched.

    made, owners = examples(sequences, lambda known: Signals(items, vectors, lexical, known), uniform(ids, 19))
    weights = learn(made)

Nobody is scored by counts that hold their own choices: users are divided into folds, and those of a fold are scored by
signals that were built from all other folds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set

import numpy as np
from numpy.typing import NDArray

from retrieval.learn import Examples
from retrieval.signals import CHANNELS, Signals

LEAST = 3  # items of a user; fewer are hardly a history
Build = Callable[[Iterable[Sequence[str]]], Signals]
Negatives = Callable[[str, str, Set[str], np.random.Generator], Sequence[str]]
"""(user, target, touched, generator) -> distinct items, none of them touched. All lists should get equally many."""


def examples(
    sequences: Mapping[str, Sequence[str]],
    build: Build,
    negatives: Negatives,
    *,
    per_user: int = 3,
    seed: int = 0,
    folds: int = 5,
) -> tuple[Examples, NDArray[np.intp]]:
    """The lists, and whose each is, (lists,): the place of the user among all of them in order of id.

    `sequences`: user -> distinct items of the catalogue, oldest first. Of each user with LEAST of them or more, the last
    `per_user` with something before them are targets; what came before is the history, and what came after is neither
    history nor a negative. `build` makes signals from some of the sequences; it is called once a fold. Lists that got fewer
    negatives than others are left out. Equal input and seed give equal lists.
    """
    users = sorted(sequences)
    rng = np.random.default_rng(seed)
    fold_of = rng.permutation(len(users)) % folds
    lists: list[NDArray[np.float64]] = []
    owners: list[int] = []
    for fold in range(min(folds, len(users))):
        signals = build([sequences[user] for user, other in zip(users, fold_of, strict=True) if other != fold])
        for row in np.flatnonzero(fold_of == fold).tolist():
            user, items = users[row], sequences[users[row]]
            for place in _targets(len(items), per_user):
                shown = [items[place], *negatives(user, items[place], frozenset(items), rng)]
                lists.append(raw_scores(signals, items[:place], shown))
                owners.append(row)
    width = max(map(len, lists), default=0)
    kept = [place for place, found in enumerate(lists) if len(found) == width > 1]
    raw = np.stack([lists[place] for place in kept]) if kept else np.zeros((0, 0, len(CHANNELS)))
    return Examples(CHANNELS, raw), np.array([owners[place] for place in kept], dtype=np.intp)


def uniform(items: Sequence[str], count: int) -> Negatives:
    """`count` items that the user never touched, each as likely as the other; all there are, where they are fewer."""
    places = {item: place for place, item in enumerate(items)}

    def draw(_user: str, _target: str, touched: Set[str], rng: np.random.Generator) -> Sequence[str]:
        free = np.delete(np.arange(len(items)), sorted(places[item] for item in touched if item in places))
        return [items[place] for place in rng.choice(free, min(count, len(free)), replace=False)]

    return draw


def _targets(length: int, per_user: int) -> range:
    """The places of the targets in a history of `length`, latest first."""
    return range(length - 1, max(0, length - 1 - per_user), -1) if length >= LEAST else range(0)


def raw_scores(signals: Signals, history: Sequence[str], shown: Sequence[str]) -> NDArray[np.float64]:
    """(len(shown), channels) scores; NaN for a channel without an opinion."""
    channels = signals.channels(history, shown)
    silent = np.full(len(shown), np.nan)
    return np.stack([channels.get(name, silent) for name in CHANNELS], axis=1)
