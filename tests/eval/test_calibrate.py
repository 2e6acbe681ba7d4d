"""The figures that the gate's levels are chosen from."""

from __future__ import annotations

import numpy as np

from eval.calibrate import _quality, auc


def test_signals_that_tell_apart_have_an_area_of_one() -> None:
    assert auc(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1.0
    assert auc(np.array([0.0, 1.0]), np.array([2.0, 3.0])) == 0.0


def test_signals_that_say_nothing_have_an_area_of_a_half() -> None:
    assert auc(np.ones(3), np.ones(5)) == 0.5


def test_the_level_keeps_nearly_all_sound_statements() -> None:
    dice = np.random.default_rng(0)
    scores = np.concatenate([dice.normal(5, 1, 400), *[dice.normal(0, 1, 100)] * 3])
    report = _quality(scores, np.repeat(["true", "false", "added", "swapped"], [400, 100, 100, 100]))
    assert (scores[:400] >= report["level"]).mean() >= 0.98
    assert report["false"]["auc"] > 0.99
    assert report["swapped"]["refused"] > 0.9
