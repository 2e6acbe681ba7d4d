"""The gate: nothing is stored that is chance, common, in another script, unlike its evidence, or without evidence."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from agent.gate import LEAST_AGREEMENT, Tally, admit, scripts, supported
from agent.service import Service
from retrieval.records import Event, EventKind, Item, Origin, Polarity, Profile, Segment
from retrieval.segments import segment_key
from tests.agent.judging import judging
from tests.fakes import NOW, FakeLLM, act

SUBJECTS = tuple(f"{a}{b}" for a in "bdfgklmn" for b in ("ala", "ero", "ino", "oma", "ulu"))
ITEMS = {
    f"subject{place}-{n}": Item(f"subject{place}-{n}", f"Work {n}", categories=("film", name), tags=(f"{name} {kind}",))
    for place, name in enumerate(SUBJECTS)
    for n, kind in enumerate(("north", "south", "east", "west"))
}
NOIR = [act("ann", n, f"subject0-{n}") for n in range(4)]
ODD = [act("ann", 10 + n, f"subject{n}-0") for n in range(1, 12)]
NOIR_LATER = [act("ann", 25 + n, f"subject0-{n}") for n in range(4)]


def group(events: Sequence[Event], says: Polarity = Polarity.LIKE) -> Segment:
    return Segment(segment_key(says, events), "ann", says, tuple(events))


def reason(events: Sequence[Event], shown: Sequence[Event], found: Sequence[str], **more: object) -> str:
    return judging(events, ITEMS, **more).weigh(group(shown), found, ()).reason  # type: ignore[arg-type]


def test_what_a_history_returns_to_is_worth_saying() -> None:
    verdict = judging([*NOIR, *ODD], ITEMS).weigh(group(NOIR), ("bala",), ())
    assert verdict.worth == ("bala",)


def test_two_of_many_unrelated_things_that_share_something_are_chance() -> None:
    shown = [act("ann", 1, "subject0-0"), act("ann", 2, "subject0-1")]
    assert reason([*shown, *ODD], shown, ["bala"]) == "chance"


def test_what_was_no_chance_when_it_was_written_stays_said() -> None:
    many = [act("ann", 30 + n, f"subject{n % 39 + 1}-{n // 39 + 1}") for n in range(78)]
    assert reason([*ODD[:4], *NOIR_LATER, *many], NOIR_LATER, ["bala"]) == ""


def test_what_the_user_typed_needs_no_second_sign() -> None:
    shown = [act("ann", 1, "subject0-0")]
    judge = judging([*shown, *ODD], ITEMS)
    assert judge.weigh(group(shown), ("bala",), ()).reason == "chance"
    assert judge.weigh(group(shown), ("bala",), ("films about bala",)).worth == ("bala",)


def test_one_act_of_a_newcomer_is_enough() -> None:
    assert reason(NOIR[:1], NOIR[:1], ["bala"]) == ""


def test_where_nothing_is_shared_nothing_is_said() -> None:
    assert reason([*NOIR, *ODD], NOIR, []) == "nothing shared"


def test_what_most_people_would_be_told_is_common() -> None:
    like_ann = [("subject0-0", "subject0-1", "subject0-2", "subject0-3")] * 13
    crowd = [*like_ann, *[("subject1-0", "subject2-0")] * 12]
    verdict = judging(NOIR[:2], ITEMS, others=crowd).weigh(group(NOIR[:2]), ("bala",), ())
    assert verdict.reason == "common"
    few = judging(NOIR[:2], ITEMS, others=crowd[6:]).weigh(group(NOIR[:2]), ("bala",), ())
    assert few.reason == ""


def test_with_few_people_the_catalogue_says_what_is_common() -> None:
    alike = {item.id: replace(item, tags=("drama",)) for item in ITEMS.values()}
    assert judging(NOIR[:2], alike).weigh(group(NOIR[:2]), ("drama",), ()).reason == "common"


@pytest.mark.parametrize(
    ("text", "problem"),
    [("bala films", None), ("films about arctic", "chance"), ("films", "chance"), ("bala фильмы", "language")],
)
def test_a_sentence_names_what_is_worth_saying_in_a_known_script(text: str, problem: str | None) -> None:
    assert judging(NOIR, ITEMS).check(text, ["bala"], ["bala", "films"]) == problem


def test_scripts_are_told_apart_by_their_letters() -> None:
    assert scripts(["Noir, 3 ¡más!"]) == {"LATIN"}
    assert scripts(["钢琴 и пиано"]) == {"CJK", "CYRILLIC"}
    assert scripts(["ひらがな 한국 عربي"]) == {"HIRAGANA", "HANGUL", "ARABIC"}
    assert scripts(["... 42"]) == frozenset()


def test_a_sentence_agrees_with_evidence_that_it_speaks_of() -> None:
    judge = judging([*NOIR, *ODD], ITEMS)
    assert judge.agreement(group(NOIR), "Likes bala") > LEAST_AGREEMENT
    assert judge.agreement(group(NOIR), "Likes mala") < LEAST_AGREEMENT


def test_agreement_and_likelihood_make_up_for_each_other() -> None:
    assert supported(0.6, 9.0)
    assert not supported(0.6, 2.0)
    assert not supported(0.0, 7.5)
    assert supported(0.6, None)
    assert not supported(0.1, None)


# --- in the profiler ------------------------------------------------------------------------------------------------


def build(service: Service, user: str = "ann") -> Profile:
    return asyncio.run(service.profile(user, now=NOW))


def erase(service: Service, event: str) -> None:
    """Delete one event behind the store's back."""
    with service.store._write() as conn:
        conn.exec_driver_sql("DELETE FROM events WHERE id = ?", (event,))


def test_a_statement_whose_evidence_is_gone_is_not_stored_again(service: Service) -> None:
    profile = build(service)
    first = profile.statements[0]
    erase(service, first.evidence[0])
    tally = Tally()
    left = admit(service.store, profile, tally)
    assert {s.id for s in left.statements} == {s.id for s in profile.statements} - {first.id}
    assert all(first.id not in t.statements and t.medoid != first.id for t in left.themes)
    assert tally.dropped == {"evidence": 1}


def test_evidence_of_another_user_or_of_the_future_is_no_evidence(service: Service) -> None:
    profile = build(service)
    foreign = replace(profile.statements[0], evidence=("bob-1-rate-jazz-film-1",))
    late = replace(profile, as_of=act("ann", 1.5, None).at)
    assert admit(service.store, replace(profile, statements=(foreign,)), Tally()).statements == ()
    assert admit(service.store, late, Tally()).statements == ()


def test_evidence_that_goes_while_the_profile_is_written_leaves_no_statement(
    service: Service, llm: FakeLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = llm._chat

    async def meanwhile(request: object) -> object:
        erase(service, "ann-1-like-noir-film-1")
        return await asked(request)  # type: ignore[arg-type]

    monkeypatch.setattr(llm, "_chat", meanwhile)
    profile = build(service)
    assert profile.statements
    assert all("ann-1-like-noir-film-1" not in s.evidence for s in profile.statements)
    assert all("ann-1-like-noir-film-1" not in s.evidence for s in service.store.statements("ann"))
    assert service.tally.dropped["evidence"]
    assert build(service).statements  # and the next one goes on with what is left


def test_a_history_of_unrelated_things_yields_no_statement_and_no_request(service: Service, llm: FakeLLM) -> None:
    odd = [act("zoe", n, f"subject{n}-0") for n in range(12)]
    service.ingest_records([*ITEMS.values(), *odd])
    profile = build(service, "zoe")
    assert profile.statements == ()
    assert llm.requests == 0
    assert sum(service.tally.dropped.values()) > 0


def test_an_invention_is_rewritten_once_from_the_data_and_counted(service: Service, llm: FakeLLM) -> None:
    llm.enqueue(*[{"text": "mystery films 钢琴"}] * 3)
    profile = build(service)
    assert service.tally.refused.total() >= 3
    assert Origin.FALLBACK in {s.origin for s in profile.statements}


def test_a_search_of_the_user_is_said_however_often_they_searched(service: Service) -> None:
    searches = [act("zoe", n, None, EventKind.SEARCH, text=f"fjord kayaking {n}x") for n in range(6)]
    service.ingest_records(searches)
    assert any("looking for" in s.text for s in build(service, "zoe").statements)
