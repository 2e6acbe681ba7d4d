"""How much say owners have, measured: muted themes leave, boosted ones double, the others keep their order."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.config import Settings
from eval.control import document
from eval.dataset import load
from eval.report import markdown
from eval.workshop import Workshop
from retrieval.embed import HashEmbedder
from tests.fakes import NOW, FakeLLM

SAMPLE = Path("retrieval/sample")
LATER = NOW + timedelta(days=999)


class Bare(Workshop):
    """A workshop that loads no model."""

    embedder = HashEmbedder(64)
    llm = FakeLLM()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    shop = Bare(Settings(home=tmp_path_factory.mktemp("home")), LATER)
    return document(shop, load(SAMPLE, users=4, now=LATER), k=10, tell=lambda *_: None)


def test_a_muted_theme_has_no_place_left(found: dict[str, Any]) -> None:
    mute = found["systems"]["mute"]
    assert mute["themes"] > 0
    assert mute["before"] > 0
    assert (mute["after"], mute["worst"], mute["reached"]) == (0, 0, 1)


def test_a_boosted_theme_has_twice_its_places_wherever_that_is_possible(found: dict[str, Any]) -> None:
    boost = found["systems"]["boost"]
    assert boost["themes"] > 0
    assert boost["reached"] == 1
    assert boost["after"] == pytest.approx(2 * boost["before"], abs=1e-5)


def test_the_others_stay_in_their_order(found: dict[str, Any]) -> None:
    assert found["systems"]["boost"]["order_kept_least"] == 1
    assert found["systems"]["mute"]["order_kept"] > 0.95


def test_no_llm_is_asked(found: dict[str, Any]) -> None:
    assert Bare.llm.requests == 0


def test_the_document_can_be_shown(found: dict[str, Any]) -> None:
    assert "`mute`" in markdown([found])
