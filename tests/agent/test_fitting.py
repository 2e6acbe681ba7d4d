"""Fitting: a deployment's own weights are learnt, judged on people they have not seen, kept, used, and given up again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agent import fitting
from agent.errors import ConfigError, LeitmotifError
from agent.fitting import Check, Lesson, weights_file, weights_of
from agent.service import Service
from retrieval.fusion import FusionWeights, load_weights
from retrieval.learn import Examples
from tests.agent.planted import planted
from tests.fakes import NOW, FakeLLM, make_service

LESSON = Lesson(negatives=9, per_user=1)


@pytest.fixture
def deployment(tmp_path: Path, llm: FakeLLM) -> Iterator[Service]:
    with make_service(tmp_path, llm, planted()) as service:
        yield service


def priors(service: Service, user: str) -> dict[str, float]:
    """The recommended items, best first, with their priors."""
    found = asyncio.run(service.recommend(user, now=NOW, k=5, explain=False)).recommendations
    return {rec.item: rec.parts["prior"] for rec in found}


def test_weights_that_suit_the_deployment_are_learnt_kept_and_used(deployment: Service, llm: FakeLLM) -> None:
    before = priors(deployment, "p00")
    asked = llm.requests
    found = deployment.fit(Lesson(negatives=9), now=NOW)
    assert llm.requests == asked
    assert found.kept
    assert (found.users, found.lists) == (36, 108)
    assert found.check.gain == pytest.approx(found.check.fitted - found.check.shipped)
    assert found.check.ci95[0] > 0
    assert found.weights.llm == load_weights().llm
    assert weights_of(deployment.settings.home) == found.weights
    after = priors(deployment, "p00")  # the same process ranks with them at once
    assert [item.partition("-")[0] for item in after] == ["obscure"] * 5
    assert [item.partition("-")[0] for item in before] != ["obscure"] * 5


def test_another_process_ranks_with_them_too_and_a_reset_ends_it(deployment: Service, tmp_path: Path) -> None:
    shipped = priors(deployment, "p07")
    deployment.fit(LESSON, now=NOW)
    fitted = priors(deployment, "p07")
    assert fitted != pytest.approx(shipped)
    with make_service(tmp_path) as another:
        assert priors(another, "p07") == pytest.approx(fitted, rel=1e-3)
        assert another.reset_weights()
        assert not another.reset_weights()
        assert priors(another, "p07") == pytest.approx(shipped, rel=1e-3)


def test_equal_events_and_seed_give_equal_weights(deployment: Service) -> None:
    assert deployment.fit(LESSON, now=NOW) == deployment.fit(LESSON, now=NOW)


def test_too_little_to_learn_from_is_refused(service: Service) -> None:
    with pytest.raises(LeitmotifError, match=r"too little to learn from: 5 lists of 2 users; 20 are needed") as refused:
        service.fit(Lesson(negatives=5), now=NOW)
    assert refused.value.exit_code == 1
    assert "again" in refused.value.hint
    assert not weights_file(service.settings.home).exists()


def test_weights_that_rank_worse_are_dropped_unless_forced(
    deployment: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The learner is set to go wrong here, and the shipped weights to be right."""

    def backwards(_made: Examples, base: FusionWeights, *, per_user: float) -> FusionWeights:
        return replace(base, channels={name: -weight for name, weight in base.channels.items()})

    monkeypatch.setattr(fitting, "load_weights", lambda: FusionWeights({"popular": -1.0, "next": 0.5}))
    monkeypatch.setattr(fitting, "learn", backwards)
    file = weights_file(deployment.settings.home)
    found = deployment.fit(LESSON, now=NOW)
    assert found.check.ci95[1] < 0
    assert not found.kept
    assert not file.exists()
    assert deployment.fit(LESSON, now=NOW, force=True).kept
    assert file.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"channels": {"walk": "much"}, "llm": 0}', '{"llm": 0}'])
def test_a_broken_file_is_an_error_that_says_what_to_do(deployment: Service, text: str) -> None:
    weights_file(deployment.settings.home).write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=r"weights\.json|learnt weights") as refused:
        priors(deployment, "p00")
    assert "leitmotif fit" in refused.value.hint
    assert deployment.reset_weights()
    assert priors(deployment, "p00")


def test_fitting_again_replaces_a_broken_file(deployment: Service) -> None:
    weights_file(deployment.settings.home).write_text("{", "utf-8")
    assert deployment.fit(LESSON, now=NOW).kept
    assert priors(deployment, "p00")


def test_the_interval_is_about_the_paired_difference() -> None:
    shipped = np.array([0.1, 0.5, 0.9, 0.3])
    same = Check.of(shipped, shipped + 0.1)
    assert same.gain == pytest.approx(0.1)
    assert same.ci95 == pytest.approx((0.1, 0.1))
    mixed = Check.of(shipped, shipped + np.array([0.2, -0.2, 0.2, -0.2]))
    assert mixed.ci95[0] == pytest.approx(-mixed.ci95[1])
    assert mixed.ci95[1] == pytest.approx(1.96 * 0.2 * (4 / 3) ** 0.5 / 2)
