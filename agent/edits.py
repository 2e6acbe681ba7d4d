"""The owner's word over inference: a pure function of a profile and the log of edits, applied after every inference.

    profile, beaten = applied(profile, log, ground)     # beaten: statement id -> the id of the owner's that took its place

Ids of statements change when evidence grows, so an edit remembers what its target said and stood on. What was deleted stays
away: a statement of the same side that rests on one of the same acts, has the same words or nearly the same meaning is held
back. When STRONG new items speak for it since, the profile asks; only the owner's yes brings it back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from agent import guard, plain
from agent.gate import Meaning, rests
from agent.will import Will, claimed, last_will, object_of, rests_on
from retrieval.echo import is_echo
from retrieval.embed import Vectors
from retrieval.evolution import theme_id
from retrieval.records import (
    Edit,
    EditKind,
    Event,
    Origin,
    Profile,
    Question,
    Source,
    Statement,
    Theme,
)
from retrieval.store import Store

STRONG = 3  # distinct new items, echoes left out: as many as make a confidence of 0.6
ALIKE = 0.75  # cosine of two meanings; what the setting profile.contradiction is by default
SAID_WEIGHT = 3  # what a user says of themselves counts like three events


@dataclass(frozen=True, slots=True)
class Ground:
    """What the log speaks of: `events` by id, stored statements by id that still rest on something, and what texts mean."""

    events: Mapping[str, Event]
    known: Mapping[str, Statement]
    meaning: Meaning


def edited(store: Store, profile: Profile, meaning: Meaning) -> tuple[Profile, dict[str, str]]:
    """`applied` with the log and the evidence of the store. Statements of the log that the store lacks are saved."""
    log = store.edits(profile.user)
    if not log and all(s.source is Source.INFERRED for s in profile.statements):
        return profile, {}
    there = {s.id for s in store.statements(profile.user, include_superseded=True)}
    store.save_statements([s for _, s in last_will(log).words.values() if s.id not in there])
    return applied(profile, log, ground(store, profile, log, meaning))


def ground(store: Store, profile: Profile, log: Sequence[Edit], meaning: Meaning) -> Ground:
    """What the store has of what the profile and the log speak of."""
    rows = {s.id: s for s in store.statements(profile.user, include_superseded=True)}
    pinned = {i for e in log if e.kind is EditKind.PIN for i in e.statements if i in rows}
    alive = {i: rows[i] for i in pinned if rests(store, rows[i], profile.as_of)}
    events = store.events_by_id(profile.user, {e for s in profile.statements for e in s.evidence})
    return Ground(events, alive, meaning)


def applied(profile: Profile, log: Sequence[Edit], ground: Ground) -> tuple[Profile, dict[str, str]]:
    """The profile as its owner wants it. Of the owner's words those count that were said by `profile.as_of`; a deletion
    always does, and applying the same log again changes nothing."""
    will = last_will(log)
    said = {s.id: s for e, s in will.words.values() if e.at <= profile.as_of}
    own = {s.id: s for s in profile.statements if s.source is not Source.INFERRED and s.id not in will.reworded} | said
    gone = {i for edit, _ in will.deleted.values() for i in edit.statements} - said.keys()
    own = {i: s for i, s in own.items() if i not in gone}
    inferred = [s for s in profile.statements if s.source is Source.INFERRED]
    held = _held_back(inferred, profile.themes, will, ground)
    left = [s for s in inferred if not any(s in group for group in held.values())]
    beaten = {**_beaten([*own.values(), *left], will, ground), **will.reworded}
    left += [s for s in _pinned(will, left, ground) if s.id not in beaten]
    first = sorted((s for s in own.values() if s.id not in beaten), key=lambda s: (s.first_at, s.id))
    statements = (*first, *(s for s in left if s.id not in beaten))
    themes = _themes(profile, statements, beaten, will, ground)
    alive = {t.id for t in themes}
    found = replace(
        profile,
        statements=statements,
        themes=themes,
        theme_events=tuple(e for e in profile.theme_events if e.theme in alive),
        questions=(*_still_open(profile, held, will), *_questions(held, will, ground)),
    )
    return _portrayed(profile, claimed(found, log)), beaten


def _held_back(
    inferred: Sequence[Statement], themes: Sequence[Theme], will: Will, ground: Ground
) -> dict[int, list[Statement]]:
    """Number of a deletion -> the inferred statements that would bring back what it deleted."""
    if not (will.deleted and inferred):
        return {}
    of_theme = {i: t.id for t in themes for i in t.statements}
    deletions = [edit for edit, _ in will.deleted.values()]
    near = _nearness([object_of(e.was) for e in deletions], [object_of(s.text) for s in inferred], ground)
    found: dict[int, list[Statement]] = {}
    for edit, row in zip(deletions, near, strict=True):
        found[edit.number] = [
            s
            for s, cosine in zip(inferred, row, strict=True)
            if s.polarity is edit.polarity
            and (
                s.id in edit.statements
                or not set(edit.evidence).isdisjoint(s.evidence)
                or (edit.of_theme and of_theme.get(s.id) == edit.target)
                or _same_thing(object_of(edit.was), s.text, float(cosine))
            )
        ]
    return found


def _beaten(statements: Sequence[Statement], will: Will, ground: Ground) -> dict[str, str]:
    """Which statements the owner's words take the place of: what they reworded, and what they now say the opposite of.

    The owner's word beats any inference, whenever it was made, and an older word of their own.
    """
    own = [s for s in statements if s.source is not Source.INFERRED and not plain.tells(s.text)]
    if not own:
        return {}
    near = _nearness([s.facet for s in own], [object_of(s.text) for s in statements], ground)
    found: dict[str, str] = {}
    for winner, row in zip(own, near, strict=True):
        for loser, cosine in zip(statements, row, strict=True):
            inferred = loser.source is Source.INFERRED
            later = inferred or winner.written_at > loser.written_at
            turned = loser.polarity is not winner.polarity and _same_thing(winner.facet, loser.text, float(cosine))
            if (later and turned) or (inferred and _reworded(will.words.get(winner.id), loser)):
                found[loser.id] = winner.id
    return found


def _reworded(made: tuple[Edit, Statement] | None, old: Statement) -> bool:
    """Did the edit that made the owner's statement put it in the place of the old one?"""
    if made is None or made[0].kind is not EditKind.REWORD:
        return False
    return old.id in made[0].statements or rests_on(old, made[0])


def _same_thing(said: str, text: str, cosine: float) -> bool:
    """Is `text` about what was `said`: all its words that carry meaning, or nearly the same meaning?"""
    wanted = guard.stems(guard.content(said)) or guard.stems([said])
    return cosine >= ALIKE or (bool(wanted) and wanted <= guard.stems([text]))


def _nearness(one: Sequence[str], other: Sequence[str], ground: Ground) -> Vectors:
    """(len(one), len(other)) cosines of what two lists of texts mean."""
    found: Vectors = ground.meaning(one) @ ground.meaning(other).T
    return found


def _pinned(will: Will, left: Sequence[Statement], ground: Ground) -> list[Statement]:
    """Pinned statements that inference no longer finds."""
    there = {s.id for s in left} | {i for edit, _ in will.deleted.values() for i in edit.statements}
    wanted = [e for e in will.marks.values() if e.kind is EditKind.PIN]
    lost = {
        i: replace(ground.known[i], superseded_by=None, superseded_at=None)
        for edit in wanted
        if not any(s.id in edit.statements or rests_on(s, edit) for s in left)
        for i in edit.statements
        if i in ground.known and i not in there and ground.known[i].source is Source.INFERRED
    }
    return list(lost.values())


def _themes(
    profile: Profile, statements: Sequence[Statement], beaten: Mapping[str, str], will: Will, ground: Ground
) -> tuple[Theme, ...]:
    """The themes without what is gone, under the owner's names; what is in none gets one of its own."""
    by_id = {s.id: s for s in statements}
    deleted = {edit.target for edit, _ in will.deleted.values() if edit.of_theme}
    pins = {edit.target: edit for edit in will.marks.values() if edit.kind is EditKind.PIN and edit.of_theme}
    found: list[Theme] = []
    for theme in profile.themes:
        heirs = dict.fromkeys(beaten.get(i, i) for i in theme.statements)
        left = tuple(i for i in heirs if i in by_id and by_id[i].polarity is theme.polarity)
        pin = pins.get(theme.id)
        if pin and not left:
            left = tuple(i for i in pin.statements if i in by_id)
        if theme.id in deleted or (theme.statements and not left):
            continue
        medoid = theme.medoid if theme.medoid in left or not left else left[0]
        same = medoid == theme.medoid or not left
        theme = replace(theme, statements=left, medoid=medoid, active=theme.active or bool(pin and left))
        theme = theme if same else replace(theme, summary=by_id[medoid].text)
        name = will.names.get(theme.id)
        found.append(replace(theme, label=name, origin=Origin.USER) if name else theme)
    homed = {i for t in found for i in t.statements}
    restored = {i for edit in pins.values() for i in edit.statements}
    alone = [s for s in statements if s.id not in homed and (s.source is not Source.INFERRED or s.id in restored)]
    return (*found, *_of_their_own(profile.user, alone, ground))


def _of_their_own(user: str, alone: Sequence[Statement], ground: Ground) -> list[Theme]:
    vectors = ground.meaning([s.text for s in alone]) if alone else ()
    found = []
    for s, vector in zip(alone, vectors, strict=True):
        made = theme_id(user, s.id)
        label, centroid = plain.capital(s.facet), tuple(float(x) for x in vector)
        theme = Theme(made, user, label, s.text, s.polarity, (s.id,), s.id, centroid, SAID_WEIGHT, origin=Origin.USER)
        found.append(theme)
    return found


def _questions(held: Mapping[int, Sequence[Statement]], will: Will, ground: Ground) -> list[Question]:
    found = []
    for number, group in held.items():
        edit, since = will.deleted[number]
        fresh = {s.id: _items_since(s, since, ground) for s in group}
        items = set().union(*fresh.values())
        if len(items) >= STRONG:
            text = max(group, key=lambda s: (len(fresh[s.id]), s.id)).text
            found.append(Question(number, edit.was, text, len(items)))
    return found


def _still_open(profile: Profile, held: Mapping[int, Sequence[Statement]], will: Will) -> list[Question]:
    """What was asked before and not answered since; what was held back then is not in the profile any more."""
    return [
        q
        for q in profile.questions
        if q.edit in will.deleted and will.deleted[q.edit][1] < profile.as_of and not held.get(q.edit)
    ]


def _items_since(statement: Statement, since: datetime, ground: Ground) -> set[str]:
    events = (ground.events[e] for e in statement.evidence if e in ground.events)
    return {e.item for e in events if e.item is not None and e.at > since and not is_echo(e)}


def _portrayed(before: Profile, after: Profile) -> Profile:
    """With a portrait that names no theme that is gone: the plain one, where the names have changed or it went with them."""
    labels = plain.labels(after.themes)
    if before.portrait and labels == plain.labels(before.themes):
        return after
    return replace(after, portrait=plain.portrait(*labels), portrait_origin=Origin.FALLBACK)
