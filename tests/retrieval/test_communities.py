"""Communities: what many people like is found, keeps its id while batches come in, and tells of no single person."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from retrieval.communities import LEAST, Vectors, assign, found, homes, membership, renewed, under_ids_of, updated
from retrieval.embed import unit

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


def test_people_are_counted_and_not_what_they_say() -> None:
    known = found(ROWS)
    alone = membership(homes(known, ROWS), np.zeros(600, dtype=np.int64), 1, 8)
    assert alone.sum(axis=0).tolist() == [1] * 8
    ids, _ = assign(known, ROWS)
    apart = membership(homes(known, ROWS), np.arange(600), 600, 8)
    assert apart[:, 0].sum() == pytest.approx((ids == 0).sum(), abs=3)


def test_what_is_renewed_is_made_of_what_holds_now_and_of_nothing_else() -> None:
    left = ROWS[OWNERS != 0]
    again = renewed(found(ROWS).centres, left)
    ids, similarity = assign(found(ROWS), left)
    for id_ in range(8):
        np.testing.assert_allclose(again.sums[id_], left[(ids == id_) & (similarity >= 0.5)].sum(axis=0), rtol=1e-4)


def test_a_community_whose_people_left_dissolves_and_its_id_is_not_given_again() -> None:
    known = found(ROWS)
    gone = assign(known, ROWS)[0] != 2
    again = renewed(known.centres, ROWS[gone])
    assert not again.sums[2].any()
    strangers = around(centres(1, seed=9), np.zeros(2 * LEAST, dtype=np.int64))
    later = renewed(again.centres, np.concatenate([ROWS[gone], strangers]))
    assert not later.sums[2].any()
    assert set(assign(later, strangers)[0].tolist()) == {8}


def test_communities_found_anew_keep_the_ids_of_those_that_they_are_like() -> None:
    known = found(ROWS)
    shuffled = known.centres[[3, 1, 0, 2, 7, 6, 5, 4]]
    shuffled[6] = centres(1, seed=9)[0]  # one that nobody is like any more
    again = under_ids_of(known, shuffled)
    assert len(again.sums) == 9
    assert not again.sums[6].any()
    for id_ in (0, 1, 2, 3, 4, 5, 7):
        assert again.centres[id_] @ shuffled[id_] == pytest.approx(1.0, abs=1e-5)
    assert again.centres[8] @ known.centres[5] == pytest.approx(1.0, abs=1e-5)
    assert not under_ids_of(found(ROWS[:0]), shuffled).sums.any()  # everybody left: all have dissolved


def test_where_nobody_is_known_nothing_is_near() -> None:
    known = found(np.zeros((0, DIM), dtype=np.float32))
    ids, similarity = assign(known, ROWS[:2])
    assert (ids.tolist(), similarity.tolist()) == ([-1, -1], [-1.0, -1.0])
    assert homes(known, ROWS[:2]).tolist() == [-1, -1]
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
