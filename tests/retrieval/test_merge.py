"""Merging: the same meaning becomes one statement with all the evidence; a later contradiction wins; the user's word stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.merge import confidence, contradicted, fold, statement_id
from retrieval.records import Horizon, Origin, Polarity, Source, Statement

T0 = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
AXES = np.eye(3, dtype=np.float32)


def said(
    text: str,
    evidence: str = "ab",
    *,
    polarity: Polarity = Polarity.LIKE,
    first: float = 0,
    last: float = 5,
    source: Source = Source.INFERRED,
) -> Statement:
    return Statement(
        id=statement_id("u", polarity, text, tuple(evidence)),
        user="u",
        text=text,
        polarity=polarity,
        facet=text,
        evidence=tuple(evidence),
        first_at=T0 + first * DAY,
        last_at=T0 + last * DAY,
        horizon=Horizon.SHORT,
        source=source,
        origin=Origin.MODEL,
        confidence=confidence(len(evidence)),
        prompt="p@1",
        model="m",
        written_at=T0,
        segment=f"seg-{text}-{evidence}",
    )


def same(count: int) -> NDArray[np.float32]:
    return np.tile(AXES[0], (count, 1))


# --- ids and confidence ---------------------------------------------------------------------------------------------


def test_an_id_does_not_depend_on_the_order_of_the_evidence() -> None:
    assert statement_id("u", Polarity.LIKE, "x", ["a", "b"]) == statement_id("u", Polarity.LIKE, "x", ["b", "a"])


def test_users_sides_texts_and_evidence_make_different_ids() -> None:
    found = {
        statement_id("u", Polarity.LIKE, "x", ["a"]),
        statement_id("v", Polarity.LIKE, "x", ["a"]),
        statement_id("u", Polarity.DISLIKE, "x", ["a"]),
        statement_id("u", Polarity.LIKE, "y", ["a"]),
        statement_id("u", Polarity.LIKE, "x", ["b"]),
    }
    assert len(found) == 5


def test_more_items_make_surer_and_never_certain() -> None:
    assert confidence(1) == pytest.approx(1 / 3)
    assert [confidence(n) for n in range(9)] == sorted(confidence(n) for n in range(9))
    assert confidence(10_000) < 1


# --- folding --------------------------------------------------------------------------------------------------------


def test_the_same_meaning_becomes_one_with_all_the_evidence() -> None:
    one, other = said("jazz", "abc", first=3, last=9), said("Jazz music", "cd", first=0, last=5)
    [folded] = fold([one, other], same(2), 0.9)
    assert folded.text == "jazz"  # most stands behind it
    assert set(folded.evidence) == set("abcd")
    assert len(folded.evidence) == 4
    assert (folded.first_at, folded.last_at) == (other.first_at, one.last_at)
    assert folded.confidence > max(one.confidence, other.confidence)
    assert folded.id not in {one.id, other.id}


def test_different_meanings_stay_apart() -> None:
    statements = [said("jazz"), said("bread", "cd")]
    assert fold(statements, AXES[:2], 0.9) == sorted(statements, key=lambda s: s.id)


def test_a_like_is_never_folded_into_a_dislike() -> None:
    statements = [said("jazz"), said("jazz", "cd", polarity=Polarity.DISLIKE)]
    assert len(fold(statements, same(2), 0.0)) == 2


@pytest.mark.parametrize("source", [Source.ASSERTED, Source.EDITED])
def test_what_the_user_said_is_never_folded(source: Source) -> None:
    own = said("jazz", "", source=source)
    assert own in fold([own, said("jazz", "cd"), said("jazz", "ef")], same(3), 0.0)


def test_one_statement_alone_is_not_touched() -> None:
    assert fold([said("jazz")], same(1), 0.9) == [said("jazz")]
    assert fold([], np.zeros((0, 3), dtype=np.float32), 0.9) == []


NEAR = 0.7
STATEMENTS = st.lists(
    st.builds(
        said,
        st.sampled_from(["jazz", "bread", "noir"]),
        st.text("abcdefgh", min_size=1, max_size=4).map(lambda t: "".join(sorted(set(t)))),
        polarity=st.sampled_from(Polarity),
        first=st.integers(0, 5),
        last=st.integers(5, 90),
        source=st.sampled_from([Source.INFERRED, Source.INFERRED, Source.ASSERTED]),
    ),
    max_size=8,
    unique_by=lambda s: s.id,
)


def vectors_of(statements: list[Statement]) -> NDArray[np.float32]:
    """Jazz and noir are both near to bread (cosine 0.71), and not to each other."""
    place = {"jazz": [1, 0, 0], "bread": [0.7072, 0.7072, 0], "noir": [0, 1, 0]}
    return np.array([place[s.text] for s in statements], dtype=np.float32).reshape(-1, 3)


@given(STATEMENTS)
def test_folding_twice_changes_nothing(statements: list[Statement]) -> None:
    once = fold(statements, vectors_of(statements), NEAR)
    assert fold(once, vectors_of(once), NEAR) == once


@given(STATEMENTS, st.randoms())
def test_the_order_of_the_statements_does_not_matter(statements: list[Statement], random: Random) -> None:
    shuffled = random.sample(statements, len(statements))
    found = [fold(group, vectors_of(group), NEAR) for group in (statements, shuffled)]
    assert [(s.id, s.text, s.first_at, s.last_at) for s in found[0]] == [
        (s.id, s.text, s.first_at, s.last_at) for s in found[1]
    ]


@given(STATEMENTS)
def test_no_evidence_is_lost_and_none_is_made_up(statements: list[Statement]) -> None:
    folded = fold(statements, vectors_of(statements), NEAR)
    for says in Polarity:
        before = {e for s in statements if s.polarity is says for e in s.evidence}
        assert {e for s in folded if s.polarity is says for e in s.evidence} == before
    assert all(0 <= s.confidence <= 1 for s in folded)


# --- contradictions -------------------------------------------------------------------------------------------------

LIKED = said("jazz", "ab", first=0, last=5)
TURNED = said("no jazz", "cd", polarity=Polarity.DISLIKE, first=6, last=9)


def middles(statements: Sequence[Statement]) -> list[datetime]:
    return [s.first_at + (s.last_at - s.first_at) / 2 for s in statements]


def test_a_later_contradiction_takes_the_place_of_the_earlier() -> None:
    assert contradicted([LIKED, TURNED], same(2), middles([LIKED, TURNED]), 0.75) == {LIKED.id: TURNED.id}
    assert contradicted([TURNED, LIKED], same(2), middles([TURNED, LIKED]), 0.75) == {LIKED.id: TURNED.id}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (LIKED, replace(TURNED, polarity=Polarity.LIKE)),
        (
            LIKED,
            replace(TURNED, first_at=LIKED.first_at, last_at=LIKED.last_at),
        ),  # at once: both are true of this person
        (LIKED, replace(TURNED, evidence=("c",))),  # one bad film is not a change of taste
        (replace(LIKED, source=Source.ASSERTED), TURNED),  # the user's own word
        (replace(LIKED, source=Source.EDITED), TURNED),
    ],
    ids=["same side", "not later", "one event", "asserted", "edited"],
)
def test_what_is_no_contradiction(old: Statement, new: Statement) -> None:
    assert contradicted([old, new], same(2), middles([old, new]), 0.75) == {}


def test_first_doubts_may_come_before_the_liking_ends() -> None:
    doubted = replace(TURNED, first_at=LIKED.last_at - (LIKED.last_at - LIKED.first_at) / 4)
    assert contradicted([LIKED, doubted], same(2), middles([LIKED, doubted]), 0.75) == {LIKED.id: doubted.id}


def test_another_topic_is_no_contradiction() -> None:
    assert contradicted([LIKED, TURNED], AXES[:2], middles([LIKED, TURNED]), 0.75) == {}


@given(STATEMENTS)
def test_nobody_contradicts_themselves_and_no_two_each_other(statements: list[Statement]) -> None:
    found = contradicted(statements, vectors_of(statements), middles(statements), 0.75)
    assert all(old != new and found.get(new) != old for old, new in found.items())
    said_by_user = {s.id for s in statements if s.source is not Source.INFERRED}
    assert not said_by_user & found.keys() or all(found[i] in said_by_user for i in said_by_user & found.keys())
