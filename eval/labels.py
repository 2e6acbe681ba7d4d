"""How far to trust the judge: its agreement with claims that a person labelled (eval/data, read its README).

found = agreement(read(), embedder)   # Cohen's kappa with an interval, over retrieval/sample
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

from eval.claims import Judge
from eval.dataset import load
from eval.facts import facts
from retrieval.embed import Embedder
from retrieval.records import Polarity

HERE = Path(__file__).parent
LABELS = HERE / "data" / "claims.jsonl"
SAMPLE = HERE.parent / "retrieval" / "sample"
AS_OF = datetime(2026, 11, 1, tzinfo=UTC)  # the day after the last event of the sample
RESAMPLES = 2000

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Label:
    """A claim with what the annotator said of it: None is unclear. `events`: what the statement cites, None for a system that
    cites nothing. `tuned`: its verdict was seen while the judge was made."""

    user: str
    system: str
    statement: str
    claim: str
    polarity: Polarity
    events: frozenset[str] | None
    label: bool | None
    tuned: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """Cohen's kappa between judge and annotator over the `claims` with a clear label, and over those that were not used to
    make the judge (`unseen`). `accuracy` is the share on which they agree."""

    claims: int
    unclear: int
    kappa: float
    kappa_ci95: tuple[float, float]
    accuracy: float
    unseen: int
    kappa_unseen: float
    kappa_unseen_ci95: tuple[float, float]


def read(path: Path = LABELS) -> list[Label]:
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [
        Label(
            row["user"],
            row["system"],
            row["statement"],
            row["claim"],
            Polarity(row["polarity"]),
            None if row["events"] is None else frozenset(row["events"]),
            None if row["label"] == "unclear" else row["label"],
            row["tuned"],
        )
        for row in rows
    ]


def verdicts(labels: Sequence[Label], embedder: Embedder | None) -> list[bool]:
    """What the judge says of each claim; without an embedder, by stems alone."""
    dataset = load(SAMPLE, now=AS_OF)
    judge = Judge(dataset.items.values(), embedder)
    known = {user: facts(events, dataset.items) for user, events in dataset.train.items()}
    found = []
    for label in labels:
        whole = known[label.user]
        evidence = [f for f in whole if label.events is None or not f.events.isdisjoint(label.events)]
        claims = judge.cut(label.claim, label.polarity)
        found.append(all(judge.supported(claim, evidence, whole) for claim in claims))
    return found


def agreement(labels: Sequence[Label], embedder: Embedder | None, seed: int = 0) -> Agreement:
    """Over `labels` with at least one clear one that is not `tuned`."""
    said = verdicts(labels, embedder)
    clear = [row for row, label in enumerate(labels) if label.label is not None]
    mine = np.array([said[row] for row in clear])
    theirs = np.array([labels[row].label is True for row in clear])
    fresh = np.array([not labels[row].tuned for row in clear])
    return Agreement(
        claims=len(clear),
        unclear=len(labels) - len(clear),
        kappa=float(cohen_kappa_score(mine, theirs)),
        kappa_ci95=_interval(mine, theirs, seed),
        accuracy=float((mine == theirs).mean()),
        unseen=int(fresh.sum()),
        kappa_unseen=float(cohen_kappa_score(mine[fresh], theirs[fresh])),
        kappa_unseen_ci95=_interval(mine[fresh], theirs[fresh], seed),
    )


def _interval(mine: Bools, theirs: Bools, seed: int) -> tuple[float, float]:
    """95 % percentile bootstrap over claims."""
    drawn = np.random.default_rng(seed).integers(len(mine), size=(RESAMPLES, len(mine)))
    a, b = mine[drawn], theirs[drawn]
    agree = (a == b).mean(axis=1)
    p, q = a.mean(axis=1), b.mean(axis=1)
    chance = p * q + (1 - p) * (1 - q)
    kappas = np.divide(agree - chance, 1 - chance, out=np.ones_like(agree), where=chance < 1)
    low, high = np.quantile(kappas, [0.025, 0.975])
    return float(low), float(high)
