"""From rows to the published figures: pure functions of questions and rows, so a report can be made again without asking.

    asked = prepare(dataset, questions, vectors)
    measured = {name: measure(asked, rows[name], seed=0) for name in rows}
    document = to_json(report(asked, measured, protocol="uniform", seed=0, date=now, reference="full"))

A question whose row has an error is in no mean: it is counted under `errors`, and pairs use only what both answered.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval import metrics, stats
from eval.beyond import coverage, distribution, diversity, miscalibration, novelty, serendipity
from eval.cases import HISTORY, Dataset, Question
from eval.runner import Row, question_key
from retrieval.features import features
from retrieval.records import Item, Refusal

K = 10  # length of the list that the figures beyond accuracy look at
LENGTHS = ((0, 0), (1, 4), (5, 9), (10, 19), (20, HISTORY - 1), (HISTORY, HISTORY))
QUARTILES = ("tail", "low", "high", "head")

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Asked:
    """The questions, and what training data says about them before anybody answers.

    `counts`: distinct training users of an item. `groups`: what it is about. For each question, `expected` is the top K
    by popularity and `tastes` how its history spreads over the groups. `vectors`: unit rows (items, d), by `places`.
    """

    dataset: Dataset
    questions: tuple[Question, ...]
    keys: tuple[str, ...]
    counts: Mapping[str, int]
    groups: Mapping[str, Sequence[str]]
    expected: tuple[Sequence[str], ...]
    tastes: tuple[Mapping[str, float], ...]
    places: Mapping[str, int]
    vectors: NDArray[np.floating] | None


@dataclass(frozen=True, slots=True)
class Figures:
    """One system, of which `users` got an answer: the means are over those. NaN: not defined here.

    In percent: ndcg, hit, recall, precision, map, mrr (over the whole list), coverage and serendipity; diversity is
    1 - cosine, novelty in bits, calibration in nats (0 is best). `ci95` is the bootstrap interval of ndcg@10. `invalid`,
    `llm_calls` and `llm_tokens` are sums; `seconds_per_user` is wall time over all users asked, errors too.
    """

    users: int
    errors: int
    first_error: str | None
    ndcg_at_1: float
    ndcg_at_5: float
    ndcg_at_10: float
    ndcg_at_20: float
    hit_at_10: float
    recall_at_10: float
    precision_at_10: float
    map_at_10: float
    mrr: float
    ci95: tuple[float, float]
    coverage_at_10: float
    diversity_at_10: float
    novelty_at_10: float
    serendipity_at_10: float
    calibration_at_10: float
    invalid: int
    llm_calls: int
    llm_tokens: int
    seconds_per_user: float


@dataclass(frozen=True, slots=True)
class Measured:
    """A system's figures, and its ndcg@10 of each question in percent, shape (questions,), NaN where it has no answer."""

    figures: Figures
    ndcg: Floats


@dataclass(frozen=True, slots=True)
class Pair:
    """ndcg@10 of `a` minus that of `b` in percent points, over the `users` of both; `p_holm` allows for all the pairs."""

    a: str
    b: str
    difference: float
    ci95: tuple[float, float]
    p: float
    p_holm: float
    users: int


@dataclass(frozen=True, slots=True)
class Share:
    users: int
    ndcg_at_10: float


@dataclass(frozen=True, slots=True)
class Slice:
    """Part of the questions: those with `low` to `high` items in the history, or training users of the target."""

    by: str
    name: str
    low: int
    high: int
    systems: Mapping[str, Share]


@dataclass(frozen=True, slots=True)
class Report:
    """`users` were asked; a system that was stopped or had errors answered fewer. `date` is in ISO 8601."""

    dataset: str
    digest: str
    protocol: str
    seed: int
    date: str
    users: int
    systems: Mapping[str, Figures]
    pairs: tuple[Pair, ...]
    slices: tuple[Slice, ...]
    problems: tuple[Refusal, ...]


def prepare(
    dataset: Dataset,
    questions: Sequence[Question],
    vectors: NDArray[np.floating] | None = None,
    groups: Callable[[Item], Sequence[str]] = features,
) -> Asked:
    """`vectors`: a unit vector for each of `dataset.items`, in their order; without them there is no diversity.
    `groups`: the themes of an item, to which calibration is measured."""
    counts = Counter(item for sequence in dataset.sequences().values() for item in sequence)
    grouped = {item.id: groups(item) for item in dataset.items.values()}
    popular = (metrics.order(q.candidates, [counts[item] for item in q.candidates])[:K] for q in questions)
    tastes = (distribution(grouped.get(item, ()) for item in q.case.history) for q in questions)
    keys = tuple(map(question_key, questions))
    places = {item: place for place, item in enumerate(dataset.items)}
    return Asked(dataset, tuple(questions), keys, counts, grouped, tuple(popular), tuple(tastes), places, vectors)


def measure(asked: Asked, rows: Iterable[Row], seed: int) -> Measured:
    """The figures of one system from its rows. Rows of other questions are left alone."""
    found = {row.question: row for row in rows}
    given = [(n, found[key]) for n, key in enumerate(asked.keys) if key in found]
    answered = [(n, row) for n, row in given if row.error is None]
    errors = [row.error for _, row in given if row.error is not None]
    ranked = [metrics.order(asked.questions[n].candidates, row.scores) for n, row in answered]
    table = np.full((len(asked.keys), len(_COLUMNS)), math.nan)
    for (n, _), items in zip(answered, ranked, strict=True):
        table[n] = _one(asked, n, items)
    ndcg = table[:, _COLUMNS.index("ndcg_at_10")]
    figures = Figures(
        users=len(answered),
        errors=len(errors),
        first_error=errors[0] if errors else None,
        ci95=stats.bootstrap_ci(ndcg[np.isfinite(ndcg)], seed) if answered else (math.nan, math.nan),
        coverage_at_10=100 * coverage(ranked, asked.dataset.items.keys(), K),
        invalid=sum(row.invalid for _, row in answered),
        llm_calls=sum(row.llm_calls for _, row in answered),
        llm_tokens=sum(row.llm_tokens for _, row in answered),
        seconds_per_user=_mean(np.array([row.seconds for _, row in given])),
        **{name: _mean(column) for name, column in zip(_COLUMNS, table.T, strict=True)},
    )
    return Measured(figures, ndcg)


def report(
    asked: Asked,
    measured: Mapping[str, Measured],
    *,
    protocol: str,
    seed: int,
    date: datetime,
    reference: str,
    problems: Sequence[Refusal] = (),
) -> Report:
    """Everything that is published. `reference` is compared with each other system, when it is among them."""
    return Report(
        asked.dataset.name,
        asked.dataset.digest,
        protocol,
        seed,
        date.isoformat(),
        len({question.case.user for question in asked.questions}),
        {name: system.figures for name, system in measured.items()},
        _pairs(measured, reference, seed),
        tuple(_slices(asked, measured)),
        tuple(problems),
    )


def to_json(value: Any) -> Any:
    """Records as JSON objects: `ndcg_at_10` is written "ndcg@10", NaN null, and floats have 6 decimals."""
    if is_dataclass(value):
        return {f.name.replace("_at_", "@"): to_json(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {key: to_json(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [to_json(inner) for inner in value]
    if isinstance(value, float):
        return round(value, 6) + 0.0 if math.isfinite(value) else None  # + 0.0: no "-0.0"
    return value


_ACCURACY: tuple[tuple[str, Callable[[Sequence[str], set[str], int], float], int], ...] = (
    ("ndcg_at_1", metrics.ndcg, 1),
    ("ndcg_at_5", metrics.ndcg, 5),
    ("ndcg_at_10", metrics.ndcg, 10),
    ("ndcg_at_20", metrics.ndcg, 20),
    ("hit_at_10", metrics.hit, 10),
    ("recall_at_10", metrics.recall, 10),
    ("precision_at_10", metrics.precision, 10),
    ("map_at_10", metrics.average_precision, 10),
)
_BEYOND = ("diversity_at_10", "novelty_at_10", "serendipity_at_10", "calibration_at_10")
_COLUMNS = (*(name for name, _, _ in _ACCURACY), "mrr", *_BEYOND)


def _one(asked: Asked, n: int, ranked: Sequence[str]) -> tuple[float, ...]:
    """The figures of one question in the order of _COLUMNS."""
    case, shown = asked.questions[n].case, ranked[:K]
    listed = distribution(asked.groups.get(item, ()) for item in shown)
    return (
        *_accuracy(ranked.index(case.target)),
        math.nan if asked.vectors is None else diversity(asked.vectors[[asked.places[item] for item in shown]], K),
        novelty(shown, asked.counts, max(1, len(asked.dataset.train)), K),
        100 * serendipity(shown, {case.target}, asked.expected[n], K),
        miscalibration(asked.tastes[n], listed),
    )


@cache
def _accuracy(place: int) -> tuple[float, ...]:
    """In percent. With one relevant item they depend on its place (from 0) alone, and on nothing behind it."""
    ranked, relevant = [str(n) for n in range(place + 1)], {str(place)}
    at_k = (metric(ranked, relevant, k) for _, metric, k in _ACCURACY)
    return tuple(100 * figure for figure in (*at_k, metrics.mrr(ranked, relevant, place + 1)))


def _pairs(measured: Mapping[str, Measured], reference: str, seed: int) -> tuple[Pair, ...]:
    if reference not in measured:
        return ()
    first, found = measured[reference].ndcg, {}
    for name, other in measured.items():
        both = np.isfinite(first) & np.isfinite(other.ndcg)
        if name != reference and both.any():
            found[name] = stats.paired(first[both], other.ndcg[both], seed)
    adjusted = stats.holm([difference.p for difference in found.values()])
    return tuple(
        Pair(reference, name, d.mean, d.ci95, d.p, p_holm, d.users)
        for (name, d), p_holm in zip(found.items(), adjusted, strict=True)
    )


def _slices(asked: Asked, measured: Mapping[str, Measured]) -> Iterable[Slice]:
    """By length of the history, then by popularity of the target; those that nobody falls into are left out."""
    lengths = np.array([len(question.case.history) for question in asked.questions], dtype=int)
    popularity = np.array([asked.counts.get(question.case.target, 0) for question in asked.questions], dtype=int)
    history = [(f"{low}-{high}" if low < high else str(low), low, high) for low, high in LENGTHS]
    for by, values, bounds in (("history", lengths, history), ("popularity", popularity, _quartiles(popularity))):
        for name, low, high in bounds:
            inside = (values >= low) & (values <= high)
            if inside.any():
                parts = {system: result.ndcg[inside] for system, result in measured.items()}
                shares = {system: Share(int(np.isfinite(part).sum()), _mean(part)) for system, part in parts.items()}
                yield Slice(by, name, low, high, shares)


def _quartiles(popularity: NDArray[np.int_]) -> list[tuple[str, int, int]]:
    """(name, low, high): targets that nobody touched in training, and the quartiles of the others."""
    known = popularity[popularity > 0]
    ends = np.quantile(known, (0.25, 0.5, 0.75, 1.0), method="inverted_cdf") if len(known) else ()
    bounds = pairwise((0, *map(int, ends)))
    return [("unseen", 0, 0), *((name, below + 1, end) for name, (below, end) in zip(QUARTILES, bounds, strict=False))]


def _mean(values: Floats) -> float:
    """Over what is not NaN; NaN when nothing is."""
    known = np.isfinite(values)
    return float(values[known].mean()) if known.any() else math.nan
