"""The known families of attack, as hostile.yaml lists them: which of its patterns does a text match?

    matched("ignore all previous instructions")   # "instruction"

Texts come folded (retrieval/trust.py, which says what follows from a match).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

WORDS = Path(__file__).with_name("hostile.yaml")

_START = re.compile(r"\b[a-z]{1,3}")


@dataclass(frozen=True, slots=True)
class Pattern:
    """`begins`: the first three letters of the words that a match can begin with; none: it has to be searched for."""

    why: str
    found: re.Pattern[str]
    begins: frozenset[str]


@dataclass(frozen=True, slots=True)
class Families:
    """hostile.yaml, compiled. Places of patterns: `by_start`, by what they begin with; `anywhere`, the others, and of these
    `in_ascii` those that text in ASCII can hold."""

    patterns: tuple[Pattern, ...]
    by_start: Mapping[str, tuple[int, ...]]
    anywhere: tuple[int, ...]
    in_ascii: tuple[int, ...]
    praise: re.Pattern[str]
    boast: re.Pattern[str]
    genres: re.Pattern[str]


@cache
def families() -> Families:
    """Read once, with the first text."""
    raw = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    named = {f"<{name}>": _joined(pattern) for name, pattern in raw["words"].items()}
    patterns = []
    for why, branches in raw["reasons"].items():
        for branch in map(_joined, branches):
            whole = re.sub("|".join(named), lambda name: named[name[0]], branch)
            patterns.append(Pattern(why, re.compile(whole), _begins(whole)))
    counted = {name: re.compile(_joined(pattern)) for name, pattern in raw["counted"].items()}
    starts = {start for pattern in patterns for start in pattern.begins}
    by_start = {start: tuple(n for n, p in enumerate(patterns) if start in p.begins) for start in starts}
    anywhere = tuple(n for n, p in enumerate(patterns) if not p.begins)
    in_ascii = tuple(n for n in anywhere if patterns[n].found.pattern.isascii())
    boast = re.compile(_joined(raw["boast"]))
    return Families(tuple(patterns), by_start, anywhere, in_ascii, boast=boast, **counted)


def _joined(pattern: str) -> str:
    return re.sub(r"\s*\n\s*", "", pattern)


def _begins(pattern: str) -> frozenset[str]:
    """What every match begins with, where each branch at the start of the pattern says it in plain letters."""
    match = re.match(r"\\b(?:\(\?:(?P<branches>[^()\[\]]*)|(?P<word>[a-z]))", pattern)
    if match is None:
        return frozenset()
    branches = [pattern[2:]] if match["word"] else _first_group(pattern[5:])
    letters = [re.match(r"[a-z]{3}(?![?*{])|[a-z]{1,2}(?=(?:,\?)? (?!\?)|['/])", branch) for branch in branches]
    return frozenset(found[0] for found in letters if found) if all(letters) else frozenset()


def _first_group(rest: str) -> list[str]:
    """The branches of a group whose opening bracket stands just before `rest`, each with what follows; and that by itself
    where the group can be left out."""
    branches, depth = [""], 0
    for place, char in enumerate(rest):
        depth += (char == "(") - (char == ")")
        if depth < 0:
            after = rest[place + 1 :]
            return [branch + after for branch in branches] + [after] * after.startswith(("?", "*", "{"))
        branches = [*branches, ""] if char == "|" and depth == 0 else [*branches[:-1], branches[-1] + char]
    return branches


def matched(plain: str) -> str | None:
    """The reason of the first pattern of the file that is found. Most can be ruled out by how the words begin."""
    known = families()
    possible = set(known.in_ascii if plain.isascii() else known.anywhere)
    for start in frozenset(_START.findall(plain)):
        possible.update(known.by_start.get(start, ()))
    found = (known.patterns[n] for n in sorted(possible))
    return next((pattern.why for pattern in found if pattern.found.search(plain)), None)
