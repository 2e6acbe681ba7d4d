"""Communities: what many people like is found, keeps its id while batches come in, and tells of no single person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from retrieval.communities import LEAST, Vectors, assign, counted, found, medoids, near, sizes, updated
from retrieval.embed import unit

T0 = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DIM = 64


def centres(groups: int, seed: int = 0) -> Vectors:
    return unit(np.random.default_rng(seed).standard_normal((groups, DIM)))


def around(means: Vectors, truth: NDArray[np.int64], seed: int = 1) -> Vectors:
    """Unit rows near to the mean that `truth` (n,) names: a cosine of about .5 between two of one mean."""
    return unit(means[truth] + unit(np.random.default_rng(seed).standard_normal((len(truth), DIM))))


MEANS = centres(8)
TRUTH = np.random.default_rng(2).choice(8, size=600, p=np.arange(1, 9) / 36)
ROWS = around(MEANS, TRUTH)
OWNERS = np.arange(600) // 3


def test_planted_communities_are_found_without_being_told_how_many() -> None:
    known = found(ROWS)
    assert len(known.centres) == 8
    assert known.rule.startswith("k = 8: Ward")
    assert adjusted_rand_score(TRUTH, assign(known, ROWS)[0]) > 0.98


def test_a_number_that_is_asked_for_is_kept() -> None:
    assert len(found(ROWS, k=5).centres) == 5
    assert len(found(ROWS[:3], k=5).centres) == 3


def test_the_same_seed_gives_the_same_communities() -> None:
    np.testing.assert_array_equal(found(ROWS, k=8, seed=3).sums, found(ROWS, k=8, seed=3).sums)


@given(st.lists(st.integers(300, 600), max_size=4))
@settings(max_examples=5, deadline=None)
def test_batches_of_any_size_give_nearly_what_one_batch_gives(cuts: list[int]) -> None:
    begun = found(ROWS[:300])
    together = updated(begun, ROWS[300:])
    known = begun
    for batch in np.split(ROWS, sorted([300, *cuts]))[1:]:
        known = updated(known, batch)
    assert adjusted_rand_score(assign(together, ROWS)[0], assign(known, ROWS)[0]) > 0.98
    assert known.weights.sum() + len(known.waiting) == pytest.approx(600)


def test_ids_keep_their_meaning_while_batches_come_in() -> None:
    known = found(ROWS)
    before = known.centres
    for seed in range(5):
        known = updated(known, around(MEANS, TRUTH[:200], seed + 10))
    assert (np.einsum("ij,ij->i", before, known.centres[: len(before)]) > 0.95).all()


def test_a_new_interest_becomes_a_community_with_a_new_id_once_enough_people_share_it() -> None:
    known = found(ROWS)
    strangers = around(centres(1, seed=9), np.zeros(2 * LEAST, dtype=np.int64))
    waits = updated(known, strangers[: LEAST - 1])
    assert len(waits.centres) == 8
    born = updated(waits, strangers[LEAST - 1 :])
    assert len(born.centres) == 9
    np.testing.assert_array_equal(born.centres[:8], known.centres)
    assert set(assign(born, strangers)[0].tolist()) == {8}
    assert len(born.waiting) == len(known.waiting)


def test_the_past_can_be_made_to_count_less() -> None:
    known = found(ROWS)
    moved = around(MEANS + 0.4 * MEANS[[1, 2, 3, 4, 5, 6, 7, 0]], TRUTH)
    steady, following = updated(known, moved), updated(known, moved, keep=0.1)
    goal = found(moved).centres
    near_to = [(goal @ state.centres.T).max(axis=1).mean() for state in (steady, following)]
    assert near_to[0] < near_to[1]


def test_sizes_count_people_over_time_and_not_statements() -> None:
    known = counted(found(ROWS), ROWS, np.zeros(600, dtype=np.int64), T0)
    known = counted(known, ROWS, np.arange(600), T0 + DAY)
    series = sizes(known)
    assert [series[id_][T0] for id_ in range(8)] == [1] * 8
    ids, _ = assign(known, ROWS)
    assert series[0][T0 + DAY] == pytest.approx((ids == 0).sum(), abs=3)


def test_who_is_forgotten_is_in_no_later_census() -> None:
    known = counted(found(ROWS), ROWS, OWNERS, T0)
    left = OWNERS != 0
    known = counted(known, ROWS[left], OWNERS[left], T0 + DAY)
    assert [census.people for census in known.history] == [200, 199]


def test_a_community_has_no_size_before_it_was_there() -> None:
    known = counted(found(ROWS), ROWS, OWNERS, T0)
    strangers = around(centres(1, seed=9), np.zeros(LEAST, dtype=np.int64))
    known = counted(updated(known, strangers), strangers, np.arange(LEAST), T0 + DAY)
    assert sizes(known)[8] == {T0 + DAY: LEAST}


def test_a_community_is_named_after_members_of_different_people() -> None:
    known = found(ROWS)
    ids, _ = assign(known, ROWS)
    for id_, rows in medoids(known, ROWS, OWNERS, 4).items():
        assert len({int(OWNERS[row]) for row in rows}) == len(rows) == 4
        assert {int(ids[row]) for row in rows} == {id_}


def test_a_few_peoples_words_name_no_community_and_no_stranger_is_shown_it() -> None:
    few = OWNERS % (LEAST - 1)
    known = counted(found(ROWS), ROWS, few, T0)
    assert set(medoids(known, ROWS, few).values()) == {()}
    assert near(known, ROWS[0]) == []


def test_a_stranger_is_near_to_those_who_say_the_same() -> None:
    known = counted(found(ROWS), ROWS, OWNERS, T0)
    first, second = near(known, MEANS[3], 2)
    assert first.community == assign(known, MEANS[3:4])[0][0]
    assert first.similarity > 0.9 > second.similarity
    assert first.share == sizes(known)[first.community][T0] / 200


def test_where_nobody_is_known_nothing_is_near() -> None:
    known = found(np.zeros((0, DIM), dtype=np.float32))
    ids, similarity = assign(known, ROWS[:2])
    assert (ids.tolist(), similarity.tolist(), near(known, ROWS[0])) == ([-1, -1], [-1.0, -1.0], [])
    assert len(updated(known, ROWS[:2]).waiting) == 2


def test_communities_can_grow_from_nothing() -> None:
    known = updated(found(ROWS[:2]), ROWS[2:])
    assert adjusted_rand_score(TRUTH, assign(known, ROWS)[0]) > 0.9


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        found(ROWS, k=0)
    for read in (found, lambda rows: updated(found(ROWS[:9], k=2), rows)):
        with pytest.raises(ValueError, match="finite"):
            read(np.full((6, DIM), np.inf, dtype=np.float32))
