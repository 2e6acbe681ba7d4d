"""Streams whose meanings are known: what is lost to the rules, and not to an embedding.

A topic is an axis, and each point has an axis of its own beside it. Two points of one topic have a cosine of ALIKE, any others
0; a point about two topics lies half-way between these.
"""

from __future__ import annotations

import numpy as np

from eval.streams import planted
from eval.streams.lives import live
from eval.streams.streams import Stream
from retrieval.embed import unit
from retrieval.evolution import Point

ALIKE = 0.6


def stream(seed: int) -> Stream:
    """The plan of the planted stream with this seed, without words."""
    words = planted.words()
    plan = live(list(words.topics), words.pairs, seed)
    axes = {topic: n for n, topic in enumerate(words.topics)}
    about = np.zeros((len(plan.acts), len(axes)), dtype=np.float32)
    for row, act in zip(about, plan.acts, strict=True):
        row[[axes[topic] for topic in act.topics]] = 1.0
    told = about.any(axis=1, keepdims=True)
    shared = np.sqrt(np.where(told, ALIKE, 0.0)) * unit(about)
    own = np.diagflat(np.sqrt(np.where(told, 1 - ALIKE, 1.0)))
    return Stream(
        f"ideal-{seed}",
        tuple(Point(f"p{n:04d}", act.at) for n, act in enumerate(plan.acts)),
        np.concatenate([shared, own], axis=1).astype(np.float32),
        tuple(act.theme for act in plan.acts),
        plan.changes,
    )
