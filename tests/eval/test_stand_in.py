"""The stand-in for short histories: what it writes is read back as questions, whole."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np

from eval import candidates, stand_in
from eval.dataset import load

TITLES = {str(item): f"Title {item}" for item in range(300)}
HISTORIES = [[str((7 * user + step) % 300) for step in range(40)] for user in range(20)]


def test_pieces_are_consecutive_and_neither_short_nor_shared() -> None:
    pieces = stand_in.cut(HISTORIES, np.random.default_rng(0))
    assert all(stand_in.SHORTEST <= len(piece) <= stand_in.LONGEST for piece in pieces)
    assert all(int(b) == (int(a) + 1) % 300 for piece in pieces for a, b in pairwise(piece))
    assert sum(map(len, pieces)) <= sum(map(len, HISTORIES))


def test_no_more_pieces_than_asked() -> None:
    assert len(stand_in.cut(HISTORIES, np.random.default_rng(0), most=3)) == 3


def test_files_are_read_without_a_complaint(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pieces = stand_in.cut(HISTORIES, rng)
    stand_in.write(tmp_path, TITLES, pieces, rng)
    dataset = load(tmp_path / "pieces.test.inter", now=datetime(2026, 1, 1, tzinfo=UTC))
    drawn = candidates.from_file(tmp_path / "pieces.random", dataset, 0)
    assert not dataset.problems
    assert not drawn.problems
    assert [(*case.history, case.target) for case in dataset.cases] == pieces
