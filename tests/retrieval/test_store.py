"""The store: what goes in comes out, once, and whole or not at all.

Runs on SQLite; TEST_DATABASE_URL names a PostgreSQL database (its `public` schema is emptied!) to run the same tests there.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from retrieval.records import Event, EventKind, Item, Origin, Recommendation, Refusal
from retrieval.schema import VERSION, metadata
from retrieval.store import LLMCall, Store, StoreError, content_hash
from retrieval.tables.upgrade import MIGRATIONS

T0 = datetime(2026, 1, 1, tzinfo=UTC)
ITEMS = [Item(f"i{n}", f"Title {n}", f"Text {n}", ("a", "b"), ("t",), "https://x", None, T0) for n in range(5)]
EVENTS = [Event(f"e{n}", f"u{n % 3}", EventKind.VIEW, T0 + timedelta(hours=n), f"i{n % 5}") for n in range(12)]


@pytest.fixture
def url(tmp_path: Path) -> str:
    address = os.environ.get("TEST_DATABASE_URL")
    if not address:
        return f"sqlite:///{tmp_path / 'store.db'}"
    engine = create_engine(address)
    with engine.begin() as conn:
        conn.execute(text("DROP SCHEMA public CASCADE"))
        conn.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return address


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store(url) as opened:
        yield opened


def test_ingest_counts_new_updated_same_and_duplicate(store: Store) -> None:
    first = store.ingest([*ITEMS, *EVENTS])
    assert (first.items_new, first.events_new, first.refused) == (5, 12, 0)
    changed = replace(ITEMS[0], text="A new text")
    second = store.ingest([changed, *ITEMS[1:], *EVENTS])
    assert (second.items_new, second.items_updated, second.items_same) == (0, 1, 4)
    assert (second.events_new, second.events_duplicate) == (0, 12)
    assert store.item("i0") == changed


def test_records_come_back_as_they_went_in(store: Store) -> None:
    cest = datetime.fromisoformat("2026-07-01T10:00:00.123456+02:00")
    event = Event(
        "x", "u", EventKind.RATE, cest, "i1", 4.5, "schön 🎬", {"list": [1, 2], "nul": "\x00", "half": "\ud83d"}
    )
    store.ingest([*ITEMS, event])
    assert store.items() == {item.id: item for item in ITEMS}
    assert list(store.items(["i3", "nope", "i1"])) == ["i3", "i1"]
    assert list(store.iter_items(batch=2)) == ITEMS
    assert store.item("nope") is None
    assert store.item_count() == 5
    [found] = store.events("u")
    assert found == event
    assert found.at.tzinfo is UTC


def test_progress_reports_how_many_records_were_read(store: Store) -> None:
    seen: list[int] = []
    store.ingest((replace(ITEMS[0], id=str(n)) for n in range(4500)), progress=seen.append)
    assert seen == [2000, 4000, 4500]


def test_events_may_come_before_their_item_but_not_without_it(store: Store) -> None:
    orphan = Event("orphan", "u", EventKind.VIEW, T0, "never")
    search = Event("search", "u", EventKind.SEARCH, T0, text="something")
    summary = store.ingest([*EVENTS, orphan, search, Refusal("f.csv", 3, "bad row"), *ITEMS])
    assert (summary.events_new, summary.refused) == (13, 2)
    assert summary.refusals[0] == Refusal("f.csv", 3, "bad row")
    assert summary.refusals[1] == Refusal("", 0, "event 'orphan': unknown item 'never'")


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (replace(EVENTS[0], id=""), "empty id"),
        (replace(EVENTS[0], user=""), "empty user"),
        (replace(EVENTS[0], text="half \ud83d"), "half a surrogate pair"),
        (replace(EVENTS[0], user="u\x00"), "NUL"),
        (replace(EVENTS[0], value=float("nan")), "not a finite number"),
        (replace(EVENTS[0], context={"when": T0}), "not JSON"),
        (replace(ITEMS[0], title="\udc00"), "half a surrogate pair"),
    ],
)
def test_what_no_database_gives_back_unchanged_is_refused(store: Store, record: Item | Event, reason: str) -> None:
    summary = store.ingest([*ITEMS, record])
    assert summary.refused == 1
    assert reason in summary.refusals[0].reason


def test_a_failing_reader_leaves_nothing_behind(store: Store) -> None:
    def records() -> Iterator[Item]:
        yield from (replace(ITEMS[0], id=str(n)) for n in range(5000))
        raise OSError("disk pulled out")

    with pytest.raises(OSError, match="pulled out"):
        store.ingest(records())
    assert store.item_count() == 0
    assert store.catalogue_signature() == (0, "0" * 64)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_order_and_repetition_gives_the_same_state(data: st.DataObject) -> None:
    records: list[Item | Event] = [*ITEMS, *EVENTS]
    extra = data.draw(st.lists(st.sampled_from(records), max_size=10))
    shuffled = data.draw(st.permutations(records + extra))
    cut = data.draw(st.integers(0, len(shuffled)))
    with Store("sqlite://") as clean, Store("sqlite://") as messy:
        clean.ingest(records)
        late = messy.ingest(shuffled[:cut]).refused  # items not there yet: at-least-once delivery brings those again
        messy.ingest([*shuffled[cut:], *(EVENTS if late else [])])
        assert messy.items() == clean.items()
        assert messy.catalogue_signature() == clean.catalogue_signature()
        for user in ("u0", "u1", "u2"):
            assert messy.events(user) == clean.events(user)


def test_the_signature_follows_content_and_not_history(store: Store) -> None:
    store.ingest(ITEMS)
    before = store.catalogue_signature()
    store.ingest([replace(ITEMS[2], title="Other")])
    assert store.catalogue_signature() != before
    store.ingest([*EVENTS, ITEMS[2]])
    assert store.catalogue_signature() == before
    assert before == (5, f"{sum(int(content_hash(item), 16) for item in ITEMS) % 2**256:064x}")
    assert store.item_digests() == {item.id: content_hash(item) for item in ITEMS}


def test_events_are_the_latest_up_to_a_moment_in_time_order(store: Store) -> None:
    tied = [Event(name, "u0", EventKind.VIEW, T0 + timedelta(hours=3), "i0") for name in ("b", "a", "B")]
    store.ingest([*ITEMS, *EVENTS, *tied])
    assert [e.id for e in store.events("u0")] == ["e0", "B", "a", "b", "e3", "e6", "e9"]
    assert [e.id for e in store.events("u0", until=T0 + timedelta(hours=6), limit=3)] == ["b", "e3", "e6"]
    assert store.event_count("u0") == 7
    assert store.event_count("u0", T0 + timedelta(hours=2)) == 1
    assert set(store.events_by_id("u0", ["e3", "e1", "nope"])) == {"e3"}
    assert store.touched_items("u0") == {"i0", "i3", "i1", "i4"}


def test_users_are_known_by_what_they_did(store: Store) -> None:
    store.ingest([*ITEMS, *EVENTS])
    assert store.users() == ["u0", "u1", "u2"]
    assert store.event_counts() == {"u0": 4, "u1": 4, "u2": 4}
    assert store.has_user("u1")
    assert not store.has_user("u9")


def test_popularity_counts_people_who_liked_it_once_each(store: Store) -> None:
    def act(user: str, kind: EventKind, day: int = 0, value: float | None = None) -> Event:
        return Event(f"{user}{kind}{day}{value}", user, kind, T0 + timedelta(days=day), "i0", value)

    store.ingest([*ITEMS, act("a", EventKind.VIEW), act("a", EventKind.CLICK), act("b", EventKind.RATE, value=3.5)])
    store.ingest([act("c", EventKind.RATE, value=3.0), act("d", EventKind.HIDE), act("e", EventKind.LIKE, day=9)])
    assert store.popularity() == {"i0": 3.0}
    assert store.popularity(until=T0 + timedelta(days=1)) == {"i0": 2.0}


def test_sequences_hold_what_was_liked_once_each_in_the_order_of_the_first_time(store: Store) -> None:
    def act(name: str, item: str, day: int, kind: EventKind = EventKind.LIKE, user: str = "u") -> Event:
        return Event(name, user, kind, T0 + timedelta(days=day), item)

    acts = [act("z", "i3", 1), act("a", "i1", 1), act("b", "i2", 0), act("c", "i3", 0), act("d", "i2", 5)]
    store.ingest([*ITEMS, *acts, act("e", "i0", 2, EventKind.HIDE), act("f", "i0", 9), act("g", "i4", 3, user="a")])
    assert store.sequences() == {"a": ("i4",), "u": ("i2", "i3", "i1", "i0")}
    assert store.sequences(until=T0 + timedelta(days=1)) == {"u": ("i2", "i3", "i1")}
    assert list(store.sequences()) == ["a", "u"]


def test_the_state_of_the_events_tells_growth_and_erasure(store: Store) -> None:
    store.ingest([*ITEMS, *EVENTS])
    assert store.event_state() == (12, 0)
    store.forget_user("u1")
    assert store.event_state() == (8, 1)


def test_400_of_100000_events_are_read_in_a_blink(store: Store) -> None:
    late = T0 + timedelta(seconds=70_000)
    events = (Event(f"e{n}", "u", EventKind.VIEW, T0 + timedelta(seconds=n), "i0") for n in range(100_000))
    store.ingest([ITEMS[0], *events])
    durations = []
    for _ in range(5):
        start = time.thread_time()  # CPU time: other programs on the machine do not count
        found = store.events("u", until=late, limit=400)
        durations.append(time.thread_time() - start)
    assert [found[0].id, found[-1].id] == ["e69601", "e70000"]
    assert min(durations) < 0.02


def test_caches_return_what_they_hold_and_nothing_else(store: Store) -> None:
    vector = np.array([0.1, -2.5], dtype=np.float32)
    store.put_vectors("m", "", {"h1": vector})
    store.put_vectors("m", "u", {"h1": vector, "h2": vector * 2})
    found = store.vectors(["h1", "h2", "h3"], "m")
    assert set(found) == {"h1", "h2"}
    assert found["h2"].dtype == np.float32
    np.testing.assert_array_equal(found["h2"], vector * 2)
    assert store.vectors(["h1"], "other") == {}
    store.put_neutral_scores("m", "rank@1", {"h1": -3.25, "h2": -1.0})
    store.put_neutral_scores("m", "rank@1", {"h2": -2.0})
    assert store.neutral_scores("m", "rank@1") == {"h1": -3.25, "h2": -2.0}
    assert store.neutral_scores("m", "rank@1", ["h2", "h9"]) == {"h2": -2.0}
    assert store.neutral_scores("m", "rank@2") == {}
    assert store.get_meta("k") is None
    store.set_meta("k", "1")
    store.set_meta("k", "2")
    assert store.get_meta("k") == "2"


def test_llm_calls_add_up_and_by_prompt(store: Store) -> None:
    call = LLMCall("1", T0, "write@1", "ff", "m", "complete", "u", 100, 20, 50, 0.5, 1, "ok", "stop")
    later = replace(call, id="2", at=T0 + timedelta(days=1), prompt="rank@1", outcome="invalid", user=None)
    store.log_llm_calls([call, later, call])
    totals = store.llm_totals()
    assert (totals.calls, totals.tokens_in, totals.tokens_out, totals.tokens_cached, totals.invalid) == (
        2,
        200,
        40,
        100,
        1,
    )
    assert totals.by_prompt["rank@1"].invalid == 1
    assert store.llm_totals(since=T0 + timedelta(hours=1)).calls == 1
    assert store.llm_totals(since=T0 + timedelta(days=2)).calls == 0


def test_what_was_shown_is_remembered(store: Store) -> None:
    shown = [
        Recommendation("i0", 1, 0.9, {}),
        Recommendation("i1", 2, 0.4, {}, reason_origin=Origin.MODEL, propensity=0.25),
    ]
    first, second = (r.impression for r in store.log_impressions("u", T0, shown, "something new"))
    assert store.impression("u", "i1", before=T0) == second
    assert store.impression("v", "i1", before=T0) is None
    assert store.impression("u", "i1", before=T0 - timedelta(seconds=1)) is None
    assert store.impression("u", "i1", before=T0, id=first) is None
    rows = store.export_user("u")["impressions"]
    assert [(row["id"], row["rank"], row["score"], row["propensity"]) for row in rows] == [
        (first, 1, 0.9, 1.0),
        (second, 2, 0.4, 0.25),
    ]


def test_two_threads_may_write_at_once(store: Store) -> None:
    store.ingest(ITEMS)
    failures: list[Exception] = []

    def work(name: str) -> None:
        try:
            for n in range(20):
                store.ingest([replace(EVENTS[0], id=f"{name}{n}", user="u")])
                store.events("u", limit=5)
        except StoreError as exc:
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.event_count("u") == 60


def test_the_migrations_make_the_tables_that_the_code_expects(url: str) -> None:
    handlers = list(logging.getLogger().handlers)
    with Store(url) as first:
        first.ingest([*ITEMS, *EVENTS])
    with Store(url) as again:
        assert again.event_count("u0") == 4
        with again._read() as conn:
            context = MigrationContext.configure(conn, opts={"compare_type": False})
            assert compare_metadata(context, metadata) == []
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == VERSION
    assert logging.getLogger().handlers == handlers


def test_threads_opening_a_new_database_at_once_all_succeed(url: str) -> None:
    counts: list[int] = []

    def work() -> None:
        with Store(url) as opened:
            counts.append(opened.ingest(ITEMS).items_new)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts) == [0, 0, 0, 5]
