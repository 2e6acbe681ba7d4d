"""New inputs out of the training examples, for the tuned model to answer and code to choose from (agent/tuning/choose.py).

    made = recombined(examples, Sizes(), seed=0)      # examples whose answers are still to be found

Only things, statements and labels of the training split are put together anew, within a domain and by what they share, so
what is held out stays unseen. A self-description is two put together, whose answer is known.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from agent.tuning.examples import (
    Act,
    EventsIn,
    Example,
    GroundsIn,
    LabelsIn,
    PortraitExample,
    ReasonExample,
    SelfExample,
    StatementExample,
    StatementsIn,
    TextIn,
    ThemeExample,
    Thing,
)
from agent.tuning.planted import with_planted
from agent.tuning.render import notes_of

PUT_TOGETHER = "put together out of training examples"
ANSWERED = "answered by the tuned model, chosen by code"
BY_HAND = "answered by the authors"
JUDGED = "answered by the tuned model, chosen by what readers graded"
OPEN = "not known yet"  # stands for the answer
LEAST, MOST = 3, 7  # things of an input
MOST_PIECES = 8  # of a self-description's answer (prompts.outputs.PiecesOut)
_LIKED = ("liked", "viewed", "bought", "rated 4", "rated 4.5", "rated 5", "clicked", "shared")
_HATED = ("disliked", "hid", "rated 1", "rated 2", "rated 1.5")
_DISLIKE = 0.2  # share of the statements that are of dislikes
_OTHER_LANGUAGES = 3  # times as often as their share of the things: what is rare is learnt badly
_LIMITED = 0.05  # share of the liked with two things of the other sign beside them

Side = Literal["like", "dislike"]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many inputs of each task are made, at most."""

    statement: int = 2200
    planted: int = 900
    theme: int = 450
    reason: int = 450
    portrait: int = 400
    self: int = 250

    def times(self, share: float) -> Sizes:
        """The same, more or fewer of each."""
        return Sizes(**{task: round(n * share) for task, n in asdict(self).items()})


@dataclass(frozen=True, slots=True)
class Asked:
    """An example without its answer, or with it (`self`); `later`: a thing that was held out, which the answer should fit."""

    example: Example
    later: Act | None = None


@dataclass(frozen=True, slots=True)
class _Shelf:
    """The things of a domain and language, and for each feature those that have it."""

    domain: str
    language: str
    having: dict[str, list[Act]]


def recombined(examples: Sequence[Example], sizes: Sizes, seed: int = 0) -> list[Asked]:
    """Inputs of each task, the same for the same examples and seed."""
    dice = random.Random(f"{seed} recombined")  # noqa: S311  dice, not secrets
    train = [e for e in examples if e.split == "train"]
    shelves = [s for s in _shelves(train) if s.having]
    weights = [len(s.having) * (1 if s.language == "en" else _OTHER_LANGUAGES) for s in shelves]
    found: list[Asked] = []
    for task, n, make in (
        ("statement", sizes.statement, _statement),
        ("planted", sizes.planted, _planted),
        ("reason", sizes.reason, _reason),
    ):
        for number, shelf in enumerate(dice.choices(shelves, weights, k=n)):
            found.append(make(shelf, f"{task}-{seed}-{number:04}", dice))
    found += [Asked(e) for e in _themes(train, sizes.theme, seed, dice)]
    found += [Asked(e) for e in _portraits(train, sizes.portrait, seed, dice)]
    return found + [Asked(e) for e in _selves(train, sizes.self, seed, dice)]


def acts_of(example: Example) -> list[Act]:
    """What was done with things in a statement's or a reason's evidence."""
    acts = example.input.events if isinstance(example, StatementExample) else ()
    acts += example.input.evidence if isinstance(example, ReasonExample) else ()
    return [act for act in acts if act.title]


def _shelves(train: Sequence[Example]) -> list[_Shelf]:
    """What nobody is tempted by: things of examples about health or with commands in them stay on their own."""
    things: dict[tuple[str, str], dict[str, Act]] = defaultdict(dict)
    for e in train:
        if e.case in ("sensitive", "instruction"):
            continue
        things[e.domain, e.language] |= {act.title: act for act in acts_of(e)}
    shelves = []
    for (domain, language), known in sorted(things.items()):
        having: dict[str, list[Act]] = defaultdict(list)
        for act in known.values():
            for feature in act.features:
                having[feature].append(act)
        shelves.append(_Shelf(domain, language, {f: held for f, held in having.items() if len(held) > LEAST}))
    return shelves


def _statement(shelf: _Shelf, name: str, dice: random.Random) -> Asked:
    side: Side = "dislike" if dice.random() < _DISLIKE else "like"
    things = _alike(shelf, dice)
    *held, later = things
    acts = [_done(act, _LIKED if side == "like" else _HATED, dice) for act in held]
    limited = side == "like" and dice.random() < _LIMITED
    if limited:
        others = [t for t in _alike(shelf, dice) if t not in things]
        acts += [_done(act, _HATED, dice) for act in others[:2]]
    given = EventsIn(polarity=side, events=tuple(acts[-8:]))
    return Asked(StatementExample(**_about(shelf, name), task="statement", input=given, answer=None), later)


def _planted(shelf: _Shelf, name: str, dice: random.Random) -> Asked:
    asked = _statement(shelf, name, dice)
    assert isinstance(asked.example, StatementExample)  # noqa: S101  what _statement makes
    return replace(asked, example=with_planted(asked.example, dice))


def _reason(shelf: _Shelf, name: str, dice: random.Random) -> Asked:
    first, *others = _alike(shelf, dice)
    evidence = tuple(_done(act, _LIKED, dice) for act in others[: dice.randint(1, 3)])
    item = Thing(kind=first.kind, title=first.title, features=first.features)
    given = GroundsIn(evidence=evidence, item=item)
    return Asked(ReasonExample(**_about(shelf, name), task="reason", input=given, answer=OPEN))


def _alike(shelf: _Shelf, dice: random.Random) -> list[Act]:
    """Things that share a feature; where there are many, those that share more with the first come sooner."""
    things = shelf.having[dice.choice(list(shelf.having))]
    first = dice.choice(things)
    near = sorted(things, key=lambda t: (-len(set(t.features) & set(first.features)), dice.random()))
    n = dice.randint(LEAST, min(MOST, len(things) - 1)) + 1
    pool = near[: 2 * n] if dice.random() < 0.5 else things
    return dice.sample(pool, min(n, len(pool)))


def _done(act: Act, verbs: Sequence[str], dice: random.Random) -> Act:
    return act.model_copy(update={"act": dice.choice(verbs), "text": ""})


def _themes(train: Sequence[Example], n: int, seed: int, dice: random.Random) -> list[Example]:
    """Statements of one domain and sign whose evidence shares a feature."""
    said: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    for e in train:
        if isinstance(e, StatementExample) and e.answer and e.case in ("plain", "against"):
            for feature, _ in notes_of(e.input.events, e.input.polarity).features:
                said[e.domain, e.language, e.input.polarity, feature].append(e.answer)
    groups = sorted(key for key, texts in said.items() if len(texts) > 1)
    found: list[Example] = []
    for number in range(n if groups else 0):
        domain, language, side, _ = key = dice.choice(groups)
        texts = dice.sample(said[key], min(len(said[key]), dice.randint(2, 4)))
        verb = "Likes" if side == "like" else "Dislikes"
        given = StatementsIn(statements=tuple(f"{verb} {text}" for text in texts))
        about = _row(f"theme-{seed}-{number:04}", domain, language)
        found.append(ThemeExample(**about, task="theme", input=given, answer=None))
    return found


def _portraits(train: Sequence[Example], n: int, seed: int, dice: random.Random) -> list[Example]:
    """The labels of portraits, mixed anew over all domains."""
    held = [e.input for e in train if isinstance(e, PortraitExample) and e.language == "en"]
    likes = sorted({label for given in held for label in given.likes})
    dislikes = sorted({label for given in held for label in given.dislikes})
    found: list[Example] = []
    for number in range(n if likes and dislikes else 0):
        own = dice.sample(likes, min(len(likes), dice.randint(1, 4)))
        avoided = dice.sample(dislikes, dice.choice((0, 0, 1, 1, 2)))
        given = LabelsIn(likes=tuple(own), dislikes=tuple(avoided))
        about = _row(f"portrait-{seed}-{number:04}", "all", "en")
        found.append(PortraitExample(**about, task="portrait", input=given, answer=OPEN))
    return found


def _selves(train: Sequence[Example], n: int, seed: int, dice: random.Random) -> list[Example]:
    """Two self-descriptions of one language, one after the other, with the pieces of both."""
    held = [e for e in train if isinstance(e, SelfExample) and len(e.input.text) < 200]
    found: list[Example] = []
    for number in range(n if len(held) > 1 else 0):
        first = dice.choice(held)
        same = [e for e in held if e.language == first.language and e is not first]
        same = [e for e in same if len(e.answer) + len(first.answer) <= MOST_PIECES]
        if not same:
            continue
        second = dice.choice(same)
        given = TextIn(text=f"{first.input.text} {second.input.text}")
        about = _row(f"self-{seed}-{number:04}", "all", first.language)
        found.append(SelfExample(**about, task="self", input=given, answer=first.answer + second.answer))
    return found


def _about(shelf: _Shelf, name: str) -> dict[str, object]:
    return _row(name, shelf.domain, shelf.language)


def _row(name: str, domain: str, language: str) -> dict[str, object]:
    return {
        "id": name,
        "domain": domain,
        "language": language,
        "case": "plain",
        "split": "train",
        "origin": PUT_TOGETHER if name.startswith("self-") else f"{PUT_TOGETHER}, {ANSWERED}",
    }
