"""Communities of everybody: found, named, kept small groups out of, and forgotten with their people."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from agent.control import Wish
from agent.errors import LLMUnavailableError
from agent.service import Service
from retrieval.embed import HashEmbedder
from retrieval.kindred import Kindred
from retrieval.records import EditKind, Origin, Polarity
from retrieval.store import Community, CrowdCount
from tests.crowd import TASTES, crowd, gather
from tests.fakes import NOW, FakeLLM, catalogue, make_service

DAY = timedelta(days=1)
EMBEDDER = HashEmbedder(256)  # as make_service has it


def refreshed(service: Service, days: float, *, anew: bool = False) -> CrowdCount:
    return asyncio.run(service.parts.crowds.refresh(NOW + days * DAY, anew=anew))


def about(service: Service, subject: str) -> Community:
    return next(c for c in service.parts.crowds.communities() if any(i.startswith(subject) for i in c.items))


def test_what_many_people_like_is_found_and_counted(service: Service) -> None:
    census = gather(service)
    assert census.people == len(TASTES)
    expected = {subject: sum(subject in tastes for tastes in TASTES) for subject in ("noir", "jazz", "bread")}
    for subject, people in expected.items():
        community = about(service, subject)
        assert community.members == people == census.sizes[str(community.id)]
        assert all(item.startswith(subject) for item in community.items)
    assert about(service, "noir").pairs == {str(about(service, "bread").id): 5}
    assert about(service, "jazz").pairs == {}


def test_a_community_is_named_after_what_its_members_share(service: Service) -> None:
    gather(service)
    noir = about(service, "noir")
    assert "mystery" in noir.features
    assert not {"jazz", "baking"} & set(noir.features)
    assert noir.label


def test_without_the_model_the_name_comes_from_the_data(service: Service, llm: FakeLLM) -> None:
    gather(service)
    llm.fail(LLMUnavailableError("away"))
    service.store.save_communities([], service.store.censuses()[0])
    refreshed(service, 1)
    assert {c.origin for c in service.parts.crowds.communities()} == {Origin.FALLBACK}
    assert len({c.label for c in service.parts.crowds.communities()}) == 3


def test_the_same_people_give_the_same_communities_under_the_same_ids(service: Service, llm: FakeLLM) -> None:
    gather(service)
    first = service.store.communities()
    asked = llm.requests
    for days, anew in ((1, False), (2, True)):
        refreshed(service, days, anew=anew)
        again = service.store.communities()
        assert [(c.id, c.label, c.members, c.since) for c in again] == [
            (c.id, c.label, c.members, c.since) for c in first
        ]
    assert llm.requests == asked  # nothing is named twice


def test_who_is_erased_leaves_the_next_count_and_every_sum(service: Service) -> None:
    gather(service)
    service.forget("p00")
    refreshed(service, 1)
    assert about(service, "noir").members == 10
    with make_service(service.settings.home.parent / "other", FakeLLM(), [*catalogue(), *crowd()[5:]]) as never:
        people = sorted({event.user for event in crowd()[5:]})
        asyncio.run(never.profiles(people, now=NOW))
        refreshed(never, 1)
        np.testing.assert_allclose(about(service, "noir").centre, about(never, "noir").centre, atol=1e-6)
    assert service.store.censuses()[0].mean == ()  # of what was counted with them, only numbers of people stay


def test_a_group_that_becomes_too_small_is_gone_and_its_id_is_not_given_again(service: Service) -> None:
    gather(service)
    jazz = about(service, "jazz").id
    for person in range(6, 11):
        service.store.forget_user(f"p{person:02d}", scrub=False)
    census = refreshed(service, 1)
    assert str(jazz) not in census.sizes
    [left] = [c for c in service.store.communities() if c.id == jazz]
    assert (left.members, left.centre, left.items, left.label) == (0, (), {}, "")
    assert len(refreshed(service, 2, anew=True).sizes) == 2
    assert jazz not in {c.id for c in service.parts.crowds.communities()}


def test_fewer_people_than_the_setting_leave_no_trace(tmp_path: Path) -> None:
    with make_service(tmp_path, FakeLLM()) as service:  # three people of the catalogue
        asyncio.run(service.profiles(["ann", "bob", "cleo"], now=NOW))
        census = refreshed(service, 0)
        assert (census.sizes, service.store.communities()) == ({}, [])
        assert not any(census.mean)


def test_what_is_muted_or_sensitive_is_in_no_community(service: Service) -> None:
    gather(service)
    profile = service.store.profile("p00")
    assert profile is not None
    [theme] = [t for t in profile.themes if t.polarity is Polarity.LIKE]
    wish = Wish(EditKind.MUTE, theme.id)
    asyncio.run(service.control.edit("p00", wish, now=NOW))
    assert refreshed(service, 1).people == len(TASTES) - 1


def test_no_id_of_a_person_and_no_sentence_about_one_is_stored_with_a_community(service: Service) -> None:
    gather(service)
    people = {event.user for event in crowd()}
    for community in service.store.communities():
        kept = {*community.items, *community.pairs, *community.features, community.label}
        assert not kept & people
        assert all(count >= 5 for count in (*community.items.values(), *community.pairs.values()))


def test_a_stranger_is_placed_beside_those_who_say_the_same(service: Service) -> None:
    gather(service)
    kindred = Kindred.load(service.store, EMBEDDER.name, 5)
    assert kindred is not None
    nothing = np.zeros((0, EMBEDDER.dim), dtype=np.float32)
    own = kindred.belief(EMBEDDER.embed(["Likes baking and cooking"]), nothing, np.zeros(0))
    assert kindred.communities[int(own.argmax())].id == about(service, "bread").id
    items = kindred.items(own)
    assert max(items, key=lambda item: items[item]).startswith("bread")


def test_communities_of_another_embedder_are_not_used(service: Service) -> None:
    gather(service)
    assert Kindred.load(service.store, "another model", 5) is None


@pytest.mark.parametrize("weight", [0.0, 5.0])
def test_what_like_minded_people_chose_ranks_for_a_stranger_only_where_it_is_switched_on(
    tmp_path: Path, weight: float
) -> None:
    with make_service(tmp_path, FakeLLM(), recommend={"community": weight, "llm_weight": 0.0}) as service:
        gather(service)
        found = asyncio.run(service.cold_start("I like baking and cooking", now=NOW)).recommendations
        assert ("community" in found[0].parts) is (weight > 0)
