"""What an update costs beside a rebuild: on the product's own pipeline, with a fake LLM that counts tokens."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.config import Settings
from eval.cases import Dataset
from eval.dataset import load
from eval.refresh import Request, agreement, document, plan
from eval.report import markdown
from eval.workshop import Workshop
from retrieval.embed import HashEmbedder
from retrieval.readers import ReadError
from retrieval.records import Profile
from tests.fakes import NOW, FakeLLM

SAMPLE = Path("retrieval/sample")
LATER = NOW + timedelta(days=999)
REQUEST = Request(share=0.1, days=14, seed=0)


class Bare(Workshop):
    """A workshop that loads no model."""

    embedder = HashEmbedder(64)
    llm = FakeLLM()


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return load(SAMPLE, users=10, now=LATER)


@pytest.fixture(scope="module")
def found(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return document(Bare(Settings(home=tmp_path_factory.mktemp("home")), LATER), dataset, REQUEST, lambda *_: None)


def test_news_are_those_of_a_few_who_were_there_before(dataset: Dataset) -> None:
    chosen = plan(dataset, REQUEST)
    assert len(chosen.active) == 1
    assert {e.user for e in chosen.news} == chosen.active <= set(chosen.users) <= {e.user for e in chosen.known}
    assert max(e.at for e in chosen.known) <= chosen.moment < min(e.at for e in chosen.news)
    assert plan(dataset, REQUEST) == chosen
    assert len({plan(dataset, replace(REQUEST, seed=seed)).active for seed in range(9)}) > 1


def test_a_dataset_without_times_or_news_is_refused(dataset: Dataset) -> None:
    with pytest.raises(ReadError, match="no times"):
        plan(replace(dataset, timed=False), REQUEST)
    with pytest.raises(ReadError, match="nobody"):
        plan(dataset, replace(REQUEST, days=9999))


def test_an_update_asks_for_a_fraction_of_what_a_rebuild_asks_for(found: dict[str, Any]) -> None:
    update, rebuild = found["systems"]["update"], found["systems"]["rebuild"]
    assert found["news"] > 0
    assert 0 < update["llm_calls"] < rebuild["llm_calls"]
    assert update["times_fewer"] == round(rebuild["llm_tokens"] / update["llm_tokens"], 2) >= 8
    assert sum(rebuild["by_prompt"].values()) == rebuild["llm_tokens"]
    assert update["users"] == rebuild["users"] == found["users"]


def test_nothing_is_asked_for_users_without_news(found: dict[str, Any]) -> None:
    assert found["systems"]["update"]["idle_tokens"] == 0


def test_an_update_comes_to_the_themes_of_a_rebuild(found: dict[str, Any]) -> None:
    update = found["systems"]["update"]
    assert update["ari_active"] >= 0.9
    assert update["ari"] >= 0.9
    assert update["statements"] >= 0.9


def test_other_themes_and_statements_are_told_apart(found: dict[str, Any]) -> None:
    nobody = Profile("ann", NOW, 1)
    same = agreement({"ann": nobody}, {"ann": nobody}, ["ann", "bob"], Bare.embedder, 0.9)
    assert same.users == 1
    assert same.ari != same.ari  # nothing to compare is no agreement


def test_the_document_can_be_shown(found: dict[str, Any]) -> None:
    assert "`update`" in markdown([found])
