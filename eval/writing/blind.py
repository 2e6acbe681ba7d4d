"""Pairs of answers to read without knowing whose is whose, and what the labels come to.

draw(bench, tuned, base, Path("pairs.jsonl"), seed=0)   # and pairs.key.jsonl, which nobody opens before the labels are in
preference(Path("pairs.jsonl"))                         # once each line has "label": "A", "B" or "="
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.tuning.examples import Act, EventsIn, GroundsIn, LabelsIn, StatementsIn
from eval.stats import wilson
from eval.writing.asking import Written
from eval.writing.ground import Bench
from eval.writing.inputs import Input
from eval.writing.measures import says
from retrieval.readers import ReadError

PAIRS = 150
READ = ("statement", "theme", "reason", "portrait")
TIE = "="
_HINT = 'fill in "label" with A, B or = in every line of what --blind wrote, and leave the .key.jsonl file beside it'


def draw(
    bench: Bench, answers: Sequence[Written], against: Sequence[Written], file: Path, *, seed: int, n: int = PAIRS
) -> int:
    """Write up to `n` random pairs on test examples whose answers differ, and the key; how many there are."""
    dice = random.Random(f"{seed} blind")  # noqa: S311  dice, not secrets
    others = {w.id: w for w in against}
    pairs = [(w, others[w.id]) for w in answers if w.id in others and _worth_reading(bench, w, others[w.id])]
    chosen = dice.sample(pairs, min(n, len(pairs)))
    shown, key = [], []
    for number, (ours, theirs) in enumerate(chosen, 1):
        ours_first = dice.random() < 0.5
        first, second = (ours, theirs) if ours_first else (theirs, ours)
        given = bench.inputs[ours.id]
        about = {"pair": number, "task": given.task, "given": readable(given)}
        shown.append({**about, "A": says(first), "B": says(second), "label": ""})
        key.append({"pair": number, "id": ours.id, "answers": "A" if ours_first else "B"})
    _write(file, shown)
    _write(_key(file), key)
    return len(chosen)


def _worth_reading(bench: Bench, ours: Written, theirs: Written) -> bool:
    given = bench.inputs[ours.id]
    return given.group in ("trained", "held_out") and given.task in READ and says(ours) != says(theirs)


def readable(given: Input) -> str:
    """An input as a person reads it, a line for each thing."""
    match given.given:
        case EventsIn(polarity=polarity, events=events):
            return "\n".join([f"What does this person {polarity}?", *map(_told, events)])
        case GroundsIn(evidence=acts, item=item):
            why = f"Why {item.kind} “{item.title}” ({', '.join(item.features)})? You ..., and this is:"
            return "\n".join([*map(_told, acts), why])
        case StatementsIn(statements=statements):
            return "\n".join(["A name for:", *statements])
        case LabelsIn(likes=likes, dislikes=dislikes):
            return f"A portrait. Likes: {'; '.join(likes)}. Dislikes: {'; '.join(dislikes) or 'none'}."
        case _:
            return ""


def _told(act: Act) -> str:
    """ "liked film “Nine Winters” (arctic, noir): 'so cold'"."""
    named = f" {act.kind} “{act.title}” ({', '.join(act.features)})" if act.title else ""
    return f"{act.act}{named}" + (f": '{act.text}'" if act.text else "")


def preference(file: Path) -> dict[str, Any]:
    """How often the labels of a file prefer what --answers held. A tie is no preference: the share is of all pairs.

    Raises ReadError for a file or key that is not there, and for a line without a label.
    """
    whose = {row["pair"]: row["answers"] for row in _rows(_key(file), ("pair", "answers"))}
    labels = {row["pair"]: row["label"] for row in _rows(file, ("pair", "label"))}
    for pair, label in labels.items():
        if label not in ("A", "B", TIE) or pair not in whose:
            raise ReadError(f"{file.name}: pair {pair} has the label {label!r}", hint=_HINT)
    preferred = sum(label == whose[pair] for pair, label in labels.items())
    ties = sum(label == TIE for label in labels.values())
    share = preferred / len(labels)
    figures = {"unit": "share", "value": share, "hits": preferred, "of": len(labels), "inputs": len(labels)}
    row = {"group": "blind", "task": "pairs", "measure": "preferred", **figures, "ties": ties}
    return {"blind pairs preferred": {**row, "ci95": wilson(preferred, len(labels))}}


def _key(file: Path) -> Path:
    return file.with_suffix(".key.jsonl")


def _write(file: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def _rows(file: Path, needed: Sequence[str]) -> list[dict[str, Any]]:
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise ReadError(f"cannot read {file.name}: {error}", hint=_HINT) from error
    if not rows or not all(isinstance(row, dict) and row.keys() >= set(needed) for row in rows):
        raise ReadError(f"{file.name} has lines without {' and '.join(needed)}", hint=_HINT)
    return rows
