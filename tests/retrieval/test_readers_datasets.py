"""Published data sets: MovieLens folders and RecBole atomic files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from retrieval.readers import ColumnMap, ReadError, Sequence, detect, read, read_sequences
from retrieval.readers.movielens import natural_title
from retrieval.readers.recbole import SequenceFiles, sequence_files
from retrieval.records import Event, EventKind, Item, Refusal

NOW = datetime(2025, 1, 1, tzinfo=UTC)
SMALL = Path(__file__).parents[3] / "shared" / "data" / "ml-latest-small"


def folder(path: Path, **files: str) -> Path:
    for name, content in files.items():
        (path / name.replace("__", ".")).write_text(content, encoding="utf-8")
    return path


def load(path: Path, **options: Any) -> list[Any]:
    return list(read(path, now=NOW, **options))


# --- MovieLens --------------------------------------------------------------------------------------------------------


@pytest.fixture
def movielens(tmp_path: Path) -> Path:
    tagged = "".join(f"9,1,Tag{n},1\n" for n in range(9))
    return folder(
        tmp_path,
        movies__csv='movieId,title,genres\n1,"Matrix, The (1999)",Action|Sci-Fi\n2,Babylon 5,(no genres listed)\n',
        ratings__csv="userId,movieId,rating,timestamp\n7,1,4.5,964982703\n7,2,x,964982703\n",
        tags__csv=f"userId,movieId,tag,timestamp\n{tagged}8,1,TAG8,2\n",
    )


def test_a_movielens_folder_gives_movies_then_ratings(movielens: Path) -> None:
    assert detect(movielens) == "movielens"
    matrix, babylon, rating, refusal = load(movielens)
    assert (matrix.title, matrix.categories) == ("The Matrix (1999)", ("film", "action", "sci-fi"))
    assert matrix.tags == ("tag8", *(f"tag{n}" for n in range(7)))
    assert matrix.published_at == datetime(1999, 1, 1, tzinfo=UTC)
    assert babylon == Item("2", "Babylon 5", categories=("film",))
    at = datetime(2000, 7, 30, 18, 45, 3, tzinfo=UTC)
    assert rating == Event("ml-7-1-964982703", "7", EventKind.RATE, at, "1", 4.5)
    assert refusal == Refusal("ratings.csv", 3, "value 'x' is not a number")


def test_an_evaluation_can_leave_tags_out(movielens: Path) -> None:
    assert load(movielens, tags=False)[0].tags == ()


def test_a_folder_with_the_wrong_columns_is_an_error(movielens: Path) -> None:
    folder(movielens, ratings__csv="user,movie\n1,1\n")
    with pytest.raises(ReadError, match=r"ratings\.csv has no column userId"):
        load(movielens)


def test_a_column_map_for_movielens_is_an_error_and_not_ignored(movielens: Path) -> None:
    with pytest.raises(ReadError, match="fixed columns"):
        load(movielens, columns=ColumnMap(user="userId"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            "City of Lost Children, The (Cité des enfants perdus, La) (1995)",
            "The City of Lost Children (La Cité des enfants perdus) (1995)",
        ),
        ("Avventura, L' (a.k.a. Adventure, The) (1960)", "L'Avventura (a.k.a. The Adventure) (1960)"),
        ("Crow, The: Wicked Prayer (2005)", "The Crow: Wicked Prayer (2005)"),
        ("I Love You, I Love You Not (1996)", "I Love You, I Love You Not (1996)"),
        ("Good bye, Lenin! (2003)", "Good bye, Lenin! (2003)"),
    ],
)
def test_titles_read_as_people_say_them(given: str, expected: str) -> None:
    assert natural_title(given) == expected


@pytest.mark.skipif(not SMALL.is_dir(), reason="ml-latest-small is not here")
def test_ml_latest_small_has_the_counts_of_its_readme() -> None:
    events, titles, years = set(), set(), []
    for record in read(SMALL, now=NOW):
        assert not isinstance(record, Refusal)
        if isinstance(record, Event):
            events.add(record.id)
        else:
            titles.add((record.id, record.title))
            years.append(record.published_at)
    assert len(events) == 100_836
    assert len(titles) == 9_742
    assert {"The Matrix (1999)", "Les Misérables (1995)"} <= {title for _, title in titles}
    assert years.count(None) == 12  # titles without a year


# --- RecBole ----------------------------------------------------------------------------------------------------------

ITEMS = (
    "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    '1\tMatrix, The\t1999\tAction Sci-Fi\n2\tBefore "Sunrise"\t1995\tSlice of Life, Romance\n3\tHeat\t\t\n'
)
SEQUENCES = "user_id:token\titem_id_list:token_seq\titem_id:token\nu\t1 2 1\t3\nv\t2\t1\n"


def test_recbole_files_give_items_then_interactions(tmp_path: Path) -> None:
    inter = "user_id:token\titem_id:token\trating:float\ttimestamp:float\r\nu\t1\t4\t964982703.0\r\nu\t2\t4\r\n"
    folder(tmp_path, ml__item=ITEMS, ml__inter=inter, ml__user="user_id:token\nu\n")
    assert detect(tmp_path) == "recbole"
    for path in (tmp_path, tmp_path / "ml.inter"):
        matrix, before, heat, event, refusal = load(path)
        assert matrix == Item(
            "1", "The Matrix", categories=("action", "sci-fi"), published_at=datetime(1999, 1, 1, tzinfo=UTC)
        )
        assert (before.title, before.categories) == ('Before "Sunrise"', ("slice of life", "romance"))
        assert heat == Item("3", "Heat")
        assert (event.user, event.kind, event.value, event.at.year) == ("u", EventKind.RATE, 4.0, 2000)
        assert (refusal.file, refusal.line) == ("ml.inter", 3)


def test_a_sequence_file_gives_the_history_in_order_and_never_the_target(tmp_path: Path) -> None:
    folder(tmp_path, ml__item=ITEMS, ml__test__inter=SEQUENCES)
    for path in (tmp_path, tmp_path / "ml.test.inter"):
        events = [record for record in load(path) if isinstance(record, Event)]
        assert [(event.user, event.item) for event in events] == [("u", "1"), ("u", "2"), ("u", "1"), ("v", "2")]
        assert events[0].at == datetime(2000, 1, 1, tzinfo=UTC)
        assert events[1].at - events[0].at == timedelta(days=1)
        assert len({event.id for event in events}) == 4


def test_the_evaluation_reads_history_and_target_and_a_bad_row_as_a_refusal(tmp_path: Path) -> None:
    folder(tmp_path, ml__test__inter=SEQUENCES + "w\t1\t\n" + "x\t\t2\n")
    assert list(read_sequences(tmp_path / "ml.test.inter")) == [
        Sequence("u", ("1", "2", "1"), "3", "ml.test.inter", 2),
        Sequence("v", ("2",), "1", "ml.test.inter", 3),
        Refusal("ml.test.inter", 4, "item_id is missing"),
        Sequence("x", (), "2", "ml.test.inter", 5),
    ]


def test_columns_of_a_sequence_file_stand_in_any_order_among_others(tmp_path: Path) -> None:
    head = "item_id:token\tage:float\tuser_id:token\titem_id_list:token_seq \r\n"
    folder(tmp_path, ml__test__inter=f"{head}3 \t7\tu\t1 2  1 \r\n\r\n")
    assert list(read_sequences(tmp_path / "ml.test.inter")) == [Sequence("u", ("1", "2", "1"), "3", "ml.test.inter", 2)]


def test_a_history_that_runs_into_the_future_is_refused(tmp_path: Path) -> None:
    folder(tmp_path, ml__test__inter=SEQUENCES + "x\t" + "1 " * 10_000 + "\t1\n")
    [long] = [record for record in load(tmp_path) if isinstance(record, Refusal)]
    assert (long.file, long.line) == ("ml.test.inter", 4)
    assert "runs into the future" in long.reason


def test_an_evaluation_of_a_folder_takes_its_test_split_and_of_a_file_that_file(tmp_path: Path) -> None:
    plain = "user_id:token\titem_id:token\ttimestamp:float\nu\t1\t1\n"
    folder(tmp_path, ml__item=ITEMS, ml__train__inter=SEQUENCES, ml__test__inter=SEQUENCES, ml__inter=plain)
    items, train, test = (tmp_path / name for name in ("ml.item", "ml.train.inter", "ml.test.inter"))
    for path in (tmp_path, test):
        assert sequence_files(path) == SequenceFiles((items,), test, (train,))
    assert sequence_files(train) == SequenceFiles((items,), train, (test,))
    assert sequence_files(tmp_path / "ml.inter") is None
    assert sequence_files(items) is None
    assert [event.item for event in load(tmp_path) if isinstance(event, Event)] == ["1"]
    test.unlink()
    assert sequence_files(tmp_path) is None
    (tmp_path / "ml.inter").unlink()
    assert sequence_files(tmp_path) == SequenceFiles((items,), train, ())


def test_plain_splits_are_read_together_and_a_whole_file_instead_of_them(tmp_path: Path) -> None:
    head = "user_id:token\titem_id:token\ttimestamp:float\n"
    folder(tmp_path, ml__train__inter=head + "u\t1\t1\n", ml__test__inter=head + "u\t2\t2\n")
    assert [event.item for event in load(tmp_path)] == ["1", "2"]
    folder(tmp_path, ml__inter=head + "u\t3\t3\n")
    assert [event.item for event in load(tmp_path)] == ["3"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a__inter": "x", "b__inter": "y"}, "several datasets: a, b"),
        ({"a__inter": "user_id\titem_id\n"}, "a.inter, line 1: no typed header: 'user_id' is not NAME:TYPE"),
        ({"a__inter": "user_id:text\n"}, "line 1: no typed header: 'user_id:text' is not NAME:TYPE"),
        ({"a__inter": "user_id:token item_id:token\n"}, "line 1: no typed header"),
        ({"a__inter": "x:token\tx:float\n"}, "line 1: no typed header: 'x:float' is there twice"),
        ({"a__inter": "user_id:token\titem_id:token\n"}, "a.inter, line 1: no column for at"),
        ({"a__inter": "user_id:token\titem_id_list:token_seq\n"}, "a.inter, line 1: no column item_id, only user_id"),
        ({"a__item": "item_id:token\n"}, "a.item, line 1: no column for title"),
    ],
)
def test_recbole_files_that_cannot_be_read_say_why(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(ReadError, match=message):
        load(folder(tmp_path, **files))
