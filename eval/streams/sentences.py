"""Streams of sentences like those that themes are made of ("Likes rye bread with caraway."), on twelve topics of our own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product
from pathlib import Path

import yaml

from eval.streams.lives import Words

SAID = ("Likes", "Enjoys", "Often looks for", "Keeps coming back to", "Is drawn to", "Wants more of")
SHIFTS = (0, 4, 9)  # how the phrases of two topics are paired


@cache
def words() -> Words:
    """The words of sentences.yaml, each phrase in all forms."""
    told = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    phrases: dict[str, list[str]] = told["topics"]
    return Words(
        {topic: said(own) for topic, own in phrases.items()},
        tuple(tuple(pair) for pair in told["pairs"]),
        lambda a, b: said_together(phrases[a], phrases[b]),
        tuple(f"{SAID[n % len(SAID)]} {phrase}." for n, phrase in enumerate(told["noise"])),
    )


def said(phrases: Sequence[str]) -> tuple[str, ...]:
    """Every phrase as a sentence in every form."""
    return tuple(f"{verb} {phrase}." for phrase, verb in product(phrases, SAID))


def said_together(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    """Sentences with a phrase of each, in either order."""
    found = []
    for n, phrase in enumerate(first):
        for shift in SHIFTS:
            pair = [phrase, second[(n * len(second) // len(first) + shift) % len(second)]]
            found.append(f"{SAID[(n + shift) % len(SAID)]} {' and '.join(pair[:: 1 if shift % 2 else -1])}.")
    return tuple(found)
