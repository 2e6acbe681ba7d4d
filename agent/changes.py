"""What changed from one profile to another, as data and in words; and what is to be said of a theme and of a step in its life.

for change in changes(then, now, steps):
    change.kind, change.id, change.text      # "faded", "t-8990c8d67f", "“Jazz and live” has faded."
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from agent import plain
from retrieval.records import Horizon, Profile, Statement, Theme, ThemeEvent, ThemeEventKind

Kind = Literal[
    "new",
    "split",
    "lasting",
    "faded",
    "one-off",
    "shared",
    "revived",
    "merged",
    "gone",
    "renamed",
    "rose",
    "fell",
    "said",
    "unsaid",
]
SOMEBODY_ELSE = (
    "shared: it seems to be somebody else's who uses this account, as it never meets the other themes in a visit and is come "
    "to at other hours and on other days; kept out of recommendations; pin it if it is yours"
)
NOTED = 0.25  # the share of the larger importance that a change must have to be told


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `id`: of the theme or statement it is about. `before` and `after`: importance, where that is what
    changed."""

    kind: Kind
    id: str
    text: str
    before: float | None = None
    after: float | None = None


def changes(then: Profile, now: Profile, steps: Sequence[ThemeEvent]) -> list[Change]:
    """From `then` to `now`: themes first, strongest first, then statements. `steps`: the life of the themes so far."""
    old, names = {t.id: t for t in then.themes}, _names(then, now)
    found = [change for theme in now.themes for change in _of_theme(old.get(theme.id), theme, steps, names)]
    present = {t.id for t in now.themes}
    found += [_lost(theme, steps, names) for theme in then.themes if theme.id not in present]
    was, is_ = {s.id for s in then.statements}, {s.id for s in now.statements}
    found += [Change("said", s.id, f"New: {s.text}.") for s in now.statements if s.id not in was]
    return found + [_unsaid(s, now) for s in then.statements if s.id not in is_]


def _names(*profiles: Profile) -> dict[str, str]:
    return {t.id: f"“{t.label}”" for profile in profiles for t in profile.themes if t.label}


def _of_theme(old: Theme | None, new: Theme, steps: Sequence[ThemeEvent], names: Mapping[str, str]) -> Iterator[Change]:
    name = names.get(new.id, new.id)
    if old is None:
        parents = _parents(new.id, ThemeEventKind.SPLIT, steps, names)
        if parents:
            yield Change("split", new.id, f"{name} has split off from {parents}.", None, new.importance)
        else:
            yield Change("new", new.id, f"{name} is new.", None, new.importance)
        return
    figures = (old.importance, new.importance)
    if old.label and old.label != new.label:
        yield Change("renamed", new.id, f"“{old.label}” is called {name} now.")
    if new.horizon is Horizon.ONE_OFF and old.horizon is not Horizon.ONE_OFF:
        yield Change("one-off", new.id, f"{name} came to nothing and is kept out of recommendations.", *figures)
    elif new.horizon is Horizon.SHARED and old.horizon is not Horizon.SHARED:
        yield Change(
            "shared", new.id, f"{name} seems to be somebody else's and is kept out of recommendations.", *figures
        )
    elif old.active is not new.active:
        kind: Kind = "revived" if new.active else "faded"
        yield Change(kind, new.id, f"{name} {'is back' if new.active else 'has faded'}.", *figures)
    elif old.horizon is not new.horizon:
        yield Change("lasting", new.id, f"{name} has become lasting.", *figures)
    elif abs(new.importance - old.importance) >= NOTED * max(figures):
        rose = new.importance > old.importance
        words = f"{name} {'rose' if rose else 'fell'} from {old.importance:.1f} to {new.importance:.1f}."
        yield Change("rose" if rose else "fell", new.id, words, *figures)


def _lost(theme: Theme, steps: Sequence[ThemeEvent], names: Mapping[str, str]) -> Change:
    heir = next((s.theme for s in steps if s.kind is ThemeEventKind.MERGED and theme.id in s.sources), None)
    name = names.get(theme.id, theme.id)
    if heir:
        return Change("merged", theme.id, f"{name} went into {names.get(heir, heir)}.", theme.importance)
    return Change("gone", theme.id, f"{name} is gone: nothing speaks for it any more.", theme.importance)


def _parents(theme: str, kind: ThemeEventKind, steps: Sequence[ThemeEvent], names: Mapping[str, str]) -> str:
    sources = (source for s in steps if s.theme == theme and s.kind is kind for source in s.sources)
    return plain.enumerate_words(list(dict.fromkeys(names[i] for i in sources if i in names)))


def _unsaid(statement: Statement, now: Profile) -> Change:
    heir = now.statement(statement.superseded_by or "")
    because = f": now “{heir.text}”" if heir else ""
    return Change("unsaid", statement.id, f"No longer said: {statement.text}{because}.")


def note(theme: Theme, statements: Mapping[str, Statement]) -> str:
    """Why a theme counts as it does, "" for one that simply lives. `statements` by id."""
    if theme.horizon is Horizon.SHARED:
        return SOMEBODY_ELSE
    if theme.horizon is Horizon.SHORT:
        return "short-term: too little yet to tell whether it will last"
    if theme.horizon is Horizon.LONG:
        return "" if theme.active else "faded: silent for longer than its rhythm explains; not recommended from"
    own = [statements[i] for i in theme.statements if i in statements]
    when = _span(min(s.first_at for s in own), max(s.last_at for s in own)) if own else "a few days"
    return f"one-off: a burst ({when}) that nothing followed; kept out of recommendations"


def _span(first: datetime, last: datetime) -> str:
    one, other = (f"{at.day} {at:%b %Y}" for at in (first, last))
    return one if one == other else f"{one} to {other}"
