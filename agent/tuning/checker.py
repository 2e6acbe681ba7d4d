"""May an answer be kept? Told from the words of its input and from how the hand-written answers connect words.

checker = Checker(examples, embed)
checker.named(example)                     # the share of what should be named that the answer names; -1: it must not stand
checker.best(asked, answers)               # the one to keep, or None
checker.worst(best, answers)               # the one to refuse beside it, or None
bare(example)                              # a statement that leaves out of what kind its things are
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

import numpy as np

from agent import guard
from agent.notes import MOST_FEATURES, MOST_KINDS, MOST_TYPED, Notes, item_line
from agent.tuning.examples import (
    Act,
    Example,
    PortraitExample,
    ReasonExample,
    SelfExample,
    StatementExample,
    ThemeExample,
)
from agent.tuning.planted import is_planted
from agent.tuning.recombine import Asked, acts_of
from agent.tuning.render import notes_of, reason_notes

CONNECTING = 2  # hand-written answers that use a word without evidence, for it to be one that connects
NAMED = 4  # features that a statement is expected to name, as in the product
ENOUGH = {
    "self": 1.0,
    "statement": 0.7,
    "theme": 0.5,
    "reason": 0.5,
    "portrait": 1.0,
}  # weighted share of them that must be named
SLACK = 0.15
LIKELIEST = 3  # of the telling answers; the others are written less well
STRANGERS = 30  # things of the domain that the one held out is compared with
MOST_WORDS = {"statement": 14, "theme": 22, "reason": 15, "portrait": 60}
MOST_LABEL = 4
_ODD_CASE = re.compile(r"[A-Z]{3,}[a-z]|[a-z][A-Z]")
_NEGATIONS = guard.stems(
    ["not", "no", "never", "nor", "without", "but", "unless", "except", "rather", "less", "avoid", "instead", "against"]
)
_TURNED_DOWN = re.compile(
    r"\b(?:avoid|dislike|not?|never|nor|nothing|steer|skip|tired|refuse|without|clear|wary|bored|away|hard|little|less|least"
    r"|cannot|pass|rather|leave|put off|shun|unmoved|cold|patience|but)\w*",
    re.IGNORECASE,
)

_RELATES = re.compile(r"\b(?:its|their|his|her)\b", re.IGNORECASE)  # "jazz and its Europe": notes show no tie
_HAN = re.compile(r"[\u4e00-\u9fff]")
_notes = lru_cache(maxsize=512)(notes_of)  # several answers to one input follow each other


class Checker:
    """What the hand-written answers say about how words are connected, and an embedder for the next item."""

    def __init__(self, examples: Sequence[Example], embed: guard.EmbedTexts) -> None:
        self._embed = embed
        train = [e for e in examples if e.split == "train"]
        languages = {e.language for e in train}
        self._connecting = {(task, lang): _connecting(train, task, lang) for task in ENOUGH for lang in languages}
        self._things: dict[str, list[Act]] = defaultdict(list)
        for e in train:
            self._things[e.domain] += acts_of(e)
        lines = list({_line(thing) for things in self._things.values() for thing in things})
        self._vectors = dict(zip(lines, embed(lines), strict=True))

    def best(self, asked: Asked, answers: Sequence[Example]) -> Example | None:
        """The answer to keep, None where no one is good enough. `answers` come likeliest first."""
        named = [(self.named(a), a) for a in answers]
        good = [(share, a) for share, a in named if share >= ENOUGH[a.task]]
        if not good:
            return None
        most = max(share for share, _ in good)
        telling = [a for share, a in good if share >= most - SLACK][:LIKELIEST]
        if asked.later is None:
            return telling[0]
        fits = self._next([said(a) for a in telling], asked.example, asked.later)
        return telling[max(range(len(telling)), key=lambda i: (fits[i], -i))]

    def worst(self, best: Example, answers: Sequence[Example]) -> Example | None:
        """Beside the one to keep, the likeliest answer that says something over, else the likeliest that must not stand, else
        the likeliest that leaves out of what kind all the things are, where `best` says it."""
        looping = (a for a in answers if isinstance(a, StatementExample) and a.answer and guard.loops(a.answer))
        untrue = (a for a in answers if self.named(a) < 0)
        vague = (a for a in answers if bare(a) and not bare(best))
        return next(chain(looping, untrue, vague), None)

    def named(self, example: Example) -> float:
        """The share of what should be named that the answer names, -1 where it says something that it must not, or nothing."""
        if isinstance(example, SelfExample):
            return 1.0  # put together out of answers that people wrote
        if example.answer is None:
            return -1.0
        text, may, should = _held(example)
        spoken = " ".join(text.split("\n"))
        free = self._connecting.get((example.task, example.language), frozenset())
        known = guard.stems(_units(" ".join(may))) | guard.stems(may)
        words = [w for w in _units(spoken) if w not in free]
        if any(guard.stem(part) not in known for w in words for part in w.split("-") if part and part not in free):
            return -1.0
        if _malformed(example, text):
            return -1.0
        return _covered(spoken, should) if should else 1.0

    def _next(self, texts: Sequence[str], example: Example, later: Act) -> list[float]:
        """For each text the share of other things of the domain that are less like it than the one held out."""
        dice = random.Random(example.id)  # noqa: S311
        others = [t for t in self._things[example.domain] if t.title != later.title]
        pool = [later, *dice.sample(others, min(STRANGERS, len(others)))]
        if _line(later) not in self._vectors:
            self._vectors[_line(later)] = self._embed([_line(later)])[0]
        vectors = np.array([self._vectors[_line(thing)] for thing in pool])
        likeness = self._embed(list(texts)) @ vectors.T
        return [float((row[1:] < row[0]).mean()) if len(row) > 1 else 0.0 for row in likeness]


def _connecting(train: Sequence[Example], task: str, language: str) -> frozenset[str]:
    """Words that several hand-written answers use without evidence ("above", "mostly", "among"): of the task in English, of
    any task in languages of which there are few answers."""
    counts: Counter[str] = Counter()
    for e in train:
        if e.language == language and e.answer and (e.task == task or language != "en"):
            text, may, _ = _held(e)
            known = guard.stems(_units(" ".join(may))) | guard.stems(may)
            counts.update({w for w in _units(text) if guard.stem(w) not in known})
    return frozenset(w for w, n in counts.items() if n >= CONNECTING)


def _covered(text: str, features: Sequence[str]) -> float:
    """The weighted share of the features that are named; in Chinese, where words have no bounds, of those that stand in it."""
    if _HAN.search(text):
        return sum(feature in text for feature in features) / len(features)
    return guard.coverage(text, features)


def _units(text: str) -> list[str]:
    """The words of a text; of Chinese, which has no blanks, the characters."""
    return [unit for word in guard.words(text) for unit in (word if _HAN.search(word) else (word,))]


def _held(example: Example) -> tuple[str, list[str], list[str]]:
    """The answer's words, what they may be taken from, and what they should name, most important first."""
    match example:
        case StatementExample(input=given, answer=text):
            notes = _notes(given.events, given.polarity)
            features = [f for f, _ in notes.features[:MOST_FEATURES] if not is_planted(f)]
            typed = [t for t in notes.typed[-MOST_TYPED:] if not is_planted(t)]
            kinds = [k for k, _ in notes.kinds[:MOST_KINDS]]
            may = [*features, *kinds, *notes.against[:MOST_KINDS], *typed]
            leading = [f for f, _ in notes.leading.features if f in features]
            should = [*leading[:1], *_kind(notes), *leading[1:NAMED]]
            return text or "", may, should
        case ThemeExample(input=said, answer=named):
            text = f"{named.label}\n{named.summary}" if named else ""
            return text, list(said.statements), []
        case ReasonExample(input=grounds, answer=text):
            shown = reason_notes(grounds.evidence, grounds.item)
            return text, [shown["known"], shown["item"]], shown["shared"].split(", ")[:2]
        case PortraitExample(input=labels, answer=text):
            return text, [*labels.likes, *labels.dislikes], [*labels.likes, *labels.dislikes]
        case _:
            return "", [], []


def _kind(notes: Notes) -> list[str]:
    """Of what kind all the things are, where they are of one: "jazz" may be concerts, "jazz podcasts" are not."""
    return [notes.kinds[0][0]] if len(notes.kinds) == 1 else []


def bare(example: Example) -> bool:
    """A statement that leaves out of what kind all the things are."""
    if not isinstance(example, StatementExample) or example.answer is None:
        return False
    kind = _kind(_notes(example.input.events, example.input.polarity))
    return bool(kind) and not _covered(example.answer, kind)


def _malformed(example: Example, text: str) -> bool:
    """Does the answer break what holds for the form of its task?"""
    spoken = guard.words(text)
    if len(spoken) > MOST_WORDS[example.task] or _ODD_CASE.search(text):
        return True
    match example:
        case StatementExample(input=given):
            notes = _notes(given.events, given.polarity)
            negated = any(guard.stem(w) in _NEGATIONS for w in spoken)
            against = guard.stems(notes.against) & guard.stems([text])
            relates = example.language == "en" and bool(_RELATES.search(text))
            return guard.loops(text) or guard.listing(text) or negated != bool(against) or relates
        case ThemeExample(answer=named) if named is not None:
            shared = _shared(named.label, example.input.statements)
            return (
                len(named.label.split()) > MOST_LABEL
                or not shared
                or guard.loops(named.label)
                or guard.loops(named.summary)
            )
        case ReasonExample():
            return guard.loops(text) or guard.copies(text, [example.input.item.title])
        case PortraitExample(input=labels):
            return guard.loops(text) or not _sides_kept(text, labels.likes, labels.dislikes)
        case _:
            return False


def _shared(label: str, statements: Sequence[str]) -> bool:
    """Do two statements, and half of them at least, hold a word of the label?"""
    words = guard.stems(guard.content(label))
    holding = sum(bool(words & guard.stems([text])) for text in statements)
    return holding >= max(2, len(statements) / 2)


def _sides_kept(text: str, likes: Sequence[str], dislikes: Sequence[str]) -> bool:
    """Is what is disliked said in a part of a sentence that turns it down, and what is liked in none?"""
    parts = [part for part in re.split(r"[.;]", text) if part.strip()]
    turned: list[str] = []
    for part in parts:
        if cue := _TURNED_DOWN.search(part):
            before, after = part[: cue.start()], part[cue.start() :]
            turned.append(after if any(_names(after, label) for label in dislikes) else before + after)
    refused = " ".join(turned)
    return all(_names(refused, label) for label in dislikes) and not any(_names(refused, label) for label in likes)


def _names(text: str, label: str) -> bool:
    return guard.stems([label]) <= guard.stems([text])


def _line(thing: Act) -> str:
    return item_line(thing.kind, "", thing.features)


def said(example: Example) -> str:
    """The answer in lower case, to tell whether two are alike."""
    answer = example.answer
    if isinstance(example, ThemeExample):
        return example.answer.label.lower() if example.answer else ""
    return answer.lower() if isinstance(answer, str) else str(answer).lower()
