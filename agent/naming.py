"""Which themes need a name, and what they are called now.

    themes, renamed = await named(writer, themes, previous, statements, shown, as_of)

The model is asked about all of them at once; who may have which name is settled afterwards, one theme after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from agent.evidence import Evidence
from agent.together import together
from agent.writer import Writer
from retrieval.records import Profile, Statement, Theme, ThemeEvent, ThemeEventKind

RELABEL_BELOW = 0.5  # a theme is named anew when less than this share of its evidence is what its name was made from


async def named(
    writer: Writer,
    themes: Sequence[Theme],
    previous: Profile | None,
    statements: Sequence[Statement],
    shown: Callable[[Sequence[Statement]], Evidence],
    as_of: datetime,
) -> tuple[list[Theme], list[ThemeEvent]]:
    """`themes` with names, and who has another one than before. What is new or materially changed is named, everything else
    keeps its name. `shown`: what the evidence of some statements holds. Raises LLMUnavailableError."""
    known = {t.id: t for t in previous.themes} if previous else {}
    fresh = _fresh(themes, known, previous, statements)
    evidence = {id_: shown(members) for id_, members in fresh.items()}
    asked = [writer.names(members[0].user, members, evidence[id_]) for id_, members in fresh.items()]
    names = dict(zip(fresh, await together(asked), strict=True))
    texts = {s.id: s.text for s in statements}
    found: list[Theme] = []
    renamed: list[ThemeEvent] = []
    for theme in themes:
        if theme.id not in fresh:
            found.append(theme)
            continue
        taken = [t.label for t in found] + [t.label for t in known.values() if t.id != theme.id and t.active]
        label, origin = writer.label(names[theme.id], evidence[theme.id], taken)
        old = known.get(theme.id)
        if old and old.label and old.label != label:
            causes = tuple(dict.fromkeys(e for s in fresh[theme.id] for e in s.evidence))
            detail = f"{old.label} is now {label}"
            renamed.append(ThemeEvent(theme.id, ThemeEventKind.RENAMED, as_of, (), detail, causes))
        found.append(replace(theme, label=label, origin=origin, summary=texts[theme.medoid]))
    return found, renamed


def _fresh(
    themes: Sequence[Theme], known: Mapping[str, Theme], previous: Profile | None, statements: Sequence[Statement]
) -> dict[str, list[Statement]]:
    """The themes to be named, by id, with their statements."""
    by_id = {s.id: s for s in statements}
    was = {s.id: s for s in previous.statements} if previous else {}
    found = {}
    for theme in themes:
        old = known.get(theme.id)
        members = [by_id[i] for i in theme.statements]
        named_from = [was[i] for i in old.statements if i in was] if old else []
        if members and not (old and old.label and not _changed(named_from, members)):
            found[theme.id] = members
    return found


def _changed(old: Sequence[Statement], new: Sequence[Statement]) -> bool:
    """Is less than half of a theme's evidence what its name was made from? The user's own words are their own evidence."""
    was, is_ = ({e for s in statements for e in s.evidence or (s.id,)} for statements in (old, new))
    return len(was & is_) < RELABEL_BELOW * len(is_)
