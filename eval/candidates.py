"""Questions out of cases: which items a target is ranked against, and in which order they are shown.

    drawn = uniform(dataset, seed=0)                                  # or popularity_matched, from_file
    examples = validation(dataset, 0, drawn.negatives, per_user=3)    # what weights are learnt on

A protocol is a function `Negatives`; test and validation questions are made from it by the same code. Each user has a
random generator that depends on the seed and the user id alone, so neither a sample of the users nor their order changes
what anybody is asked.

Leaks: the negatives of a test question may depend on its target (it must not be among them, and popularity is matched to
it). A validation question is made from the training events alone: it avoids what the user touched in training and, since
avoiding it would tell, *not* the test target, which may be drawn as a negative like any other item.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eval.cases import HISTORY, Case, Dataset, Question, distinct
from retrieval.readers.rows import shown
from retrieval.readers.source import Lines, open_binary
from retrieval.records import Refusal

STRATUM = 5  # popularity-matched negatives are drawn from a stratum of so many times n items

Negatives = Callable[[Case, Set[str], int, np.random.Generator], Sequence[str]]
"""(case, forbidden, k, generator) -> k distinct items, none of them forbidden; fewer where there are no more."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """The test questions of a protocol, what was odd about it, and the protocol itself, for `validation`."""

    questions: tuple[Question, ...]
    problems: tuple[Refusal, ...]
    negatives: Negatives = field(repr=False)


def uniform(dataset: Dataset, seed: int, n: int = 20) -> Drawn:
    """`n` candidates: the target, and items that the user never touched, each as likely as the other."""
    return _against(dataset, Pool.of(dataset.items), seed, n)


def popularity_matched(dataset: Dataset, seed: int, n: int = 20) -> Drawn:
    """`n` candidates: the target, and untouched items about as popular as it, so that popularity alone says little."""
    return _against(dataset, PopularityMatched(dataset, STRATUM * n, seed), seed, n)


def from_file(path: Path, dataset: Dataset, seed: int, n: int = 20) -> Drawn:
    """`n` candidates: the target, and the first of the user's line in the file at `path` that are not the target.

    The file is that of LLMRank (arXiv 2305.08845), a line a user: `user<TAB>item item item ...`. What cannot be used is
    reported by line; a tested user without a line or with too few usable items is left out. An item of the user's own
    history stays, as the protocol has it, and is reported. Raises ReadError when the file cannot be opened.
    """
    lines, problems = _read_lines(path, dataset)
    listed = Listed({user: line.items for user, line in lines.items()})
    questions = []
    for case in dataset.cases:
        line = lines.get(case.user)
        if line is None:
            problems.append(Refusal(path.name, 0, f"user {shown(case.user)} has no line: left out"))
            continue
        question = _question(case, listed, {case.target}, n, generator(seed, case.user))
        questions += [question] if question else []
        reasons = _case_oddities(line, case, _touched(dataset, case), question, n)
        problems += [Refusal(path.name, line.number, reason) for reason in reasons]
    problems.sort(key=lambda problem: problem.line)
    there = distinct(item for line in lines.values() for item in line.items)
    return Drawn(tuple(questions), tuple(problems), Listed(listed.lines, rest=Pool.of(there)))


def everything(dataset: Dataset, seed: int) -> Iterator[Question]:
    """Each case with all items that the user never touched and the target. One at a time: all at once may not fit."""
    catalogue = Pool.of(dataset.items)
    for case in dataset.cases:
        untouched = catalogue.ids[catalogue.free(_touched(dataset, case))]
        yield _shuffled(case, untouched, generator(seed, case.user))


def validation(
    dataset: Dataset, seed: int, negatives: Negatives, n: int = 20, per_user: int = 1
) -> tuple[Question, ...]:
    """Questions about training events, to learn weights on: no test target is a target or in a history here.

    Of each user, tested or not, the last `per_user` distinct training items with something before them, latest first,
    are the targets. What the user did later than such a target, in training, is neither history nor a negative. Users
    with fewer than two training items give none, nor does a target that lacks negatives.
    """
    found = []
    for user, items in dataset.sequences().items():
        touched = frozenset(items)
        first = {event.item: event.at for event in reversed(dataset.train[user])}
        for place in range(len(items) - 1, max(0, len(items) - 1 - per_user), -1):
            target = items[place]
            case = Case(user, items[max(0, place - HISTORY) : place], target, first[target])
            rng = generator(seed, user, "validation", str(len(items) - place))
            question = _question(case, negatives, touched, n, rng)
            found += [question] if question else []
    return tuple(found)


def generator(seed: int, user: str, *purpose: str) -> np.random.Generator:
    """Random numbers that depend on the seed, the user id and the purpose only."""
    name = "\0".join([str(seed), user, *purpose]).encode("utf-8", "surrogatepass")
    return np.random.default_rng(int.from_bytes(hashlib.blake2b(name, digest_size=16).digest(), "big"))


# --- protocols --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pool:
    """Items to draw from with equal chances: itself a protocol. `ids` (m,) are sorted, so that their order in the source
    means nothing; `places` is id -> index."""

    ids: NDArray[np.object_]
    places: Mapping[str, int]

    @classmethod
    def of(cls, items: Iterable[str]) -> Pool:
        ids = sorted(items)
        return cls(np.array(ids, dtype=object), {item: place for place, item in enumerate(ids)})

    def free(self, forbidden: Iterable[str]) -> NDArray[np.intp]:
        """The places of the items that are not forbidden."""
        return np.delete(np.arange(len(self.ids)), [self.places[item] for item in forbidden if item in self.places])

    def draw(self, places: NDArray[np.intp], k: int, rng: np.random.Generator) -> list[str]:
        drawn: list[str] = self.ids[rng.choice(places, min(k, len(places)), replace=False)].tolist()
        return drawn

    def __call__(self, _case: Case, forbidden: Set[str], k: int, rng: np.random.Generator) -> Sequence[str]:
        return self.draw(self.free(forbidden), k, rng)


class PopularityMatched:
    """Drawn from the free items of the target's stratum: the catalogue in order of popularity is cut into strata of `size`
    items once for all, ties in random order. Items nearest to the target would be a trap: it would stand in the middle of
    its own list, and a model of some power learns that (boosted trees: +7 points of ndcg@10 on ml-latest-small).

    Popularity is the number of *other* users with the item in training: a validation target must not stand out by its own
    event. Where a stratum has too few free items, both neighbours join it.
    """

    def __init__(self, dataset: Dataset, size: int, seed: int) -> None:
        self._pool = Pool.of(dataset.items)
        self._touched = {user: frozenset(items) for user, items in dataset.sequences().items()}
        self._counts = Counter(item for items in self._touched.values() for item in items)
        counts = np.array([self._counts[item] for item in self._pool.ids], dtype=np.intp)
        chance = generator(seed, "", "strata").random(len(counts))
        self._order = np.lexsort((chance, counts))
        self._sorted = counts[self._order]
        self._size = size

    def __call__(self, case: Case, forbidden: Set[str], k: int, rng: np.random.Generator) -> Sequence[str]:
        others = self._counts[case.target] - (case.target in self._touched.get(case.user, ()))
        first, end = np.searchsorted(self._sorted, others, "left"), np.searchsorted(self._sorted, others, "right")
        stratum = min(int(rng.integers(first, max(end, first + 1))), len(self._order) - 1) // self._size
        allowed = np.zeros(len(self._order), dtype=bool)
        allowed[self._pool.free(forbidden)] = True
        wide = 0
        while True:
            near = self._order[max(0, stratum - wide) * self._size : (stratum + wide + 1) * self._size]
            free = near[allowed[near]]
            if len(free) >= k or len(near) == len(self._order):
                return self._pool.draw(free, k, rng)
            wide += 1


@dataclass(frozen=True, slots=True)
class Listed:
    """The first of the user's line. What is missing, all of it where the user has no line, is drawn from `rest`, if that
    is given: the items that other lines name are of the same make."""

    lines: Mapping[str, Sequence[str]]
    rest: Pool | None = None

    def __call__(self, case: Case, forbidden: Set[str], k: int, rng: np.random.Generator) -> Sequence[str]:
        chosen = [item for item in self.lines.get(case.user, ()) if item not in forbidden][:k]
        if self.rest and len(chosen) < k:
            chosen += self.rest(case, forbidden | set(chosen), k - len(chosen), rng)
        return chosen


# --- questions --------------------------------------------------------------------------------------------------------


def _against(dataset: Dataset, negatives: Negatives, seed: int, n: int) -> Drawn:
    questions, problems = [], []
    for case in dataset.cases:
        question = _question(case, negatives, _touched(dataset, case), n, generator(seed, case.user))
        if question:
            questions.append(question)
        else:
            reason = f"user {shown(case.user)} has touched all but fewer than {n - 1} items: left out"
            problems.append(Refusal(dataset.name, 0, reason))
    return Drawn(tuple(questions), tuple(problems), negatives)


def _touched(dataset: Dataset, case: Case) -> frozenset[str]:
    trained = (event.item for event in dataset.train.get(case.user, ()) if event.item is not None)
    return frozenset([case.target, *trained])


def _question(
    case: Case, negatives: Negatives, forbidden: Set[str], n: int, rng: np.random.Generator
) -> Question | None:
    """The target among n - 1 negatives, shuffled; None where there are fewer. `forbidden` holds the target."""
    drawn = negatives(case, forbidden, n - 1, rng)
    return _shuffled(case, drawn, rng) if len(drawn) == n - 1 else None


def _shuffled(case: Case, negatives: Iterable[str], rng: np.random.Generator) -> Question:
    return Question(case, tuple(rng.permutation(np.array([case.target, *negatives], dtype=object)).tolist()))


# --- a candidate file -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Line:
    """The distinct items of the catalogue that a line names, in its order."""

    number: int
    items: tuple[str, ...]


def _read_lines(path: Path, dataset: Dataset) -> tuple[dict[str, _Line], list[Refusal]]:
    """User -> line, and everything odd in the file that does not depend on a target."""
    users = dataset.train.keys() | {case.user for case in dataset.cases}
    found: dict[str, _Line] = {}
    problems = []
    with open_binary(path) as handle:
        lines = Lines(handle)
        for text in lines:
            user, tab, rest = text.partition("\t")
            user, items = user.strip(), Counter(rest.split())
            reasons = [str(fault)] if (fault := lines.fault(text)) else _unusable(user, tab, users, found)
            if not text.strip():
                continue
            if not reasons:
                reasons = [*_oddities(items, dataset)]
                found[user] = _Line(lines.number, tuple(item for item in items if item in dataset.items))
            problems += [Refusal(path.name, lines.number, reason) for reason in reasons]
    return found, problems


def _unusable(user: str, tab: str, users: Set[str], found: Mapping[str, _Line]) -> list[str]:
    """Why a line is no use; nothing where it is."""
    if not tab:
        return ["no tab: a line is user<TAB>item item item ..."]
    if user not in users:
        return [f"user {shown(user)} is not in the dataset"]
    return [f"user {shown(user)} is there again: line {found[user].number} is kept"] if user in found else []


def _oddities(items: Mapping[str, int], dataset: Dataset) -> Iterator[str]:
    """What is odd about a line, whatever the target: item -> how often it is there."""
    for item, count in items.items():
        if item not in dataset.items:
            yield f"item {shown(item)} is not in the catalogue"
        elif count > 1:
            yield f"item {shown(item)} is there {count} times: the first is kept"


def _case_oddities(line: _Line, case: Case, touched: Set[str], question: Question | None, n: int) -> Iterator[str]:
    if case.target in line.items:
        yield f"item {shown(case.target)} is the target of the user: not a negative"
    if question is None:
        usable = len(line.items) - (case.target in line.items)
        yield f"{usable} usable candidates for user {shown(case.user)}, {n - 1} are needed: left out"
        return
    for item in line.items:
        if item in question.candidates and item in touched and item != case.target:
            yield f"item {shown(item)} is in the history of the user: kept"
