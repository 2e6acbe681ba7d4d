"""Reasons measured: what our own rule cites moves the score, a rule that draws lots cites what does not."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.config import Settings
from eval.cases import Dataset
from eval.dataset import load
from eval.explanations import document
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


def dataset(users: int) -> Dataset:
    return load(SAMPLE, users=users, now=LATER)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    shop = Bare(Settings(home=tmp_path_factory.mktemp("home")), LATER)
    return asyncio.run(document(shop, dataset(4), k=5, llm_users=1, seed=0, tell=lambda *_: None))


def test_every_rule_explains_the_same_recommendations(found: dict[str, Any]) -> None:
    assert set(found["systems"]) == {"leitmotif", "leitmotif_llm", "shared_features", "nearest", "random"}
    assert {figures["reasons"] for name, figures in found["systems"].items() if name != "leitmotif_llm"} == {20}


def test_what_we_cite_moves_the_score_and_what_is_drawn_by_lot_does_not(found: dict[str, Any]) -> None:
    ours, lots = found["systems"]["leitmotif"], found["systems"]["random"]
    assert ours["counterfactual_ci95"][0] > 0
    assert ours["counterfactual_effect"] > lots["counterfactual_effect"]
    assert ours["counterfactual_effect"] == pytest.approx(ours["fall_cited"] - ours["fall_random"], abs=0.05)


def test_what_we_say_is_so(found: dict[str, Any]) -> None:
    assert found["systems"]["leitmotif"]["precision"] == 1.0
    assert found["systems"]["random"]["precision"] < 1.0


def test_shares_are_shares_and_what_has_no_meaning_is_null(found: dict[str, Any]) -> None:
    shares = ("precision", "recall", "specificity", "redundancy", "coverage", "unique_sentences", "model_words")
    assert all(0 <= found["systems"]["leitmotif"][name] <= 1 for name in shares)
    assert all(figures["abstention_on_junk"] is None for figures in found["systems"].values())


def test_the_models_words_are_counted_where_it_was_asked(found: dict[str, Any]) -> None:
    assert found["systems"]["leitmotif"]["model_words"] == 0
    assert found["systems"]["leitmotif_llm"]["model_words"] > 0
    assert found["systems"]["leitmotif_llm"]["users"] == 1


def test_the_document_can_be_shown(found: dict[str, Any]) -> None:
    shown = markdown([found])
    assert all(f"`{name}`" in shown for name in found["systems"])
