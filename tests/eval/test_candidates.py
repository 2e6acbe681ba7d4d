"""The questions: what a target is ranked against, that a seed decides it for each user alone, and that nothing leaks."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eval.candidates import Drawn, Pool, everything, from_file, generator, popularity_matched, uniform, validation
from eval.cases import HISTORY, Case, Dataset, Question
from retrieval.readers import ReadError
from retrieval.records import Event, EventKind, Item, Refusal

START = datetime(2020, 1, 1, tzinfo=UTC)
Protocol = Callable[..., Drawn]
FEW = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
PROTOCOLS = pytest.mark.parametrize("protocol", [uniform, popularity_matched])


def made(sequences: dict[str, list[int]], size: int = 40, untested: tuple[str, ...] = ()) -> Dataset:
    """Users -> items i0, i1, ... a day apart; the last is the target, except of those who are not tested."""
    train, cases = {}, []
    for user, numbers in sequences.items():
        items = [f"i{n}" for n in numbers]
        events = [
            Event(f"{user}-{n}", user, EventKind.VIEW, START + timedelta(days=n), item) for n, item in enumerate(items)
        ]
        if user not in untested:
            cases.append(Case(user, tuple(items[:-1][-HISTORY:]), items[-1], events.pop().at))
        train[user] = tuple(events)
    return Dataset("made", "0", {f"i{n}": Item(f"i{n}", "Title") for n in range(size)}, train, tuple(cases))


def users(least: int = 1) -> st.SearchStrategy[dict[str, list[int]]]:
    sequence = st.lists(st.integers(0, 39), min_size=least, max_size=20, unique=True)
    return st.dictionaries(st.text("abcdefgh", min_size=1, max_size=2), sequence, min_size=1, max_size=6)


def trained(dataset: Dataset, user: str) -> set[str | None]:
    return {event.item for event in dataset.train[user]}


def by_user(drawn: Drawn) -> dict[str, Question]:
    return {question.case.user: question for question in drawn.questions}


# --- uniform and popularity-matched -----------------------------------------------------------------------------------


@PROTOCOLS
@FEW
@given(sequences=users(), seed=st.integers(0, 5))
def test_the_target_stands_once_among_untouched_items(
    protocol: Protocol, sequences: dict[str, list[int]], seed: int
) -> None:
    dataset = made(sequences)
    drawn = protocol(dataset, seed)
    assert [question.case for question in drawn.questions] == list(dataset.cases)
    for case, candidates in ((question.case, question.candidates) for question in drawn.questions):
        assert len(candidates) == len(set(candidates)) == 20
        assert case.target in candidates
        assert not set(candidates) & trained(dataset, case.user)
        assert set(candidates) <= dataset.items.keys()
    assert protocol(dataset, seed).questions == drawn.questions


@PROTOCOLS
@FEW
@given(sequences=users())
def test_what_a_user_is_asked_depends_on_nobody_else_in_the_sample(
    protocol: Protocol, sequences: dict[str, list[int]]
) -> None:
    dataset = made(sequences)
    everybody = by_user(protocol(dataset, 0))
    shuffled = replace(dataset, items=dict(reversed(dataset.items.items())), cases=dataset.cases[::-1][:2])
    assert by_user(protocol(shuffled, 0)) == {case.user: everybody[case.user] for case in shuffled.cases}


@PROTOCOLS
def test_users_and_seeds_differ_and_the_target_stands_anywhere(protocol: Protocol) -> None:
    dataset = made({f"u{n}": [1, 2, 3] for n in range(400)})
    drawn = protocol(dataset, 0)
    assert len({question.candidates for question in drawn.questions}) == 400
    assert not {question.candidates for question in protocol(dataset, 1).questions} & {
        question.candidates for question in drawn.questions
    }
    places = Counter(question.candidates.index("i3") for question in drawn.questions)
    assert len(places) == 20
    assert max(places.values()) < 45  # 20 are expected, with a deviation of 4.4


def test_uniform_draws_every_item_equally_often() -> None:
    drawn = uniform(made({f"u{n}": [1, 2, 3] for n in range(400)}), 0)
    counts = Counter(item for question in drawn.questions for item in question.candidates if item != "i3")
    assert len(counts) == 37
    assert 160 < min(counts.values()) <= max(counts.values()) < 250  # 205 are expected, with a deviation of 10


def test_matched_negatives_are_about_as_popular_as_the_target() -> None:
    # i0 to i99 have 30 users each, i100 to i199 have 3 each, the rest nobody: strata of 50 cut between them
    rows = {f"a{n}-{k}": list(range(k, 100, 2)) for n in range(30) for k in (0, 1)}
    rows |= {f"b{n}-{k}": list(range(100 + k, 200, 2)) for n in range(3) for k in (0, 1)}
    tests = {"popular": [0, 5], "middling": [0, 105], "unknown": [0, 305]}
    dataset = made(rows | tests, size=500, untested=tuple(rows))
    asked = by_user(popularity_matched(dataset, 0, n=10))
    numbers = {user: {int(item[1:]) for item in question.candidates} for user, question in asked.items()}
    assert max(numbers["popular"]) < 100
    assert numbers["middling"] <= set(range(100, 200))
    assert min(numbers["unknown"]) >= 200
    # which of the 300 equally unknown items share a stratum is chance
    many = [by_user(popularity_matched(dataset, seed, n=10))["unknown"].candidates for seed in range(20)]
    assert len({item for candidates in many for item in candidates}) > 60


def test_a_matched_target_stands_anywhere_in_the_popularity_of_its_list() -> None:
    # item n has n users, so that places by popularity have no ties; a target in the middle of its list would be given away
    crowd = {f"c{n}": list(range(n, 200)) for n in range(200)}
    dataset = made(crowd | {f"t{n}": [199, n] for n in range(150)}, size=200, untested=tuple(crowd))
    places = []
    for question in popularity_matched(dataset, 0, n=10).questions:
        ranks = sorted(int(item[1:]) for item in question.candidates)
        places.append(ranks.index(int(question.case.target[1:])))
    assert sum(place in (4, 5) for place in places) < 0.35 * len(
        places
    )  # 0.2 by chance; nearly all when they are nearest


def test_a_validation_target_is_matched_without_its_own_event() -> None:
    # only the user itself has i1: without that event it is an item that nobody knows, and i10 to i59 are not
    known = {f"o{n}": list(range(10, 60)) for n in range(2)}
    dataset = made({"u": [0, 1], **known}, size=100, untested=("u", *known))
    [question, *_] = validation(dataset, 0, popularity_matched(dataset, 0, n=10).negatives, n=10)
    assert question.case.target == "i1"
    assert not set(question.candidates) & {f"i{n}" for n in range(10, 60)}


@PROTOCOLS
def test_a_user_who_touched_nearly_everything_is_left_out_and_reported(protocol: Protocol) -> None:
    drawn = protocol(made({"u": list(range(25)), "v": [1, 2]}, size=40), 0)
    assert [question.case.user for question in drawn.questions] == ["v"]
    assert drawn.problems == (Refusal("made", 0, "user 'u' has touched all but fewer than 19 items: left out"),)


@FEW
@given(users(), st.integers(0, 3))
def test_the_full_catalogue_is_everything_but_what_was_touched(sequences: dict[str, list[int]], seed: int) -> None:
    dataset = made(sequences)
    questions = list(everything(dataset, seed))
    assert [question.case for question in questions] == list(dataset.cases)
    for question in questions:
        assert sorted(question.candidates) == sorted(dataset.items.keys() - trained(dataset, question.case.user))
    assert questions == list(everything(dataset, seed))
    assert questions != list(everything(dataset, seed + 1))


def test_generators_depend_on_each_of_their_names() -> None:
    names = [(0, "u"), (1, "u"), (0, "v"), (0, "u", "x"), (0, "ux"), (0, "\ud800")]
    assert len({int(generator(*name).integers(2**62)) for name in names}) == len(names)
    assert np.array_equal(generator(0, "u").random(3), generator(0, "u").random(3))


# --- a candidate file -------------------------------------------------------------------------------------------------


def row(user: str, *numbers: int | str) -> str:
    return f"{user}\t{' '.join(n if isinstance(n, str) else f'i{n}' for n in numbers)}\n"


def asked(path: Path, text: str, dataset: Dataset, n: int = 4) -> Drawn:
    (path / "g.random").write_bytes(text.encode("utf-8", "surrogateescape"))
    return from_file(path / "g.random", dataset, 0, n)


def test_the_first_of_a_line_that_are_not_the_target_are_the_negatives(tmp_path: Path) -> None:
    dataset = made({"u": [1, 2], "v": [1, 3]})
    text = "\ufeff" + row("v", 9, 8, 7, 6).replace("\n", " \r\n") + "\n" + row("u", 9, 2, 8, 7, 6)
    drawn = asked(tmp_path, text, dataset)
    assert [(q.case, sorted(q.candidates)) for q in drawn.questions] == [
        (dataset.cases[0], ["i2", "i7", "i8", "i9"]),
        (dataset.cases[1], ["i3", "i7", "i8", "i9"]),
    ]
    assert drawn.problems == (Refusal("g.random", 3, "item 'i2' is the target of the user: not a negative"),)
    assert drawn.questions == asked(tmp_path, text, dataset).questions


def test_everything_odd_in_a_candidate_file_is_reported_by_line(tmp_path: Path) -> None:
    dataset = made({user: [1, 2] for user in "uvwxyz"})
    lines = [
        row("u", 9, "nope", 9, 8, 1, 7),
        row("v", 9, 8, 2),
        row("stranger", 9, 8, 7),
        row("u", 3, 4, 5),
        "w i9 i8 i7\n",
        row("x", 9, 8, 7, 1),
        row("y", 9, 8, 7).replace("i8", "i8\udcff"),
        "z\t\n",
    ]
    drawn = asked(tmp_path, "".join(lines), dataset)
    assert {user: sorted(question.candidates) for user, question in by_user(drawn).items()} == {
        "u": ["i1", "i2", "i8", "i9"],
        "x": ["i2", "i7", "i8", "i9"],
    }
    assert {problem.file for problem in drawn.problems} == {"g.random"}
    assert [(problem.line, problem.reason) for problem in drawn.problems] == [
        (0, "user 'w' has no line: left out"),
        (0, "user 'y' has no line: left out"),
        (1, "item 'i9' is there 2 times: the first is kept"),
        (1, "item 'nope' is not in the catalogue"),
        (1, "item 'i1' is in the history of the user: kept"),
        (2, "item 'i2' is the target of the user: not a negative"),
        (2, "2 usable candidates for user 'v', 3 are needed: left out"),
        (3, "user 'stranger' is not in the dataset"),
        (4, "user 'u' is there again: line 1 is kept"),
        (5, "no tab: a line is user<TAB>item item item ..."),
        (7, "not UTF-8"),
        (8, "0 usable candidates for user 'z', 3 are needed: left out"),
    ]


def test_a_line_of_somebody_who_is_not_in_the_sample_is_no_problem(tmp_path: Path) -> None:
    dataset = made({"u": [1, 2], "v": [1, 3]})
    text = row("u", 9, 8, 7) + row("v", 9, 8, 7)
    drawn = asked(tmp_path, text, replace(dataset, cases=dataset.cases[1:]))
    assert drawn.problems == ()
    assert by_user(drawn) == {"v": by_user(asked(tmp_path, text, dataset))["v"]}


def test_a_candidate_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="cannot open nowhere"):
        from_file(tmp_path / "nowhere", made({"u": [1, 2]}), 0)


# --- validation -------------------------------------------------------------------------------------------------------


def test_the_last_training_items_are_the_validation_targets_latest_first() -> None:
    dataset = made({"u": [1, 2, 3, 4], "cold": [1, 2], "other": [5, 6, 7]}, untested=("other",))
    found = validation(dataset, 0, Pool.of(dataset.items), n=10, per_user=2)
    assert [(q.case.user, q.case.history, q.case.target) for q in found] == [
        ("u", ("i1", "i2"), "i3"),
        ("u", ("i1",), "i2"),
        ("other", ("i5", "i6"), "i7"),
        ("other", ("i5",), "i6"),
    ]
    assert [q.case.at for q in found[:2]] == [START + timedelta(days=2), START + timedelta(days=1)]
    assert len(validation(dataset, 0, Pool.of(dataset.items), n=10)) == 2
    assert not set(found[1].candidates) & {"i1", "i3"}
    assert set(found[0].candidates) - {"i3"} != set(found[1].candidates) - {"i2"}


def test_a_validation_history_is_bounded_and_its_target_is_at_its_first_touch() -> None:
    dataset = made({"u": [*range(HISTORY + 3), HISTORY + 2, 7]}, size=200, untested=("u",))
    [question] = validation(dataset, 0, Pool.of(dataset.items))
    assert question.case == Case(
        "u", tuple(f"i{n}" for n in range(2, HISTORY + 2)), f"i{HISTORY + 2}", START + timedelta(days=HISTORY + 2)
    )


def from_a_file(dataset: Dataset, seed: int, n: int) -> Drawn:
    with tempfile.TemporaryDirectory() as folder:
        text = "".join(row(user, *range(place, 40, 3)) for place, user in enumerate(dataset.train) if place % 3 < 2)
        return asked(Path(folder), text or row("nobody", 1), dataset, n)


@FEW
@given(users(least=2), st.sampled_from([uniform, popularity_matched, from_a_file]), st.integers(1, 4))
def test_no_test_target_decides_anything_about_validation(
    sequences: dict[str, list[int]], protocol: Protocol, per_user: int
) -> None:
    dataset = made(sequences)
    free = {user: f"i{next(n for n in range(40) if n not in numbers)}" for user, numbers in sequences.items()}
    other = replace(dataset, cases=tuple(replace(case, target=free[case.user]) for case in dataset.cases))
    found = []
    for given_dataset in (dataset, other):
        drawn = protocol(given_dataset, 0, n=10)
        found.append(validation(given_dataset, 0, drawn.negatives, n=10, per_user=per_user))
    assert found[0] == found[1]
    targets = {case.user: case.target for case in dataset.cases}
    for question in found[0]:
        case = question.case
        assert {case.target, *case.history} <= trained(dataset, case.user)
        assert targets[case.user] not in {case.target, *case.history}
        assert set(question.candidates) & trained(dataset, case.user) == {case.target}
        assert len(set(question.candidates)) == len(question.candidates) == 10
    assert len({(question.case.user, question.case.target) for question in found[0]}) == len(found[0])


def test_validation_takes_the_users_own_line_and_fills_up_from_the_items_of_the_file(tmp_path: Path) -> None:
    dataset = made({"u": [1, 2, 3], "short": [1, 2, 3], "none": [1, 2, 3]})
    text = row("u", 1, 3, 20, 21, 22) + row("short", 21, 2, 22)
    negatives = asked(tmp_path, text, dataset).negatives
    found = {q.case.user: set(q.candidates) - {q.case.target} for q in validation(dataset, 0, negatives, n=4)}
    # i3 is the test target of all: nothing knows that here
    assert found["u"] == {"i3", "i20", "i21"}
    assert found["short"] > {"i21", "i22"}
    assert all(negatives < {"i3", "i20", "i21", "i22"} for negatives in (found["short"], found["none"]))
