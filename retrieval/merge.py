"""Statements that mean the same become one; a later contradiction takes the place of what it contradicts.

Pure functions on records and arrays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from retrieval.records import Polarity, Source, Statement

Vectors = NDArray[np.float32]


def statement_id(user: str, polarity: Polarity, text: str, evidence: Sequence[str]) -> str:
    """A stable id: the same sentence from the same events has the same id on any day."""
    parts = "\0".join([user, polarity.value, text, *sorted(evidence)])
    return "s-" + hashlib.sha256(parts.encode()).hexdigest()[:12]


def confidence(items: float) -> float:
    """How sure evidence of so many distinct items makes us, in [0, 1): Laplace's rule with a prior of two failures. Echoes
    count for less than one (retrieval/echo.py)."""
    return items / (items + 2)


def fold(statements: Sequence[Statement], vectors: Vectors, similarity: float) -> list[Statement]:
    """Join statements of one polarity whose texts have a cosine of `similarity` or more: one sentence, all the evidence.

    `vectors` (n, dim) unit rows, one a statement. The sentence that most evidence stands behind is kept; what the user said
    is never folded into what was inferred. Order: first evidence first.
    """
    order = sorted(range(len(statements)), key=lambda i: (-len(statements[i].evidence), statements[i].id))
    groups: list[list[int]] = []
    for i in order:
        home = next((g for g in groups if _same(statements, vectors, g[0], i, similarity)), None)
        if home is None:
            groups.append([i])
        else:
            home.append(i)
    folded = [_join([statements[i] for i in group]) for group in groups]
    return sorted(folded, key=lambda s: (s.first_at, s.id))


def _same(statements: Sequence[Statement], vectors: Vectors, a: int, b: int, similarity: float) -> bool:
    one, other = statements[a], statements[b]
    return (
        one.polarity is other.polarity
        and one.source is Source.INFERRED
        and other.source is Source.INFERRED
        and float(vectors[a] @ vectors[b]) >= similarity
    )


def _join(group: Sequence[Statement]) -> Statement:
    head = group[0]
    if len(group) == 1:
        return head
    evidence = tuple(dict.fromkeys(e for s in group for e in s.evidence))
    return replace(
        head,
        id=statement_id(head.user, head.polarity, head.text, evidence),
        evidence=evidence,
        first_at=min(s.first_at for s in group),
        last_at=max(s.last_at for s in group),
        confidence=1 - float(np.prod([1 - s.confidence for s in group])),
        segment="",
    )


def contradicted(
    statements: Sequence[Statement], topics: Vectors, middles: Sequence[datetime], similarity: float
) -> dict[str, str]:
    """Which statement ids later ones contradict: {old id: new id}.

    `topics` (n, dim): unit mean of the evidence's vectors, so that likes and dislikes are compared by what they are about.
    `middles`: the median time of each statement's evidence. Most of the newer must come after the older ended (tastes turn
    slowly, so the first doubts may come before), and rest on two events at least: one bad film is not a change of taste.
    The user's own words are never overruled by inference.
    """
    found: dict[str, str] = {}
    for i, old in enumerate(statements):
        for j, new in enumerate(statements):
            if (
                old.polarity is not new.polarity
                and middles[j] > old.last_at
                and len(new.evidence) >= 2
                and (old.source is Source.INFERRED or new.source is not Source.INFERRED)
                and float(topics[i] @ topics[j]) >= similarity
            ):
                found[old.id] = new.id
    return found
