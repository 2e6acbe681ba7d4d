"""CSV, TSV and Parquet tables of anybody's making, read through a ColumnMap.

TSV is unquoted (a quotation mark is a character like any other); CSV is quoted by RFC 4180.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from retrieval.readers.columns import ColumnMap
from retrieval.readers.rows import to_event, to_item
from retrieval.readers.source import BadRowError, Numbered, ReadError, Record, convert, open_binary, table

_BATCH = 512  # rows in memory at once: with reviews of 1 MB each still half a gigabyte


def read(path: Path, *, format: str, columns: ColumnMap | None, now: datetime) -> Iterator[Record]:  # noqa: A002
    """The rows of one table as items or events. Raises ReadError when a column that is needed is not there."""
    header, rows = _open(path, format, columns)
    columns = columns or ColumnMap.guess(header)
    columns.check(path.name, header)
    make = partial(to_event, now=now) if columns.is_events else to_item
    yield from convert(path.name, columns.rename(rows), make)


def _open(path: Path, form: str, columns: ColumnMap | None) -> tuple[list[str], Iterator[Numbered]]:
    if form == "parquet":
        return _parquet(path, columns)
    return table(path, delimiter="," if form == "csv" else "\t", quoted=form == "csv")


def _parquet(path: Path, columns: ColumnMap | None) -> tuple[list[str], Iterator[Numbered]]:
    """The column names and the rows, numbered from 1, of which only the mapped columns are read."""
    open_binary(path).close()  # a missing file is our error, not Arrow's
    try:
        source = pq.ParquetFile(path, coerce_int96_timestamp_unit="us")
    except (pa.ArrowException, OSError) as error:
        raise ReadError(
            f"{path.name} is not a Parquet file: {error}"[:300], hint="check the file or --format"
        ) from error
    header = list(source.schema_arrow.names)
    wanted = (columns or ColumnMap.guess(header)).columns()
    return header, _parquet_rows(source, path.name, [name for name in wanted if name in header])


def _parquet_rows(source: pq.ParquetFile, name: str, wanted: list[str]) -> Iterator[Numbered]:
    line = 0
    try:
        with source:
            for batch in source.iter_batches(batch_size=_BATCH, columns=wanted):
                for row in _rows(_without_nanoseconds(batch)):
                    line += 1
                    yield line, row
    except (pa.ArrowException, OSError) as error:
        raise ReadError(f"{name} is damaged after row {line}: {error}"[:300], hint="write the file again") from error


def _without_nanoseconds(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Timestamps as naive UTC microseconds, the finest that Python's datetime holds."""
    for index, field in enumerate(batch.schema):
        if pa.types.is_timestamp(field.type):
            plain = batch.column(index).cast(pa.timestamp("us"), safe=False)
            batch = batch.set_column(index, field.name, plain)
    return batch


def _rows(batch: pa.RecordBatch) -> Iterator[dict[str, object] | BadRowError]:
    try:
        yield from batch.to_pylist()
    except (ValueError, OverflowError):  # text that is not UTF-8, a time before year 1: find the row
        yield from (_one_row(batch.slice(index, 1)) for index in range(batch.num_rows))


def _one_row(batch: pa.RecordBatch) -> dict[str, object] | BadRowError:
    try:
        row: dict[str, object] = batch.to_pylist()[0]
    except UnicodeDecodeError:
        return BadRowError("not UTF-8")
    except (ValueError, OverflowError) as error:
        return BadRowError(f"a value cannot be read: {error}"[:200])
    return row
