"""Edits, for people: what was said, what holds, and what an edit would move. Words only, no decisions."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agent.serve.edits import DONE, EditedOut, OwnedOut, PreviewOut
from agent.serve.schemas import QuestionOut

_SIGNS = {"new": "+", "rises": "↑", "stays": " ", "falls": "↓", "gone": "-"}


def edited(out: EditedOut) -> RenderableType:
    return f"{out.message} (edit {out.edit.number})"


def preview(out: PreviewOut) -> RenderableType:
    table = _table("", ">now", ">then", "item", "theme")
    for m in out.moves:
        places = (str(m.before or ""), str(m.after or ""))
        table.add_row(_SIGNS[m.change], *places, m.title, m.theme or "", style="dim" if m.change == "stays" else None)
    return Group(table, "", Text(out.note, style="dim"))


def owned(out: OwnedOut) -> RenderableType:
    """Questions first: they wait for an answer."""
    parts: list[RenderableType] = [question(q, out.user) for q in out.questions]
    if out.marks:
        table = _table("mark", "what", ">id")
        for mark in out.marks:
            table.add_row(mark.mark, mark.words, mark.target)
        parts += [table, ""]
    log = _table(">number", "when", "edit", "what")
    for edit in out.edits:
        said = " -> ".join(part for part in (edit.was, edit.text) if part)
        log.add_row(str(edit.number), edit.at.date().isoformat(), DONE[edit.kind], said)
    parts += [log if out.edits else Text("nothing was edited yet", style="dim")]
    if out.superseded:
        past = _table("before", ">since", "now")
        for s in out.superseded:
            since = s.superseded_at.date().isoformat() if s.superseded_at else ""
            past.add_row(s.text, since, s.superseded_by or "")
        parts += ["", past]
    return Group(*parts)


def question(q: QuestionOut, user: str) -> Text:
    """What only the owner can decide, and how they answer."""
    asked = f"You deleted “{q.was}”; since then {q.items} new things speak for “{q.text}”. Add it again?"
    return Text.assemble((asked, "bold"), f"  leitmotif edit answer {user} {q.edit} yes|no\n")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in columns:
        table.add_column(name.removeprefix(">"), justify="right" if name.startswith(">") else "left")
    return table
