"""Does a sentence tell of somebody's age, gender, ethnicity, religion, health, sexuality, politics, income or home?

    attribute("Likes books on living with diabetes")  # "health"
    attribute("Likes Asian cooking")                  # None: a cuisine tells of no person
    attribute("Is an Asian woman")                    # "ethnicity"

English, Spanish, German, French and Chinese. The words are in sensitive.yaml, which says how to write them. Interests count
as well as statements of fact, because a person's reading tells what they are; where it is in doubt, the answer is the
attribute: a sentence that is not said costs less than one that should not have been.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from retrieval.features import features
from retrieval.records import Item

WORDS = Path(__file__).with_name("sensitive.yaml")
ATTRIBUTES = ("age", "gender", "ethnicity", "religion", "health", "sexuality", "politics", "income", "home")
LANGUAGES = frozenset(("en", "es", "de", "fr", "zh"))
HARMLESS = "harmless"
_HAN = "㐀-鿿"
_TOKEN = re.compile(rf"[{_HAN}]|\d+|[^\W\d_{_HAN}]+|[.,;:!?()。，；：！？、…]")
_PIECE = re.compile(rf"<\w+>|[{_HAN}]|[#?]|\*?[^\W_{_HAN}]+\*?")
_OLDEST = 119
_KNOWN_BY = 2  # items that a feature must stand on before the company it keeps says anything


@dataclass(slots=True)
class _Node:
    """A place in the tree of entries. `tells` names what a text says that came this far."""

    tells: str | None = None
    next: dict[str, _Node] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Lexicon:
    """The entries as a tree of words, and the classes that a word belongs to, by its symbol in the tree."""

    root: _Node
    symbols: frozenset[str]
    classes: Mapping[str, tuple[str, ...]]


def attribute(text: str) -> str | None:
    """The first attribute that `text` tells of, or None. Time grows with the length of `text`."""
    return next(_found(text, beside=False), None)


def company(items: Iterable[Item]) -> frozenset[str]:
    """Features that stand mostly beside words that tell or hint of one attribute: they tell of it, too.

    No list knows the name of a small town; but where it stands beside bin days and school catchments, it is somebody's home.
    What counts is the rest of an item's title and features, since a feature that hints of itself is not hidden for that.
    """
    seen: Counter[str] = Counter()
    beside: Counter[tuple[str, str]] = Counter()
    for item in items:
        own = features(item)
        seen.update(own)
        title = hints(item.title)
        for feature in own:
            beside.update((feature, told) for told in title.union(*(hints(other) for other in own if other != feature)))
    return frozenset(f for (f, _), count in beside.items() if seen[f] >= _KNOWN_BY and 3 * count > 2 * seen[f])


@lru_cache(maxsize=50_000)
def hints(text: str) -> frozenset[str]:
    """All attributes that `text` tells of, also by words that say little alone ("temple", "budget")."""
    return frozenset(_found(text, beside=True))


def _found(text: str, *, beside: bool) -> Iterator[str]:
    """All attributes that `text` tells of in turn; with `beside` also by words that say little alone."""
    known = lexicon(beside)
    words = [*_tokens(text), "."]
    at = 0
    while at < len(words):
        found = _longest(known, words, at)
        if found and found[0] != HARMLESS:
            yield found[0]
        at += found[1] if found else 1


def _longest(known: Lexicon, words: list[str], start: int) -> tuple[str, int] | None:
    """What the words from `start` on tell, and how many words it took. Harmless wins over anything no longer."""
    best: tuple[str, int] | None = None
    states = [known.root]
    for at in range(start, len(words)):
        symbols = _symbols(known, words[at])
        states = [state.next[s] for state in states for s in symbols if s in state.next]
        if not states:
            break
        told = [state.tells for state in states if state.tells]
        if told:
            best = (HARMLESS if HARMLESS in told else told[0], at - start + 1)
    return best


def _tokens(text: str) -> list[str]:
    """Words without case, accents and invisible characters; numbers that may be an age are "#"."""
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) not in ("Mn", "Cf"))
    return ["#" if w.isdigit() and 0 < int(w) <= _OLDEST else w for w in _TOKEN.findall(text.casefold())]


@lru_cache(maxsize=100_000)
def _symbols(known: Lexicon, word: str) -> tuple[str, ...]:
    """All that stands in the tree for `word`: itself, beginnings and ends of it, its classes, and any word."""
    found = {s for s in _forms(word) if s in known.symbols}
    classes = {name for s in found for name in known.classes.get(s, ())}
    ends = {"<end>"} if not word.isalnum() else set()
    return tuple(sorted(found | classes | ends | ({"?"} if word.isalnum() else set())))


def _forms(word: str) -> Iterator[str]:
    yield word
    for size in range(2, len(word) + 1):
        yield f"{word[:size]}*"
        yield f"*{word[-size:]}"


@cache
def lexicon(beside: bool = False) -> Lexicon:
    """The words of sensitive.yaml, with or without those that count only beside others.

    Raises ValueError, naming the entry, for a file that is not as it should be.
    """
    raw = contents()
    classes: dict[str, tuple[str, ...]] = {}
    for name, listed in raw["classes"].items():
        for entry in entries(listed):
            classes[entry] = (*classes.get(entry, ()), f"<{name}>")
    root, symbols = _Node(), {"#", "?", *classes}
    for tells, listed in _told(raw, beside):
        for entry in entries(listed):
            for phrase in _phrases(entry):
                _plant(root, phrase, tells)
                symbols.update(phrase)
    if missing := {s for s in symbols if s.startswith("<")} - {f"<{name}>" for name in raw["classes"]}:
        raise ValueError(f"{WORDS.name}: unknown class {min(missing)}")
    return Lexicon(root, frozenset(symbols), classes)


@cache
def contents() -> Any:
    """What stands in sensitive.yaml: classes, harmless, anywhere, beside, alike."""
    return yaml.safe_load(WORDS.read_text(encoding="utf-8"))


def _told(raw: Mapping[str, Any], beside: bool) -> Iterator[tuple[str, str]]:
    """(what is told, entries) of the file, checked: all nine attributes in all languages, and nothing else."""
    parts = ("anywhere", "beside")
    if set(raw) != {"classes", HARMLESS, *parts, "alike"} or any(tuple(raw[part]) != ATTRIBUTES for part in parts):
        raise ValueError(f"{WORDS.name}: anywhere and beside need {', '.join(ATTRIBUTES)}")
    yield HARMLESS, str(raw[HARMLESS])
    for part in parts if beside else parts[:1]:
        for tells, languages in raw[part].items():
            if languages.keys() != LANGUAGES:
                raise ValueError(f"{WORDS.name}: {tells} needs {', '.join(sorted(LANGUAGES))}")
            for listed in languages.values():
                yield tells, listed


def entries(text: str) -> list[str]:
    """The entries of a list: what stands between commas."""
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def _phrases(entry: str) -> Iterator[tuple[str, ...]]:
    """An entry without its alternatives: "for women|men" is ("for", "women") and ("for", "men")."""
    for words in product(*(part.split("|") for part in entry.split())):
        phrase = tuple(piece for word in words for piece in _PIECE.findall(word))
        if "".join(phrase) != "".join(words):
            raise ValueError(f"{WORDS.name}: cannot read {entry!r}")
        yield phrase


def _plant(root: _Node, phrase: tuple[str, ...], tells: str) -> None:
    node = root
    for symbol in phrase:
        node = node.next.setdefault(symbol, _Node())
    node.tells = node.tells or tells
