"""Inverse propensity estimates: exact where all is known, and honest about how little speaks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.offpolicy import estimate


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_the_logged_ranking_is_worth_its_mean_reward(rewards: list[float]) -> None:
    found = estimate(rewards, np.ones(len(rewards)), np.ones(len(rewards)))
    assert found.ips == pytest.approx(np.mean(rewards))
    assert found.snips == pytest.approx(np.mean(rewards))
    assert found.effective == pytest.approx(len(rewards))


def test_another_ranking_is_estimated_without_bias() -> None:
    """Two items, shown 3 to 1; the rare one earns. A ranking that always shows it would earn 1."""
    dice = np.random.default_rng(0)
    rare = dice.random(20_000) < 0.25
    found = estimate(rare, np.where(rare, 0.25, 0.75), rare)
    assert found.ips == pytest.approx(1.0, abs=0.03)
    assert found.snips == pytest.approx(1.0)
    assert found.effective == pytest.approx(rare.sum())


def test_a_bound_on_the_weights_is_a_bound_on_what_one_impression_says() -> None:
    assert estimate([1.0, 0.0], [0.01, 1.0], [1.0, 1.0]).ips == 50.0
    assert estimate([1.0, 0.0], [0.01, 1.0], [1.0, 1.0], most=4.0).ips == 2.0


def test_a_ranking_that_showed_nothing_of_it_earns_nothing() -> None:
    assert estimate([1.0], [1.0], [0.0]).snips == 0.0


@pytest.mark.parametrize("propensities", [[], [0.0], [1.5], [-0.1]])
def test_what_cannot_have_been_logged_is_refused(propensities: list[float]) -> None:
    with pytest.raises(ValueError, match="propensities"):
        estimate(np.ones(len(propensities)), propensities, np.ones(len(propensities)))
