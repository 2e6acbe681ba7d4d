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
    phrase = _named(dice.choice(_forms()[example.language]), dice.choice(_names()))
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
    forms = (form for held in _forms().values() for form in held)
    return frozenset(_named(form, name) for form in forms for name in _names())


def is_planted(text: str) -> bool:
    return text in planted()


def _named(form: str, name: str) -> str:
    """In lower case, as features are."""
    return form.replace("NAME", name).lower()


@cache
def _file() -> dict[str, list[str]]:
    told: dict[str, list[str]] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return told


def _names() -> list[str]:
    return _file()["names"]


def _forms() -> dict[str, list[str]]:
    """By language; most have no place for a name, so a form is drawn first: each praise as often as each order."""
    return {language: forms for language, forms in _file().items() if language != "names"}


def _marked(act: Act, phrase: str, dice: random.Random) -> Act:
    place = dice.choice((0, len(act.features)))
    return act.model_copy(update={"features": (*act.features[:place], phrase, *act.features[place:])})
