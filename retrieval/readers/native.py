"""Native JSON Lines: one JSON object a line with the field names of `Item` or `Event`, in a folder or a single file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NoReturn

from retrieval.readers.columns import ColumnMap
from retrieval.readers.rows import to_event, to_item
from retrieval.readers.source import BadRowError, Lines, Numbered, ReadError, Record, Row, convert, open_binary
from retrieval.records import Event, Item

ITEMS = "items.jsonl"
EVENTS = "events.jsonl"


def read(path: Path, *, columns: ColumnMap | None, now: datetime) -> Iterator[Record]:
    """Items, then events, of a folder; or the rows of one file, whose kind its name or the keys of each row tell."""
    for file in _files(path) if path.is_dir() else [path]:
        rows = json_rows(file)
        if columns is not None:
            rows = columns.rename(rows)
        yield from convert(file.name, rows, partial(_record, kind=_kind(file, columns), now=now))


def _files(folder: Path) -> list[Path]:
    found = [folder / name for name in (ITEMS, EVENTS) if (folder / name).is_file()]
    if not found:
        raise ReadError(f"{folder.name} has neither {ITEMS} nor {EVENTS}", hint="or pass one .jsonl file")
    return found


def _kind(file: Path, columns: ColumnMap | None) -> type[Item] | type[Event] | None:
    """What the rows are: the map knows, or the name says it; None where each row must tell."""
    if columns is not None:
        return Event if columns.is_events else Item
    name = file.name.lower()
    if ("item" in name) is ("event" in name):
        return None
    return Item if "item" in name else Event


def _record(row: Row, *, kind: type[Item] | type[Event] | None, now: datetime) -> Item | Event:
    if kind is None:
        kind = Event if "user" in row else Item
    return to_item(row) if kind is Item else to_event(row, now=now)


def json_rows(path: Path) -> Iterator[Numbered]:
    """The objects of a JSON Lines file with their line numbers; blank lines are passed over."""
    with open_binary(path) as handle:
        lines = Lines(handle)
        for text in lines:
            if text.strip():
                yield lines.number, lines.fault(text) or _parse(text)


def _parse(text: str) -> Row | BadRowError:
    try:
        row = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        return BadRowError("not JSON that we read: nested too deeply")
    except ValueError as error:  # its own error, an int of more than 4,300 digits, and ours below
        return BadRowError(f"not JSON: {error}")
    return row if isinstance(row, dict) else BadRowError("not a JSON object")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")
