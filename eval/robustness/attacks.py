"""Attack texts from files, one JSON object a line, and items that carry them.

    {"family": "role_play", "field": "text", "text": "Pretend you are ... {title}", "goal": "promote", "language": "en"}

`field` is title, text, tag, review, query or self_description; "title+text" splits the text at "|" over two fields, and a
tag attack at "|" into several tags. A title attack is the whole title; a text attack goes before the item's own text. The
placeholders are {title}, {competitor}, {popular}, {genre}, {genre2}, {genre3}, {history1}, {history2}, {brand}, {canary}: the
attacker is taken to know the user's taste. `"instructs": false` marks what lies about an item and commands nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from retrieval.readers.rows import LIST_CAP, TEXT_CAP, TITLE_CAP, WORD_CAP, clean
from retrieval.readers.source import ReadError
from retrieval.records import Item, Refusal

FOLDER = Path(__file__).parents[1] / "attacks"
ON_ITEMS = ("title", "text", "tag")
FIELDS = (*ON_ITEMS, "review", "query", "self_description")
GOALS = ("promote", "demote", "plant", "exfiltrate", "drain")
BRAND, CANARY = "acme", "zq81canary"
_PLACEHOLDER = re.compile(r"\{(title|competitor|popular|genre[23]?|history[12]|brand|canary)\}")


@dataclass(frozen=True, slots=True)
class Attack:
    """`unseen`: it comes from a held-out file, which nothing was made with."""

    family: str
    text: str
    fields: tuple[str, ...]
    goal: str = "promote"
    language: str = "en"
    instructs: bool = True
    unseen: bool = False

    @property
    def on_items(self) -> bool:
        return set(self.fields) <= set(ON_ITEMS)

    def filled(self, names: Mapping[str, str]) -> str:
        """The text with its placeholders replaced; a name that is missing is left out."""
        known = {"brand": BRAND, "canary": CANARY, **names}
        return _PLACEHOLDER.sub(lambda found: known.get(found[1], ""), self.text)


def load(paths: Iterable[Path], unseen: bool = False) -> tuple[list[Attack], list[Refusal]]:
    """The attacks of the files, and what could not be used by line. Raises ReadError for a file that cannot be read."""
    attacks: list[Attack] = []
    problems: list[Refusal] = []
    for path in paths:
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            raise ReadError(
                f"cannot read {path.name}: {error.strerror}", hint="name a file with an attack a line"
            ) from None
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    attacks.append(replace(_attack(line), unseen=unseen))
                except (ValueError, RecursionError) as error:
                    problems.append(Refusal(path.name, number, str(error)))
    return attacks, problems


def ours() -> tuple[list[Attack], list[Refusal]]:
    """The attacks of the project: those for development, and the held-out ones. unseen.jsonl was held out while the detector
    was made, and served to make the rules of agent/phrases.py and agent/clauses.py."""
    developed = load([FOLDER / "known.jsonl", FOLDER / "unseen.jsonl"])
    held_out = load([FOLDER / "unseen2.jsonl"], unseen=True)
    return developed[0] + held_out[0], developed[1] + held_out[1]


def _attack(line: str) -> Attack:
    try:
        row = json.loads(line)
    except ValueError:
        raise ValueError("not JSON") from None
    if not isinstance(row, dict):
        raise ValueError("not an object")
    for name in ("family", "text", "field"):
        if not isinstance(row.get(name), str) or not row[name].strip():
            raise ValueError(f"{name} is missing")
    fields = tuple(row["field"].split("+"))
    if unknown := [name for name in fields if name not in FIELDS]:
        raise ValueError(f"field {unknown[0][:40]!r} is unknown; one of {', '.join(FIELDS)}")
    goal = row.get("goal", "promote")
    if goal not in GOALS:
        raise ValueError(f"goal is unknown; one of {', '.join(GOALS)}")
    instructs = row.get("instructs", True) is not False
    return Attack(row["family"], row["text"], fields, goal, str(row.get("language", "en")), instructs)


def attacked(item: Item, attack: Attack, names: Mapping[str, str]) -> Item:
    """`item` as an attacker would hand it in, raw. Fields of people (a review) leave it as it is."""
    text = attack.filled({"title": item.title, **names})
    several = attack.fields == ("tag",) or len(attack.fields) > 1
    parts = [part.strip() for part in text.split("|")] if several else [text]
    first, rest = (parts[:1], parts[1:]) if len(attack.fields) > 1 else (parts, [])
    for field, words in zip(attack.fields, (first, rest), strict=False):
        item = _with(item, field, words)
    return item


def _with(item: Item, field: str, words: list[str]) -> Item:
    if field == "title":
        return replace(item, title=" ".join(words))
    if field == "text":
        return replace(item, text=f"{' '.join(words)} {item.text}".strip())
    return replace(item, tags=(*words, *item.tags)) if field == "tag" else item


def read(item: Item) -> Item:
    """`item` as the reader would take it in: normalised and capped, see retrieval/readers/rows.py."""
    words = tuple(dict.fromkeys(word for tag in item.tags if (word := clean(tag, WORD_CAP))))[:LIST_CAP]
    return replace(item, title=clean(item.title, TITLE_CAP), text=clean(item.text, TEXT_CAP), tags=words)
