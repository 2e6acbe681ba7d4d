"""The write path: a user's events to a profile, as of a moment. Incremental: what was written before is never written again.

    events -> segments -> worth saying? -> statements (LLM, cached by segment) -> fold -> contradictions
    events -> the state of the themes (agent/tracking.py) -> themes with statements -> labels -> portrait
    -> the gate again -> store

The store is read first and written last; between the two nothing is held open, so a crash loses at most unfinished work.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import numpy as np

from agent import plain
from agent.config import ProfileSettings
from agent.edits import edited
from agent.evidence import Evidence, evidence_of, weighed
from agent.gate import Crowd, Judge, admit, rests
from agent.history import History
from agent.naming import named
from agent.together import together
from agent.tracking import Tracker
from agent.writer import Writer
from retrieval.axes import axes_of
from retrieval.course import Course, course
from retrieval.embed import CachedEmbedder, Embedder, Vectors, unit
from retrieval.evolution import State
from retrieval.features import CatalogueStats
from retrieval.merge import contradicted, fold
from retrieval.records import (
    Origin,
    Profile,
    Segment,
    Source,
    Statement,
    ThemeEvent,
    ThemeEventKind,
)
from retrieval.segments import SegmentRules, segment
from retrieval.sharing import others, set_apart
from retrieval.store import Store
from retrieval.themes import assemble
from retrieval.topics import Topics

SAME_DAY = timedelta(days=1)


class Profiler:
    """Builds profiles of any user. `stats` and the writer belong to one state of the catalogue; `crowd` gives the yardsticks of
    the gate."""

    def __init__(
        self,
        store: Store,
        embedder: Embedder,
        writer: Writer,
        stats: CatalogueStats,
        crowd: Callable[[], Crowd],
        settings: ProfileSettings,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._topics = Topics(store, embedder)
        self._rules = replace(axes_of(embedder.name).rules, decay=settings.decay_per_day)
        self._tracker = Tracker(store, self._topics, embedder.name, self._rules)
        self._writer = writer
        self._stats = stats
        self._crowd = crowd
        self._settings = settings

    async def build(self, user: str, as_of: datetime, now: datetime) -> Profile:
        """The profile as of a moment, saved as a new version unless nothing has happened since the last.

        Raises LLMUnavailableError (no version is saved then) and ConflictError when another process saved first.
        """
        version = self._store.profile_version(user)
        previous = self._store.profile(user, as_of=as_of)
        seen = self._store.event_count(user, as_of)
        if previous is not None and self._unchanged(previous, seen, as_of):
            return previous
        history = self._history(user, as_of, seen)
        written = await self._written(user, history, as_of, now)
        state = self._tracker.state(user, as_of)
        profile, replaced = await self._compose(user, written, history, previous, state, as_of)
        profile = admit(self._store, replace(profile, events_seen=seen), self._writer.tally)
        self._keep(user, profile.statements, replaced, as_of)
        return self._store.save_profile(profile, version)

    async def _compose(
        self,
        user: str,
        written: Sequence[Statement],
        history: History,
        previous: Profile | None,
        state: State,
        as_of: datetime,
    ) -> tuple[Profile, dict[str, str]]:
        """Statements to a profile with named themes and a portrait, and which statement ids were replaced by which."""
        statements, replaced = self._settle(user, written, history, as_of)
        topics = self._about(user, statements, history)
        known = previous.themes if previous else ()
        found = assemble(user, state, statements, topics, known, as_of, self._rules.decay, self._tracker.axes)
        found = set_apart(found, others(history.events, state))
        statements = [replace(s, horizon=found.horizons[s.id]) for s in statements]
        themes, renamed = await named(
            self._writer, found.themes, previous, statements, partial(self._shown, history), as_of
        )
        lived = {t.id for t in themes} | {step.theme for step in found.events}
        steps = (*found.events, *self._renamed_before(user, lived), *renamed)
        profile = Profile(user, as_of, 0, tuple(statements), tuple(themes), theme_events=steps)
        profile, beaten = edited(self._store, profile, partial(self._meaning, user))
        portrait, origin = await self._portrait(profile, previous, history)
        replaced = {old: beaten.get(new, new) for old, new in replaced.items()} | beaten
        return replace(profile, portrait=portrait, portrait_origin=origin), replaced

    def _keep(self, user: str, statements: Sequence[Statement], replaced: Mapping[str, str], as_of: datetime) -> None:
        """Save what was inferred. A look back adds what it needs and changes nothing of what holds today."""
        newest = self._store.profile(user)
        inferred = [s for s in statements if s.source is Source.INFERRED]
        if newest is not None and as_of < newest.as_of:
            known = {s.id for s in self._store.statements(user, include_superseded=True)}
            self._store.save_statements([s for s in inferred if s.id not in known], grounded=True)
            return
        self._store.save_statements(inferred, grounded=True)
        for old, new in replaced.items():
            self._store.supersede(user, old, new, as_of)

    def _unchanged(self, previous: Profile, seen: int, as_of: datetime) -> bool:
        said = [s for s in previous.statements if s.source is not Source.INFERRED]
        if as_of - previous.as_of >= SAME_DAY or self._store.edited_since(previous.user, previous.as_of):
            return False
        return previous.events_seen == seen and self._asserted(previous.user, as_of) == said

    def _history(self, user: str, as_of: datetime, seen: int) -> History:
        """The recent events. The window moves half its length at a time, so that segments do not shift with every event."""
        half = self._settings.window_events // 2
        skipped = max(0, -(-(seen - self._settings.window_events) // half) * half)
        events = self._store.events(user, until=as_of, limit=seen - skipped)
        items = self._store.items({e.item for e in events if e.item is not None})
        return History(tuple(events), items, self._topics.of_events(user, events, items))

    async def sketch(self, user: str, as_of: datetime) -> Profile:
        """A profile of plain sentences for when there is no LLM. No version is saved, so that it never replaces a real one.

        Use it with a Writer that has no LLM.
        """
        history = self._history(user, as_of, self._store.event_count(user, as_of))
        judge = self._judge(user, history)
        found = [await self._writer.statement(g, e, judge, as_of) for g, e in self._telling(history, judge)]
        state = self._tracker.state(user, as_of)
        profile, _ = await self._compose(user, [s for s in found if s is not None], history, None, state, as_of)
        return replace(profile, events_seen=len(history.events))

    def course(self, profile: Profile, silent: Collection[str]) -> Course:
        """How the themes came to weigh what they do; without those whose statements are all `silent`."""
        return course(self._tracker.state(profile.user, profile.as_of), profile, silent, self._rules.decay)

    def _segments(self, history: History) -> list[Segment]:
        s = self._settings
        rules = SegmentRules(s.segment_similarity, s.segment_max, timedelta(days=s.segment_gap_days))
        return worth_writing(segment(history.events, history.vectors, rules), s.segment_min)

    def _judge(self, user: str, history: History) -> Judge:
        meaning = partial(self._meaning, user)
        return Judge(history.events, history.items, history.vectors, self._crowd(), self._stats, meaning)

    def _telling(self, history: History, judge: Judge) -> list[tuple[Segment, Evidence]]:
        """The segments of which something is worth saying, and what they show. No LLM is asked, so all are judged each time;
        those that were passed over may speak later, when more speaks for them."""
        found = []
        for group in self._segments(history):
            evidence, reason = weighed(group, judge)
            if reason:
                self._writer.tally.dropped[reason] += 1
            else:
                found.append((group, evidence))
        return found

    async def _written(self, user: str, history: History, as_of: datetime, now: datetime) -> list[Statement]:
        """A statement for each segment that is worth one: from the store, or written now, all at once."""
        judge = self._judge(user, history)
        told = self._telling(history, judge)
        prompt, model = self._writer.prompt.ref, self._writer.model
        known = self._store.statement_by_segment(user, [g.key for g, _ in told], prompt, model)
        missing = [(g, evidence) for g, evidence in told if g.key not in known]

        async def write(group: Segment, evidence: Evidence) -> Statement | None:
            """Written is kept at once, whatever becomes of the other segments."""
            made = await self._writer.statement(group, evidence, judge, now)
            if made is None:
                self._store.save_segments(user, {group.key: None}, prompt, model, now)
            elif rests(self._store, made, as_of):
                self._store.save_statements([made], grounded=True)
            return made

        fresh = await together([write(g, e) for g, e in missing])
        made = {g.key: f for (g, _), f in zip(missing, fresh, strict=True)}
        found = {**known, **made}
        found_again = (s for g, _ in told if (s := found[g.key]) is not None)
        said = {s.id: replace(s, superseded_by=None, superseded_at=None) for s in found_again}
        return list(said.values())  # after a rollback several segments may have one statement

    def _settle(
        self, user: str, written: Sequence[Statement], history: History, as_of: datetime
    ) -> tuple[list[Statement], dict[str, str]]:
        """What holds now, and which statement ids were replaced by which: folded, contradicted, and the user's own words."""
        folded = fold(written, self._vectors(user, written), self._settings.merge_similarity)
        topics = np.array([history.topic(s) for s in folded], dtype=np.float32)
        gone = contradicted(folded, topics, [history.middle(s) for s in folded], self._settings.contradiction)
        winners = set(gone.values())  # who has turned away from a thing has liked it more often than not
        held = [s for s in folded if s.id not in gone and (s.id in winners or not history.outweighed(s))]
        covered = {e: s.id for s in folded for e in s.evidence}
        replaced = {w.id: covered[w.evidence[0]] for w in written if covered[w.evidence[0]] != w.id}
        return [*self._asserted(user, as_of), *held], {**replaced, **gone}

    def _asserted(self, user: str, as_of: datetime) -> list[Statement]:
        """What the user said of themselves by then: never folded away and never overruled."""
        said = self._store.statements(user)
        return [s for s in said if s.source is not Source.INFERRED and s.written_at <= as_of]

    def _about(self, user: str, statements: Sequence[Statement], history: History) -> Vectors:
        """(n, dim) What each statement is about: its evidence, or the words where the window holds none of it."""
        told = [s for s in statements if not history.shown(s)]
        words = self._meaning(user, [s.facet for s in told]) if told else ()
        found = {s.id: word for s, word in zip(told, words, strict=True)}
        rows = [found[s.id] if s.id in found else history.topic(s) for s in statements]
        size = (-1, self._embedder.dim)  # of no statements, no rows, yet columns
        return np.array(rows, dtype=np.float32).reshape(size)

    def _vectors(self, user: str, statements: Sequence[Statement]) -> Vectors:
        return CachedEmbedder(self._embedder, self._store, user).embed([s.text for s in statements])

    def _meaning(self, user: str, texts: Sequence[str]) -> Vectors:
        """(n, dim) What sentences about a user say: unit vectors around the catalogue's mean, as those of topics are."""
        return unit(CachedEmbedder(self._embedder, self._store, user).embed(texts) - self._topics.mean())

    def _renamed_before(self, user: str, themes: Collection[str]) -> list[ThemeEvent]:
        """What these themes were renamed to so far."""
        told = self._store.theme_events(user)
        return [step for step in told if step.kind is ThemeEventKind.RENAMED and step.theme in themes]

    def _shown(self, history: History, statements: Sequence[Statement]) -> Evidence:
        shown = evidence_of(history.shown(*statements), history.items, self._stats)
        said = tuple(s.facet for s in statements if not s.evidence)
        found = tuple(dict.fromkeys((*said, *shown.features))) or tuple(dict.fromkeys(s.facet for s in statements))
        return replace(shown, features=found, queries=(*shown.queries, *said))

    async def _portrait(self, profile: Profile, previous: Profile | None, history: History) -> tuple[str, Origin]:
        if previous and previous.portrait and plain.portrayed(profile.themes) == plain.portrayed(previous.themes):
            return previous.portrait, previous.portrait_origin
        likes, dislikes = plain.labels(profile.themes)
        words = self._shown(history, profile.statements).features
        return await self._writer.portrait(profile.user, likes, dislikes, words)


def worth_writing(segments: Sequence[Segment], least: int) -> list[Segment]:
    """Segments of `least` distinct items or more; where a user has none, the ones they have, so that one act is enough."""
    enough = [s for s in segments if len({e.item or e.id for e in s.events}) >= least]
    return enough or list(segments)
