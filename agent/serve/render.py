"""What comes back, for people: rich tables and trees made from the schemas. Words only, no decisions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from agent.serve.commands.reports import DemoOut, ExcerptOut, ProfilesOut
from agent.serve.histories import ThemesOut
from agent.serve.reasons import WhyOut
from agent.serve.render_edits import question
from agent.serve.schemas import (
    CitationOut,
    ColdStartOut,
    EventOut,
    FeedbackOut,
    ForgetOut,
    IngestOut,
    ProfileOut,
    RecommendationOut,
    RecommendationsOut,
    StatementOut,
    ThemeEventOut,
    ThemeOut,
)

REFUSALS_SHOWN = 20
_SIGN = {"like": "+", "dislike": "-"}
_MISSING = {
    "profile": "the profile could not be brought up to date",
    "rerank": "ranked without the LLM",
    "explain": "explained without the LLM",
}


def profiles(out: ProfilesOut) -> RenderableType:
    """One profile in full; of many a line each, and the figures of the run."""
    if len(out.profiles) == 1 and not out.failures:
        return profile(out.profiles[0])
    table = _table("user", ">statements", ">themes", ">events", "what they like")
    for one in out.profiles:
        shown = ", ".join(t.label for t in _by_weight(one.themes)[:3])
        table.add_row(one.user, str(len(one.statements)), str(len(one.themes)), str(one.events_seen), shown)
    failed = [Text(f"failed: {f.user}: {f.error}", style="red") for f in out.failures]
    return Group(table, *failed, "", _summary(out))


def profile(out: ProfileOut) -> RenderableType:
    head = Text(f"{out.user}, as of {_day(out.as_of)} (version {out.version}, {out.events_seen} events)", style="bold")
    parts: list[RenderableType] = [head]
    parts += [out.portrait] if out.portrait else []
    parts += [question(q, out.user) for q in out.questions]
    parts += ["", _theme_table(out.themes), "", _statement_table(out.statements)] if out.statements else [_NOTHING]
    return Group(*parts)


_NOTHING = Text("nothing can be said about them yet", style="dim")


def themes(out: ThemesOut) -> RenderableType:
    """Each theme with its statements under it, then the history."""
    said = {s.id: s for s in out.statements}
    tree = Tree(Text(f"{out.user}, as of {_day(out.as_of)} (version {out.version})", style="bold"))
    for theme in _by_weight(out.themes):
        branch = tree.add(_theme_line(theme, _share(theme, out.themes)))
        for statement in (said[i] for i in theme.statements if i in said):
            branch.add(_statement_line(statement))
    if not out.themes:
        tree.add(_NOTHING)
    return Group(tree, "", _history(out), "", _versions(out)) if out.history or out.versions else tree


def recommendations(out: RecommendationsOut) -> RenderableType:
    if not out.items:
        return Text("nothing left to recommend", style="dim")
    return Group(_recommended(out.items), *_degraded(out.degraded))


def cold_start(out: ColdStartOut) -> RenderableType:
    parts: list[RenderableType] = [Text("understood", style="bold")]
    parts += [f"  {_SIGN[s.polarity]} {s.text}" for s in out.statements] or ["  nothing"]
    parts += [Text(f"  left out: {i.text} ({i.reason})", style="dim") for i in out.ignored]
    return Group(*parts, "", _recommended(out.items), *_degraded(out.degraded))


def why(out: WhyOut) -> RenderableType:
    """Reason -> theme -> statement -> events -> items, then what counts against it, and why not."""
    titles = {item.id: item.title for item in out.items}
    tree = Tree(Text(out.reason, style="bold"))
    themed = {s: t for t in out.themes for s in t.statements}
    for statement in out.statements:
        theme = themed.get(statement.id)
        branch = tree.add(_theme_line(theme, "")) if theme else tree
        leaf = branch.add(_statement_line(statement))
        for event in out.events:
            leaf.add(_event_line(event, titles))
        if not out.events:
            leaf.add(Text("in their own words", style="dim"))
    if not out.statements:
        tree.add(Text("nothing that is known of them speaks for it", style="dim"))
    more = [*(o.text for o in out.against), *([out.standing.text] if out.standing else [])]
    return Group(tree, *more)


def ingest(out: IngestOut) -> RenderableType:
    table = _table("", ">new", ">updated", ">as before")
    table.add_row("items", f"{out.items_new:,}", f"{out.items_updated:,}", f"{out.items_same:,}")
    table.add_row("events", f"{out.events_new:,}", "", f"{out.events_duplicate:,}")
    parts: list[RenderableType] = [table]
    if out.refused:
        parts += ["", Text(f"{out.refused:,} rows were refused", style="yellow")]
        parts += [f"  {_place(r.file, r.line)}{r.reason}" for r in out.refusals[:REFUSALS_SHOWN]]
        hidden = out.refused - min(len(out.refusals), REFUSALS_SHOWN)
        parts += [Text(f"  and {hidden:,} more; --json lists the first 1,000", style="dim")] if hidden else []
    now = out.store
    return Group(*parts, "", f"in the store: {now.items:,} items, {now.users:,} users, {now.events:,} events")


def feedback(out: FeedbackOut) -> RenderableType:
    ours = " (which we had recommended)" if out.recommended else ""
    return f"noted: {out.event.user} {out.event.kind}s {out.event.item}{ours}"


def forget(out: ForgetOut) -> RenderableType:
    gone = ", ".join(f"{count:,} {table}" for table, count in out.rows.items() if count) or "nothing was stored"
    files = "the database files were rewritten" if out.scrubbed else "the files are rewritten at the next start"
    whose = f"of {out.user}" if out.rows.keys() == {"events"} else f"{out.user} is"
    return f"{whose} erased: {gone}; {files}"


def demo(out: DemoOut) -> RenderableType:
    table = _table("stage", ">seconds")
    for stage, seconds in out.stages.items():
        table.add_row(stage, f"{seconds:.1f}")
    lines = [
        f"{out.users} users, {out.statements} statements: {out.grounded_share:.0%} grounded, "
        f"{out.model_share:.0%} in the LLM's words; {out.themes} themes",
        f"{out.recommendations} recommendations: {out.reasons_valid_share:.0%} with a valid reason",
        f"{out.llm_tokens:,} LLM tokens, {out.seconds:.0f} s",
        f"see {out.page}",
    ]
    return Group(*(_excerpt(e) for e in out.excerpts), table, "", *lines)


# Pieces ------------------------------------------------------------------------------------------------------------


def _table(*columns: str) -> Table:
    """A plain table; a column whose name starts with ">" is right-aligned and never wrapped."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in columns:
        right = name.startswith(">")
        table.add_column(name.removeprefix(">"), justify="right" if right else "left", no_wrap=right)
    return table


def _theme_table(found: Sequence[ThemeOut]) -> Table:
    table = _table("theme", "", ">share", ">statements", ">id")
    for theme in _by_weight(found):
        style = None if theme.active else "dim"
        row = (theme.label, _SIGN[theme.polarity], _share(theme, found), str(len(theme.statements)), theme.id)
        table.add_row(*row, style=style)
    return table


def _share(theme: ThemeOut, among: Sequence[ThemeOut]) -> str:
    """How much of the interest (or dislike) this theme is. Importance itself decays, and says little of who was away."""
    whole = sum(t.importance for t in among if t.polarity == theme.polarity)
    return f"{theme.importance / whole:.0%}" if whole else "0%"


def _statement_table(found: Sequence[StatementOut]) -> Table:
    table = _table("statement", "from", ">events", ">when", ">id")
    for s in found:
        table.add_row(s.text, s.origin, str(len(s.evidence)), _span(s.first_at, s.last_at), s.id)
    return table


def _recommended(found: Sequence[RecommendationOut]) -> Table:
    table = Table.grid(padding=(0, 1, 1, 0))
    table.add_column(justify="right", style="dim")
    table.add_column()
    for r in found:
        lines = [Text.assemble((r.title, "bold"), (f"  {r.item}", "dim")), Text(r.reason)]
        lines += [Text(_citation(c), style="dim") for c in r.citations]
        table.add_row(str(r.rank), Group(*lines))
    return table


def _excerpt(one: ExcerptOut) -> RenderableType:
    lines: list[RenderableType] = [Text(one.user, style="bold"), one.portrait]
    lines += [f"  {text}  ({events} events, {origin})" for text, events, origin in one.statements]
    lines += [Text.assemble("  -> ", (title, "bold"), f": {reason}") for title, reason in one.recommendations]
    return Group(*lines, "")


def _citation(c: CitationOut) -> str:
    titles = ", ".join(item.title for item in c.items)
    if c.text is None:
        return f"because of {titles or c.statement}"
    return f"because: {c.text}{f' ({titles})' if titles else ''}"


def _degraded(missing: Sequence[str]) -> list[RenderableType]:
    return [Text(f"note: {_MISSING.get(part, part)}", style="yellow") for part in missing]


def _history(out: ThemesOut) -> Table:
    labels = {theme.id: theme.label for theme in out.themes}
    table = _table("when", "what", "theme", "detail")
    for step in out.history:
        table.add_row(_day(step.at), step.kind, labels.get(step.theme, step.theme), _detail(step, labels))
    return table


def _detail(step: ThemeEventOut, labels: dict[str, str]) -> str:
    sources = ", ".join(labels.get(i, i) for i in step.sources)
    causes = f"{len(step.causes)} event{'s' if len(step.causes) > 1 else ''}" if step.causes else ""
    said = f"{causes} behind {', '.join(step.statements)}" if step.statements else causes
    return "; ".join(part for part in (step.detail, f"from {sources}" if sources else "", said) if part)


def _versions(out: ThemesOut) -> Table:
    table = _table(">version", "as of", ">events", "")
    for one in out.versions:
        back = f"back to version {one.restores}" if one.restores else ""
        table.add_row(str(one.version), _day(one.as_of), str(one.events_seen), back)
    return table


def _theme_line(theme: ThemeOut, share: str) -> Text:
    figures = " ".join(part for part in ("", _SIGN[theme.polarity], share, theme.note) if part)
    return Text.assemble((theme.label, "bold" if theme.active else "dim"), (f"  {figures}  {theme.id}", "dim"))


def _statement_line(s: StatementOut) -> Text:
    seen = f"{len(s.evidence)} events, {_span(s.first_at, s.last_at)}" if s.evidence else _day(s.written_at)
    return Text.assemble(s.text, (f"  {s.origin}, {seen}  {s.id}", "dim"))


def _event_line(event: EventOut, titles: dict[str, str]) -> Text:
    what = titles.get(event.item, event.item) if event.item else ""
    value = f" {event.value:g}" if event.value is not None else ""
    said = f' "{event.text}"' if event.text else ""
    return Text.assemble((f"{_day(event.at)} ", "dim"), f"{event.kind}{value} ", (what, "bold"), said)


def _summary(out: ProfilesOut) -> str:
    total = max(out.statements, 1)
    return (
        f"{len(out.profiles)} of {len(out.profiles) + len(out.failures)} profiles; {out.statements} statements: "
        f"{out.grounded / total:.0%} grounded, {out.by_model / total:.0%} in the LLM's words, "
        f"{out.by_fallback / total:.0%} from the data; {out.seconds:.0f} s, {out.users_per_hour:,.0f} users an hour"
    )


def _by_weight(found: Sequence[ThemeOut]) -> list[ThemeOut]:
    return sorted(found, key=lambda t: (not t.active, -t.importance, t.id))


def _place(file: str, line: int) -> str:
    return f"{file}:{line}: " if file else ""


def _span(first: datetime, last: datetime) -> str:
    return _day(first) if _day(first) == _day(last) else f"{_day(first)} to {_day(last)}"


def _day(at: datetime) -> str:
    return at.date().isoformat()
