"""RecBole atomic files: NAME.item and NAME.inter, tab-separated, with typed headers ("title:token_seq").

Two forms of NAME.inter. Plain: one interaction a row. Sequence (NAME.test.inter): a user, the items before, and the
target; it has no times, so `views` puts the history one day apart from `SEQUENCE_START`, which keeps the order and
nothing more. `read` gives the history only; an evaluation finds its files with `sequence_files` and asks `read_sequences`
for the targets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from retrieval.readers.columns import ColumnMap
from retrieval.readers.movielens import natural_title
from retrieval.readers.rows import identifier, prose, shown, to_event, to_item
from retrieval.readers.source import BadRowError, Numbered, ReadError, Record, Row, convert, table
from retrieval.records import Event, EventKind, Item, Refusal

SEQUENCE_START = datetime(2000, 1, 1, tzinfo=UTC)
SEQUENCE_STEP = timedelta(days=1)
_INTER = re.compile(r"(?P<name>.+?)(\.(train|valid|test))?\.inter")
_SPLITS = ("train", "valid", "test")
_LIST = "item_id_list"
_HINT = "RecBole's first line is like user_id:token<TAB>rating:float; types: token, token_seq, float, float_seq"
_FIELD = re.compile(r"\s*(?P<name>[^:]+?)\s*:\s*(?P<type>token|token_seq|float|float_seq)\s*")


@dataclass(frozen=True, slots=True)
class Sequence:
    """One row of the sequence form: what `user` touched, oldest first, what came next, and where it stands (from line 1)."""

    user: str
    history: tuple[str, ...]
    target: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class SequenceFiles:
    """What an evaluation reads: the items, the rows to test, and the other splits, which may hold more users."""

    items: tuple[Path, ...]
    tested: Path
    others: tuple[Path, ...]


def read(path: Path, *, columns: ColumnMap | None, now: datetime) -> Iterator[Record]:
    """Items of NAME.item, then events. A .inter file brings the NAME.item beside it along."""
    for file in files(path):
        yield from _items(file) if file.suffix == ".item" else _events(file, columns, now)


def files(path: Path) -> list[Path]:
    """What `read` reads of a file or folder, in its order. Raises ReadError for a folder with several datasets."""
    if path.suffix == ".item":
        return [path]
    return [*_item_files(path), *(_interactions(path) if path.is_dir() else [path])]


def sequence_files(path: Path) -> SequenceFiles | None:
    """What an evaluation reads of a file or folder in the sequence form; None where it has another form.

    Of a folder it is the test split, even beside a NAME.inter, which `read` prefers. Raises ReadError at a bad header.
    """
    choices = [path]
    if path.is_dir():
        last = _interactions(path)[-1:]
        choices = [file for file in _splits(*last) if file.name.endswith(".test.inter")] + last if last else []
    tested = next((file for file in choices if file.is_file() and _is_sequence(file)), None)
    if tested is None:
        return None
    others = tuple(file for file in _splits(tested) if file != tested and _is_sequence(file))
    return SequenceFiles(tuple(_item_files(path)), tested, others)


def read_sequences(file: Path) -> Iterator[Sequence | Refusal]:
    """The rows of a sequence file, a bad one as a Refusal. Raises ReadError when the header has not the columns."""
    header, rows = _table(file)
    missing = [name for name in ("user_id", _LIST, "item_id") if name not in header]
    if missing:
        raise ReadError(
            f"{file.name}, line 1: no column {missing[0]}, only {', '.join(header)}"[:500],
            hint="the sequence form is user_id:token<TAB>item_id_list:token_seq<TAB>item_id:token, in any order",
        )
    for line, row in rows:
        try:
            yield _sequence(row, file.name, line)
        except BadRowError as bad:
            yield Refusal(file.name, line, str(bad))


def views(user: str, items: Iterable[str], *, now: datetime) -> list[Event]:
    """The items as views one day apart from `SEQUENCE_START`. Raises BadRowError when they run into the future."""
    days = [(SEQUENCE_START + day * SEQUENCE_STEP, item) for day, item in enumerate(items)]
    if days and days[-1][0] > now:
        raise BadRowError(f"a history of {len(days)} items, a day each, runs into the future")
    return [to_event({"user": user, "item": item, "kind": EventKind.VIEW, "at": at}, now=now) for at, item in days]


def _name(path: Path) -> str:
    match = _INTER.fullmatch(path.name)
    return match["name"] if match else path.stem


def _interactions(folder: Path) -> list[Path]:
    """The .inter files of a folder to read: NAME.inter, else the splits; of sequence splits only the last.

    The last, because the rows of the earlier splits are beginnings of its histories.
    """
    names = {_name(file) for file in folder.glob("*.inter")}
    if len(names) > 1:
        raise ReadError(
            f"{folder.name} holds several datasets: {', '.join(sorted(names))}", hint="pass one .inter file"
        )
    for name in names:
        whole = folder / f"{name}.inter"
        if whole.is_file():
            return [whole]
        splits = _splits(whole)
        return splits[-1:] if _is_sequence(splits[-1]) else splits
    return []


def _splits(file: Path) -> list[Path]:
    """The files of the same dataset beside `file` that hold a split, in the order in which they follow each other."""
    named = (file.with_name(f"{_name(file)}.{split}.inter") for split in _SPLITS)
    return [split for split in named if split.is_file()]


def _is_sequence(file: Path) -> bool:
    return _LIST in _table(file)[0]


def _item_files(path: Path) -> list[Path]:
    beside = [path.with_name(f"{_name(path)}.item")]
    return sorted(path.glob("*.item")) if path.is_dir() else [file for file in beside if file.is_file()]


def _table(path: Path) -> tuple[dict[str, str], Iterator[Numbered]]:
    """The header as column -> type, and the rows by column. Raises ReadError when the header is not typed."""
    typed, rows = table(path, delimiter="\t", quoted=False)
    plain, header = {}, {}
    for cell in typed:
        match = _FIELD.fullmatch(cell)
        if match is None or match["name"] in header:
            fault = "is not NAME:TYPE" if match is None else "is there twice"
            raise ReadError(f"{path.name}, line 1: no typed header: {shown(cell)} {fault}", hint=_HINT)
        plain[cell] = match["name"]
        header[match["name"]] = match["type"]
    return header, _untyped(plain, rows)


def _untyped(plain: Mapping[str, str], rows: Iterator[Numbered]) -> Iterator[Numbered]:
    for line, row in rows:
        if not isinstance(row, BadRowError):
            row = {plain[name]: cell for name, cell in row.items()}
        yield line, row


def _items(path: Path) -> Iterator[Record]:
    header, rows = _table(path)
    columns = ColumnMap.guess(header)
    columns.check(f"{path.name}, line 1", list(header))
    lists = [field for field in ("categories", "tags") if header.get(columns.sources().get(field, "")) == "token_seq"]
    yield from convert(path.name, columns.rename(rows), partial(_item, lists=lists))


def _item(row: Row, *, lists: list[str]) -> Item:
    split: Row = {field: _tokens(str(row[field]).lower()) for field in lists}
    return to_item({**row, **split, "title": natural_title(prose(row["title"], "title", 1000))})


def _tokens(cell: str) -> list[str]:
    """Tokens are split on blanks; some published files write "slice of life, comedy" instead."""
    return cell.split(",") if "," in cell else cell.split()


def _events(path: Path, columns: ColumnMap | None, now: datetime) -> Iterator[Record]:
    header, rows = _table(path)
    if _LIST in header:
        yield from _histories(path, now)
        return
    columns = columns or ColumnMap.guess(header)
    columns.check(f"{path.name}, line 1", list(header))
    yield from convert(path.name, columns.rename(rows), partial(to_event, now=now))


def _histories(file: Path, now: datetime) -> Iterator[Record]:
    for sequence in read_sequences(file):
        if isinstance(sequence, Refusal):
            yield sequence
            continue
        try:
            yield from views(sequence.user, sequence.history, now=now)
        except BadRowError as bad:
            yield Refusal(sequence.file, sequence.line, str(bad))


def _sequence(row: Row | BadRowError, file: str, line: int) -> Sequence:
    if isinstance(row, BadRowError):
        raise row
    return Sequence(
        user=identifier(row["user_id"], "user_id"),
        history=tuple(identifier(item, _LIST) for item in str(row[_LIST]).split()),
        target=identifier(row["item_id"], "item_id"),
        file=file,
        line=line,
    )
