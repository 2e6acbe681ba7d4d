"""What every format promises: ids, times, refusals of bad rows, and native JSON Lines."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.readers import FORMATS, ColumnMap, ReadError, content_hash, detect, read
from retrieval.records import Event, EventKind, Item, Refusal

# No clock in the way: a busy machine is not a failure.
PATIENT = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NOW = datetime(2025, 1, 1, tzinfo=UTC)
CLICK = {"user": "ann", "item": "i1", "kind": "click", "at": "2024-05-01T10:00:00+02:00"}


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def events(tmp_path: Path, *rows: Any) -> list[Any]:
    return list(read(lines(tmp_path / "events.jsonl", *rows), now=NOW))


def items(tmp_path: Path, *rows: Any) -> list[Any]:
    return list(read(lines(tmp_path / "items.jsonl", *rows), now=NOW))


# --- ids --------------------------------------------------------------------------------------------------------------


@PATIENT
@given(st.permutations(list(CLICK.items())))
def test_an_event_without_id_gets_one_from_its_content_whatever_the_order_of_its_keys(pairs: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        first, second = events(Path(folder), CLICK, dict(pairs))
    assert first == second
    assert first.id.startswith("h-")
    assert len(first.id) == 22


def test_the_content_hash_never_changes_between_versions() -> None:
    event = Event("", "ann", EventKind.RATE, datetime(2024, 5, 1, tzinfo=UTC), "i1", 4.0, "good")
    assert content_hash(event) == "h-7a83b328e4fa3ee9eb03"


@pytest.mark.parametrize(
    "change", [{"user": "bob"}, {"item": "i2"}, {"kind": "like"}, {"value": 1}, {"at": 1}, {"text": "x"}]
)
def test_another_content_is_another_event(tmp_path: Path, change: dict[str, Any]) -> None:
    first, second = events(tmp_path, CLICK, CLICK | change)
    assert first.id != second.id


def test_whole_numbers_are_ids_and_given_event_ids_are_kept(tmp_path: Path) -> None:
    [event] = events(tmp_path, CLICK | {"id": 7, "user": 12, "item": 3.0})
    assert (event.id, event.user, event.item) == ("7", "12", "3")


# --- times ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2024-05-01T10:00:00+02:00", datetime(2024, 5, 1, 8, tzinfo=UTC)),
        ("2024-05-01T10:00:00Z", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-05-01 10:00", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-05-01", datetime(2024, 5, 1, tzinfo=UTC)),
        ("20240501", datetime(2024, 5, 1, tzinfo=UTC)),
        (964982703, datetime(2000, 7, 30, 18, 45, 3, tzinfo=UTC)),
        ("964982703.5", datetime(2000, 7, 30, 18, 45, 3, 500_000, tzinfo=UTC)),
        (964982703_000, datetime(2000, 7, 30, 18, 45, 3, tzinfo=UTC)),
        ("964982703000000", datetime(2000, 7, 30, 18, 45, 3, tzinfo=UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_are_read_as_utc(tmp_path: Path, given: object, expected: datetime) -> None:
    [event] = events(tmp_path, CLICK | {"at": given})
    assert event.at == expected
    assert event.at.tzinfo is UTC


def test_an_event_may_be_a_day_ahead_of_the_clock_but_no_more(tmp_path: Path) -> None:
    ahead = [(NOW + timedelta(days=1, seconds=s)).isoformat() for s in (0, 1)]
    event, refusal = events(tmp_path, *(CLICK | {"at": at} for at in ahead))
    assert event.at == NOW + timedelta(days=1)
    assert "in the future" in refusal.reason


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"user": None}, "user is missing"),
        ({"user": " "}, "user is missing"),
        ({"user": True}, "user 'True' is not an id"),
        ({"user": "x" * 201}, "user is longer than 200"),
        ({"user": "a\u202eb"}, "invisible characters"),
        ({"user": "a\nb"}, "invisible characters"),
        ({"item": ["i1"]}, "item (a list) is not an id"),
        ({"item": None}, "neither item nor text"),
        ({"kind": "stare"}, "kind 'stare' is unknown; one of view, click"),
        ({"kind": "rate"}, "a rating needs one"),
        ({"value": "1_0"}, "value '1_0' is not a number"),
        ({"value": "nan"}, "not a number"),
        ({"value": "1e999"}, "not a finite number"),
        ({"value": 10**400}, "not a finite number"),
        ({"value": True}, "not a number"),
        ({"at": None}, "at is missing"),
        ({"at": "yesterday"}, "at 'yesterday' is not a time"),
        ({"at": -1}, "before 1970"),
        ({"at": "1969-12-31"}, "before 1970"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "is not a time"),
        ({"at": 1e300}, "is not a time"),
        ({"at": {}}, "at is not a time"),
        ({"text": {"a": 1}}, "text is not text"),
        ({"context": {"a": [1]}}, "context has (a list)"),
        ({"context": "x"}, "context is not an object"),
    ],
)
def test_a_bad_event_is_refused_with_its_line_and_reason(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    good, bad, after = events(tmp_path, CLICK, CLICK | change, CLICK)
    assert isinstance(good, Event)
    assert good == after
    assert (bad.file, bad.line) == ("events.jsonl", 2)
    assert reason in bad.reason
    assert bad.reason.isprintable()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"title": "T"}, "id is missing"),
        ({"id": "i", "title": "\u200b"}, "title is missing"),
        ({"id": "i", "title": "T", "tags": {"a": 1}}, "tags (an object) is not a list"),
        ({"id": "i", "title": "T", "published_at": "soon"}, "published_at 'soon' is not a time"),
        ([1], "not a JSON object"),
    ],
)
def test_a_bad_item_is_refused(tmp_path: Path, row: object, reason: str) -> None:
    [refusal] = items(tmp_path, row)
    assert reason in refusal.reason


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"user": "\xff"}', "not UTF-8"),
        (b'{"user": NaN}', "NaN is not a number"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"value": ' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"user": ' + b"[" * 900 + b"]" * 900 + b"}", ""),
        (b'{"user": "' + b"x" * 9 * 2**20 + b'"}', "longer than 8 MiB"),
    ],
)
def test_a_line_that_is_no_object_is_refused_and_the_next_is_read(tmp_path: Path, raw: bytes, reason: str) -> None:
    (tmp_path / "events.jsonl").write_bytes(raw + b"\n\n" + json.dumps(CLICK).encode())
    refusal, event = read(tmp_path, now=NOW)
    assert isinstance(refusal, Refusal)
    assert reason in refusal.reason
    assert isinstance(event, Event)


@PATIENT
@given(st.lists(st.binary(max_size=40) | st.sampled_from([b'{"user":"a"', b"\xef\xbb\xbf", b'"a,b'])))
def test_arbitrary_bytes_are_refused_and_never_raise(rows: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        jsonl = Path(folder, "log.jsonl")
        jsonl.write_bytes(b"\n".join(rows))
        assert all(isinstance(record, Refusal) for record in read(jsonl, now=NOW))
        table = Path(folder, "log.csv")
        table.write_bytes(b"user,item,at\n" + b"\n".join(rows))
        assert all(isinstance(record, Refusal | Event) for record in read(table, now=NOW))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("a1. |[\x00\u202e\ud800花", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)
FIELDS = ["id", "user", "item", "kind", "value", "at", "text", "title", "tags", "context", "published_at", "url"]


@PATIENT
@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_any_value_in_any_field_is_taken_or_refused_and_never_raises(row: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        [event] = events(Path(folder), CLICK | row)
        [item] = items(Path(folder), {"id": "i", "title": "T"} | row)
    assert isinstance(event, Event | Refusal)
    assert isinstance(item, Item | Refusal)


# --- native JSON Lines ------------------------------------------------------------------------------------------------


def test_a_folder_gives_items_before_events_with_all_their_fields(tmp_path: Path) -> None:
    lines(tmp_path / "events.jsonl", CLICK | {"id": "e1", "value": 2, "text": "fine", "context": {"source": "mail"}})
    item = {"id": "i1", "title": "T", "text": "x", "categories": ["A", "A", ""], "tags": "b|c", "url": "https://a.b/c"}
    lines(tmp_path / "items.jsonl", item | {"image": "javascript:alert(1)", "published_at": 1999, "more": 1})
    assert detect(tmp_path) == "jsonl"
    assert list(read(tmp_path, now=NOW)) == [
        Item("i1", "T", "x", ("A",), ("b", "c"), "https://a.b/c", None, datetime(1999, 1, 1, tzinfo=UTC)),
        Event("e1", "ann", EventKind.CLICK, datetime(2024, 5, 1, 8, tzinfo=UTC), "i1", 2.0, "fine", {"source": "mail"}),
    ]


def test_in_a_file_of_another_name_the_keys_tell_items_from_events(tmp_path: Path) -> None:
    found = list(read(lines(tmp_path / "log.jsonl", {"id": 1, "title": "T"}, CLICK), now=NOW))
    assert [type(record) for record in found] == [Item, Event]


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"item": "i", "value": 3}, EventKind.RATE),
        ({"item": "i"}, EventKind.VIEW),
        ({"text": "red shoes"}, EventKind.SEARCH),
        ({"item": "i", "kind": " Like "}, EventKind.LIKE),
    ],
)
def test_a_missing_kind_is_told_from_the_rest(tmp_path: Path, row: dict[str, Any], kind: EventKind) -> None:
    [event] = events(tmp_path, {"user": "u", "at": 1} | row)
    assert event.kind is kind


def test_a_long_text_is_cut_not_refused_and_lists_are_capped(tmp_path: Path) -> None:
    row = {"id": "i", "title": "wide " * 100, "text": "word " * 200_000, "tags": [f"t{n}" for n in range(50)]}
    [item] = items(tmp_path, row)
    assert len(item.title) == 299
    assert len(item.text) == 3_999
    assert len(item.tags) == 20


def test_a_byte_order_mark_windows_line_ends_and_chinese_are_read(tmp_path: Path) -> None:
    text = json.dumps({"id": "i", "title": "花样年华 🎬"}, ensure_ascii=False) + "\r\n"
    (tmp_path / "items.jsonl").write_text(text, encoding="utf-8-sig", newline="")
    assert list(read(tmp_path, now=NOW)) == [Item("i", "花样年华 🎬")]


def test_a_column_map_reads_foreign_json_lines(tmp_path: Path) -> None:
    review = {"user_id": "u", "parent_asin": "B1", "rating": 5.0, "timestamp": 1588615855070, "text": "great"}
    columns = ColumnMap.parse("user=user_id,item=parent_asin,value=rating,at=timestamp,text=text")
    [event] = read(lines(tmp_path / "Video_Games.jsonl", review), columns=columns, now=NOW)
    assert isinstance(event, Event)
    assert (event.item, event.kind, event.value, event.at.year) == ("B1", EventKind.RATE, 5.0, 2020)


# --- what cannot be read at all ---------------------------------------------------------------------------------------


def test_what_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").touch()
    for path, form in [("gone.csv", "auto"), ("gone", "jsonl"), ("a.xlsx", "auto"), ("", "auto"), ("", "csv")]:
        with pytest.raises(ReadError) as error:
            list(read(tmp_path / path, format=form, now=NOW))
        assert error.value.hint
    with pytest.raises(ReadError, match="unknown format 'xml'") as error:
        read(tmp_path, format="xml", now=NOW)
    assert all(name in error.value.hint for name in FORMATS)
