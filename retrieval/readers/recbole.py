"""RecBole atomic files: NAME.item and NAME.inter, tab-separated, with typed headers ("title:token_seq").

Two forms of NAME.inter. Plain: one interaction a row. Sequence (NAME.test.inter): a user, the items before, and the
target; it has no times, so the history gets one day apart from `SEQUENCE_START`, which keeps the order and nothing
more. `read` gives the history only, and the evaluation asks `read_sequences` for the target.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from retrieval.readers.columns import ColumnMap
from retrieval.readers.movielens import natural_title
from retrieval.readers.rows import identifier, prose, to_event, to_item
from retrieval.readers.source import BadRowError, Numbered, ReadError, Record, Row, convert, table
from retrieval.records import EventKind, Item, Refusal

SEQUENCE_START = datetime(2000, 1, 1, tzinfo=UTC)
SEQUENCE_STEP = timedelta(days=1)
_INTER = re.compile(r"(?P<name>.+?)(\.(train|valid|test))?\.inter")
_SPLITS = ("train", "valid", "test")
_LIST = "item_id_list"


@dataclass(frozen=True, slots=True)
class Sequence:
    """One row of the sequence form: what `user` touched, oldest first, and what came next."""

    user: str
    history: tuple[str, ...]
    target: str


def read(path: Path, *, columns: ColumnMap | None, now: datetime) -> Iterator[Record]:
    """Items of NAME.item, then events. A .inter file brings the NAME.item beside it along."""
    if path.suffix == ".item":
        yield from _items(path)
        return
    files = _interactions(path) if path.is_dir() else [path]
    items = path if path.is_dir() else path.with_name(_name(path) + ".item")
    for file in sorted(path.glob("*.item")) if path.is_dir() else [items]:
        if file.is_file():
            yield from _items(file)
    for file in files:
        yield from _events(file, columns, now)


def read_sequences(path: Path) -> Iterator[Sequence]:
    """The rows of a sequence file, or of the test split in a folder.

    Raises ReadError at a bad row too: an evaluation must not lose users in silence.
    """
    file = _interactions(path)[-1] if path.is_dir() else path
    header, rows = _table(file)
    if _LIST not in header:
        raise ReadError(f"{file.name} has no column {_LIST}", hint="pass the sequence form, NAME.test.inter")
    for line, row in rows:
        try:
            yield _sequence(row)
        except BadRowError as bad:
            raise ReadError(f"{file.name}, line {line}: {bad}", hint="mend or remove the line") from bad


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
        splits = [file for split in _SPLITS if (file := folder / f"{name}.{split}.inter").is_file()]
        if whole.is_file():
            return [whole]
        return splits[-1:] if _LIST in _table(splits[-1])[0] else splits
    return []


def _table(path: Path) -> tuple[dict[str, str], Iterator[Numbered]]:
    """The header as column -> type, and the rows by column. Raises ReadError when the header is not typed."""
    typed, rows = table(path, delimiter="\t", quoted=False)
    header = dict(name.rpartition(":")[::2] for name in typed)
    if "" in header:
        raise ReadError(f"{path.name} has no typed header", hint="RecBole's first line is like user_id:token<TAB>...")
    return header, _untyped(typed, rows)


def _untyped(typed: list[str], rows: Iterator[Numbered]) -> Iterator[Numbered]:
    plain = {name: name.rpartition(":")[0] for name in typed}
    for line, row in rows:
        if not isinstance(row, BadRowError):
            row = {plain[name]: cell for name, cell in row.items()}
        yield line, row


def _items(path: Path) -> Iterator[Record]:
    header, rows = _table(path)
    columns = ColumnMap.guess(header)
    columns.check(path.name, list(header))
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
        yield from _histories(path.name, rows, now)
        return
    columns = columns or ColumnMap.guess(header)
    columns.check(path.name, list(header))
    yield from convert(path.name, columns.rename(rows), partial(to_event, now=now))


def _histories(file: str, rows: Iterator[Numbered], now: datetime) -> Iterator[Record]:
    for line, row in rows:
        try:
            sequence = _sequence(row)
            if len(sequence.history) > (now - SEQUENCE_START) / SEQUENCE_STEP:
                raise BadRowError(f"a history of {len(sequence.history)} items, a day each, runs into the future")
        except BadRowError as bad:
            yield Refusal(file, line, str(bad))
            continue
        for position, item in enumerate(sequence.history):
            at = SEQUENCE_START + position * SEQUENCE_STEP
            yield to_event({"user": sequence.user, "item": item, "kind": EventKind.VIEW, "at": at}, now=now)


def _sequence(row: Row | BadRowError) -> Sequence:
    if isinstance(row, BadRowError):
        raise row
    return Sequence(
        user=identifier(row.get("user_id"), "user_id"),
        history=tuple(identifier(item, _LIST) for item in str(row[_LIST]).split()),
        target=identifier(row.get("item_id"), "item_id"),
    )
