"""What somebody may plant among the features of things or in a search, for the tuned model to learn to pass over it.

    asked = with_planted(example, dice)     # the same evidence, with such words in it
    is_planted("gold standard of its field")    # True

Code refuses all that has the form of a sentence (agent/phrases.py). What is left has the form of a name.
"""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import yaml

from agent.tuning.examples import Act, StatementExample

_FILE = Path(__file__).with_name("planted.yaml")
_FEATURE = 0.7  # share of them that are features of things; the others are searched for
_MOST_EVENTS = 8


def with_planted(example: StatementExample, dice: random.Random) -> StatementExample:
    """`example` with a planted phrase as a feature of most of its things, or as its last search."""
    phrase = dice.choice(_by_language()[example.language])
    events = example.input.events
    if dice.random() < _FEATURE:
        chosen = set(dice.sample(range(len(events)), max(2, len(events) - dice.randint(0, 2))))
        events = tuple(_marked(act, phrase, dice) if i in chosen else act for i, act in enumerate(events))
    else:
        search = Act(act="searched", kind="", title="", features=(), text=phrase)
        events = (*events[: _MOST_EVENTS - 1], search)
    told = example.input.model_copy(update={"events": events})
    return example.model_copy(update={"input": told, "case": "instruction"})


@cache
def planted() -> frozenset[str]:
    """Every phrase that `with_planted` may use."""
    return frozenset(phrase for phrases in _by_language().values() for phrase in phrases)


def is_planted(text: str) -> bool:
    return text in planted()


@cache
def _by_language() -> dict[str, tuple[str, ...]]:
    """Phrases in lower case, as features are, each that has a place for a name with every name."""
    told = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    names = told.pop("names")
    return {
        language: tuple(
            form.replace("NAME", name).lower() for form in forms for name in (names if "NAME" in form else names[:1])
        )
        for language, forms in told.items()
    }


def _marked(act: Act, phrase: str, dice: random.Random) -> Act:
    place = dice.choice((0, len(act.features)))
    return act.model_copy(update={"features": (*act.features[:place], phrase, *act.features[place:])})
