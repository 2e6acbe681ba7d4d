"""The one question: what is asked, why, of whom, and what becomes of the answer."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from agent.asking import Question
from agent.errors import NotFoundError
from agent.service import Service
from retrieval.records import Polarity, Reply, Source
from tests.crowd import gather
from tests.fakes import NOW, FakeLLM, make_service

DAY = timedelta(days=1)


@pytest.fixture
def asked(service: Service) -> Service:
    gather(service)
    return service


def question(service: Service, user: str) -> Question:
    found = service.parts.asking.question(user)
    assert found is not None
    return found


def test_somebody_is_asked_about_what_is_not_known_of_them(asked: Service) -> None:
    labels = {c.label for c in asked.parts.crowds.communities()}
    found = question(asked, "p00")
    assert found.label in labels
    assert "mystery" not in found.text  # which their acts have answered
    assert found.text.startswith("Do you like ")
    assert f"{100 * found.likely:.0f} %" in found.why
    assert found.gain > 0


def test_a_yes_is_a_statement_of_their_own_and_is_not_asked_again(asked: Service) -> None:
    first = question(asked, "cleo")
    said = asked.parts.asking.answer("cleo", first.community, Reply.YES, NOW)
    assert said is not None
    assert (said.source, said.polarity, said.text) == (
        Source.ASSERTED,
        Polarity.LIKE,
        f"Likes {first.label[0].lower()}{first.label[1:]}",
    )
    assert said in asked.store.statements("cleo")
    again = asked.parts.asking.question("cleo")
    assert again is None or again.community != first.community
    profile = asyncio.run(asked.profile("cleo", now=NOW + DAY))
    assert said.id in {s.id for s in profile.statements}


def test_a_no_is_a_dislike_and_another_answer_takes_its_place(asked: Service) -> None:
    community = question(asked, "cleo").community
    no = asked.parts.asking.answer("cleo", community, Reply.NO, NOW)
    assert no is not None
    assert no.polarity is Polarity.DISLIKE
    yes = asked.parts.asking.answer("cleo", community, Reply.YES, NOW + DAY)
    own = [s for s in asked.store.statements("cleo") if s.source is Source.ASSERTED]
    assert own == [yes]


def test_a_skip_is_remembered_and_says_nothing(asked: Service) -> None:
    seen = set()
    while (found := asked.parts.asking.question("cleo")) is not None:
        assert found.community not in seen
        seen.add(found.community)
        assert asked.parts.asking.answer("cleo", found.community, Reply.SKIP, NOW) is None
    assert seen
    assert not [s for s in asked.store.statements("cleo") if s.source is Source.ASSERTED]


def test_an_answer_changes_what_is_recommended(asked: Service) -> None:
    noir = next(c for c in asked.parts.crowds.communities() if "mystery" in c.features)
    before = asyncio.run(asked.recommend("cleo", now=NOW, k=10)).recommendations
    asked.parts.asking.answer("cleo", noir.id, Reply.YES, NOW)
    after = asyncio.run(asked.recommend("cleo", now=NOW + DAY, k=10)).recommendations
    places = [next((r.rank for r in found if r.item.startswith("noir")), 99) for found in (before, after)]
    assert places[1] < places[0] or places[1] == 1
    assert "said_words" in after[0].parts


def test_a_stranger_is_asked_and_nothing_of_it_is_kept(asked: Service) -> None:
    before = asked.counts()
    found, reading = asyncio.run(asked.parts.asking.question_for("I like baking and cooking", NOW))
    assert found is not None
    assert "baking" not in found.text
    assert [s.text for s in reading.statements]
    assert asked.counts() == before
    assert not asked.store.replies("")


def test_where_there_is_no_crowd_nothing_is_asked(service: Service) -> None:
    assert service.parts.asking.question("ann") is None
    assert asyncio.run(service.parts.asking.question_for("I like baking", NOW))[0] is None


def test_who_and_what_is_not_there_is_said(asked: Service) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        asked.parts.asking.question("nobody")
    with pytest.raises(NotFoundError, match="nobody"):
        asked.parts.asking.answer("nobody", 0, Reply.YES, NOW)
    with pytest.raises(NotFoundError, match="99"):
        asked.parts.asking.answer("cleo", 99, Reply.YES, NOW)


def test_answers_are_exported_and_erased_with_their_user(asked: Service, tmp_path: Path) -> None:
    asked.parts.asking.answer("cleo", question(asked, "cleo").community, Reply.NO, NOW)
    assert len(asked.export("cleo")["replies"]) == 1
    asked.forget("cleo")
    assert asked.store.replies("cleo") == []


def test_what_was_said_weighs_less_with_every_event(tmp_path: Path) -> None:
    """A stranger's words lead; beside a long history they hardly count."""
    shares = []
    for events in (1, 5):
        with make_service(tmp_path / str(events), FakeLLM(), recommend={"llm_weight": 0.0}) as service:
            gather(service)
            noir = next(c for c in service.parts.crowds.communities() if "mystery" in c.features)
            user = "cleo" if events == 1 else "p07"
            service.parts.asking.answer(user, noir.id, Reply.YES, NOW)
            found = asyncio.run(service.recommend(user, now=NOW + DAY, k=10)).recommendations
            shares.append(min(r.rank for r in found if r.item.startswith("noir")))
    assert shares[0] <= shares[1]
