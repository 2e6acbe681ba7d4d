"""The state of somebody's themes in the product: the same however the events came in, and never of what is not there."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.service import Service
from agent.tracking import Tracker
from retrieval.embed import HashEmbedder, Vectors
from retrieval.evolution import EvolutionRules, from_json
from retrieval.records import Event, EventKind, Item, Polarity, Profile, ThemeEventKind
from retrieval.store import Store
from retrieval.topics import Topics
from tests.fakes import NOW, FakeLLM, act, catalogue, make_service
from tests.retrieval.planted import DIM, Life
from tests.retrieval.test_evolution_order import eventful

WHAT = ["film-1", "film-2", "book-1", "book-2", "course-1", "course-2"]
SMALL = EvolutionRules(keep=6)  # most of a short life is settled
KINDS = [EventKind.VIEW, EventKind.LIKE, EventKind.PURCHASE]


def life(seed: int = 0, count: int = 40) -> list[Event]:
    """Looks, likes and purchases of noir and bread, a hide of every seventh thing, and middling ratings."""
    dice = random.Random(seed)
    found = []
    for n in range(count):
        item = f"{dice.choice(['noir', 'bread'])}-{dice.choice(WHAT)}"
        kind = EventKind.HIDE if n % 7 == 6 else dice.choice(KINDS)
        found.append(act("ann", n * 1.3, item, kind))
    return [*found, act("ann", 3.1, "space-film-1", EventKind.RATE, value=3.0)]


LIFE = life()


class Home:
    """A store with the small catalogue and a tracker on it."""

    def __init__(self, folder: str | Path, rules: EvolutionRules = SMALL) -> None:
        self.store = Store(f"sqlite:///{folder}/x.db")
        self.store.ingest(catalogue())
        embedder = HashEmbedder(256)
        self.tracker = Tracker(self.store, Topics(self.store, embedder), embedder.name, rules)

    def __enter__(self) -> Home:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()

    def follow(self, events: Sequence[Event]) -> None:
        self.store.ingest(events)
        self.tracker.state("ann", NOW)

    @property
    def saved(self) -> bytes:
        found = self.store.theme_state("ann")
        assert found is not None
        return found.state


def at_once(events: Sequence[Event], rules: EvolutionRules = SMALL) -> bytes:
    with TemporaryDirectory() as folder, Home(folder, rules) as home:
        home.follow(events)
        return home.saved


@settings(max_examples=6, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 25))
def test_any_order_and_any_batches_give_the_same_state_to_the_byte(dice: random.Random, size: int) -> None:
    shuffled = LIFE.copy()
    dice.shuffle(shuffled)
    with TemporaryDirectory() as folder, Home(folder) as home:
        for start in range(0, len(shuffled), size):
            home.follow(shuffled[start : start + size])
            home.follow(shuffled[start : start + size])  # twice changes nothing
        assert home.saved == at_once(LIFE)


@settings(max_examples=4, deadline=None)
@given(st.integers(1, 12), st.sampled_from([SMALL, EvolutionRules()]))
def test_day_by_day_is_like_all_at_once(size: int, rules: EvolutionRules) -> None:
    with TemporaryDirectory() as folder, Home(folder, rules) as home:
        for start in range(0, len(LIFE), size):
            home.store.ingest(LIFE[start : start + size])
            home.tracker.state("ann", LIFE[min(start + size, len(LIFE)) - 1].at)
        home.tracker.state("ann", NOW)
        day_by_day, whole = from_json(home.saved.decode()), from_json(at_once(LIFE, rules).decode())
        assert (day_by_day.events, day_by_day.assignment) == (whole.events, whole.assignment)


@settings(max_examples=6, deadline=None)
@given(st.sets(st.integers(0, len(LIFE) - 1), min_size=1, max_size=20))
def test_without_some_events_the_state_is_as_if_they_had_never_been(gone: set[int]) -> None:
    left = [event for n, event in enumerate(LIFE) if n not in gone]
    with TemporaryDirectory() as folder, Home(folder) as home:
        home.follow(LIFE)
        home.store.delete_events("ann", [LIFE[n].id for n in gone])
        home.tracker.state("ann", NOW)
        assert home.saved == at_once(left)
        assert {id_ for e in home.tracker.state("ann", NOW).events for id_ in e.causes} <= {e.id for e in left}


def test_only_what_is_new_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Home(tmp_path) as home:
        home.follow(LIFE[:30])
        replayed: list[str] = []
        monkeypatch.setattr(Tracker, "_replayed", lambda *_: replayed.append("all"))
        home.store.ingest([act("ann", 60 + n, f"bread-{what}") for n, what in enumerate(WHAT)])
        home.tracker.state("ann", NOW)
        assert replayed == []


def test_hiding_what_was_seen_long_ago_changes_what_that_look_said(tmp_path: Path) -> None:
    looks = [act("ann", n, f"noir-{what}", EventKind.VIEW) for n, what in enumerate(WHAT)]
    after = [act("ann", 10 + n, f"bread-{WHAT[n % 6]}") for n in range(20)]
    hidden = [act("ann", 40 + n, f"noir-{what}", EventKind.HIDE) for n, what in enumerate(WHAT)]
    with Home(tmp_path) as home:
        home.follow([*looks, *after])
        home.follow(hidden)
        state = home.tracker.state("ann", NOW)
        assert home.saved == at_once([*looks, *after, *hidden])
    [avoided] = [t for t in state.themes if t.polarity is Polarity.DISLIKE]
    assert {e.id for e in looks} <= set(avoided.points)


def test_a_look_back_keeps_what_is_known(tmp_path: Path) -> None:
    with Home(tmp_path) as home:
        home.follow(LIFE)
        before = home.store.theme_state("ann")
        early = home.tracker.state("ann", LIFE[10].at)
        assert home.store.theme_state("ann") == before
        assert set(early.assignment) <= {e.id for e in LIFE[:11]}


def test_a_state_of_other_vectors_or_rules_is_made_anew(tmp_path: Path) -> None:
    with Home(tmp_path) as home:
        home.follow(LIFE)
        for name, rules in (("another", SMALL), ("another", EvolutionRules())):
            tracker = Tracker(home.store, Topics(home.store, HashEmbedder(256)), name, rules)
            tracker.state("ann", NOW)
            saved = home.store.theme_state("ann")
            assert saved is not None
            assert saved.source.startswith(name)
            assert from_json(saved.state.decode()).past.rules == rules


# Lives that are not as they should be -------------------------------------------------------------------------------


def profile_of(tmp_path: Path, events: Sequence[Event]) -> tuple[Profile, Service]:
    service = make_service(tmp_path, FakeLLM(), [*catalogue(), *events])
    return asyncio.run(service.profile("ann", now=NOW)), service


def test_one_event_repeated_ten_thousand_times_is_no_theme(tmp_path: Path) -> None:
    with Home(tmp_path, EvolutionRules()) as home:
        home.follow([act("ann", n / 200, "noir-film-1", EventKind.VIEW) for n in range(10_000)])
        state = home.tracker.state("ann", NOW)
    assert (state.themes, state.events) == ((), ())  # it is one thing, however often
    assert [len(bud.points) for bud in state.buds] == [10_000]


def test_who_only_dislikes_has_dislikes_and_no_likes(tmp_path: Path) -> None:
    events = [act("ann", 4 * n, f"space-{what}", EventKind.DISLIKE) for n, what in enumerate(WHAT)]
    profile, service = profile_of(tmp_path, events)
    with service:
        found = asyncio.run(service.recommend("ann", now=NOW, k=3)).recommendations
    assert {t.polarity for t in profile.themes} == {s.polarity for s in profile.statements} == {Polarity.DISLIKE}
    assert all(t.active for t in profile.themes)
    assert found
    assert not [r for r in found if r.item.startswith("space")]


def test_years_between_two_visits_fade_nothing(tmp_path: Path) -> None:
    then = [act("ann", 3 * n - 2000, f"noir-{what}") for n, what in enumerate(WHAT)]
    profile, service = profile_of(tmp_path, [*then, act("ann", 40, "noir-film-1", EventKind.VIEW)])
    with service:
        _, steps = service.themes("ann")
    [theme] = profile.themes
    assert theme.active
    assert theme.statements
    assert ThemeEventKind.FADED not in {s.kind for s in steps}


def test_what_lies_in_the_future_is_not_known_until_then(tmp_path: Path) -> None:
    known = [act("ann", 3 * n, f"noir-{what}") for n, what in enumerate(WHAT)]
    later = [act("ann", 100 + 3 * n, f"bread-{what}") for n, what in enumerate(WHAT)]
    now, service = profile_of(tmp_path, [*known, *later])
    with service:
        then = asyncio.run(service.profile("ann", now=NOW + timedelta(days=90)))
    assert len(now.themes) == 1
    assert {t.id for t in now.themes} < {t.id for t in then.themes}


@settings(max_examples=5, deadline=None)
@given(st.randoms(use_true_random=False))
def test_profiles_rest_on_living_events_whatever_is_taken_back(dice: random.Random) -> None:
    seen: dict[str, str] = {}
    with TemporaryDirectory() as folder, make_service(Path(folder), FakeLLM(), [*catalogue(), *LIFE]) as service:
        for _ in range(3):
            left = [e.id for e in service.store.events("ann")]
            service.lives("ann").withdraw("ann", dice.sample(left, 5))
            profile = asyncio.run(service.profile("ann", now=NOW))
            alive = {e.id for e in service.store.events("ann")}
            assert {e for s in profile.statements for e in s.evidence} <= alive
            steps = service.themes("ann")[1]
            assert {e for s in steps for e in s.causes} <= alive
            founders = {s.theme: s.causes[0] for s in steps if s.kind is ThemeEventKind.BORN}
            assert all(seen.setdefault(theme, cause) == cause for theme, cause in founders.items())


class Planted:
    """An embedder that has seen a planted life: "e00012" means what the point of that name means, and "-e00012" the opposite,
    so that the mean of a catalogue of both is nothing."""

    name, dim = "planted", DIM

    def __init__(self, planted: Life) -> None:
        rows = dict(zip((p.id for p in planted.points), planted.vectors, strict=True))
        self._rows = rows | {f"-{id_}": -row for id_, row in rows.items()}

    def embed(self, texts: Sequence[str]) -> Vectors:
        return np.array([self._rows[text] for text in texts], dtype=np.float32).reshape(-1, DIM)


def test_what_merged_and_split_again_keeps_its_history_through_updates(tmp_path: Path) -> None:
    planted = eventful()
    embedder = Planted(planted)
    with Store(f"sqlite:///{tmp_path}/x.db") as store:
        store.ingest([Item(f"{sign}{p.id}", f"{sign}{p.id}") for p in planted.points for sign in ("", "-")])
        store.ingest([Event(p.id, "u", EventKind.LIKE, p.at, p.id) for p in planted.points])
        tracker = Tracker(store, Topics(store, embedder), embedder.name, EvolutionRules())
        days = [*(p.at for p in planted.points[9::20]), planted.now]
        told = [tracker.state("u", day).events for day in days]
    assert all(later[: len(earlier)] == earlier for earlier, later in itertools.pairwise(told))
    merged, split = (
        next(s for s in told[-1] if s.kind is kind) for kind in (ThemeEventKind.MERGED, ThemeEventKind.SPLIT)
    )
    born = {s.theme for s in told[-1] if s.kind is ThemeEventKind.BORN}
    assert {merged.theme, *merged.sources} < born
    assert split.theme not in born
    assert split.sources[0] in born
