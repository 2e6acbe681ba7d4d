"""The facade: what the command line, HTTP, LangChain and the evaluation all call. Opens what is needed when it is needed.

    with Service.open(load_settings()) as service:
        service.ingest(path, now=now)
        profile = await service.profile("mara", now=now)
        found = await service.recommend("mara", k=10, now=now)  # .recommendations, .profile

`now` is always given. Use one Service in one event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from weakref import WeakValueDictionary

from agent import pii
from agent.batch import Progress, for_each
from agent.config import Settings
from agent.control import Control
from agent.errors import LLMUnavailableError, NotFoundError, UsageError
from agent.feedback import feedback, waiting
from agent.fitting import Fitted, Lesson, fit, forget_weights
from agent.gate import Tally
from agent.known import known_user
from agent.lives import Lives
from agent.llm import LLM
from agent.parts import Parts
from agent.results import ColdStart, Counts, Failure, Recommended, Why, grounded, trace
from agent.stranger import cold_start
from agent.typed import MOST_QUERY, typed
from agent.weights import embedder_folder
from agent.why import why_item
from retrieval.embed import Embedder, SentenceTransformerEmbedder
from retrieval.readers import ColumnMap, read
from retrieval.records import Event, Item, Profile, ThemeEvent
from retrieval.store import ForgetReport, IngestSummary, LLMCall, LLMTotals, Store


class Service:
    """All that Leitmotif does, for all users of one home directory."""

    def __init__(self, settings: Settings, store: Store, embedder: Embedder, llm: LLM | None = None) -> None:
        self.settings = settings
        self.store = store
        self._embedder = embedder
        self._calls: deque[LLMCall] = deque()  # other threads may flush too
        self._building: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._llm = llm or LLM(settings.llm)
        self._llm.log = self._calls.append
        self._parts: Parts | None = None
        self.control = Control(store, embedder, self._up_to_date, self._building)
        """What owners say of their profiles: edit, preview, owned."""
        self.tally = Tally()
        """What the gate refused and dropped since this service was opened."""

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open the store in `settings.home` (made if it is not there). Models and indexes are loaded on first use."""
        settings.home.mkdir(parents=True, exist_ok=True)
        embedder = SentenceTransformerEmbedder(embedder_folder(settings.embed.model), settings.embed.batch_size)
        return cls(settings, Store(settings.db_url), embedder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._flush()
        if self._parts:
            self._parts.close()
        self.store.close()

    async def aclose(self) -> None:
        """Close, and end the connections to the LLM; for a service that has talked to it."""
        await self._llm.close()
        self.close()

    # What comes in -------------------------------------------------------------------------------------------------

    def ingest(
        self,
        path: Path,
        *,
        now: datetime,
        source_format: str = "auto",
        columns: ColumnMap | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> IngestSummary:
        """Read items and events in one transaction: all of it or nothing. Rows that are bad are refused one by one."""
        return self.store.ingest(read(path, format=source_format, columns=columns, now=now), progress=progress)

    def ingest_records(self, records: Sequence[Item | Event]) -> IngestSummary:
        """The same for records at hand, as HTTP brings them. What is refused has no file and no line."""
        return self.store.ingest(records)

    def prepare(self, progress: Progress | None = None) -> None:
        """Bring the index up to date with the catalogue, with progress. Reads do this by themselves, without."""
        self._up_to_date().index(progress)

    def feedback(self, user: str, item: str, kind: str, *, now: datetime, impression: int | None = None) -> Event:
        """Record a like, dislike, hide or skip, as an echo where we had recommended the item. See agent/feedback.py."""
        known_user(self.store, user)
        return feedback(self.store, user, item, kind, now=now, impression=impression)

    # What is known -------------------------------------------------------------------------------------------------

    async def profile(self, user: str, *, now: datetime, as_of: datetime | None = None) -> Profile:
        """The user's profile as of a moment (default: now), brought up to date.

        Raises NotFoundError, and LLMUnavailableError where something new has to be written and the LLM is away.
        """
        known_user(self.store, user)
        if as_of is not None and as_of > now:
            raise UsageError(f"as_of {as_of.isoformat()} is in the future")
        try:
            return await self._build(user, as_of or now, now)
        finally:
            self._flush()

    async def profiles(
        self,
        users: Sequence[str],
        *,
        now: datetime,
        as_of: datetime | None = None,
        progress: Progress | None = None,
    ) -> list[Profile | Failure]:
        """Many profiles, in the order of `users`. What was written before an interruption is not written again.

        Raises LLMUnavailableError when the LLM goes away; everything else that goes wrong is a Failure in its place.
        """
        return await for_each(users, lambda user: self.profile(user, now=now, as_of=as_of), progress)

    def themes(self, user: str, *, as_of: datetime | None = None) -> tuple[Profile, list[ThemeEvent]]:
        """The profile that is stored (nothing is written) and the life of its themes so far. Raises NotFoundError."""
        return self.lives(user).themes(user, as_of)

    def lives(self, user: str) -> Lives:
        """How the themes of a user came to be, and ways to correct that. Raises NotFoundError for an unknown user."""
        known_user(self.store, user)
        return Lives(self.store, self._embedder)

    async def why(self, user: str, target: str, *, now: datetime, k: int = 10) -> Why:
        """The evidence behind a statement (by id); or what speaks for an item (by id) and against it, and why it is or is not
        among the first `k` that would be recommended."""
        profile, _ = self.themes(user)
        statement = profile.statement(target)
        if statement is not None:
            known = self._up_to_date().recommender.slates.known(profile)
            return trace(known, target, statement.text, statement, statement.evidence)
        item = self.store.item(target)
        if item is None:
            raise NotFoundError(f"{target!r} is neither a statement of {user!r} nor an item")
        recommender, signals = await asyncio.to_thread(self._up_to_date().warm, now)
        return why_item(
            self.store, recommender, signals, profile, item, now=now, k=k, marks=self.control.marks(profile)
        )

    # What comes out ------------------------------------------------------------------------------------------------

    async def recommend(
        self, user: str, *, now: datetime, k: int = 10, query: str | None = None, explain: bool = True
    ) -> Recommended:
        """At most `k` items the user has not touched, with reasons, and the profile that they cite.

        Never waits for an LLM that is away: see `degraded` of each.
        """
        known_user(self.store, user)
        if k < 1 or k > 100:
            raise UsageError("k must be from 1 to 100")
        asked = typed(query or "", "the query", MOST_QUERY).replace("\n", " ") or None
        try:
            profile, missing = await self._profile_or_sketch(user, now)
            marks = self.control.marks(profile)
            recommender, signals = await asyncio.to_thread(self._up_to_date().warm, now)
            found = await recommender.recommend(
                profile, signals, k=k, query=asked, explain=explain, now=now, marks=marks
            )
        finally:
            self._flush()
        found = [replace(r, degraded=(*missing, *r.degraded)) for r in found]
        found = self.store.log_impressions(user, now, found, pii.mask(asked) if asked else None)
        return Recommended(profile, tuple(found))

    async def cold_start(self, text: str, *, now: datetime, k: int = 10, allow_sensitive: bool = False) -> ColdStart:
        """Recommendations for a stranger from a sentence or two about themselves. Nothing of it is stored.

        What tells of their health, faith and so on is used only with `allow_sensitive`.
        """
        try:
            given = (self._up_to_date(), self._embedder, self._llm)
            return await cold_start(text, *given, now=now, k=k, allow_sensitive=allow_sensitive)
        finally:
            self._flush()

    # What is learnt from everybody ---------------------------------------------------------------------------------

    def fit(self, lesson: Lesson, *, now: datetime, force: bool = False) -> Fitted:
        """Learn the ranking's weights from what people liked so far, and rank with them from now on if they are `kept`.
        Raises LeitmotifError for too few events."""
        found = fit(self.settings.home, self.store, self._up_to_date(), lesson, now, force)
        self._renew()
        return found

    def reset_weights(self) -> bool:
        """Return to the shipped weights. False if they held already."""
        had = forget_weights(self.settings.home)
        self._renew()
        return had

    # What people have a right to -----------------------------------------------------------------------------------

    def export(self, user: str) -> dict[str, Any]:
        """Everything that is stored about a user, as JSON values by table."""
        known_user(self.store, user)
        return self.store.export_user(user)

    def forget(self, user: str) -> ForgetReport:
        """Erase a user: rows, derived texts and vectors. The item index never held anything of theirs."""
        known_user(self.store, user)
        self._flush()
        return self.store.forget_user(user)

    def grounded(self, profile: Profile) -> int:
        """How many statements of a profile rest on what the store has."""
        return grounded(self.store, profile)

    def counts(self) -> Counts:
        events = self.store.event_counts()
        return Counts(self.store.item_count(), len(events), sum(events.values()))

    def llm_totals(self, since: datetime | None = None) -> LLMTotals:
        self._flush()
        return self.store.llm_totals(since)

    async def llm_models(self) -> list[str]:
        """What the LLM server offers. Raises LLMUnavailableError."""
        return await self._llm.models()

    @property
    def parts(self) -> Parts:
        """What is derived from the catalogue as it is now: `parts.crowds` counts communities, `parts.asking` asks."""
        return self._up_to_date()

    # Inside --------------------------------------------------------------------------------------------------------

    async def _build(self, user: str, as_of: datetime, now: datetime) -> Profile:
        """One build a user at a time: two at once would write the same statements twice, and one would lose."""
        lock = self._building.setdefault(user, asyncio.Lock())
        async with lock:
            return await self._up_to_date().profiler.build(user, as_of, now)

    async def _profile_or_sketch(self, user: str, now: datetime) -> tuple[Profile, tuple[str, ...]]:
        """The profile up to date; without an LLM the stored one, or a sketch from plain sentences, and what is missing."""
        parts = self._up_to_date()
        stored = self.store.profile(user, as_of=now)
        if stored is not None and waiting(self.store, stored, now):
            return stored, ()
        try:
            async with asyncio.timeout(self.settings.recommend.deadline_s):
                return await self._build(user, now, now), ()
        except (LLMUnavailableError, TimeoutError):
            return (stored or await parts.sketcher.sketch(user, now)), ("profile",)

    def _up_to_date(self) -> Parts:
        """The parts that belong to the catalogue as it is now, made anew when it has changed."""
        if self._parts is None or self._parts.signature != self.store.catalogue_signature():
            return self._renew()
        return self._parts

    def _renew(self) -> Parts:
        signature = self.store.catalogue_signature()
        self._parts = Parts(self.settings, self.store, self._embedder, self._llm, signature, self._parts, self.tally)
        return self._parts

    def _flush(self) -> None:
        """Write the call log. Calls collect in memory, so that no request waits for the disk."""
        calls = []
        while self._calls:
            calls.append(self._calls.popleft())
        if calls:
            self.store.log_llm_calls(calls)
