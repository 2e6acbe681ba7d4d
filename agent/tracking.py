"""Where a user's themes stand: the state of retrieval.evolution, advanced by what is new and kept in the store.

    state = Tracker(store, topics, embedder_name, rules).state(user, as_of)

Only events from the oldest that the state keeps are read. Where something older came in, went away or changed its meaning
(a film that was looked at long ago is hidden now), and after a change of rules, embedder or catalogue mean, all is replayed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime

from retrieval.axes import axes_of
from retrieval.embed import Vectors
from retrieval.evolution import EvolutionRules, HistoryNeededError, State, advance, from_json, replay, to_json
from retrieval.points import points_of, sides, turned
from retrieval.records import Event
from retrieval.segments import verdict
from retrieval.store import SavedState, Store
from retrieval.topics import Topics


class Tracker:
    """Follows the themes of any user. Holds no user."""

    def __init__(self, store: Store, topics: Topics, embedder: str, rules: EvolutionRules) -> None:
        """`embedder`: the name of what makes the vectors; its `axes` are those that themes are followed along."""
        self._store = store
        self._topics = topics
        self._embedder = embedder
        self._rules = rules
        self.axes = axes_of(embedder)

    def state(self, user: str, as_of: datetime) -> State:
        """The state after all events up to a moment, kept for the next time unless the moment is before the last one's."""
        saved = self._store.theme_state(user)
        known = self._read(saved)
        if saved is None or known is None:
            return self._kept(user, as_of, self._replayed(user, as_of))
        if as_of < saved.until:
            return self._replayed(user, as_of)
        events = self._stretch(user, as_of, saved, known)
        if events is not None and not events:
            return advance(known, (), self._vectors(user, ()), as_of)
        state = self._advanced(user, as_of, known, events) if events else None
        return self._kept(user, as_of, state or self._replayed(user, as_of))

    def _source(self) -> str:
        mean = hashlib.sha256(self._topics.mean().tobytes()).hexdigest()[:16]
        return f"{self._embedder} {self.axes.name} {mean}"

    def _read(self, saved: SavedState | None) -> State | None:
        """The saved state, if it is of use still."""
        if saved is None or saved.source != self._source():
            return None
        try:
            state = from_json(saved.state.decode())
        except ValueError:  # of an older version
            return None
        return state if state.past.rules in (None, self._rules) else None

    def _stretch(self, user: str, as_of: datetime, saved: SavedState, known: State) -> list[Event] | None:
        """The stretch of events that the state keeps and what is new since, or None where more than that has changed; empty
        where nothing is new."""
        if saved.since is not None and self._store.event_count(user, before=saved.since) != saved.settled:
            return None
        events = self._store.events(user, since=saved.since, until=as_of)
        said = sides(events)
        log = {entry.point.id: entry.point.polarity for entry in known.past.log}
        if log.keys() - said.keys():
            return None
        seen = log.keys() | {id_ for id_, _, _ in known.past.settled}
        fresh = {e.id for e in events if e.id not in seen and e.id in said}
        if saved.since is not None and self._turned(user, as_of, events, fresh):
            return None
        return events if fresh or any(said[id_] is not polarity for id_, polarity in log.items()) else []

    def _turned(self, user: str, as_of: datetime, events: Sequence[Event], fresh: Collection[str]) -> bool:
        """Do new verdicts change what was said before the stretch that the state keeps?"""
        judged = {e.item for e in events if e.id in fresh and e.item is not None and verdict(e) is not None}
        acts = self._store.acts_on(user, judged, as_of)
        return bool(turned(acts, fresh) - {e.id for e in events})

    def _advanced(self, user: str, as_of: datetime, known: State, events: Sequence[Event]) -> State | None:
        """The state with what is new and what has changed among the events; None where it needs all of them."""
        said = sides(events)
        log = {entry.point.id: entry.point.polarity for entry in known.past.log}
        wanted = [e for e in events if e.id in said and log.get(e.id) is not said[e.id]]
        vectors = self._vectors(user, wanted)
        try:
            return advance(known, points_of(wanted, said), vectors, as_of, self._rules, log.keys())
        except HistoryNeededError:
            return None

    def _replayed(self, user: str, as_of: datetime) -> State:
        events = self._store.events(user, until=as_of)
        said = sides(events)
        telling = [e for e in events if e.id in said]
        return replay(user, points_of(telling, said), self._vectors(user, telling), as_of, self._rules)

    def _vectors(self, user: str, events: Sequence[Event]) -> Vectors:
        items = self._store.items({e.item for e in events if e.item is not None})
        return self.axes.place(self._topics.of_events(user, events, items))

    def _kept(self, user: str, as_of: datetime, state: State) -> State:
        log = state.past.log
        since = log[0].point.at if state.past.settled else None
        settled = self._store.event_count(user, before=since) if since else 0
        saved = SavedState(self._source(), as_of, since, settled, to_json(state).encode())
        self._store.save_theme_state(user, saved, [entry.point.id for entry in log])
        return state
