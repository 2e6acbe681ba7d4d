"""Readers: any supported file or folder in, a stream of items, events and refusals out.

    for record in read(Path("ml-latest-small"), now=datetime.now(UTC)): ...

A bad row is a Refusal and the rest goes in; a file that cannot be read at all is a ReadError. See docs/ingest.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from retrieval.readers import movielens, native, recbole, table
from retrieval.readers.columns import ColumnMap
from retrieval.readers.recbole import Sequence, read_sequences
from retrieval.readers.rows import clean, content_hash
from retrieval.readers.source import ReadError, Record
from retrieval.records import utc

__all__ = [
    "FORMATS",
    "ColumnMap",
    "ReadError",
    "Record",
    "Sequence",
    "clean",
    "content_hash",
    "detect",
    "read",
    "read_sequences",
]

FORMATS = ("jsonl", "csv", "tsv", "parquet", "movielens", "recbole")
_TABLES = ("csv", "tsv", "parquet")
_ENDINGS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".inter": "recbole",
    ".item": "recbole",
}
_HINT = f"formats: {', '.join(FORMATS)}; name one with --format"


def read(
    path: Path,
    *,
    format: str = "auto",  # noqa: A002  what the command line calls it
    columns: ColumnMap | None = None,
    now: datetime,
    tags: bool = True,
) -> Iterator[Record]:
    """Items, events and refusals of a file or folder, items first where the source allows; memory stays bounded.

    `columns` says what a table's columns mean (guessed from usual names without it); MovieLens takes none, and
    RecBole's applies to its interactions. `now` bounds the times: an event more than a day later is refused.
    `tags=False` leaves MovieLens' tags out, which carry no time and so would leak into an evaluation. Raises ReadError,
    here or at the first record.
    """
    name = detect(path) if format == "auto" else format
    if name not in FORMATS:
        raise ReadError(f"unknown format '{name}'", hint=_HINT)
    _check_path(path, name)
    if columns is not None and name == "movielens":
        raise ReadError("movielens has fixed columns: a column map changes nothing there", hint="use --format csv")
    now = utc(now)
    if name == "jsonl":
        return native.read(path, columns=columns, now=now)
    if name in _TABLES:
        return table.read(path, format=name, columns=columns, now=now)
    if name == "movielens":
        return movielens.read(path, now=now, tags=tags)
    return recbole.read(path, columns=columns, now=now)


def detect(path: Path) -> str:
    """The format of a file, by its ending, or of a folder, by the files in it. Raises ReadError."""
    if not path.exists():
        raise ReadError(f"{path} does not exist", hint="check the path")
    found = _detect_folder(path) if path.is_dir() else _ENDINGS.get(path.suffix.lower())
    if found is None:
        raise ReadError(f"{path.name}: not a format that we know", hint=_HINT)
    return found


def _detect_folder(path: Path) -> str | None:
    if all((path / name).is_file() for name in movielens.FILES):
        return "movielens"
    if any((path / name).is_file() for name in (native.ITEMS, native.EVENTS)):
        return "jsonl"
    atomic = any(file.suffix in (".inter", ".item") for file in path.iterdir())
    return "recbole" if atomic else None


def _check_path(path: Path, name: str) -> None:
    if not path.exists():
        raise ReadError(f"{path} does not exist", hint="check the path")
    if path.is_dir() and name in _TABLES:
        raise ReadError(f"{path.name} is a folder; {name} is read from one file", hint="pass the file")
    if not path.is_dir() and name == "movielens":
        raise ReadError(f"{path.name} is a file; movielens is read from its folder", hint="pass the folder")
