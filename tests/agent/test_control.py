"""An owner's hand on their profile, end to end with the fake LLM: what they say holds, wherever and for how long."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.control import Edited, Preview, Wish
from agent.edits import STRONG
from agent.errors import NotFoundError, UsageError
from agent.service import Service
from retrieval.records import EditKind, Event, EventKind, Origin, Polarity, Profile, Source, Statement, Theme
from retrieval.store import ErasedError
from tests.fakes import DAY, NOW, FakeLLM, act, catalogue, make_service

LATER = NOW + 5 * DAY


def edit(service: Service, kind: EditKind, target: str = "", text: str = "", **more: Any) -> Edited:
    user, now = more.pop("user", "ann"), more.pop("now", NOW)
    return asyncio.run(service.control.edit(user, Wish(kind, target, text, **more), now=now))


def preview(service: Service, kind: EditKind, target: str = "", text: str = "", k: int = 10) -> Preview:
    return asyncio.run(service.control.preview("ann", Wish(kind, target, text), now=NOW, k=k))


def build(service: Service, user: str = "ann", now: Any = NOW) -> Profile:
    return asyncio.run(service.profile(user, now=now))


def shown(service: Service, user: str = "ann", now: Any = NOW, **asked: Any) -> list[str]:
    return [r.item for r in asyncio.run(service.recommend(user, now=now, **{"k": 5, **asked})).recommendations]


def about(profile: Profile, subject: str) -> Statement:
    """The statement that rests on acts with a subject of the fake catalogue."""
    return next(s for s in profile.statements if any(f"-{subject}-" in e for e in s.evidence))


def theme_of(profile: Profile, subject: str) -> Theme:
    said = about(profile, subject)
    return next(t for t in profile.themes if said.id in t.statements)


def says(profile: Profile) -> set[str]:
    return {s.text for s in profile.statements}


def everything(service: Service, llm: FakeLLM, user: str = "ann") -> str:
    """All that the user's profile, reasons, impressions and the prompts of a new look hold, as one text."""
    before = len(llm.history), len(llm.scored)
    answer = asyncio.run(service.recommend(user, now=LATER, k=5))
    asked = [m.content for r in llm.history[before[0] :] for m in r.messages] + llm.scored[before[1] :]
    return json.dumps([repr(answer), asked]).lower()


# --- statements and themes that the owner takes out -------------------------------------------------------------------


def test_a_deleted_statement_is_gone_from_profile_reasons_and_prompts(service: Service, llm: FakeLLM) -> None:
    profile = build(service)
    gone = about(profile, "noir")
    edit(service, EditKind.DELETE, gone.id)
    service.ingest_records([act("ann", 61, "bread-course-2")])  # so that a prompt is made
    left = everything(service, llm)
    assert gone.id not in left
    assert gone.text.lower() not in left
    assert theme_of(profile, "noir").label.lower() not in left
    assert gone.text.lower() not in json.dumps(service.export("ann")["statements"]).lower()


@pytest.mark.parametrize("kind", ["statement", "theme"])
def test_inference_does_not_bring_back_what_was_deleted(service: Service, kind: str) -> None:
    profile = build(service)
    gone = about(profile, "noir")
    edit(service, EditKind.DELETE, gone.id if kind == "statement" else theme_of(profile, "noir").id)
    service.ingest_records([act("ann", 60.1, "noir-course-1"), act("ann", 60.2, "noir-course-2")])
    after = build(service, now=LATER)
    assert not [s for s in after.statements if any("noir" in e for e in s.evidence)]
    assert not any("noir" in e for t in after.themes for e in t.label.lower().split())
    assert after.questions == ()


def noir(days: Sequence[float], **context: Any) -> list[Event]:
    items = ["noir-course-1", "noir-course-2", "noir-new-1"]
    return [act("ann", day, item, context=context) for day, item in zip(days, items, strict=True)]


def more_noir(service: Service) -> None:
    one = next(i for i in catalogue() if i.id == "noir-course-1")
    service.ingest_records([replace(one, id="noir-new-1", title="Ice Ledger Two")])


def asked_again(service: Service, **context: Any) -> Profile:
    """ann deletes noir, then does three new things with it."""
    more_noir(service)
    edit(service, EditKind.DELETE, about(build(service), "noir").id)
    service.ingest_records(noir((60.1, 60.2, 60.3), **context))
    return build(service, now=LATER)


def test_strong_new_evidence_asks_and_brings_nothing_back_by_itself(service: Service) -> None:
    profile = asked_again(service)
    [question] = profile.questions
    assert (question.edit, question.items) == (1, STRONG)
    assert not [s for s in profile.statements if any("noir" in e for e in s.evidence)]
    assert build(service, now=LATER + DAY * 2).questions == profile.questions


def test_echoes_of_our_own_recommendations_never_ask(service: Service) -> None:
    assert asked_again(service, recommended=True).questions == ()


def test_a_yes_brings_it_back_with_its_evidence(service: Service) -> None:
    asked_again(service)
    edit(service, EditKind.RESTORE, "1", now=LATER + DAY / 10)
    after = build(service, now=LATER + DAY / 5)
    assert [s for s in after.statements if any("noir" in e for e in s.evidence)]
    assert after.questions == ()


def test_a_no_keeps_it_out_until_as_much_is_new_again(service: Service) -> None:
    asked_again(service)
    answered = edit(service, EditKind.REFUSE, "1", now=LATER + DAY / 10).profile
    assert answered is not None
    assert answered.questions == service.control.owned("ann").questions == ()
    assert build(service, now=LATER + 3 * DAY).questions == ()


def test_other_edits_leave_a_question_open(service: Service) -> None:
    asked_again(service)
    edit(service, EditKind.ADD, text="old radio plays", now=LATER + DAY / 10)
    assert len(service.control.owned("ann").questions) == 1


# --- the owner's own words --------------------------------------------------------------------------------------------


def test_what_the_owner_adds_counts_at_once_and_asks_no_llm(tmp_path: Path) -> None:
    llm = FakeLLM()
    with make_service(tmp_path, llm, recommend={"llm_weight": 0.0}) as service:
        build(service, "cleo")
        before = shown(service, "cleo", k=20, explain=False)
        asked = llm.requests
        edit(service, EditKind.ADD, text="sourdough baking", user="cleo")
        after = shown(service, "cleo", k=20, explain=False)
        assert llm.requests == asked
    places = [[n for n, i in enumerate(found) if i.startswith("bread")] for found in (before, after)]
    assert places[1][0] < places[0][0]
    assert sum(places[1]) < sum(places[0])


def test_a_profile_made_from_nothing_keeps_the_owners_words(service: Service) -> None:
    profile = build(service)
    edit(service, EditKind.ADD, text="old radio plays")
    edit(service, EditKind.REWORD, about(profile, "bread").id, "baking bread at night")
    edit(service, EditKind.REWORD, theme_of(profile, "noir").id, "Cold cases")
    edit(service, EditKind.DELETE, about(profile, "space").id)
    said = says(build(service))
    with service.store._write() as conn:  # everything that is derived
        for table in (
            "theme_events",
            "themes",
            "questions",
            "profile_statements",
            "profiles",
            "segments",
            "statements",
        ):
            conn.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608
    again = build(service, now=LATER)
    assert says(again) == said
    assert {"Likes old radio plays", "Likes baking bread at night"} < said
    assert any(t.label == "Cold cases" and t.origin is Origin.USER for t in again.themes)
    assert not [s for s in again.statements if s.polarity is Polarity.DISLIKE]


def test_a_reworded_statement_keeps_its_evidence_and_the_old_one_is_history(service: Service) -> None:
    old = about(build(service), "noir")
    made = edit(service, EditKind.REWORD, old.id, "bleak detective stories").profile
    assert made is not None
    [new] = [s for s in made.statements if s.source is Source.EDITED]
    assert (new.text, new.evidence, new.origin) == ("Likes bleak detective stories", old.evidence, Origin.USER)
    assert old.id not in {s.id for s in made.statements}
    assert [t.statements for t in made.themes if new.id in t.statements]
    for profile in (made, build(service), build(service, now=LATER)):
        assert says(profile) == says(made)
    [past] = service.control.owned("ann").superseded
    assert (past.text, past.superseded_by, past.superseded_at) == (old.text, new.id, NOW)


def test_used_to_like_now_avoids_takes_the_place_of_the_inference(service: Service) -> None:
    old = about(build(service), "noir")
    word = next(w for w in old.text.lower().split() if w not in ("likes", "and", "films", "books"))
    edit(service, EditKind.ADD, text=f"I used to like {word}, now I avoid it")
    for now in (NOW, LATER):
        profile = build(service, now=now)
        assert old.id not in {s.id for s in profile.statements}
        assert f"Dislikes {word}" in says(profile)
    [past] = [s for s in service.control.owned("ann").superseded if s.id == old.id]
    assert past.superseded_at == NOW
    assert profile.statement(past.superseded_by or "") is not None


def test_a_later_word_of_the_owner_beats_an_older_one(service: Service) -> None:
    build(service)
    edit(service, EditKind.ADD, text="opera")
    edit(service, EditKind.ADD, text="I can't stand opera", now=LATER)
    assert {t for t in says(build(service, now=LATER)) if "opera" in t} == {"Dislikes opera"}


def test_own_words_can_be_changed_and_deleted(service: Service) -> None:
    build(service)
    edit(service, EditKind.ADD, text="opera")
    own = next(s for s in build(service).statements if s.source is Source.ASSERTED)
    edit(service, EditKind.REWORD, own.id, "chamber music")
    changed = next(s for s in build(service).statements if s.text == "Likes chamber music")
    assert "Likes opera" not in says(build(service, now=LATER))
    edit(service, EditKind.DELETE, changed.id, now=LATER)
    assert not {"Likes opera", "Likes chamber music"} & says(build(service, now=LATER + 2 * DAY))
    assert not any("chamber" in t.label.lower() for t in build(service, now=LATER + 2 * DAY).themes)


def test_what_is_sensitive_needs_consent(service: Service) -> None:
    build(service)
    with pytest.raises(UsageError, match="sensitive: religion"):
        edit(service, EditKind.ADD, text="I'm Muslim")
    assert service.store.edits("ann") == []
    edit(service, EditKind.ADD, text="I'm Muslim", allow_sensitive=True)
    assert "Says “I'm Muslim”" in says(build(service))


# --- marks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", ["theme", "statement"])
def test_what_is_muted_is_not_shown_and_no_reason(service: Service, of: str) -> None:
    profile = build(service)
    assert any(i.startswith("noir") for i in shown(service))
    edit(service, EditKind.MUTE, theme_of(profile, "noir").id if of == "theme" else about(profile, "noir").id)
    answer = asyncio.run(service.recommend("ann", now=NOW, k=5))
    assert not [r.item for r in answer.recommendations if r.item.startswith("noir")]
    assert about(profile, "noir").id not in {c.statement for r in answer.recommendations for c in r.citations}
    assert says(answer.profile) == says(profile)  # it stays in the profile
    edit(service, EditKind.CLEAR, theme_of(profile, "noir").id if of == "theme" else about(profile, "noir").id)
    assert any(i.startswith("noir") for i in shown(service))


def test_muting_leaves_the_others_in_their_order(service: Service) -> None:
    profile = build(service)
    before = [i for i in shown(service, k=12, explain=False) if not i.startswith("noir")]
    edit(service, EditKind.MUTE, theme_of(profile, "noir").id)
    after = shown(service, k=12, explain=False)
    assert [i for i in after if i in before] == [i for i in before if i in after]


def test_a_muted_dislike_keeps_nothing_back_any_more(tmp_path: Path) -> None:
    with make_service(tmp_path, recommend={"llm_weight": 0.0}) as service:
        profile = build(service)
        before = shown(service, k=20, explain=False).index("space-course-1")
        edit(service, EditKind.MUTE, theme_of(profile, "space").id)
        assert shown(service, k=20, explain=False).index("space-course-1") < before


def test_what_is_boosted_gets_twice_the_places(tmp_path: Path) -> None:
    with make_service(tmp_path, recommend={"llm_weight": 0.0}) as service:
        profile = build(service)
        before = asyncio.run(service.recommend("ann", now=NOW, k=4, explain=False)).recommendations
        bread = theme_of(profile, "bread").id
        edit(service, EditKind.BOOST, bread)
        after = asyncio.run(service.recommend("ann", now=NOW, k=4, explain=False)).recommendations
    share = [sum(r.theme == bread for r in found) for found in (before, after)]
    assert share[1] >= min(2 * share[0], 3)


def test_a_dislike_cannot_be_boosted(service: Service) -> None:
    with pytest.raises(UsageError, match="dislike"):
        edit(service, EditKind.BOOST, theme_of(build(service), "space").id)


def test_a_pinned_statement_stays_when_inference_gives_it_up(tmp_path: Path) -> None:
    """ann turns away from noir: without the pin the newer dislike takes the place of the like."""
    turned = [
        act("ann", 100 + n, f"noir-{what}", EventKind.DISLIKE)
        for n, what in enumerate(("film-1", "film-2", "book-1", "book-2"))
    ]
    kept = {}
    for pinned in (False, True):
        with make_service(tmp_path / str(pinned)) as service:
            like = about(build(service), "noir")
            if pinned:
                edit(service, EditKind.PIN, like.id)
            service.ingest_records(turned)
            kept[pinned] = like.text in says(build(service, now=NOW + 60 * DAY))
    assert kept == {False: False, True: True}


def test_a_mark_follows_a_statement_whose_evidence_grows(service: Service) -> None:
    old = about(build(service), "noir")
    edit(service, EditKind.MUTE, old.id)
    service.ingest_records([act("ann", 60, "noir-course-1")])
    profile = build(service, now=LATER)
    assert old.id not in {s.id for s in profile.statements}
    assert about(profile, "noir").id in service.control.marks(profile).silent


# --- preview ----------------------------------------------------------------------------------------------------------


def test_a_preview_tells_what_would_move_and_stores_nothing(service: Service, llm: FakeLLM) -> None:
    profile = build(service)
    asked, stored = llm.requests, service.export("ann")
    found = preview(service, EditKind.MUTE, theme_of(profile, "noir").id, k=4)
    assert llm.requests == asked
    assert service.export("ann") == stored
    assert service.store.profile("ann") == profile
    gone = {m.item for m in found.moves if m.change == "gone"}
    assert gone
    assert all(i.startswith("noir") for i in gone)
    assert [m.after for m in found.moves if m.after] == [1, 2, 3, 4]
    assert {m.change for m in found.moves} <= {"new", "rises", "stays", "falls", "gone"}


@pytest.mark.parametrize(
    ("kind", "text"), [(EditKind.ADD, "jazz improvisation"), (EditKind.DELETE, ""), (EditKind.BOOST, "")]
)
def test_what_a_preview_shows_is_what_comes(tmp_path: Path, kind: EditKind, text: str) -> None:
    with make_service(tmp_path, recommend={"llm_weight": 0.0}) as service:
        target = "" if kind is EditKind.ADD else theme_of(build(service), "bread").id
        build(service)
        found = preview(service, kind, target, text, k=5)
        edit(service, kind, target, text)
        assert shown(service, explain=False) == [m.item for m in found.moves if m.after]


def test_a_preview_leaves_no_vector_of_the_words(service: Service) -> None:
    build(service)
    with service.store._read() as conn:
        count = "SELECT count(*) FROM vectors WHERE owner = 'ann'"
        before = conn.exec_driver_sql(count).scalar()
    preview(service, EditKind.ADD, text="old radio plays")
    with service.store._read() as conn:
        assert conn.exec_driver_sql(count).scalar() == before


# --- whose profile it is ----------------------------------------------------------------------------------------------


def test_nobody_can_touch_what_is_anothers(service: Service) -> None:
    anns, bobs = build(service), build(service, "bob")
    for target in (anns.statements[0].id, anns.themes[0].id, "nowhere", ""):
        with pytest.raises(NotFoundError):
            edit(service, EditKind.DELETE, target, user="bob")
    edit(service, EditKind.DELETE, anns.statements[0].id)
    edit(service, EditKind.ADD, text="opera")
    assert build(service, "bob") == bobs
    assert service.control.owned("bob").log == ()
    with pytest.raises(NotFoundError):
        edit(service, EditKind.RESTORE, "1", user="bob")


def test_strangers_are_told_everywhere(service: Service) -> None:
    wish = Wish(EditKind.ADD, text="opera")
    for call in (
        lambda: asyncio.run(service.control.edit("nobody", wish, now=NOW)),
        lambda: asyncio.run(service.control.preview("nobody", wish, now=NOW)),
        lambda: service.control.owned("nobody"),
    ):
        with pytest.raises(NotFoundError, match="nobody"):
            call()


@pytest.mark.parametrize("number", ["7", "x", "-1", ""])
def test_only_what_was_deleted_can_be_answered(service: Service, number: str) -> None:
    build(service)
    for kind in (EditKind.RESTORE, EditKind.REFUSE):
        with pytest.raises(NotFoundError):
            edit(service, kind, number)


def test_an_erased_owner_leaves_no_edit(service: Service) -> None:
    build(service)
    edit(service, EditKind.ADD, text="old radio plays")
    assert "radio" in json.dumps(service.export("ann"))
    service.forget("ann")
    assert not any(service.store.export_user("ann").values())
    with pytest.raises((ErasedError, NotFoundError)):
        edit(service, EditKind.ADD, text="old radio plays")


def test_without_any_llm_the_sketch_can_be_corrected(tmp_path: Path, llm: FakeLLM) -> None:
    llm.fail()
    with make_service(tmp_path, llm) as service:
        sketch = asyncio.run(service.recommend("ann", now=NOW, k=5)).profile
        edit(service, EditKind.MUTE, theme_of(sketch, "noir").id)
        edit(service, EditKind.DELETE, about(sketch, "space").id)
        edit(service, EditKind.ADD, text="opera")
        after = asyncio.run(service.recommend("ann", now=NOW, k=5))
        assert not [r.item for r in after.recommendations if r.item.startswith("noir")]
        assert "Likes opera" in says(after.profile)
        assert not [s for s in after.profile.statements if any("space" in e for e in s.evidence)]
        llm.heal()  # what was said of the sketch holds for the profile that takes its place
        assert not [r for r in shown(service) if r.startswith("noir")]
        assert "Likes opera" in says(build(service))


def test_words_before_any_profile_are_kept_for_it(service: Service) -> None:
    assert edit(service, EditKind.ADD, text="opera").profile is None
    assert "Likes opera" in says(build(service))


def test_an_edit_that_was_cut_off_after_its_log_holds_at_the_next_build(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = about(build(service), "noir")

    def power_cut(*_: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patched:
        patched.setattr(type(service.control), "_renewed", power_cut)
        with pytest.raises(RuntimeError):
            edit(service, EditKind.ADD, text="opera", now=NOW + DAY / 100)
        with pytest.raises(RuntimeError):
            edit(service, EditKind.DELETE, gone.id, now=NOW + DAY / 100)
    profile = build(service, now=NOW + DAY / 50)
    assert "Likes opera" in says(profile)
    assert gone.text not in says(profile)
