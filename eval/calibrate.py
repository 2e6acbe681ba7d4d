"""Figures from which the levels of the gate are chosen (agent/gate.py, retrieval/significance.py); it changes nothing.

    python -m eval.calibrate chance            # share of junk histories that yield a statement, and planted interests kept
    python -m eval.calibrate support DATABASE  # how well each signal tells sound statements from unsound ones; asks the LLM

Both read the sample data. `chance` asks no LLM; junk is drawn at random and by popularity. `support` takes the statements that
the LLM wrote (DATABASE: URL of a store that `leitmotif demo` filled): each with its own evidence (true), with evidence of
another interest (false), and with a tag of elsewhere added or put in the place of one of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent import gate
from agent.config import LLMSettings, ProfileSettings
from agent.evidence import Evidence, evidence_of, weighed
from agent.gate import AGREEMENT, LIFT, Judge
from agent.llm import LLM
from agent.profiler import worth_writing
from agent.weights import embedder_folder
from prompts import library
from retrieval import population
from retrieval.embed import CachedEmbedder, SentenceTransformerEmbedder, unit
from retrieval.features import catalogue_stats, features
from retrieval.readers import read
from retrieval.records import Event, EventKind, Origin, Segment, Statement
from retrieval.segments import SegmentRules, segment
from retrieval.store import Store
from retrieval.themes import centroid
from retrieval.topics import Topics

SAMPLE = Path(__file__).parents[1] / "retrieval" / "sample"
START = datetime(2026, 1, 1, tzinfo=UTC)
SIZES = (3, 5, 8, 12, 20, 40)  # items of a junk history
LEVELS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
KEPT = 0.985  # of the true pairs

Floats = NDArray[np.float64]


class Bench:
    """A store's catalogue with what the gate needs of it."""

    def __init__(self, store: Store) -> None:
        embedder = SentenceTransformerEmbedder(embedder_folder("embedded"))
        self.store = store
        self.items = store.items()
        self.stats = catalogue_stats(self.items.values())
        self.topics = Topics(store, embedder)
        self._embedder = CachedEmbedder(embedder, store, "")
        people = population.count(self.items.values(), store.sequences().values())
        self.choices = people.choices
        self._crowd = gate.crowd(list(self.items.values()), self.stats, people, self.topics.of_items)

    def meaning(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return unit(self._embedder.embed(texts) - self.topics.mean())

    def judge(self, events: Sequence[Event]) -> Judge:
        vectors = self.topics.of_events("", events, self.items)
        return Judge(tuple(events), self.items, vectors, self._crowd, self.stats, self.meaning)

    def segments(self, judge: Judge) -> list[Segment]:
        s = ProfileSettings()
        rules = SegmentRules(s.segment_similarity, s.segment_max, timedelta(days=s.segment_gap_days))
        return worth_writing(segment(judge.events, judge.vectors, rules), s.segment_min)


# What chance brings ----------------------------------------------------------------------------------------------------


def chance(bench: Bench, runs: int, seed: int) -> Iterator[dict[str, Any]]:
    """A row for each pair of levels, the likeness test off (0) or as it is set."""
    junk = {
        (kind, size): [_cut(bench, _junk(bench, kind, size, f"{seed}/{run}")) for run in range(runs)]
        for kind in ("uniform", "popular")
        for size in SIZES
    }
    planted = json.loads((SAMPLE / "planted.json").read_text(encoding="utf-8"))["users"]
    people = {user: _cut(bench, bench.store.events(user)) for user in sorted(planted)}
    for likeness in (0.0, 0.05, 0.1, 0.2):
        for level in LEVELS:
            told = partial(_told, level=level, likeness=likeness)
            kept = {user: told(*cut) for user, cut in people.items()}
            missed = [i["id"] for u, about in planted.items() for i in about["interests"] if not _covers(kept[u], i)]
            total = sum(len(about["interests"]) for about in planted.values())
            rates = {
                f"{kind} {size}": round(sum(bool(told(*cut)) for cut in cuts) / runs, 3)
                for (kind, size), cuts in junk.items()
            }
            yield {
                "level": level,
                "likeness_level": likeness,
                "coverage": round(1 - len(missed) / total, 3),
                "statements": sum(map(len, kept.values())),
                "segments": sum(len(segments) for _, segments in people.values()),
                "junk": rates,
                "junk_mean": round(sum(rates.values()) / len(rates), 3),
                "missed": missed,
            }


def _cut(bench: Bench, events: Sequence[Event]) -> tuple[Judge, list[Segment]]:
    judge = bench.judge(events)
    return judge, bench.segments(judge)


def _told(judge: Judge, segments: Sequence[Segment], level: float, likeness: float) -> list[Segment]:
    strict = replace(judge, level=level, likeness_level=likeness)
    return [group for group in segments if not weighed(group, strict)[1]]


def _junk(bench: Bench, kind: str, size: int, seed: str) -> list[Event]:
    """Likes of `size` items that have nothing to do with each other, spread over ten months."""
    dice = np.random.default_rng(list(f"{kind}/{size}/{seed}".encode()))
    ids = sorted(bench.items)
    weights = np.array([bench.choices.get(i, 0) if kind == "popular" else 1 for i in ids], dtype=np.float64)
    picked = dice.choice(len(ids), size, replace=False, p=weights / weights.sum())
    days = np.sort(dice.uniform(0, 300, size)).tolist()
    return [
        Event(f"junk-{n}", "junk", EventKind.LIKE, START + timedelta(days=day), ids[place])
        for n, (day, place) in enumerate(zip(days, picked.tolist(), strict=True))
    ]


def _covers(told: Sequence[Segment], interest: dict[str, Any]) -> bool:
    """Is something said from items of which at least half belong to the interest?"""
    touched = [{e.item for e in s.events if e.item} for s in told if s.polarity.value == interest["polarity"]]
    return any(items and 2 * len(items & set(interest["items"])) >= len(items) for items in touched)


# What the evidence speaks for ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pair:
    kind: str
    text: str
    notes: str
    about: NDArray[np.float32]


def pairs(bench: Bench, seed: int) -> list[Pair]:
    """True pairs and three kinds of unsound ones, from the statements that the LLM wrote."""
    dice = random.Random(seed)  # noqa: S311  dice, not secrets
    found = [_shown(bench, s) for u in bench.store.users() for s in bench.store.statements(u, include_superseded=True)]
    known = [row for row in found if row is not None]
    rows = [row for n, row in enumerate(known) if row[0] not in [text for text, *_ in known[:n]]]
    tags = sorted(bench.stats.counts)
    made = []
    for text, evidence, about in rows:
        own = {f for item in evidence.items for f in features(item)}
        foreign = [t for t in tags if t not in own]
        made += [Pair("true", text, evidence.notes, about)]
        made += [Pair("added", f"{text} with {dice.choice(foreign)}", evidence.notes, about)]
        others = [row for row in rows if not own & {f for item in row[1].items for f in features(item)}]
        if others:
            _, other, elsewhere = dice.choice(others)
            made.append(Pair("false", text, other.notes, elsewhere))
        if said := [f for f in evidence.features if f in text]:
            swapped = text.replace(dice.choice(said), dice.choice(foreign))
            made.append(Pair("swapped", swapped, evidence.notes, about))
    return made


def _shown(bench: Bench, statement: Statement) -> tuple[str, Evidence, NDArray[np.float32]] | None:
    if statement.origin is not Origin.MODEL:
        return None
    events = bench.store.events_by_id(statement.user, statement.evidence).values()
    evidence = evidence_of(sorted(events, key=lambda e: (e.at, e.id)), bench.items, bench.stats)
    return statement.text, evidence, centroid(bench.topics.of_items(evidence.items))


async def lifts(llm: LLM, found: Sequence[Pair]) -> Floats:
    """(n,) log P(phrase | notes) - log P(phrase | nothing known), nats a token."""
    phrases = [f" {pair.text.partition(' ')[2]}" for pair in found]
    noted, neutral = library.load("noted_statement"), library.load("neutral_statement")
    known = [(noted.text(notes=pair.notes), phrase) for pair, phrase in zip(found, phrases, strict=True)]
    with_it = await llm.likelihood(known, ref=noted.ref)
    without = await llm.likelihood([(neutral.text(), phrase) for phrase in phrases], ref=neutral.ref)
    await llm.close()
    return np.asarray(with_it, dtype=np.float64) - np.asarray(without, dtype=np.float64)


def support(bench: Bench, llm: LLM, seed: int) -> dict[str, Any]:
    found = pairs(bench, seed)
    said = bench.meaning([pair.text for pair in found])
    agreement = np.einsum("nd,nd->n", said, np.stack([pair.about for pair in found])).astype(np.float64)
    lift = asyncio.run(lifts(llm, found))
    both = sum((x - mean) / spread for x, (mean, spread) in ((agreement, AGREEMENT), (lift, LIFT)))
    kinds = np.array([pair.kind for pair in found])
    signals = {"agreement": agreement, "lift": lift, "both": np.asarray(both)}
    return {"pairs": len(found), **{name: _quality(scores, kinds) for name, scores in signals.items()}}


def _quality(scores: Floats, kinds: NDArray[np.str_]) -> dict[str, Any]:
    """Mean and spread of true pairs, the level that keeps KEPT of them, and how well it does on each other kind."""
    true = scores[kinds == "true"]
    level = float(np.quantile(true, 1 - KEPT))
    report: dict[str, Any] = {
        "mean": round(float(true.mean()), 3),
        "spread": round(float(true.std()), 3),
        "level": level,
    }
    for kind in ("false", "added", "swapped"):
        other = scores[kinds == kind]
        report[kind] = {"auc": round(auc(true, other), 3), "refused": round(float((other < level).mean()), 3)}
    return report


def auc(true: Floats, other: Floats) -> float:
    """P(a true one scores higher than another one), ties count half: the area under the ROC curve."""
    return float((true[:, None] > other).mean() + 0.5 * (true[:, None] == other).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["chance", "support"])
    parser.add_argument("database", nargs="?", help="SQLAlchemy URL; for support")
    parser.add_argument("--base-url", default=LLMSettings().base_url)
    parser.add_argument("--runs", type=int, default=60, help="junk histories of each kind and size")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Store(given.database or f"sqlite:///{folder}/sample.db") as store:
        store.ingest(read(SAMPLE, now=datetime.now(UTC)))
        bench = Bench(store)
        if given.what == "support":
            print(json.dumps(support(bench, LLM(LLMSettings(base_url=given.base_url)), given.seed), indent=1))
        for row in chance(bench, given.runs, given.seed) if given.what == "chance" else ():
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
