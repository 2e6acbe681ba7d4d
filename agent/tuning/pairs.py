"""Profile and item, and whether the one fits the other: made out of the examples, so that re-ranking is learnt beside writing.

    pairs = made(examples, seed=0)      # Pair(likes, dislikes, item, fits, split); as many that fit as that do not

A person is put together from a few tastes of the examples. What fits is an item of the evidence of one of these tastes, what
does not is an item of a taste that they have not, half the time of the same domain, or one that they dislike. Splits stay
apart: a pair has the split of all that it is made of.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from agent.notes import item_line
from agent.tuning.examples import Act, Example, Split, StatementExample

MOST_LIKES = 4
DISLIKED = 0.4  # share of the people who dislike something
_HARD = 0.5  # share of the wrong items that come from a domain of the person's own


@dataclass(frozen=True, slots=True)
class Pair:
    likes: tuple[str, ...]
    dislikes: tuple[str, ...]
    item: str
    fits: bool
    split: Split


@dataclass(frozen=True, slots=True)
class _Taste:
    words: str
    liked: bool
    domain: str
    items: tuple[Act, ...]


def made(examples: Sequence[Example], seed: int = 0) -> list[Pair]:
    """Two pairs for each taste that is liked: one that fits and one that does not."""
    dice = random.Random(seed)  # noqa: S311  dice, not secrets
    found: list[Pair] = []
    splits: tuple[Split, ...] = ("train", "dev", "test")
    for split in splits:
        tastes = [t for e in examples if e.split == split and (t := _taste(e))]
        liked = [t for t in tastes if t.liked]
        hated = [t for t in tastes if not t.liked]
        for taste in liked if len(liked) > MOST_LIKES and hated else []:
            found += _both(taste, liked, hated, split, dice)
    return found


def _both(
    taste: _Taste, liked: Sequence[_Taste], hated: Sequence[_Taste], split: Split, dice: random.Random
) -> tuple[Pair, Pair]:
    others = dice.sample([t for t in liked if t is not taste], dice.randint(0, MOST_LIKES - 1))
    own = dice.sample([taste, *others], len(others) + 1)
    dislikes = [dice.choice(hated)] if dice.random() < DISLIKED else []
    words = tuple(t.words for t in own)
    avoided = tuple(t.words for t in dislikes)
    strangers = [t for t in liked if t not in own]
    near = [t for t in strangers if t.domain in {o.domain for o in own}]
    wrong = dice.choice(near if near and dice.random() < _HARD else strangers)
    if dislikes and dice.random() < 0.5:
        wrong = dislikes[0]
    yes, no = (_line(dice.choice(t.items)) for t in (taste, wrong))
    return Pair(words, avoided, yes, True, split), Pair(words, avoided, no, False, split)


def _taste(example: Example) -> _Taste | None:
    """What a statement example tells, with the items that show it; None where it tells nothing."""
    if not isinstance(example, StatementExample) or example.answer is None:
        return None
    given = example.input
    liked = given.polarity == "like"
    items = tuple(e for e in given.events if e.title and e.against is not liked)
    return _Taste(example.answer, liked, example.domain, items) if items else None


def _line(act: Act) -> str:
    return item_line(act.kind, act.title, act.features)
