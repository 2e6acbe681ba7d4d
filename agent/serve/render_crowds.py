"""Communities and questions for people: rich tables and lines made from agent/serve/communities.py."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agent.serve.communities import AnswerOut, AskOut, CommunitiesOut, CommunityOut

_NONE = "no community yet: `leitmotif communities build` counts the themes of all profiles, and few people make none"


def communities(out: CommunitiesOut) -> RenderableType:
    if not out.communities:
        return Text(_NONE, style="dim")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("id", justify="right", no_wrap=True)
    table.add_column("community")
    table.add_column("people", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("what its members share")
    for one in out.communities:
        table.add_row(str(one.id), one.label, f"{one.people:,}", f"{one.share:.0%}", ", ".join(one.features))
    return Group(table, "", f"{out.people:,} people, counted {out.at:%Y-%m-%d}; {out.rule}")


def community(one: CommunityOut) -> RenderableType:
    lines: list[RenderableType] = [Text(f"{one.label}  {one.id}", style="bold")]
    lines += [f"{one.people:,} people, {one.share:.0%} of all", f"they share {', '.join(one.features)}"]
    lines += [f"  {item.title}  {item.id}" for item in one.items]
    lines += [Text(f"{size.at:%Y-%m-%d}  {size.people:,}", style="dim") for size in one.sizes]
    return Group(*lines)


def question(out: AskOut) -> RenderableType:
    understood = [f"understood: {s.text}" for s in out.statements]
    left_out = [Text(f"left out: {i.text} ({i.reason})", style="dim") for i in out.ignored]
    if out.question is None:
        return Group(*understood, *left_out, Text("nothing is worth asking", style="dim"))
    asked = out.question
    how = Text(f"leitmotif answer {out.user} {asked.community} yes|no|skip", style="dim")
    return Group(*understood, *left_out, Text(asked.text, style="bold"), asked.why, *([how] if out.user else []))


def answered(out: AnswerOut) -> RenderableType:
    return f"noted: {out.statement.text}" if out.statement else "noted: it is not asked again"
