"""Feedback counts at the very next recommendation without an LLM, and echoes count for less."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.config import RecommendSettings
from agent.errors import NotFoundError
from agent.service import Service
from retrieval.echo import is_echo
from retrieval.records import EventKind, Recommendation
from tests.fakes import DAY, NOW, FakeLLM, act, make_service


def shown(service: Service, user: str = "ann", k: int = 12, now: object = NOW, **asked: object) -> list[Recommendation]:
    return list(asyncio.run(service.recommend(user, now=now, k=k, explain=False, **asked)).recommendations)  # type: ignore[arg-type]


def places(found: list[Recommendation], subject: str) -> list[int]:
    return [r.rank for r in found if r.item.startswith(subject)]


@pytest.fixture
def quiet(tmp_path: Path, llm: FakeLLM) -> Service:
    return make_service(tmp_path, llm, recommend={"llm_weight": 0.0})


@pytest.mark.parametrize(
    ("kind", "item", "subject", "rises"),
    [
        ("like", "jazz-film-1", "jazz", True),
        ("dislike", "bread-course-2", "bread", False),
        ("hide", "bread-course-2", "bread", False),
        ("skip", "bread-course-2", "bread", None),
    ],
)
def test_each_kind_changes_the_next_list_without_an_llm(
    quiet: Service, llm: FakeLLM, kind: str, item: str, subject: str, rises: bool | None
) -> None:
    with quiet as service:
        asyncio.run(service.profile("ann", now=NOW))
        before = shown(service, k=20)
        asked = llm.requests
        service.feedback("ann", item, kind, now=NOW)
        after = shown(service, k=20)
        assert llm.requests == asked
    assert item in {r.item for r in before}
    assert item not in {r.item for r in after}
    scores = [{r.item: r.score for r in found if r.item.startswith(subject)} for found in (before, after)]
    common = scores[0].keys() & scores[1].keys()
    moved = sum(scores[1][i] - scores[0][i] for i in common)
    assert common
    if rises is not None:
        assert (moved > 0) is rises


def test_with_reasons_by_the_llm_no_statement_is_written_for_feedback(service: Service, llm: FakeLLM) -> None:
    asyncio.run(service.profile("ann", now=NOW))
    first = asyncio.run(service.recommend("ann", now=NOW, k=3)).recommendations[0]
    written = len(llm.asked("write_statement"))
    service.feedback("ann", first.item, "like", now=NOW, impression=first.impression)
    assert asyncio.run(service.recommend("ann", now=NOW, k=3)).profile.version == 1
    assert len(llm.asked("write_statement")) == written


def test_anything_else_brings_the_profile_up_to_date(service: Service, llm: FakeLLM) -> None:
    asyncio.run(service.profile("ann", now=NOW))
    service.feedback("ann", "jazz-film-1", "like", now=NOW)
    service.ingest_records([act("ann", 59.1, "noir-course-1")])
    assert asyncio.run(service.recommend("ann", now=NOW, k=3)).profile.version == 2


def test_feedback_is_in_the_profile_after_a_day(service: Service) -> None:
    asyncio.run(service.profile("ann", now=NOW))
    event = service.feedback("ann", "noir-course-1", "like", now=NOW)
    later = asyncio.run(service.recommend("ann", now=NOW + 2 * DAY, k=3)).profile
    assert event.id in {e for s in later.statements for e in s.evidence}


def test_an_echo_is_marked_by_its_impression_and_is_weaker_evidence(tmp_path: Path) -> None:
    """The same likes of jazz: once of cleo's own accord, once on what she was shown."""
    confidence = {}
    for echo in (False, True):
        with make_service(tmp_path / str(echo)) as service:
            for n, item in enumerate(("jazz-film-1", "jazz-film-2", "jazz-book-1")):
                now = NOW + n * DAY / 24
                answers = {r.item: r for r in shown(service, "cleo", k=24, now=now)}
                if echo:
                    event = service.feedback("cleo", item, "like", now=now, impression=answers[item].impression)
                    assert event.context["impression"] == answers[item].impression
                    assert is_echo(event)
                else:
                    service.ingest_records([act("cleo", 59 + n / 24, item)])
            profile = asyncio.run(service.profile("cleo", now=NOW + DAY))
            confidence[echo] = max(s.confidence for s in profile.statements if "jazz" in "".join(s.evidence))
    assert confidence[True] < confidence[False]


def test_an_impression_of_somebody_else_is_refused(service: Service) -> None:
    mine = shown(service, "ann")[0]
    with pytest.raises(NotFoundError, match="impression"):
        service.feedback("bob", mine.item, "like", now=NOW, impression=mine.impression)
    assert service.store.touched_items("bob").isdisjoint({mine.item})


def test_each_call_logs_where_what_was_shown_and_how_probable_it_was(service: Service) -> None:
    answers = shown(service, k=4)
    rows = service.export("ann")["impressions"]
    assert [(r["id"], r["rank"], r["item"], r["score"], r["propensity"]) for r in rows] == [
        (a.impression, a.rank, a.item, a.score, 1.0) for a in answers
    ]


def test_exploring_is_off_by_default_and_logs_true_propensities(tmp_path: Path) -> None:
    assert RecommendSettings().explore == 0
    settings = {"llm_weight": 0.0, "explore": 0.5, "explore_seed": 3}
    with make_service(tmp_path / "a", recommend=settings) as service:
        lists = [shown(service, k=3) for _ in range(12)]
    with make_service(tmp_path / "b", recommend=settings) as service:
        again = [shown(service, k=3) for _ in range(12)]
    assert lists == again
    assert len({found[2].item for found in lists}) > 1
    assert all(found[0].propensity == found[1].propensity == 1.0 for found in lists)
    assert {round(found[2].propensity, 6) for found in lists} == {0.55, 0.05}


def test_a_skip_is_no_evidence(tmp_path: Path) -> None:
    with make_service(tmp_path) as service:
        before = asyncio.run(service.profile("ann", now=NOW))
        service.ingest_records([act("ann", 59.5, f"jazz-{what}", EventKind.SKIP) for what in ("film-1", "film-2")])
        after = asyncio.run(service.profile("ann", now=NOW))
    assert {s.text for s in after.statements} == {s.text for s in before.statements}
