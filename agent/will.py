"""What the log of an owner's edits comes to: their words, deletions and names, and what is muted, boosted and pinned.

will = last_will(log)                   # what holds at the end of the log
marks = marked(profile, log)            # on today's ids
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from agent import plain
from retrieval.merge import statement_id
from retrieval.records import Edit, EditKind, Horizon, Origin, Polarity, Profile, Source, Statement

MARKS = (EditKind.MUTE, EditKind.PIN, EditKind.BOOST)


@dataclass(frozen=True, slots=True)
class Marks:
    """`silent`: statement ids that propose nothing and are no reason. `boosted`: a set of statement ids for each boost.
    `of`: theme or statement id of today -> its mark."""

    silent: frozenset[str] = frozenset()
    boosted: tuple[frozenset[str], ...] = ()
    of: Mapping[str, EditKind] = field(default_factory=dict, hash=False)


NONE = Marks()


@dataclass(slots=True)
class Will:
    """What holds at the end of the log. `deleted`: number -> (edit, since when new evidence counts); `words`: the owner's
    statements by id, with the edit that made each; `reworded`: the id of a statement -> of that in the owner's
    words; `names`: of themes by id; `marks`: by target."""

    deleted: dict[int, tuple[Edit, datetime]] = field(default_factory=dict)
    words: dict[str, tuple[Edit, Statement]] = field(default_factory=dict)
    reworded: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    marks: dict[str, Edit] = field(default_factory=dict)


def marked(profile: Profile, log: Sequence[Edit]) -> Marks:
    """The marks that hold, on today's statements and themes."""
    silent: set[str] = set()
    boosted: list[frozenset[str]] = []
    of: dict[str, EditKind] = {}
    for edit in last_will(log).marks.values():
        meant = _meant(edit, profile)
        of |= {edit.target: edit.kind} if edit.of_theme else dict.fromkeys(meant, edit.kind)
        if edit.kind is EditKind.MUTE:
            silent |= meant
        elif edit.kind is EditKind.BOOST and meant:
            boosted.append(meant)
    return Marks(frozenset(silent), tuple(boosted), of)


def claimed(profile: Profile, log: Sequence[Edit]) -> Profile:
    """With all given back that seemed to be somebody else's, if the owner pinned, boosted or said any of it themselves: then
    the two sides of the account are one person's."""
    apart = [t for t in profile.themes if t.horizon is Horizon.SHARED]
    own = (
        {i for i, kind in marked(profile, log).of.items() if kind in (EditKind.PIN, EditKind.BOOST)} if apart else set()
    )
    own |= {s.id for s in profile.statements if s.source is not Source.INFERRED}
    if all(t.id not in own and own.isdisjoint(t.statements) for t in apart):
        return profile
    themes = [replace(t, horizon=Horizon.LONG, active=True) if t in apart else t for t in profile.themes]
    said = {s for t in apart for s in t.statements}
    statements = [replace(s, horizon=Horizon.LONG) if s.id in said else s for s in profile.statements]
    themes.sort(key=lambda t: (-t.active, -t.importance, t.id))
    return replace(profile, themes=tuple(themes), statements=tuple(statements))


def spoken(edit: Edit) -> Statement:
    """The statement in the owner's words that an ADD or a REWORD makes: the same for the same edit, wherever. What showed a
    like is no evidence of a dislike."""
    evidence = edit.evidence if side_of(edit.was) is edit.polarity else ()
    return Statement(
        id=statement_id(edit.user, edit.polarity, edit.text, evidence),
        user=edit.user,
        text=edit.text,
        polarity=edit.polarity,
        facet=object_of(edit.text),
        evidence=evidence,
        first_at=edit.at,
        last_at=edit.at,
        horizon=Horizon.LONG,
        source=Source.EDITED if edit.kind is EditKind.REWORD else Source.ASSERTED,
        origin=Origin.USER,
        confidence=1.0,
        prompt="",
        model="",
        written_at=edit.at,
    )


def side_of(text: str) -> Polarity:
    """The side that a statement is on, by its verb."""
    return Polarity.DISLIKE if text.startswith(plain.VERBS[Polarity.DISLIKE]) else Polarity.LIKE


def object_of(text: str) -> str:
    """What a statement is about: "Likes old films" is about "old films"."""
    return text if plain.tells(text) else text.partition(" ")[2] or text


def last_will(log: Sequence[Edit]) -> Will:
    will = Will()
    for edit in sorted(log, key=lambda e: e.number):
        if edit.kind in (EditKind.ADD, EditKind.REWORD):
            _say(will, edit)
        elif edit.kind is EditKind.DELETE:
            will.deleted[edit.number] = (edit, edit.at)
            will.names.pop(edit.target, None)
            for gone in (edit.target, *edit.statements):
                will.words.pop(gone, None)
                will.marks.pop(gone, None)
        elif edit.kind is EditKind.RESTORE:
            will.deleted.pop(int(edit.target), None)
        elif edit.kind is EditKind.REFUSE and (asked := will.deleted.get(int(edit.target))):
            will.deleted[int(edit.target)] = (asked[0], edit.at)
        elif edit.kind in MARKS:
            will.marks[edit.target] = edit
        elif edit.kind is EditKind.CLEAR:
            will.marks.pop(edit.target, None)
    return will


def _say(will: Will, edit: Edit) -> None:
    if edit.of_theme:
        will.names[edit.target] = edit.text
        return
    made = spoken(edit)
    will.reworded.pop(made.id, None)  # said before, given up, and said again
    will.words.pop(edit.target, None)
    if edit.kind is EditKind.REWORD and edit.target != made.id:
        will.reworded[edit.target] = made.id
    will.words[made.id] = (edit, made)


def rests_on(statement: Statement, edit: Edit) -> bool:
    """Does half of a statement's evidence or more come from what the edit was about?"""
    shared = set(statement.evidence) & set(edit.evidence)
    return bool(shared) and 2 * len(shared) >= len(statement.evidence)


def _meant(edit: Edit, profile: Profile) -> frozenset[str]:
    """The statements of today that a mark is on: its target by id, and what rests mostly on the same acts."""
    members = {i for t in profile.themes if edit.of_theme and t.id == edit.target for i in t.statements}
    same = {s.id for s in profile.statements if s.polarity is edit.polarity and rests_on(s, edit)}
    there = {s.id for s in profile.statements}
    return frozenset((members | same | set(edit.statements)) & there)
