"""An owner's hand on their own profile: edits, what they would change, and what was said so far. No LLM is asked.

await control.edit("ann", Wish(EditKind.MUTE, "t-1f0c9d2e4b"), now=now)
await control.preview("ann", Wish(EditKind.ADD, text="old radio plays"), now=now)       # nothing is stored
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Literal

from agent.edits import applied, edited, ground
from agent.errors import NotFoundError, UsageError
from agent.known import known_user
from agent.own import own_label, own_statement
from agent.parts import Parts
from agent.will import Marks, last_will, marked, spoken
from retrieval.embed import CachedEmbedder, Embedder, Vectors, unit
from retrieval.records import Edit, EditKind, Polarity, Profile, Question, Statement, Theme
from retrieval.store import ConflictError, Store
from retrieval.topics import Topics

TRIES = 3  # to save a version when somebody else saves one at the same time
Change = Literal["new", "rises", "stays", "falls", "gone"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What an owner asks for. `target`: a statement or theme id; of RESTORE and REFUSE the number of a deletion."""

    kind: EditKind
    target: str = ""
    text: str = ""
    polarity: Polarity | None = None
    allow_sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Edited:
    """The edit as it was logged, and the profile with it; none where there is no profile yet."""

    edit: Edit
    profile: Profile | None


@dataclass(frozen=True, slots=True)
class Move:
    """An item and its places, from 1, before and after; None: not among the first."""

    item: str
    theme: str | None
    before: int | None
    after: int | None

    @property
    def change(self) -> Change:
        if self.before is None or self.after is None:
            return "new" if self.before is None else "gone"
        return "stays" if self.after == self.before else "rises" if self.after < self.before else "falls"


@dataclass(frozen=True, slots=True)
class Preview:
    """What an edit would do to the first `k` by prior: all items of both lists, those of the new one first, in order.
    `profile`: as it would be; nothing of it is stored."""

    edit: Edit
    k: int
    moves: tuple[Move, ...]
    profile: Profile


@dataclass(frozen=True, slots=True)
class Owned:
    """What the owner said so far and what holds of it. `superseded`: statements that others took the place of."""

    log: tuple[Edit, ...]
    marks: Marks
    questions: tuple[Question, ...]
    superseded: tuple[Statement, ...]
    profile: Profile | None


class Control:
    """Edits of any user's profile. `parts`: what belongs to the catalogue as it is now; `busy`: a lock for each user whose
    profile is being written."""

    def __init__(
        self, store: Store, embedder: Embedder, parts: Callable[[], Parts], busy: MutableMapping[str, asyncio.Lock]
    ) -> None:
        self._busy = busy
        self._store = store
        self._embedder = embedder
        self._parts = parts

    async def edit(self, user: str, wish: Wish, *, now: datetime) -> Edited:
        """Log the edit and apply it to the stored profile. Raises UsageError and NotFoundError with what is wrong."""
        known_user(self._store, user)
        async with self._busy.setdefault(user, asyncio.Lock()):
            shown = await self._shown(user, now)
            return await asyncio.to_thread(self._edit, user, wish, shown, now)

    async def preview(self, user: str, wish: Wish, *, now: datetime, k: int = 10) -> Preview:
        """The first `k` before and after an edit that is not made, by prior: no LLM scores them."""
        known_user(self._store, user)
        return await asyncio.to_thread(self._preview, user, wish, await self._shown(user, now), now, k)

    async def _shown(self, user: str, now: datetime) -> Profile:
        """What the owner sees: the stored profile, or the sketch that stands for it where no LLM has written one yet."""
        return self._store.profile(user) or await self._parts().sketcher.sketch(user, now)

    def _edit(self, user: str, wish: Wish, shown: Profile, now: datetime) -> Edited:
        edit = self._read(user, wish, shown, now)
        says = edit.kind in (EditKind.ADD, EditKind.REWORD) and not edit.of_theme
        saved = self._store.save_edit(edit, [spoken(edit)] if says else [])
        for _ in range(TRIES - 1):
            try:
                return Edited(saved, self._renewed(user, saved))
            except ConflictError:
                continue  # the next look is at the newer version
        return Edited(saved, self._renewed(user, saved))

    def _preview(self, user: str, wish: Wish, before: Profile, now: datetime, k: int) -> Preview:
        log = self._store.edits(user)
        edit = replace(self._read(user, wish, before, now), number=len(log) + 1)
        known = ground(self._store, before, [*log, edit], partial(self._meaning, self._embedder))
        after, _ = applied(replace(before, as_of=max(now, before.as_of)), [*log, edit], known)
        old, new = self._first(before, log, k, now), self._first(after, [*log, edit], k, now)
        places = {item: n for n, item in enumerate(old, start=1)}
        moves = [Move(item, new[item], places.get(item), n) for n, item in enumerate(new, start=1)]
        gone = [Move(item, theme, places[item], None) for item, theme in old.items() if item not in new]
        return Preview(edit, k, (*moves, *gone), after)

    def owned(self, user: str, shown: Profile | None = None) -> Owned:
        """The log, the marks on the ids of the profile that is `shown` (the stored one), the open questions, and what was
        superseded."""
        known_user(self._store, user)
        log, profile = self._store.edits(user), shown or self._store.profile(user)
        gone = (s for s in self._store.statements(user, include_superseded=True) if s.superseded_by is not None)
        marks = self.marks(profile) if profile else Marks()
        return Owned(tuple(log), marks, self.questions(profile, log) if profile else (), tuple(gone), profile)

    def marks(self, profile: Profile) -> Marks:
        """What its owner muted, boosted and pinned."""
        return marked(profile, self._store.edits(profile.user))

    @staticmethod
    def questions(profile: Profile, log: Sequence[Edit]) -> tuple[Question, ...]:
        """Those that were not answered since the profile was made."""
        deleted = last_will(log).deleted
        return tuple(q for q in profile.questions if q.edit in deleted and deleted[q.edit][1] < profile.as_of)

    def _first(self, profile: Profile, log: Sequence[Edit], k: int, now: datetime) -> dict[str, str | None]:
        """Item id -> the theme that speaks for it, best first."""
        recommender, signals = self._parts().warm(now)
        order, slate = recommender.by_prior(profile, signals, k=k, now=now, marks=marked(profile, log))
        speaks = slate.speaks or recommender.slates.speaks(slate.known, slate.what_if)
        of = {i: t.label for t in profile.themes for i in t.statements}
        return {item: of.get(speaks.get(item, "")) for item in order}

    def _renewed(self, user: str, edit: Edit) -> Profile | None:
        """The stored profile with all edits, as a new version if they change it. What comes back is written at the next
        build, which an edit later than the profile's moment calls for."""
        version, before = self._store.profile_version(user), self._store.profile(user)
        if before is None:
            return None
        moment = before.as_of if edit.kind is EditKind.RESTORE else max(edit.at, before.as_of)
        meaning = partial(self._meaning, CachedEmbedder(self._embedder, self._store, user))
        after, beaten = edited(self._store, replace(before, as_of=moment), meaning)
        for old, new in beaten.items():
            self._store.supersede(user, old, new, edit.at)
        if replace(after, as_of=before.as_of) == before:
            return before
        return self._store.save_profile(replace(after, theme_events=()), version)

    def _meaning(self, embedder: Embedder, texts: Sequence[str]) -> Vectors:
        return unit(embedder.embed(texts) - Topics(self._store, self._embedder).mean())

    def _read(self, user: str, wish: Wish, profile: Profile, now: datetime) -> Edit:
        """The wish as an entry of the log, checked."""
        edit = Edit(user, wish.kind, now, target=wish.target)
        if wish.kind is EditKind.ADD:
            text, side = own_statement(wish.text, wish.polarity, allow_sensitive=wish.allow_sensitive)
            return replace(edit, target="", text=text, polarity=side)
        if wish.kind in (EditKind.RESTORE, EditKind.REFUSE):
            return self._answer(edit, profile)
        edit = _about(edit, profile)
        if wish.kind is EditKind.BOOST and edit.polarity is Polarity.DISLIKE:
            raise UsageError(f"{wish.target!r} is a dislike, which cannot be boosted", hint="boost what is liked")
        if wish.kind is not EditKind.REWORD:
            return edit
        if edit.of_theme:
            return replace(edit, text=own_label(wish.text, allow_sensitive=wish.allow_sensitive))
        text, side = own_statement(wish.text, wish.polarity, allow_sensitive=wish.allow_sensitive)
        if text == edit.was:
            raise UsageError("the statement says that already")
        return replace(edit, text=text, polarity=side)

    def _answer(self, edit: Edit, profile: Profile) -> Edit:
        log = self._store.edits(edit.user)
        known = last_will(log).deleted
        asked = {q.edit for q in self.questions(profile, log)}
        possible = known.keys() if edit.kind is EditKind.RESTORE else asked
        number = int(edit.target) if edit.target.isdecimal() else 0
        if number not in possible:
            raise NotFoundError(
                f"{edit.target!r} is no deletion of {edit.user!r} that this could answer",
                hint=f"`leitmotif edit list {edit.user}` shows them by number",
            )
        return replace(edit, was=known[number][0].was, polarity=known[number][0].polarity)


def _about(edit: Edit, profile: Profile) -> Edit:
    """The edit with what its target says and stands on."""
    theme = next((t for t in profile.themes if t.id == edit.target), None)
    statement = profile.statement(edit.target)
    if theme is None and statement is None:
        raise NotFoundError(
            f"{edit.target!r} is neither a statement nor a theme of {edit.user!r}",
            hint=f"`leitmotif themes {edit.user}` shows them with their ids",
        )
    found = _of_theme(theme, profile) if theme else [statement] if statement else []
    evidence = tuple(dict.fromkeys(e for s in found for e in s.evidence))
    return replace(
        edit,
        of_theme=theme is not None,
        was=theme.label if theme else found[0].text,
        polarity=theme.polarity if theme else found[0].polarity,
        statements=tuple(s.id for s in found),
        evidence=evidence,
    )


def _of_theme(theme: Theme, profile: Profile) -> list[Statement]:
    return [s for s in profile.statements if s.id in theme.statements]
