"""The read path: every interest gets its places, the model moves things a little, and what is said is true."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.errors import LLMUnsupportedError
from agent.fitting import weights_file
from agent.service import Service
from prompts import library
from retrieval.fusion import load_weights
from retrieval.records import Edit, EditKind, Event, EventKind, Item, Origin, Recommendation
from retrieval.signals import CHANNELS
from tests.fakes import NOW, FakeLLM, act, catalogue, make_service, people

ITEMS = {item.id: item for item in catalogue()}


def found(service: Service, user: str = "ann", **asked: Any) -> list[Recommendation]:
    return list(asyncio.run(service.recommend(user, now=NOW, **asked)).recommendations)


def test_each_interest_is_served(service: Service) -> None:
    subjects = [r.item.partition("-")[0] for r in found(service, k=4)]
    assert {"noir", "bread"} <= set(subjects)
    assert "space" not in subjects  # disliked


@pytest.mark.parametrize("user", ["ann", "bob", "cleo"])
@pytest.mark.parametrize("query", [None, "the long thaw", "jazz piano"])
def test_what_the_user_has_touched_is_never_recommended(service: Service, user: str, query: str | None) -> None:
    touched = service.store.touched_items(user)
    recommended = [r.item for r in found(service, user, k=100, query=query)]
    assert recommended
    assert not touched & set(recommended)
    assert len(set(recommended)) == len(recommended)
    assert set(recommended) <= ITEMS.keys()


def test_ranks_count_from_one(service: Service) -> None:
    assert [r.rank for r in found(service, k=5)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("user", ["ann", "bob", "cleo"])
def test_every_citation_exists_and_is_the_users(service: Service, user: str) -> None:
    profile = asyncio.run(service.profile(user, now=NOW))
    themes = {t.id for t in profile.themes}
    for rec in found(service, user, k=8):
        assert rec.reason
        assert rec.theme is None or rec.theme in themes
        for citation in rec.citations:
            statement = profile.statement(citation.statement)
            assert statement is not None
            assert set(citation.events) <= set(statement.evidence)
            events = service.store.events_by_id(user, set(citation.events))
            assert events.keys() == set(citation.events)
            assert {e.item for e in events.values()} == set(citation.items)


def test_the_theme_is_that_of_the_cited_statement(service: Service) -> None:
    profile = asyncio.run(service.profile("ann", now=NOW))
    members = {t.id: t.statements for t in profile.themes}
    for rec in found(service, k=8):
        if rec.citations and rec.theme:
            assert rec.citations[0].statement in members[rec.theme]


def test_plain_reasons_are_true_to_the_data(service: Service, llm: FakeLLM) -> None:
    recommended = found(service, k=6, explain=False)
    assert not llm.asked("explain")
    for rec in recommended:
        assert rec.reason_origin is Origin.FALLBACK
        for citation in rec.citations:
            assert all(ITEMS[item].title in rec.reason for item in citation.items)


def test_reasons_in_the_models_words_are_marked(service: Service) -> None:
    assert Origin.MODEL in {r.reason_origin for r in found(service, k=3)}


def test_a_question_leads(service: Service) -> None:
    assert found(service, k=1, query="mars rockets telescope")[0].item.startswith("space-")


def test_a_question_of_nothing_is_no_question(service: Service) -> None:
    assert [r.item for r in found(service, k=5, query="  ")] == [r.item for r in found(service, k=5)]


def test_a_muted_theme_proposes_nothing(service: Service) -> None:
    profile = asyncio.run(service.profile("ann", now=NOW))
    noir = next(t for t in profile.themes if "mystery" in t.label.lower() or "crime" in t.label.lower())
    service.store.save_edit(Edit("ann", EditKind.MUTE, NOW, target=noir.id, of_theme=True))
    first = found(service, k=3)
    assert first[0].item.startswith("bread-")
    assert noir.id not in {r.theme for r in first[:1]}


def test_the_parts_of_a_score_are_shown(service: Service) -> None:
    [first] = found(service, k=1)
    assert {"prior", "theme", "llm"} <= first.parts.keys()


def ranked(llm: FakeLLM) -> list[str]:
    """The texts that were scored to rank items; statements are scored, too, when they are written."""
    noted, neutral = (
        library.load("noted_statement").text(notes="").splitlines()[0],
        library.load("neutral_statement").text(),
    )
    return [text for text in llm.scored if not text.startswith((noted, neutral))]


def test_rerank_zero_asks_the_model_for_no_scores(tmp_path: Path, llm: FakeLLM) -> None:
    with make_service(tmp_path, llm, recommend={"rerank": 0}) as service:
        recommended = found(service, k=5)
    assert ranked(llm) == []
    assert all("llm" not in r.parts and r.degraded == () for r in recommended)


def test_a_weight_of_zero_asks_the_model_for_no_scores(tmp_path: Path, llm: FakeLLM) -> None:
    with make_service(tmp_path, llm, recommend={"llm_weight": 0.0}) as service:
        recommended = found(service, k=5)
    assert ranked(llm) == []
    assert all("llm" not in r.parts and r.degraded == () for r in recommended)


@pytest.mark.parametrize("learnt", [0.0, 0.7])
def test_the_models_weight_is_the_learnt_one_unless_it_is_set(
    tmp_path: Path, llm: FakeLLM, learnt: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrieval.fusion.CROWD", 1)
    with make_service(tmp_path, llm) as service:
        replace(load_weights(), llm=learnt).save(weights_file(service.settings.home))
        recommended = found(service, k=5)
    assert bool(ranked(llm)) is (learnt > 0)
    assert all(("llm" in r.parts) is (learnt > 0) for r in recommended)


def linked(*items: str) -> list[Item | Event]:
    """The usual people, and twenty others who liked the given items, one a day."""
    crowd = [act(f"u{n}", day, item) for n in range(20) for day, item in enumerate(items)]
    return [*catalogue(), *people(), *crowd]


def test_what_others_took_after_the_same_things_comes_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Umbrella repair has no word in common with what ann likes; her own history leads there all the same."""
    monkeypatch.setattr("retrieval.fusion.CROWD", 1)  # twenty are a crowd here
    ranks = []
    for place, items in enumerate(
        [("noir-film-1", "bread-book-1", "odd-one"), ("jazz-film-1", "space-film-1", "odd-one")]
    ):
        with make_service(tmp_path / str(place), None, linked(*items), recommend={"llm_weight": 0.0}) as service:
            ranks.append([r.item for r in found(service, "ann", k=100)].index("odd-one"))
    assert ranks[0] < 3
    assert ranks[0] < ranks[1]


def test_the_channels_of_a_history_are_parts_of_the_score(service: Service) -> None:
    assert found(service, "ann", k=1)[0].parts.keys() >= set(CHANNELS)


def test_a_stranger_has_no_history(service: Service) -> None:
    [first, *_] = asyncio.run(service.cold_start("I love jazz and piano", now=NOW)).recommendations
    assert first.item.startswith("jazz-")
    assert "taste" not in first.parts


def test_what_was_looked_at_and_then_disliked_is_no_history(tmp_path: Path) -> None:
    acts = [act("zoe", 1, "jazz-film-1"), act("zoe", 2, "jazz-film-1", EventKind.HIDE)]
    acts += [act("max", 1, "jazz-film-1", EventKind.VIEW), act("max", 2, "jazz-film-1", EventKind.HIDE)]
    with make_service(tmp_path, None, [*catalogue(), *people(), *acts]) as service:
        assert "taste" in found(service, "zoe", k=1)[0].parts  # what was liked stays liked; a look only shows interest
        assert "taste" not in found(service, "max", k=1)[0].parts


def test_whoever_mutes_everything_is_shown_nothing_that_it_speaks_for(service: Service) -> None:
    profile = asyncio.run(service.profile("ann", now=NOW))
    for theme in profile.themes:
        service.store.save_edit(Edit("ann", EditKind.MUTE, NOW, target=theme.id, of_theme=True))
    answers = found(service, "ann", k=25)
    assert not {r.item.partition("-")[0] for r in answers} & {"noir", "bread"}
    assert all(r.citations == () and r.theme is None for r in answers)


def test_the_model_cannot_lift_an_item_beyond_the_bound(tmp_path: Path) -> None:
    with make_service(tmp_path / "a", recommend={"rerank": 0}) as plain:
        prior = [r.item for r in found(plain, k=10)]
    with make_service(tmp_path / "b", recommend={"max_rise": 2, "llm_weight": 100.0}) as moved:
        order = [r.item for r in found(moved, k=10)]
    places = {item: place for place, item in enumerate(prior)}
    assert all(places[item] - place <= 2 for place, item in enumerate(order) if item in places)


def test_a_bound_of_zero_leaves_the_prior_order(tmp_path: Path) -> None:
    with make_service(tmp_path, recommend={"max_rise": 0, "llm_weight": 100.0}) as service:
        scores = [r.score for r in found(service, k=8)]
    assert scores == sorted(scores, reverse=True)


def test_more_than_there_is_gives_what_there_is(service: Service) -> None:
    assert len(found(service, k=100)) <= len(ITEMS) - len(service.store.touched_items("ann"))


def test_the_future_does_not_make_items_popular(tmp_path: Path) -> None:
    crowd = [act(f"u{n}", 300, "odd-one") for n in range(20)]
    with make_service(tmp_path, None, [*catalogue(), *people(), *crowd]) as service:
        assert "odd-one" not in [r.item for r in found(service, "ann", k=5)]


def test_a_user_of_whom_nothing_can_be_said_gets_something_new(tmp_path: Path) -> None:
    records: list[Item | Event] = [*catalogue(), Item("bare", "Bare"), act("zoe", 1, "bare")]
    with make_service(tmp_path, None, records) as service:
        assert found(service, "zoe", k=5)


def test_a_server_that_cannot_score_still_words_the_reasons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unsupported(self: FakeLLM, text: str) -> Any:
        raise LLMUnsupportedError("no log-probabilities here")

    monkeypatch.setattr(FakeLLM, "_score", unsupported)
    with make_service(tmp_path, FakeLLM()) as service:
        answers = found(service, k=3)
    assert all(r.degraded == ("rerank",) for r in answers)
    assert any(r.reason_origin is Origin.MODEL for r in answers)
