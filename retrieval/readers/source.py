"""What every reader is built on: the two faults, bounded lines of text, delimited rows, and rows turned into records.

Only the row that is bad is lost, and memory is bounded whatever the file holds: a line is read up to `LINE_CAP` bytes.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from retrieval.records import Event, Item, Refusal

LINE_CAP = 8 * 2**20  # bytes; a thousand times the longest review of Amazon Reviews 2023
_BOM = b"\xef\xbb\xbf"
_UNDECODED = re.compile("[\udc80-\udcff]")  # what "surrogateescape" makes of a byte that is not UTF-8

Row = Mapping[str, object]
Record = Item | Event | Refusal


class ReadError(ValueError):
    """A file or folder that cannot be read at all: missing, of no known format, or with a wrong header."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class BadRowError(ValueError):
    """A row that cannot be taken; the text is the reason of its Refusal."""


Numbered = tuple[int, Row | BadRowError]


class Lines:
    """The lines of an open file as text, without a byte-order mark; bytes that are not UTF-8 become lone surrogates.

    `number` is the line last given (from 1). `overlong` is set when a line was cut at `LINE_CAP`; the reader of the
    lines clears it.
    """

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle
        self.number = 0
        self.overlong = False

    def __iter__(self) -> Iterator[str]:
        while raw := self._handle.readline(LINE_CAP):
            self.number += 1
            if len(raw) == LINE_CAP and not raw.endswith(b"\n"):
                self._skip_rest()
            if self.number == 1:
                raw = raw.removeprefix(_BOM)
            yield raw.decode("utf-8", "surrogateescape")

    def _skip_rest(self) -> None:
        while rest := self._handle.readline(LINE_CAP):
            self.overlong = True
            if rest.endswith(b"\n"):
                return

    def fault(self, text: str) -> BadRowError | None:
        """Why a row made of `text` cannot be trusted, if so; clears `overlong`."""
        if self.overlong:
            self.overlong = False
            return BadRowError(f"the line is longer than {LINE_CAP // 2**20} MiB")
        return BadRowError("not UTF-8") if _UNDECODED.search(text) else None


def open_binary(path: Path) -> BinaryIO:
    """The file at `path`. Raises ReadError when there is none or it may not be read."""
    try:
        return path.open("rb")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ReadError(
            f"cannot open {path.name}: {reason.lower()}", hint="check the path and its permissions"
        ) from error


def delimited(path: Path, *, delimiter: str, quoted: bool) -> Iterator[tuple[int, list[str] | BadRowError]]:
    """The rows of a CSV or TSV file, header first, each with the line it starts on. Blank lines are passed over.

    `quoted` is RFC 4180 quoting, read strictly: a stray or unclosed quote spoils its row instead of being guessed at.
    """
    # The limit is the process's own; the default of 128 KiB is less than one long review.
    csv.field_size_limit(max(csv.field_size_limit(), LINE_CAP))
    with open_binary(path) as handle:
        lines = Lines(handle)
        cells = csv.reader(
            lines, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE, strict=quoted
        )
        while True:
            start = lines.number + 1
            try:
                row = next(cells)
            except StopIteration:
                return
            except csv.Error as error:
                lines.overlong = False
                yield start, _broken(start, lines.number, error)
                continue
            if row:
                yield start, lines.fault("".join(row)) or row


def _broken(start: int, end: int, error: csv.Error) -> BadRowError:
    where = f" (a quoted field runs on to line {end})" if end > start else ""
    return BadRowError(f"not a row: {error}{where}")


def table(path: Path, *, delimiter: str, quoted: bool) -> tuple[list[str], Iterator[Numbered]]:
    """The header of a delimited file and its rows as mappings. Raises ReadError when there is no usable header."""
    rows = delimited(path, delimiter=delimiter, quoted=quoted)
    _, first = next(rows, (0, BadRowError("the file is empty")))
    if isinstance(first, BadRowError):
        raise ReadError(f"{path.name} has no header: {first}", hint="the first line names the columns, in UTF-8")
    header = [name.strip() for name in first]
    if len(set(header)) < len(header):
        raise ReadError(f"{path.name} names a column twice: {', '.join(header)}", hint="rename one of them")
    return header, _mappings(header, rows)


def _mappings(header: Sequence[str], rows: Iterable[tuple[int, list[str] | BadRowError]]) -> Iterator[Numbered]:
    for line, row in rows:
        if isinstance(row, BadRowError):
            yield line, row
        elif len(row) != len(header):
            many = "many" if len(row) > len(header) else "few"
            yield line, BadRowError(f"too {many} columns: {len(row)}, and the header has {len(header)}")
        else:
            yield line, dict(zip(header, row, strict=True))


def convert(file: str, rows: Iterable[Numbered], make: Callable[[Row], Item | Event]) -> Iterator[Record]:
    """Each row as the record that `make` builds from it, or as a Refusal with the reason."""
    for line, row in rows:
        if isinstance(row, BadRowError):
            yield Refusal(file, line, str(row))
            continue
        try:
            yield make(row)
        except BadRowError as bad:
            yield Refusal(file, line, str(bad))
