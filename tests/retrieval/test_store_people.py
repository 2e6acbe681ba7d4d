"""The store on people: statements, profiles, compare-and-swap; export that is complete and erasure that leaves no byte."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select

from retrieval.records import (
    Edit,
    EditKind,
    Event,
    EventKind,
    Horizon,
    Item,
    Origin,
    Polarity,
    Profile,
    Question,
    Recommendation,
    Reply,
    Source,
    Statement,
    Theme,
    ThemeEvent,
    ThemeEventKind,
)
from retrieval.schema import personal_tables
from retrieval.store import ConflictError, ErasedError, LLMCall, Replied, SavedState, Store, StoreError

T0 = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
CANARY = "canary-7f3a"
VECTOR = np.array([0.6180339, -0.3141592, 0.2718281, 0.5772156], dtype=np.float32)


def statement(name: str, user: str = "u", **changes: object) -> Statement:
    made = Statement(
        id=name,
        user=user,
        text=f"Likes {name}",
        polarity=Polarity.LIKE,
        facet="genre",
        evidence=("e1", "e2"),
        first_at=T0,
        last_at=T0 + DAY,
        horizon=Horizon.LONG,
        source=Source.INFERRED,
        origin=Origin.MODEL,
        confidence=0.8,
        prompt="write@1",
        model="m",
        written_at=T0 + DAY,
        segment=f"seg-{name}",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def profile(user: str = "u", *names: str, as_of: datetime = T0) -> Profile:
    held = tuple(statement(name, user) for name in names)
    centroid = tuple(VECTOR.tolist())
    theme = Theme("t1", user, "Noir", f"Dark films {CANARY}", Polarity.LIKE, names, names[0], centroid, 2.5, -0.25)
    born = ThemeEvent("t1", ThemeEventKind.BORN, as_of, ("t0",), "first seen")
    asked = Question(1, CANARY, CANARY, 3)
    return Profile(user, as_of, 0, held, (theme,), "A portrait", Origin.MODEL, (born,), 12, (asked,))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        opened.ingest([Item("i", "Title")])
        yield opened


def fill(store: Store, user: str) -> None:
    """One row about the user in every table that can hold one, with the canary in every text."""
    event = Event(f"{CANARY}-{user}", user, EventKind.SEARCH, T0, "i", None, CANARY, {"q": CANARY})
    store.ingest([event, replace(event, id=f"{user}-e2", kind=EventKind.LIKE)])
    store.save_statements([statement(name, user, text=CANARY) for name in ("a", "b")])
    store.save_profile(profile(user, "a", "b"), 0)
    store.log_impressions(user, T0, [Recommendation("i", 1, 0.5, {})], CANARY)
    store.log_llm_calls([LLMCall(f"c-{user}", T0, "p@1", "ff", "m", "score", user, 1, 1, 0, 0.1, 1, "ok")])
    store.put_vectors("m", user, {"h": VECTOR})
    store.save_edit(Edit(user, EditKind.PIN, T0, target="t1", was=CANARY, text=CANARY))
    store.save_reply(Replied(user, 3, CANARY, Reply.YES, T0))
    store.save_theme_state(user, SavedState("m", T0, None, 0, CANARY.encode()))


def test_statements_are_saved_changed_and_superseded(store: Store) -> None:
    store.save_statements([statement("a"), statement("b"), statement("a", "v")])
    store.save_statements([statement("a", confidence=0.9)])
    assert store.statements("u") == [statement("a", confidence=0.9), statement("b")]
    assert store.supersede("u", "a", "b", T0)
    assert not store.supersede("u", "a", "b", T0 + DAY)  # since T0
    assert not store.supersede("u", "nope", "b", T0)
    assert [s.id for s in store.statements("u")] == ["b"]
    assert [(s.superseded_by, s.superseded_at) for s in store.statements("u", include_superseded=True)] == [
        ("b", T0),
        (None, None),
    ]
    assert store.statements("v") == [statement("a", "v")]


def test_a_segment_is_remembered_for_its_prompt_and_model_even_when_nothing_was_written(store: Store) -> None:
    store.save_statements([statement("a"), statement("own", segment="")])
    store.save_segments("u", {"junk": None, "again": "a"}, "write@1", "m", T0)
    known = store.statement_by_segment("u", ["seg-a", "junk", "again", "never"], "write@1", "m")
    assert known == {"seg-a": statement("a"), "junk": None, "again": statement("a")}
    assert store.statement_by_segment("u", ["seg-a"], "write@2", "m") == {}
    assert store.statement_by_segment("v", ["seg-a"], "write@1", "m") == {}


def test_a_deleted_statement_leaves_its_profiles_and_is_not_written_again(store: Store) -> None:
    store.save_statements([statement("a"), statement("b")])
    store.save_profile(profile("u", "a", "b"), 0)
    store.save_edit(Edit("u", EditKind.DELETE, T0, target="a", statements=("a",)))
    saved = store.profile("u")
    assert saved is not None
    assert [s.id for s in saved.statements] == ["b"]
    assert [t.summary for t in saved.themes] == [""]
    assert store.statement_by_segment("u", ["seg-a"], "write@1", "m") == {"seg-a": None}
    with pytest.raises(ConflictError, match="deleted meanwhile"):
        store.save_profile(profile("u", "a", "b"), 1)
    store.save_edit(Edit("u", EditKind.RESTORE, T0, target="1"))
    assert store.statement_by_segment("u", ["seg-a"], "write@1", "m") == {}  # it may be read again


def test_a_deleted_theme_leaves_every_version_and_its_history(store: Store) -> None:
    store.save_statements([statement("a")])
    for version in range(2):
        store.save_profile(profile("u", "a"), version)
    store.save_edit(Edit("u", EditKind.DELETE, T0, target="t1", of_theme=True, statements=("a",)))
    assert store.theme_events("u") == []
    assert [store.export_user("u")[table] for table in ("themes", "theme_events", "statements")] == [[], [], []]
    assert len(store.export_user("u")["profiles"]) == 2


def test_edits_are_numbered_for_each_user_and_only_added(store: Store) -> None:
    for user, kind in (("u", EditKind.MUTE), ("v", EditKind.PIN), ("u", EditKind.CLEAR)):
        store.save_edit(Edit(user, kind, T0, target="t1", number=99))
    assert [(e.number, e.kind) for e in store.edits("u")] == [(1, EditKind.MUTE), (2, EditKind.CLEAR)]
    assert [e.number for e in store.edits("v")] == [1]
    assert store.edited_since("u", T0 - DAY)
    assert not store.edited_since("u", T0)
    assert not store.edited_since("w", T0 - DAY)


def test_a_profile_comes_back_as_it_was_saved(store: Store) -> None:
    store.save_statements([statement("b"), statement("a")])
    given = profile("u", "b", "a")
    saved = store.save_profile(given, 0)
    assert saved == replace(given, version=1)
    assert store.profile("u") == saved
    assert store.profile("nobody") is None
    assert store.profile_version("nobody") == 0


def test_the_profile_of_a_moment_is_the_last_one_before_it(store: Store) -> None:
    store.save_statements([statement("a")])
    for version, day in enumerate((0, 10, 5)):  # the third is a look back, made later
        store.save_profile(profile("u", "a", as_of=T0 + day * DAY), version)
    days = {day: store.profile("u", as_of=T0 + day * DAY) for day in (0, 4, 7, 30)}
    assert {day: found.version if found else None for day, found in days.items()} == {0: 1, 4: 1, 7: 3, 30: 2}
    assert store.profile("u", as_of=T0 - DAY) is None
    newest = store.profile("u")
    assert newest is not None
    assert newest.version == 2
    assert store.profile_version("u") == 3
    assert [(v.version, (v.as_of - T0).days) for v in store.profile_versions("u")] == [(1, 0), (2, 10), (3, 5)]


def test_theme_events_are_history_and_told_once(store: Store) -> None:
    store.save_statements([statement("a")])
    first = store.save_profile(profile("u", "a"), 0)
    grew = ThemeEvent("t1", ThemeEventKind.GREW, T0 + DAY, (), "more")
    second = store.save_profile(replace(first, theme_events=(*first.theme_events, grew)), 1)
    assert second.theme_events == (grew,)
    assert [e.kind for e in store.theme_events("u")] == [ThemeEventKind.BORN, ThemeEventKind.GREW]


def test_steps_that_hold_no_longer_are_withdrawn_but_not_by_a_look_back(store: Store) -> None:
    store.save_statements([statement("a")])
    first = store.save_profile(profile("u", "a"), 0)
    store.save_profile(replace(first, as_of=T0 - DAY, theme_events=()), 1)
    assert store.theme_events("u") == list(first.theme_events)
    store.save_profile(replace(first, as_of=T0 + DAY, theme_events=()), 2)
    assert store.theme_events("u") == []


def test_a_version_can_be_had_by_its_number(store: Store) -> None:
    store.save_statements([statement("a")])
    first = store.save_profile(profile("u", "a"), 0)
    store.save_profile(replace(first, restores=1, as_of=T0 + DAY), 1)
    assert store.profile_at("u", 1) == first
    assert store.profile_at("u", 9) is None
    assert [v.restores for v in store.profile_versions("u")] == [None, 1]


def test_only_one_of_two_writers_of_a_profile_wins(store: Store) -> None:
    store.save_statements([statement("a")])
    version = store.profile_version("u")
    winner = store.save_profile(profile("u", "a"), version)
    with pytest.raises(ConflictError) as caught:
        store.save_profile(replace(profile("u", "a"), portrait="The loser's"), version)
    assert caught.value.retryable
    assert store.profile("u") == winner
    assert store.save_profile(profile("u", "a"), winner.version).version == 2


def test_the_export_has_every_row_that_names_the_user(store: Store) -> None:
    for user in ("u", "v"):
        fill(store, user)
    exported = store.export_user("u")
    assert json.loads(json.dumps(exported)) == exported
    with store._read() as conn:
        for table, who in personal_tables():
            rows = conn.execute(select(func.count()).select_from(table).where(who == "u")).scalar_one()
            assert rows > 0, f"fill() puts nothing into {table.name}"
            if table.name != "vectors":
                assert len(exported[table.name]) == rows
                assert all(row["user"] == "u" for row in exported[table.name])
    assert exported["events"][0]["context"] == {"q": CANARY}
    assert exported["profiles"][0]["as_of"] == "2026-01-01T00:00:00+00:00"
    assert exported["themes"][0]["statements"] == ["a", "b"]


def test_forgetting_leaves_no_byte_of_the_user(store: Store, tmp_path: Path) -> None:
    fill(store, CANARY)
    fill(store, "other")
    assert _hits(tmp_path, CANARY.encode())
    assert _hits(tmp_path, VECTOR.tobytes())
    others = store.export_user("other")
    for row in (store.forget_user("other"), store.forget_user(CANARY)):
        assert row.scrubbed
        assert set(row.rows.values()) == {1, 2}
    assert others["events"]
    assert not _hits(tmp_path, CANARY.encode())
    assert not _hits(tmp_path, VECTOR.tobytes())
    assert store.integrity_problems() == []


def test_forgetting_one_user_leaves_the_others_alone(store: Store) -> None:
    fill(store, "u")
    fill(store, "v")
    store.put_vectors("m", "", {"h": VECTOR})
    before = store.export_user("v"), store.catalogue_signature()
    assert store.forget_user("u").rows["events"] == 2
    assert (store.export_user("v"), store.catalogue_signature()) == before
    assert not any(store.export_user("u").values())
    assert set(store.vectors(["h"], "m")) == {"h"}
    assert store.users() == ["v"]


def test_an_erased_user_does_not_come_back(store: Store) -> None:
    store.save_statements([statement("a")])
    store.forget_user("u")
    late = store.ingest([Event("late", "u", EventKind.VIEW, T0, "i"), Event("fine", "v", EventKind.VIEW, T0, "i")])
    assert (late.events_new, late.refused) == (1, 1)
    assert "user was erased" in late.refusals[0].reason
    shown = [Recommendation("i", 1, 0.5, {})]
    for write in (
        lambda: store.save_statements([statement("a")]),
        lambda: store.save_segments("u", {"k": None}, "p", "m", T0),
        lambda: store.save_profile(Profile("u", T0, 0), 0),
        lambda: store.put_vectors("m", "u", {"h": VECTOR}),
        lambda: store.log_impressions("u", T0, shown),
        lambda: store.save_edit(Edit("u", EditKind.MUTE, T0, target="t1")),
        lambda: store.save_theme_state("u", SavedState("m", T0, None, 0, b"")),
    ):
        with pytest.raises(ErasedError):
            write()
    store.log_llm_calls([LLMCall("c", T0, "p@1", "ff", "m", "score", "u", 7, 1, 0, 0.1, 1, "ok")])
    assert store.llm_totals().tokens_in == 7
    assert not any(store.export_user("u").values())
    assert not store.has_user("u")


def test_the_catalogue_cannot_be_forgotten_as_a_user(store: Store) -> None:
    with pytest.raises(StoreError, match="empty user"):
        store.forget_user("")


def test_a_scrub_that_was_cut_off_is_made_up_for_at_the_next_opening(store: Store, tmp_path: Path) -> None:
    fill(store, CANARY)
    assert not store.forget_user(CANARY, scrub=False).scrubbed
    with Store(f"sqlite:///{tmp_path / 'store.db'}"):
        assert not _hits(tmp_path, CANARY.encode())


def test_only_the_owner_may_read_the_file(store: Store, tmp_path: Path) -> None:
    assert {oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == {"0o600"}


def _hits(folder: Path, needle: bytes) -> list[str]:
    return [path.name for path in folder.iterdir() if needle in path.read_bytes()]
