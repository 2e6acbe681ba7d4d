"""An example as the model meets it: the messages of its prompt, and the answer that it should give.

    rendered = render(example)          # the same prompts as agent/ sends; for training, whole=names_more(example)
    rendered.messages, rendered.answer  # Message(system), Message(user); '{"text":"slow-burn mysteries set in the arctic"}'

What a taste is told from are notes made out of the events (agent/notes.py), as in production: what only one item has is left
out of them, and so are titles.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never

from pydantic import BaseModel

from agent import guard
from agent.evidence import holds_any, may_be_shown
from agent.grounds import FEATURES
from agent.notes import ENOUGH, MOST_FEATURES, Notes, content_stems, counted
from agent.tuning.examples import (
    Act,
    Example,
    PortraitExample,
    ReasonExample,
    SelfExample,
    StatementExample,
    ThemeExample,
    Thing,
)
from agent.tuning.pairs import Pair
from prompts import library
from prompts.library import Message, Prompt
from prompts.outputs import NOTHING, ParagraphOut, Piece, PiecesOut, SentenceOut, TasteOut

CHOICES = frozenset({"says"})  # of an output, what is one of a few words


class _Label(BaseModel):
    label: str


class _Labelled(BaseModel):
    """As `prompts.outputs.ThemeOut`, but for the commas that a few hand-written names have."""

    theme: _Label


@dataclass(frozen=True, slots=True)
class Rendered:
    """What is sent and what should come back: JSON without spaces, or the word that follows a prompt without an output."""

    prompt: Prompt
    variables: dict[str, str]
    answer: str

    @property
    def messages(self) -> tuple[Message, ...]:
        return self.prompt.render(**self.variables)


def render(example: Example, dice: random.Random | None = None, *, whole: bool = False) -> Rendered:
    """With `dice`, what the notes list comes in another order: production ranks by more than counts. `whole`: they list what
    production leaves out as well (`Notes.leading`)."""
    name, variables, output = _parts(example, dice, whole)
    return Rendered(library.load(name, tuned=True), variables, compact(output))


def names_more(example: Example) -> bool:
    """Does the answer name a feature that production does not show? To learn from it, the notes have to be whole; elsewhere
    whole notes would teach to leave features out."""
    if not isinstance(example, StatementExample) or example.answer is None:
        return False
    notes = notes_of(example.input.events, example.input.polarity)
    shown = content_stems([*(f for f, _ in notes.leading.features), *(k for k, _ in notes.kinds), *notes.typed])
    more = content_stems(f for f, _ in notes.features[:MOST_FEATURES]) - shown
    return not more.isdisjoint(content_stems([example.answer]))


def render_pair(pair: Pair) -> Rendered:
    """A question that is answered with one token."""
    variables = {"likes": "; ".join(pair.likes), "dislikes": "; ".join(pair.dislikes) or "none", "item": pair.item}
    return Rendered(library.load("fits", tuned=True), variables, " yes" if pair.fits else " no")


def compact(output: BaseModel) -> str:
    """The JSON that the server's grammar allows: no spaces between its parts, letters as they are.

    Text begins with a space. Without it the first word of an answer is made of other tokens than the same word in the prompt
    ("con" and "crete" for " concrete"), and a small model cannot copy what it does not see.
    """
    return json.dumps(_spaced(output.model_dump(mode="json")), ensure_ascii=False, separators=(",", ":"))


def _spaced(value: Any, key: str = "") -> Any:
    match value:
        case dict():
            return {k: _spaced(v, k) for k, v in value.items()}
        case list():
            return [_spaced(v, key) for v in value]
        case str() if key not in CHOICES:
            return f" {value}"
        case None if key == "text":
            return f" {NOTHING}"
        case _:
            return value


def _parts(example: Example, dice: random.Random | None, whole: bool) -> tuple[str, dict[str, str], BaseModel]:
    match example:
        case StatementExample(input=given, answer=text):
            notes = notes_of(given.events, given.polarity)
            variables = {"polarity": given.polarity, "notes": _shuffled(notes if whole else notes.leading, dice).text}
            return "write_statement", variables, TasteOut(text=text)
        case ThemeExample(input=given_statements, answer=named):
            theme = _Label(label=named.label if named else NOTHING)  # the product asks of no theme whether it is one
            return "label_theme", {"statements": "\n".join(given_statements.statements)}, _Labelled(theme=theme)
        case SelfExample(input=given_text, answer=pieces):
            found = tuple(Piece(says=p.says, text=p.text) for p in pieces)
            return "read_self", {"text": given_text.text}, PiecesOut(pieces=found)
        case ReasonExample(input=grounds, answer=text):
            return "explain", reason_notes(grounds.evidence, grounds.item), SentenceOut(text=text)
        case PortraitExample(input=labels, answer=text):
            variables = {"likes": "; ".join(labels.likes), "dislikes": "; ".join(labels.dislikes) or "none"}
            return "write_portrait", variables, ParagraphOut(text=text)
        case _:
            assert_never(example)


def notes_of(events: Sequence[Act], polarity: str, *, unsaid: Collection[str] = (), screened: bool = True) -> Notes:
    """What the events show. One item touched often is one item, and acts of the other sign tell only what it is not.

    `screened` as the product screens it (agent/evidence.py): features and searches that may be said, none of `unsaid`, and of a
    review the sign but not the words, which speak of one item. Without it, to measure what the model does alone.
    """

    def fit(feature: str) -> bool:
        return not screened or (feature not in unsaid and guard.fit_to_say(feature))

    def shown(act: Act) -> bool:
        own = not act.title and may_be_shown(act.text) and not holds_any(act.text.lower(), unsaid)
        return bool(act.text) and (own or not screened)

    items = {e.title: e for e in events if e.title}
    held = [e for e in items.values() if e.against == (polarity == "dislike")] or list(items.values())
    limits = [e for e in items.values() if e not in held]
    counts = Counter(f for e in held for f in e.features)
    first = {f: place for place, f in enumerate(dict.fromkeys(f for e in held for f in e.features))}
    ranked = _told(filter(fit, sorted(counts, key=lambda f: (-counts[f], first[f]))))
    features = counted(ranked, [e.features for e in held])
    lead = features[0][0] if features else None
    kinds = Counter(e.kind for e in held if lead is None or lead in e.features)
    avoided = counted(list(dict.fromkeys(f for e in limits for f in e.features)), [e.features for e in limits])
    against = tuple(f for f, _ in avoided if counts[f] < ENOUGH and fit(f))
    typed = tuple(e.text for e in events if shown(e))
    return Notes(tuple((k, n) for k, n in kinds.most_common() if n >= ENOUGH), features, against, typed)


def _told(features: Iterable[str]) -> list[str]:
    """Without what one before them says already."""
    chosen: list[str] = []
    for feature in features:
        if not guard.overlap(feature, chosen):
            chosen.append(feature)
    return chosen


def _shuffled(notes: Notes, dice: random.Random | None) -> Notes:
    if dice is None:
        return notes
    shown = notes.features[:MOST_FEATURES]
    return replace(notes, features=tuple(dice.sample(shown, len(shown))))


def reason_notes(evidence: Sequence[Act], item: Thing) -> dict[str, Any]:
    """The variables of the prompt `explain`: kinds of the evidence, what it shares with the item, the item."""
    own = item.features
    shared = [f for f in own if any(f in e.features for e in evidence)]
    kinds = list(dict.fromkeys(e.kind for e in evidence if e.kind))
    return {
        "known": ", ".join(kinds) or "searches",
        "shared": ", ".join(shared[:FEATURES]) or "nothing",
        "item": f"{item.kind} ({', '.join(own[:MOST_FEATURES])})",
    }
