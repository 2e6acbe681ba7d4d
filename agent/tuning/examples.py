"""The examples that the embedded model is tuned on: their schema, and how they are read and split.

    examples = load()                       # the project's own, validated
    train = [e for e in examples if e.split == "train"]

One JSON object a line and one file a domain, in data/; what each field means and where the examples come from: data/README.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from agent.errors import UsageError

DATA = Path(__file__).with_name("data")
RESAMPLED = Path(__file__).with_name("resampled")  # what agent/tuning/choose.py kept, for the shipped adapter
CHOSEN, PREFERENCES = RESAMPLED / "chosen", RESAMPLED / "preferences"
HELD_OUT = ("podcasts", "museums")  # domains that no training example comes from

Split = Literal["train", "dev", "test"]
Text = Annotated[str, StringConstraints(min_length=1, max_length=600)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Act(_Row):
    """One event. `act`: "liked", "rated 4.5", "searched", ...; a search has a text and nothing else."""

    act: Annotated[
        str,
        StringConstraints(pattern=r"^(liked|disliked|viewed|clicked|bought|shared|hid|searched|rated [0-5](\.5)?)$"),
    ]
    kind: str = ""
    title: str = ""
    features: tuple[str, ...] = ()
    text: str = ""

    @property
    def against(self) -> bool:
        """Does it speak against the item?"""
        head, _, value = self.act.partition(" ")
        return head in ("disliked", "hid") or (head == "rated" and float(value) <= 2)


class Thing(_Row):
    """An item that may be recommended."""

    kind: Text
    title: Text
    features: tuple[str, ...]


class _Example(_Row):
    id: Text
    domain: Text
    language: Literal["en", "de", "es", "fr", "zh"]
    case: Literal["plain", "incoherent", "one-off", "sensitive", "instruction", "against"]
    split: Split
    origin: Text


class EventsIn(_Row):
    polarity: Literal["like", "dislike"]
    events: Annotated[tuple[Act, ...], Field(min_length=1, max_length=8)]


class StatementExample(_Example):
    """Events to the phrase that names the taste; None: nothing should be said."""

    task: Literal["statement"]
    input: EventsIn
    answer: Text | None


class StatementsIn(_Row):
    statements: Annotated[tuple[Text, ...], Field(min_length=2, max_length=6)]


class Named(_Row):
    """A name, and a sentence where a person has written one."""

    label: Text
    summary: str = ""


class ThemeExample(_Example):
    """Statements of one theme to its name and a sentence that sums it up; None: they do not belong together."""

    task: Literal["theme"]
    input: StatementsIn
    answer: Named | None


class TextIn(_Row):
    text: Text


class Piece(_Row):
    says: Literal["like", "dislike", "want"]
    text: Text


class SelfExample(_Example):
    """What somebody writes of themselves to the pieces of it that tell a taste or a constraint, copied."""

    task: Literal["self"]
    input: TextIn
    answer: tuple[Piece, ...]


class GroundsIn(_Row):
    evidence: Annotated[tuple[Act, ...], Field(min_length=1, max_length=3)]
    item: Thing


class ReasonExample(_Example):
    """Selected evidence and an item to the words that follow "this is "."""

    task: Literal["reason"]
    input: GroundsIn
    answer: Text


class LabelsIn(_Row):
    likes: tuple[Text, ...]
    dislikes: tuple[Text, ...]


class PortraitExample(_Example):
    """The names of themes to one paragraph."""

    task: Literal["portrait"]
    input: LabelsIn
    answer: Text


Example = StatementExample | ThemeExample | SelfExample | ReasonExample | PortraitExample


class Preference(_Row):
    """An example whose answer was chosen, and an answer to the same input that was refused."""

    chosen: Annotated[Example, Field(discriminator="task")]
    refused: Annotated[Example, Field(discriminator="task")]


def taught(example: Example) -> bool:
    """Is it learnt from? The product never asks whether statements are one theme, so nobody learns to deny it."""
    return not (isinstance(example, ThemeExample) and example.answer is None)


class _Line(BaseModel):
    row: Annotated[Example, Field(discriminator="task")]


@dataclass(frozen=True, slots=True)
class Lessons:
    """What a model is tuned on: examples with their splits, answers that were chosen, and rounds of chosen answers beside
    refused ones."""

    examples: Sequence[Example]
    chosen: Sequence[Example] = ()
    rounds: Sequence[Sequence[Preference]] = ()


def lessons(data: Path | None = None, resampled: Path | None = None) -> Lessons:
    """Those in the folders; without any, all that the shipped adapter was tuned on. A chosen answer to an example, which has
    that example's id, takes the place of its own. Raises UsageError."""
    more = resampled or (None if data else RESAMPLED)
    written, chosen = load(data or DATA), load(more / "chosen") if more else []
    own = {e.id for e in written}
    anew = {e.id: e for e in chosen if e.id in own}
    return Lessons(
        [anew.get(e.id, e) for e in written],
        [e for e in chosen if e.id not in own],
        load_rounds(more / "preferences") if more else (),
    )


def load(folder: Path = DATA) -> list[Example]:
    """All examples of a folder, in the order of its files. Raises UsageError, naming file and line, where one is bad."""
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise UsageError(f"no examples in {folder}", hint="give a folder of .jsonl files; docs/tune.md shows one")
    return [example for file in files for example in _read(file)]


def load_rounds(folder: Path) -> list[list[Preference]]:
    """The pairs of the files in a folder are the first round, those of each folder in it, in the order of their names, one
    more: answers of the model that the rounds before have made. Raises UsageError as `load_preferences` does."""
    deeper = sorted(path for path in folder.glob("*") if path.is_dir())
    return [pairs for path in (folder, *deeper) if (pairs := load_preferences(path))]


def load_preferences(folder: Path) -> list[Preference]:
    """All pairs of a folder; none where it has no files. Raises UsageError, naming file and line, where one is bad."""
    found = []
    for file in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            try:
                found.append(Preference.model_validate_json(line))
            except ValidationError as error:
                raise UsageError(f"{file.name}, line {number}: {error.errors()[0]['msg']}") from error
    return found


def _read(file: Path) -> Iterator[Example]:
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        try:
            yield _Line.model_validate_json(f'{{"row":{line}}}').row
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"][1:])
            raise UsageError(
                f"{file.name}, line {number}: {where}: {first['msg']}", hint="docs/tune.md shows one of each kind"
            ) from error
