"""Events that are taken back: what leaned on them goes with them, at once, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from retrieval.records import Event, EventKind, Item, Profile, ThemeEvent, ThemeEventKind
from retrieval.store import SavedState, Store
from tests.retrieval.test_store_people import CANARY, DAY, T0, VECTOR, profile, statement


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """u and v with the events e1 to e3 and statements: "a" on e1, "b" on e2 and e3; "a" has superseded "old" on e2."""
    with Store(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        opened.ingest([Item("i", "Title")])
        for user in ("u", "v"):
            fill(opened, user)
        yield opened


def fill(store: Store, user: str) -> None:
    ids = {n: f"{user}-e{n}" for n in (1, 2, 3)}
    store.ingest([Event(ids[n], user, EventKind.SEARCH, T0 + n * DAY, "i", text=CANARY) for n in ids])
    kept = [
        statement("a", user, evidence=(ids[1],), text=CANARY),
        statement("b", user, evidence=(ids[2], ids[3])),
        statement("old", user, evidence=(ids[2],), superseded_by="a"),
    ]
    store.save_statements(kept)
    made = profile(user, "a", "b")
    [theme] = made.themes
    themes = (
        replace(theme, id="t1", statements=("a", "b"), medoid="a"),
        replace(theme, id="t2", statements=("a",), medoid="a"),
    )
    steps = tuple(ThemeEvent("t1", ThemeEventKind.GREW, T0, causes=(id_,)) for id_ in ids.values())
    store.save_profile(replace(made, statements=tuple(kept[:2]), themes=themes, theme_events=steps), 0)
    store.save_theme_state(user, SavedState("m", T0, None, 0, b"state"))
    store.put_vectors("m", user, {user: VECTOR})


def now(store: Store, user: str) -> Profile:
    found = store.profile(user)
    assert found is not None
    return found


def test_what_leaned_on_a_deleted_event_goes_and_the_rest_stays(store: Store) -> None:
    other = store.export_user("v")
    assert store.delete_events("u", ["u-e1", "u-nope", "v-e2"]) == 1
    left = now(store, "u")
    assert [s.id for s in left.statements] == ["b"]
    assert [(t.id, t.statements, t.medoid, t.summary) for t in left.themes] == [("t1", ("b",), "b", "")]
    assert [e.causes for e in store.theme_events("u")] == [("u-e2",), ("u-e3",)]
    assert (left.portrait, left.events_seen) == ("", 0)
    assert store.theme_state("u") is None
    assert set(store.vectors(["u", "v"], "m")) == {"v"}
    assert store.export_user("v") == other


def test_what_a_withdrawn_statement_had_superseded_holds_again(store: Store) -> None:
    store.delete_events("u", ["u-e1"])
    assert [s.id for s in store.statements("u")] == ["b", "old"]


def test_a_segment_whose_statement_was_withdrawn_counts_as_unread(store: Store) -> None:
    store.delete_events("u", ["u-e1"])
    assert set(store.statement_by_segment("u", ["seg-a", "seg-b"], "write@1", "m")) == {"seg-b"}


def test_no_byte_of_a_deleted_event_stays(store: Store, tmp_path: Path) -> None:
    for user in ("u", "v"):
        store.delete_events(user, [f"{user}-e{n}" for n in (1, 2, 3)])
    store.scrub_files()
    assert not [path.name for path in tmp_path.iterdir() if b"Likes" in path.read_bytes()]
    assert store.events("u") == []
    assert store.has_user("u")  # whoever takes back what they did is not erased


def test_deleting_nothing_changes_nothing(store: Store) -> None:
    before = store.export_user("u")
    assert store.delete_events("u", []) == store.delete_events("u", ["v-e1"]) == 0
    assert store.export_user("u") == before
