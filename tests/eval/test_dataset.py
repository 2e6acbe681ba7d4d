"""The cut: what is tested, what is left to train on, and that nothing of the one reaches the other."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eval.cases import HISTORY, Case, Dataset, distinct
from eval.dataset import load
from retrieval.readers import ReadError
from retrieval.records import EventKind, Item, Refusal

NOW = datetime(2025, 1, 1, tzinfo=UTC)
START = datetime(2020, 1, 1, tzinfo=UTC)
ITEMS = "abcdef"
FEW = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])


def write(path: Path, **files: str) -> Path:
    for name, content in files.items():
        (path / name.replace("__", ".")).write_bytes(content.encode())
    return path


def at(day: int) -> datetime:
    return START + timedelta(days=day)


def log(path: Path, acts: Iterable[tuple[str, str | None, int]], items: str = ITEMS) -> Dataset:
    """Loads what `acts` (user, item or None for a search, day) say, written as JSON Lines."""
    events = [
        {"id": f"e{n}", "user": user, "at": at(day).isoformat(), **({"item": item} if item else {"text": "words"})}
        for n, (user, item, day) in enumerate(acts)
    ]
    catalogue = [{"id": item, "title": f"Title {item}"} for item in items]
    for name, rows in (("items", catalogue), ("events", events)):
        (path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load(path, now=NOW)


def trained(dataset: Dataset) -> dict[str, list[str]]:
    return {user: [event.item or "?" for event in events] for user, events in dataset.train.items()}


# --- timed events -----------------------------------------------------------------------------------------------------


def test_the_last_distinct_item_is_the_target_and_everything_after_it_is_gone(tmp_path: Path) -> None:
    acts = [("u", "a", 1), ("u", "b", 2), ("u", "a", 3), ("u", "c", 4), ("u", "b", 5), ("u", "c", 6), ("u", None, 7)]
    dataset = log(tmp_path, acts)
    assert dataset.cases == (Case("u", ("a", "b"), "c", at(4)),)
    assert trained(dataset) == {"u": ["a", "b", "a"]}
    assert (dataset.timed, dataset.problems, dataset.name) == (True, (), tmp_path.name)


def test_equal_times_are_in_the_order_of_the_source(tmp_path: Path) -> None:
    dataset = log(tmp_path, [("u", "c", 9), ("u", "b", 1), ("u", "a", 1), ("u", "d", 1), ("u", "e", 9)])
    assert dataset.cases == (Case("u", ("b", "a", "d", "c"), "e", at(9)),)


def test_a_user_with_one_item_starts_cold_and_trains_nothing(tmp_path: Path) -> None:
    dataset = log(tmp_path, [("u", "a", 1), ("u", "a", 2)])
    assert dataset.cases == (Case("u", (), "a", at(1)),)
    assert trained(dataset) == {"u": []}
    assert dataset.problems == (Refusal(tmp_path.name, 0, "the history of user 'u' is empty: tested all the same"),)


def test_searches_before_the_target_stay_and_who_only_searched_is_not_tested(tmp_path: Path) -> None:
    dataset = log(tmp_path, [("u", "a", 1), ("u", None, 2), ("u", "b", 3), ("u", None, 4), ("v", None, 1)])
    assert trained(dataset) == {"u": ["a", "?"], "v": ["?"]}
    assert [case.user for case in dataset.cases] == ["u"]


def test_what_is_odd_about_events_and_items_is_reported(tmp_path: Path) -> None:
    keys = [("1", "a"), ("2", "b"), ("2", "b"), ("3", "x"), ("4", "x")]
    rows = [{"id": key, "user": "u", "item": item, "at": 10**9} for key, item in keys]
    items = '{"id": "a", "title": "A"}\n{"id": "b", "title": "B"}\n{"id": "b", "title": "New"}\n{"id": "c"}\n'
    dataset = load(write(tmp_path, items__jsonl=items, events__jsonl="\n".join(map(json.dumps, rows))), now=NOW)
    assert dataset.items["b"] == Item("b", "New")
    assert dataset.cases[0].target == "b"
    assert {problem.reason: problem.line for problem in dataset.problems} == {
        "item 'b' is there again: the last is kept": 0,
        "event '2' is there again: the first is kept": 0,
        "item 'x' is not in the catalogue: 2 events left out": 0,
        "title is missing": 4,
    }


def test_the_tags_of_movielens_are_left_out_because_they_have_no_time(tmp_path: Path) -> None:
    write(
        tmp_path,
        movies__csv="movieId,title,genres\n1,Heat (1995),Crime\n2,Seven (1995),Crime\n",
        ratings__csv="userId,movieId,rating,timestamp\n7,2,4,20\n7,1,5,10\n",
        tags__csv="userId,movieId,tag,timestamp\n7,2,masterpiece,20\n",
    )
    dataset = load(tmp_path, now=NOW)
    assert {item.tags for item in dataset.items.values()} == {()}
    assert [(case.history, case.target) for case in dataset.cases] == [(("1",), "2")]


def test_a_table_of_events_alone_is_tested_with_ids_for_titles(tmp_path: Path) -> None:
    dataset = load(write(tmp_path, log__csv="user,item,at\nu,a,10\nu,b,20\n") / "log.csv", now=NOW)
    assert dataset.items == {"a": Item("a", "a"), "b": Item("b", "b")}
    assert dataset.problems == (Refusal("log.csv", 0, "the source has no items: their ids stand for titles"),)
    assert (dataset.name, dataset.cases[0].target) == ("log", "b")


ACTS = st.lists(st.tuples(st.sampled_from("uvw"), st.sampled_from([*ITEMS, None, "x"]), st.integers(0, 4)), max_size=25)


@FEW
@given(ACTS)
def test_no_test_item_and_nothing_later_is_in_train(acts: list[Any]) -> None:
    acts = [*acts, ("u", "a", 2)]
    with tempfile.TemporaryDirectory() as folder:
        dataset = log(Path(folder), acts)
    order = sorted(range(len(acts)), key=lambda n: acts[n][2])
    for case in dataset.cases:
        own = [n for n in order if acts[n][0] == case.user and acts[n][1] != "x"]
        first = next(place for place, n in enumerate(own) if acts[n][1] == case.target)
        events = dataset.train[case.user]
        assert [event.id for event in events] == [f"e{n}" for n in own[:first]]
        assert case.target not in {event.item for event in events}
        assert case.history == distinct(event.item for event in events)
        assert {acts[n][1] for n in own[first:]} <= {None, case.target, *case.history}
        assert case.at == at(acts[own[first]][2])
    assert {case.user for case in dataset.cases} == {user for user, item, _ in acts if item in list(ITEMS)}


@FEW
@given(ACTS)
def test_train_and_the_other_cases_are_the_same_whatever_the_test_item_is(acts: list[Any]) -> None:
    later = [("u", "h", 5), ("u", None, 5), ("u", "h", 6)]
    with tempfile.TemporaryDirectory() as folder:
        first = log(Path(folder), [*acts, ("u", "g", 5)], ITEMS + "gh")
        second = log(Path(folder), [*acts, *later], ITEMS + "gh")
    assert first.train == second.train
    assert [replace(case, target="h") if case.user == "u" else case for case in first.cases] == list(second.cases)


# --- the sequence form ------------------------------------------------------------------------------------------------

HEAD = "user_id:token\titem_id_list:token_seq\titem_id:token\n"
CATALOGUE = "item_id:token\ttitle:token_seq\n" + "".join(f"{item}\tTitle {item}\n" for item in ITEMS)


def sequences(path: Path, test: str, **more: str) -> Dataset:
    return load(write(path, **{"g__item": CATALOGUE, "g__test__inter": HEAD + test} | more), now=NOW)


def test_a_sequence_file_gives_histories_a_day_apart_and_the_target_after_them(tmp_path: Path) -> None:
    head = "item_id:token\textra:float\titem_id_list:token_seq\tuser_id:token\r\n"
    write(tmp_path, g__item=CATALOGUE.replace("\n", " \r\n"), g__test__inter=f"{head}c\t1\ta b a \tu\r\nb\t2\td\tv\r\n")
    dataset = load(tmp_path / "g.test.inter", now=NOW)
    days = [datetime(2000, 1, day, tzinfo=UTC) for day in (1, 2, 3, 4)]
    assert dataset.cases == (Case("u", ("a", "b"), "c", days[3]), Case("v", ("d",), "b", days[1]))
    assert trained(dataset) == {"u": ["a", "b", "a"], "v": ["d"]}
    assert [(event.at, event.kind) for event in dataset.train["u"]] == [(day, EventKind.VIEW) for day in days[:3]]
    assert (dataset.timed, dataset.problems) == (False, ())
    assert dataset.items["a"] == Item("a", "Title a")


def test_other_splits_train_on_users_who_are_not_tested_and_on_nothing_of_those_who_are(tmp_path: Path) -> None:
    # LLMRank's valid split holds the longer rows: the test target of u is in the history there
    valid = HEAD + "u\ta b c\td\nw\ta b c\tz\nbad\ta\t\ny\ta b\tz\n"
    train = HEAD + "w\ta\tb\nw\ta b\tc\n"
    dataset = sequences(tmp_path, "u\ta b\tc\ny\ta\tz\n", g__train__inter=train, g__valid__inter=valid)
    assert trained(dataset) == {"u": ["a", "b"], "y": ["a"], "w": ["a", "b", "c"]}
    assert [case.target for case in dataset.cases] == ["c"]
    assert dataset.problems == (
        Refusal("g.test.inter", 3, "target 'z' is not in the catalogue: the user is not tested"),
        Refusal("g.valid.inter", 3, "item 'z' is not in the catalogue: left out"),
        Refusal("g.valid.inter", 4, "item_id is missing"),
    )


def test_every_bad_row_of_a_sequence_file_is_reported_by_line(tmp_path: Path) -> None:
    rows = ["u\ta b\tc", "u\td\te", "v\t\ta", "w\ta b a\ta", "x\ta z z\tb", "y\ta b\tz", "q\ta", "\ta\tb", "r\ta\ta"]
    dataset = sequences(tmp_path, "\n".join(rows) + "\nlong\t" + "a " * 10_000 + "\tb\n")
    found = {case.user: ("".join(case.history), case.target) for case in dataset.cases}
    assert found == {"u": ("ab", "c"), "v": ("", "a"), "w": ("b", "a"), "x": ("a", "b"), "r": ("", "a")}
    assert trained(dataset) == {"u": ["a", "b"], "v": [], "w": ["b"], "x": ["a"], "y": ["a", "b"], "r": []}
    assert {problem.file for problem in dataset.problems} == {"g.test.inter"}
    assert [(problem.line, problem.reason) for problem in dataset.problems] == [
        (3, "user 'u' is there again: line 2 is kept"),
        (4, "the history of user 'v' is empty: tested all the same"),
        (5, "target 'a' is in its own history: taken out of it"),
        (6, "item 'z' is not in the catalogue: left out"),
        (7, "target 'z' is not in the catalogue: the user is not tested"),
        (8, "too few columns: 2, and the header has 3"),
        (9, "user_id is missing"),
        (10, "target 'a' is in its own history: taken out of it"),
        (10, "the history of user 'r' is empty: tested all the same"),
        (11, "a history of 10001 items, a day each, runs into the future: the user is left out"),
    ]


def test_an_item_file_that_refuses_rows_says_so(tmp_path: Path) -> None:
    dataset = sequences(tmp_path, "u\ta\tb\n", g__item=CATALOGUE + "g\t\na\tAgain\n")
    assert dataset.items["a"].title == "Again"
    assert dataset.problems == (
        Refusal("g.item", 0, "item 'a' is there again: the last is kept"),
        Refusal("g.item", 8, "title is missing"),
    )


def test_the_given_path_decides_between_the_plain_and_the_sequence_form(tmp_path: Path) -> None:
    plain = "user_id:token\titem_id:token\ttimestamp:float\nu\ta\t10\nu\tb\t20\nu\td\t30\n"
    write(tmp_path, g__item=CATALOGUE, g__inter=plain, g__test__inter=HEAD + "u\ta\tb\n")
    targets = {name: load(tmp_path / name, now=NOW).cases[0].target for name in ("", "g.test.inter", "g.inter")}
    assert targets == {"": "b", "g.test.inter": "b", "g.inter": "d"}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("user_id\titem_id_list\titem_id", "no typed header: 'user_id' is not NAME:TYPE"),
        ("user_id:token item_id_list:token_seq item_id:token", "no typed header"),
        ("user_id:token\titem_id_list:token_seq", "no column item_id, only user_id, item_id_list"),
        ("user:token\titem_id_list:token_seq\titem_id:token", "no column user_id, only user, item_id_list, item_id"),
    ],
)
def test_a_malformed_header_is_an_error_with_file_line_and_hint(tmp_path: Path, header: str, message: str) -> None:
    with pytest.raises(ReadError, match=f"^g.test.inter, line 1: {message}") as caught:
        sequences(tmp_path, "", g__test__inter=f"{header}\nu\ta\tb\n")
    assert "user_id:token<TAB>" in caught.value.hint


ITEM = st.sampled_from(ITEMS + "x")
ROWS = st.lists(st.tuples(st.sampled_from("uvw"), st.lists(ITEM, max_size=8), ITEM), max_size=6)


@FEW
@given(ROWS, ROWS)
def test_no_target_of_a_sequence_file_is_in_train(test: list[Any], valid: list[Any]) -> None:
    test = [*test, ("t", "ab", "c")]
    texts = ["".join(f"{user}\t{' '.join(past)}\t{target}\n" for user, past, target in rows) for rows in (test, valid)]
    with tempfile.TemporaryDirectory() as folder:
        dataset = sequences(Path(folder), texts[0], g__valid__inter=HEAD + texts[1])
    rows = {user: (history, target) for user, history, target in reversed(test)}
    assert {case.user for case in dataset.cases} == {user for user, (_, target) in rows.items() if target != "x"}
    for case in dataset.cases:
        history, target = rows[case.user]
        assert case.target == target
        assert trained(dataset)[case.user] == [item for item in history if item not in (target, "x")]
        assert case.history == distinct(trained(dataset)[case.user])


# --- both -------------------------------------------------------------------------------------------------------------


def test_the_history_is_bounded_to_the_latest_items_and_train_is_not(tmp_path: Path) -> None:
    items = [f"i{n}" for n in range(HISTORY + 5)]
    catalogue = CATALOGUE + "".join(f"{item}\tTitle\n" for item in items)
    dataset = sequences(tmp_path, f"u\t{' '.join(items)}\ta\n", g__item=catalogue)
    assert dataset.cases[0].history == tuple(items[-HISTORY:])
    assert trained(dataset)["u"] == items


def test_a_sample_is_seeded_part_of_a_larger_one_and_leaves_train_alone(tmp_path: Path) -> None:
    everybody = sequences(tmp_path, "".join(f"u{n}\ta\tb\n" for n in range(40)))

    def sample(users: int, seed: int = 0) -> list[str]:
        dataset = load(tmp_path, users=users, seed=seed, now=NOW)
        assert (dataset.train, len(dataset.cases)) == (everybody.train, min(users, 40))
        return [case.user for case in dataset.cases]

    assert sample(5) == sample(5) != sample(5, seed=1)
    assert set(sample(5)) < set(sample(20)) < set(sample(99)) == {f"u{n}" for n in range(40)}
    assert sample(99) == [case.user for case in everybody.cases]


def test_the_digest_is_of_names_and_contents_wherever_the_files_are(tmp_path: Path) -> None:
    digests = []
    for number, (target, name) in enumerate([("b", "g"), ("b", "g"), ("c", "g"), ("b", "h")]):
        folder = tmp_path / str(number)
        folder.mkdir()
        files = {f"{name}__item": CATALOGUE, f"{name}__test__inter": f"{HEAD}u\ta\t{target}\n"}
        write(folder, **files, unread__txt=str(number))
        digests.append(load(folder, now=NOW).digest)
        assert load(folder / f"{name}.test.inter", now=NOW).digest == digests[-1]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_a_source_with_nobody_to_test_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, g__item=CATALOGUE)
    with pytest.raises(ReadError, match="nobody to test"):
        load(tmp_path, now=NOW)
    with pytest.raises(ReadError, match="does not exist"):
        load(tmp_path / "nowhere", now=NOW)
