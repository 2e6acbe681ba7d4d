"""Is what a reason says so? Read from its words and looked up in the dataset, with no help from the code that wrote it.

    verdict = judge(reason, item, cited, fall=0.3, people=12)      # verdict.made, verdict.supported

A claim is: one act ("rated Heat 4.5"), one shared feature (of the item and of everything cited), a count of people, that the
item is none of what is disliked, that what is cited moves it up (its score would be lower without), one word of the
model's that carries meaning, or "another" and "more": that all that is cited is what is said next, up to a comma. What cannot
be read as any of these is one false claim.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from retrieval.lexical import STOP, tokens
from retrieval.records import Event, EventKind, Item

VERBS = {
    EventKind.RATE: "rated",
    EventKind.PURCHASE: "got",
    EventKind.LIKE: "liked",
    EventKind.SHARE: "shared",
    EventKind.VIEW: "looked at",
    EventKind.CLICK: "looked at",
}
SAYS_NOTHING = STOP | {
    "story",
    "tale",
    "set",
    "mix",
    "blend",
    "good",
    "great",
    "strong",
    "rich",
    "more",
    "like",
    "through",
    "another",
    "thi",  # "this", as tokens() leaves it
    "time",
    "especially",
    "one",
}
STEM = 5  # letters in which two forms of a word agree
_SHAPE = re.compile(
    r"You (?P<did>.+); (?:this shares (?P<shared>.+)|this is (?P<said>.+)|(?P<moved>that moves this up.+))\."
)
_AGAIN = re.compile(r"(?:another|more) (?P<what>[^,]+)")
_SPARED = ", and it is none of what you dislike: "
_COUNT = re.compile(r"(?:Chosen by (?P<people>\d+) (?:person|people)|Not chosen by anybody yet)\b")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`features` are those that the reason names; `speaks`: what is cited is said to speak for the item."""

    made: int
    supported: int
    features: tuple[str, ...] = ()
    speaks: bool = True


def judge(reason: str, item: Item, cited: Sequence[tuple[Event, Item]], *, fall: float, people: int) -> Verdict:
    """`cited`: the user's events of the dataset with the ids that the reason cites, and their items. `fall`: how far the score
    falls without them. `people`: how many chose the item."""
    if counted := _COUNT.match(reason):
        true = int(int(counted["people"] or 0) == people)
        if _SPARED not in reason:
            return Verdict(1, true)
        named, _ = _named(reason.partition(_SPARED)[2].rstrip("."), [f for _, other in cited for f in _features(other)])
        return Verdict(2, true + int(bool(named) and not set(named) & _features(item)), speaks=False)
    shape = _SHAPE.fullmatch(reason)
    if shape is None:
        return Verdict(1, 0)
    made, supported = _acts(shape["did"], cited)
    if shape["moved"]:
        return Verdict(made + 1, supported + (fall > 0))
    if shape["shared"]:
        named, extra = _named(shape["shared"], [*_features(item), *(f for _, other in cited for f in _features(other))])
        true = sum(all(f in _features(one) for one in (item, *(other for _, other in cited))) for f in named)
        return Verdict(made + len(named) + extra, supported + (true if cited else 0), tuple(named))
    words, kept = _words(shape["said"], item)
    if again := _AGAIN.match(shape["said"]):
        such = [_words(again["what"], other) for _, other in cited]
        words, kept = words + 1, kept + (bool(such) and all(found == made for made, found in such))
    said = {word[:STEM] for word in tokens(shape["said"])}
    named = [f for f in sorted(_features(item)) if {word[:STEM] for word in tokens(f)} <= said]
    return Verdict(made + words, supported + kept, tuple(named))


def _acts(did: str, cited: Sequence[tuple[Event, Item]]) -> tuple[int, int]:
    """Acts told, and those that were done so. Every cited act must be told; what else is told is one false act."""
    left, true = did, 0
    for event, item in sorted(cited, key=lambda pair: -len(pair[1].title)):
        value = f" {event.value:g}" if event.kind is EventKind.RATE and event.value is not None else ""
        told = f"{' '.join(item.title.split())}{value}"
        if told in left and VERBS.get(event.kind, "chose") in did:
            left, true = left.replace(told, "", 1), true + 1
    for verb in {*VERBS.values(), "chose"}:
        left = left.replace(verb, "")
    extra = bool(re.sub(r"\band\b|[,\s]", "", left))
    return max(len(cited), true + extra), true


def _features(item: Item) -> set[str]:
    return {f.strip().lower() for f in (*item.categories, *item.tags)}


def _named(text: str, known: Sequence[str]) -> tuple[list[str], int]:
    """The features that an enumeration names, read longest first since they may hold "and"; 1 for a rest that is none."""
    left = f" {text} "
    found: list[str] = []
    for feature in sorted(set(known), key=lambda f: (-len(f), f)):
        pattern = rf"(?<=[\s]){re.escape(feature)}(?=[\s,])"
        if re.search(pattern, left):
            left = re.sub(pattern, "", left, count=1)
            found.append(feature)
    return found, int(bool(re.sub(r"\band\b|[,\s]", "", left)))


def _words(text: str, item: Item) -> tuple[int, int]:
    own = {word[:STEM] for f in _features(item) for word in tokens(f)}
    said = [word for word in tokens(text) if word not in SAYS_NOTHING]
    return len(said), sum(word[:STEM] in own for word in said)
