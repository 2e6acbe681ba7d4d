"""Which of a few dozen tokens may come after others, so that no word is said twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent import guard
from agent.once import Vocabulary

PIECES = (
    '{"',
    "text",
    '":"',
    '"}',
    ",",
    "-",
    *(
        " about",
        " with",
        " a",
        " and",
        " mostly",
        " detective",
        " detectives",
        " det",
        "ect",
        "ive",
        "ives",
        " Scandinavian",
    ),
    *(
        "cold",
        " cold",
        " case",
        " cases",
        " cos",
        "y",
        "iness",
        "i",
        " cosy",
        " com",
        "ed",
        "ies",
        "edy",
        "edies",
        " comedy",
    ),
    *(" pot", "tery", "ter", "s", "films", " films", " film", "maker", " slow", " burn", "burn", "slow", " jazz"),
)
IDS = {piece: token for token, piece in enumerate(PIECES)}
VOCABULARY = Vocabulary(PIECES)


def tokens(*pieces: str) -> list[int]:
    return [IDS[piece] for piece in ('{"', "text", '":"', *pieces)]


def barred(*pieces: str) -> set[str]:
    return {PIECES[token] for token in VOCABULARY.barred(tokens(*pieces))}


def test_nothing_is_barred_before_anything_is_said() -> None:
    assert barred() == set()


def test_a_word_is_barred_in_all_its_forms() -> None:
    after = barred("cold", " case", " about", " detectives", ",", " mostly", " with", " a")
    assert {" detective", " detectives", " case", " cases", " cold", " mostly", " about"} <= after
    assert not {" a", " with", " films", " Scandinavian", ",", '"}'} & after


def test_a_word_in_pieces_can_neither_be_begun_nor_ended_again() -> None:
    assert {" pot", " detective"} <= barred(" pot", "tery", " and", " det", "ect", "ive", ",")
    assert {"tery"} == barred("films", " and", " pot", "tery", " with", " pot") & {"tery", "ter"}
    assert {"edy", "edies"} <= barred(" comedy", " and", " com")
    assert {"iness", "y"} <= barred(" cosy", " films", " and", " cos")


def test_a_word_that_is_being_written_may_be_ended() -> None:
    assert not {"ive", "ives", "ect"} & barred(" det")
    assert "ive" not in barred(" det", "ect")
    assert "s" not in barred(" pot", "ter")


def test_a_compound_says_its_parts() -> None:
    assert "burn" in barred(" burn", " films", ",", " slow", "-")
    assert {" films", " slow", " burn"} <= barred("films", ",", " slow", "-", "burn")
    assert not {"burn", "slow"} & barred("films", ",", " slow", "-")  # "slow-slow" is its own affair


def test_names_of_fields_are_not_said() -> None:
    assert barred("films") >= {" films", " film"}
    assert IDS["text"] not in VOCABULARY.barred(tokens("films", ","))


@given(st.lists(st.sampled_from(range(6, len(PIECES))), max_size=40))
def test_what_keeps_to_it_never_loops(wanted: list[int]) -> None:
    written = tokens()
    for token in wanted:
        if token not in VOCABULARY.barred(written):
            written.append(token)
    said = "".join(PIECES[token] for token in written).removeprefix('{"text":"')
    whole = said[: said.rfind(" ")] if " " in said.strip() else ""  # the last word may be half a word
    assert not guard.loops(whole)
