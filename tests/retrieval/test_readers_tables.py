"""Tables of anybody's making: CSV, TSV and Parquet, with a column map that is given or guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval.readers import ColumnMap, ReadError, read
from retrieval.records import Event, EventKind, Item, Refusal

NOW = datetime(2025, 1, 1, tzinfo=UTC)
DAY = datetime(2024, 5, 1, tzinfo=UTC)


def load(path: Path, content: str | bytes, **options: Any) -> list[Any]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read(path, now=NOW, **options))


@pytest.mark.parametrize(
    "header",
    [
        "userId,movieId,rating,timestamp",
        "user_id,asin,Rating,time",
        "User,item id,value,at",
        "reviewerID,item,score,date",
    ],
)
def test_usual_column_names_need_no_map(tmp_path: Path, header: str) -> None:
    [event] = load(tmp_path / "t.csv", f"{header}\nu,i,4.5,2024-05-01\n")
    assert (event.user, event.item, event.kind, event.value, event.at) == ("u", "i", EventKind.RATE, 4.5, DAY)


def test_a_table_without_users_is_a_table_of_items(tmp_path: Path) -> None:
    header = "\ufeffmovieId,Title,genres,tags,description,year\r\n"
    rows = '1,"A ""B"", C",Drama|War,"[""x, y"", ""z""]","two\r\nlines",1999\r\n'
    assert load(tmp_path / "t.csv", header + rows) == [
        Item(
            "1", 'A "B", C', "two lines", ("Drama", "War"), ("x, y", "z"), published_at=datetime(1999, 1, 1, tzinfo=UTC)
        )
    ]


def test_a_given_map_renames_columns_and_sets_constants(tmp_path: Path) -> None:
    columns = ColumnMap.parse("user=who, item=what,at=when,kind=:purchase")
    [event] = load(tmp_path / "t.tsv", 'who\twhat\twhen\trating\nu\t"i\t2024-05-01\t3\n', columns=columns)
    assert (event.item, event.kind, event.value) == ('"i', EventKind.PURCHASE, None)


def test_in_a_map_of_items_item_names_the_id(tmp_path: Path) -> None:
    assert load(tmp_path / "t.csv", "a,b\n1,T\n", columns=ColumnMap(item="a", title="b")) == [Item("1", "T")]


@pytest.mark.parametrize("text", ["", "user", "user=", "colour=x", "user=a,user=b"])
def test_a_map_that_makes_no_sense_is_an_error_with_an_example(text: str) -> None:
    with pytest.raises(ReadError) as error:
        ColumnMap.parse(text)
    assert "--map user=userId" in error.value.hint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        (b"\xff\xfeu\x00", "not UTF-8"),
        ("user,item,user\n", "names a column twice"),
        ("user,item\nu,i\n", "no column for at of the events"),
        ("user,at\nu,1\n", "no column for item of the events"),
        ("colour,size\nred,1\n", "no column for id and title of the items"),
    ],
)
def test_a_wrong_header_is_an_error(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(ReadError, match=message) as error:
        load(tmp_path / "t.csv", content)
    assert error.value.hint


def test_a_mapped_column_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="has no column 'uid', only user, item, at"):
        load(tmp_path / "t.csv", "user,item,at\n", columns=ColumnMap(user="uid", item="item", at="at"))


def test_bad_rows_are_refused_by_line_and_the_others_read(tmp_path: Path) -> None:
    rows = b'user,item,at\nu,i,1\nu,i,1,9\nu,i\n\nu,"i\nj",1\nu,\xff,1\nu,"i"x,1\nu,i,2\nu,"i,3\nu,i,4\n'
    found = load(tmp_path / "t.csv", rows)
    assert [record.at.second for record in found if isinstance(record, Event)] == [1, 2]
    refused = [(record.line, record.reason) for record in found if isinstance(record, Refusal)]
    assert [line for line, _ in refused] == [3, 4, 6, 8, 9, 11]
    for (_, reason), expected in zip(
        refused,
        ["too many columns: 4", "too few columns: 2", "invisible", "not UTF-8", "not a row", "line 12"],
        strict=True,
    ):
        assert expected in reason


def test_a_review_of_a_megabyte_is_read_and_a_line_beyond_the_cap_refused(tmp_path: Path) -> None:
    row = b"u,i,1,%s\n"
    content = b"user,item,at,text\n" + row % (b'"' + b"go\n" * 400_000 + b'"') + row % (b"x" * 9 * 2**20) + row % b"ok"
    long, refusal, last = load(tmp_path / "t.csv", content)
    assert len(long.text) == 3_998
    assert "longer than 8 MiB" in refusal.reason
    assert last.text == "ok"


# --- Parquet ----------------------------------------------------------------------------------------------------------


def parquet(path: Path, columns: dict[str, Any]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_parquet_lists_dates_and_numbers_are_read(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "items.parquet",
        {
            "item_id": pa.array([1, None]),
            "title": ["花 🎬", "T"],
            "categories": [["a", "b"], None],
            "description": [["one", "two"], []],
            "release_date": [date(1950, 2, 3), None],
        },
    )
    item, refusal = read(path, now=NOW)
    assert item == Item("1", "花 🎬", "one two", ("a", "b"), published_at=datetime(1950, 2, 3, tzinfo=UTC))
    assert refusal == Refusal("items.parquet", 2, "id is missing")


@pytest.mark.parametrize("kind", [pa.timestamp("ns"), pa.timestamp("ms", "Europe/Oslo"), pa.timestamp("s"), pa.int64()])
def test_parquet_times_of_any_unit_are_utc(tmp_path: Path, kind: pa.DataType) -> None:
    per_second = {"ns": 10**9, "ms": 1000}.get(getattr(kind, "unit", "s"), 1)
    at = pa.array([int(DAY.timestamp()) * per_second + (per_second == 10**9)]).cast(kind)
    path = parquet(tmp_path / "e.parquet", {"user": ["u"], "item": [2.0], "at": at, "value": [3], "unused": [{"a": 1}]})
    [event] = read(path, now=NOW)
    assert isinstance(event, Event)
    assert (event.item, event.at, event.value) == ("2", DAY, 3.0)


def test_parquet_rows_that_python_cannot_hold_are_refused_alone(tmp_path: Path) -> None:
    users = pa.Array.from_buffers(
        pa.string(), 3, [None, pa.array([0, 1, 2, 3], pa.int32()).buffers()[1], pa.py_buffer(b"u\xffv")]
    )
    at = pa.array([1, 2, -(10**12)]).cast(pa.timestamp("s"))
    found = list(read(parquet(tmp_path / "e.parquet", {"user": users, "item": ["i"] * 3, "at": at}), now=NOW))
    assert isinstance(found[0], Event)
    assert found[1] == Refusal("e.parquet", 2, "not UTF-8")
    assert isinstance(found[2], Refusal)


def test_a_file_that_is_not_parquet_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="is not a Parquet file"):
        load(tmp_path / "t.parquet", "user,item\n")
