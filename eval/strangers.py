"""Cold start: what a ranking is worth to somebody of whom only a description, or only a few events, are known.

    document = to_json(await run(material, baselines, embedder, llm, weights, folder))

Strangers, after arXiv 2512.13001: the last three items of a user among 47 that they never touched. What is known is a
description by a fixed template, made from what they liked earliest. Their events from the first of the three on are cut
out of everything, so that no count holds them. And the curve: the usual questions (the target among 19 uniform negatives),
where a system sees the last n items of the history only.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.llm import LLM
from agent.plain import enumerate_words
from eval import metrics, runner
from eval.candidates import Pool, generator, uniform
from eval.cases import Case, Dataset, Question, System, distinct
from eval.material import Material
from eval.stats import bootstrap_ci
from eval.stranger_ranks import answers
from retrieval.embed import Embedder
from retrieval.features import features
from retrieval.fusion import FusionWeights
from retrieval.readers import ReadError
from retrieval.records import Event, Item, Polarity
from retrieval.segments import polarities

K = 10
POSITIVES = 3
CANDIDATES = 50
EVENTS = (0, 1, 2, 3, 5, 10, 20)
OTHERS = frozenset({"pop", "stranger"})  # systems that see what other people chose

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Template:
    """How a description is made of the `items` earliest items that were liked: their most frequent `categories` (tags are
    among them; ties go to the earlier item) and the first `titles`. Titles are without sentence marks and brackets."""

    version: int = 1
    sentences: tuple[str, ...] = ("I like {categories}.", "I enjoyed {titles}.")
    items: int = 5
    categories: int = 3
    titles: int = 2

    def fill(self, items: Sequence[Item]) -> str:
        """The description; a sentence that would say nothing is left out."""
        counts = Counter(feature for item in items for feature in features(item))
        titles = [title for item in items if (title := _UNSAID.sub("", item.title).strip())]
        words = {
            "categories": enumerate_words([feature for feature, _ in counts.most_common(self.categories)]),
            "titles": enumerate_words(titles[: self.titles]),
        }
        return " ".join(said for sentence in self.sentences if not (said := sentence.format(**words)).endswith(" ."))


TEMPLATE = Template()
_UNSAID = re.compile(r"\s*\([^)]*\)|[.!?;…。！？；]")


@dataclass(frozen=True, slots=True)
class Stranger:
    """A user of whom the `description` is known; `positives` came next. `kept` is what they did before."""

    user: str
    at: datetime
    description: str
    candidates: tuple[str, ...]
    positives: frozenset[str]
    kept: tuple[Event, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Figures:
    """In percent, over the `users` that got an answer; `ci95` is of ndcg@10. `others`: it uses other people's data."""

    recall_at_10: float
    ndcg_at_10: float
    ci95: tuple[float, float]
    users: int
    others: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """ndcg@10 in percent where at most `events` items of the history are seen; "all" are those of eval.cases.HISTORY."""

    events: int | str
    ndcg_at_10: float
    ci95: tuple[float, float]
    users: int


@dataclass(frozen=True, slots=True)
class ColdStart:
    """`users` are the strangers; the points of the curve have their own."""

    dataset: str
    digest: str
    seed: int
    users: int
    systems: Mapping[str, Figures]
    curve: Mapping[str, tuple[Point, ...]]
    template: Template
    kind: str = "coldstart"


async def run(
    material: Material,
    systems: Sequence[System],
    embedder: Embedder,
    llm: LLM,
    weights: FusionWeights,
    folder: Path,
    *,
    sample: int = 500,
    seed: int = 0,
    progress: runner.Progress | None = None,
) -> ColdStart:
    """The document: at most `sample` strangers, and the curve of `systems`, whose answers are kept in `folder`.

    `material` has the vectors that `embedder` makes. The LLM only judges clauses without a verb; where it is away, the
    users who need it are missing from the row, and the row says so. Raises ReadError when nobody can be a stranger.
    """
    dataset = material.dataset
    chosen = strangers(dataset, seed, sample)
    if not chosen:
        least = TEMPLATE.items + POSITIVES
        raise ReadError(
            f"{dataset.name}: nobody to be a stranger", hint=f"it takes {least} items, {TEMPLATE.items} liked"
        )
    known = Material(without_future(dataset, chosen), material.vectors)
    ranked = await answers(known, chosen, embedder, llm, weights, seed)
    questions = uniform(dataset, seed).questions
    points = await curve(systems, questions, folder, data=dataset.digest, seed=seed, progress=progress)
    rows = {name: figures(chosen, scores, name in OTHERS, seed) for name, scores in ranked.items()}
    return ColdStart(dataset.name, dataset.digest, seed, len(chosen), rows, points, TEMPLATE)


# --- who is asked -----------------------------------------------------------------------------------------------------


def strangers(dataset: Dataset, seed: int, sample: int) -> tuple[Stranger, ...]:
    """At most `sample` random tested users who liked enough before their last three items to be described."""
    pool = Pool.of(dataset.items)
    found: list[Stranger] = []
    for place in np.random.default_rng(seed).permutation(len(dataset.cases)).tolist():
        stranger = _stranger(dataset, dataset.cases[place], pool, seed) if len(found) < sample else None
        found += [stranger] if stranger else []
    return tuple(sorted(found, key=lambda stranger: stranger.user))


def without_future(dataset: Dataset, chosen: Sequence[Stranger]) -> Dataset:
    """The dataset as it is before any of the positives, with no test case: what may be counted."""
    return replace(dataset, train={**dataset.train, **{s.user: s.kept for s in chosen}}, cases=())


def _stranger(dataset: Dataset, case: Case, pool: Pool, seed: int) -> Stranger | None:
    events = dataset.train.get(case.user, ())
    touched = (*distinct(event.item for event in events), case.target)
    positives = frozenset(touched[-POSITIVES:])
    first = next((place for place, event in enumerate(events) if event.item in positives), len(events))
    kept = events[:first]
    liked = distinct(e.item for e, says in zip(kept, polarities(kept), strict=True) if says is Polarity.LIKE)
    description = TEMPLATE.fill([dataset.items[item] for item in liked[: TEMPLATE.items]])
    rng = generator(seed, case.user, "stranger")
    candidates = [*sorted(positives), *pool.draw(pool.free(touched), CANDIDATES - POSITIVES, rng)]
    if len(touched) < POSITIVES or len(liked) < TEMPLATE.items or not description or len(candidates) < CANDIDATES:
        return None
    shown = tuple(rng.permutation(np.array(candidates, dtype=object)).tolist())
    return Stranger(case.user, events[first].at, description, shown, positives, kept)


# --- figures ---------------------------------------------------------------------------------------------------------


def figures(chosen: Sequence[Stranger], scores: Sequence[Floats | None], others: bool, seed: int) -> Figures:
    """The row of one system."""
    given = [(s, found) for s, found in zip(chosen, scores, strict=True) if found is not None]
    ranked = [(s.positives, metrics.order(s.candidates, found.tolist())) for s, found in given]
    missing = len(chosen) - len(ranked)
    note = f"{missing} descriptions need the LLM, which was away: not ranked" if missing else ""
    recall, _ = _mean([100 * metrics.recall(items, positives, K) for positives, items in ranked], seed)
    ndcg, interval = _mean([100 * metrics.ndcg(items, positives, K) for positives, items in ranked], seed)
    return Figures(recall, ndcg, interval, len(ranked), others, note)


def _mean(values: Sequence[float], seed: int) -> tuple[float, tuple[float, float]]:
    """With its bootstrap interval; NaN of nothing."""
    return (float(np.mean(values)), bootstrap_ci(values, seed)) if values else (np.nan, (np.nan, np.nan))


# --- how it grows with what is seen -----------------------------------------------------------------------------------


async def curve(
    systems: Sequence[System],
    questions: Sequence[Question],
    folder: Path,
    *,
    data: str,
    seed: int,
    progress: runner.Progress | None = None,
) -> dict[str, tuple[Point, ...]]:
    """The points of each system, all over the same users: whose history is shorter than n is ranked by all of it.

    Counts hold the events of everybody's training, the user's own too. Raises as eval.runner.run.
    """
    seen: dict[int | str, Sequence[Question]] = {n: [shortened(question, n) for question in questions] for n in EVENTS}
    seen["all"] = questions
    keyed = {runner.question_key(question): question for asked in seen.values() for question in asked}
    rows = await runner.run(systems, tuple(keyed.values()), folder, data=data, progress=progress)
    points = {}
    for name, given in rows.items():
        ndcg = {row.question: _ndcg(keyed[row.question], row) for row in given if row.error is None}
        known = {n: [ndcg[key] for q in asked if (key := runner.question_key(q)) in ndcg] for n, asked in seen.items()}
        points[name] = tuple(Point(n, *_mean(values, seed), len(values)) for n, values in known.items())
    return points


def shortened(question: Question, events: int) -> Question:
    """The question with the last `events` items of its history."""
    history = question.case.history[-events:] if events else ()
    return replace(question, case=replace(question.case, history=history))


def _ndcg(question: Question, row: runner.Row) -> float:
    return 100 * metrics.ndcg(metrics.order(question.candidates, row.scores), {question.case.target}, K)
