"""Differences, rollbacks and other groupings as they go out: schemas, how they are made, and how a person reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agent.serve.schemas import Moment, Out, StatementOut, ThemeEventOut, ThemeOut
from retrieval.records import Polarity

if TYPE_CHECKING:
    from agent.lives import Comparison, Side
    from retrieval.records import Profile


class VersionOut(Out):
    """A version of a profile."""

    version: int
    as_of: Moment
    events_seen: int
    restores: int | None = Field(description="the earlier version whose words it brought back")


class ThemesOut(Out):
    """The themes of the stored profile, the statements in them and, if asked for, their history."""

    user: str
    as_of: Moment
    version: int
    themes: list[ThemeOut]
    statements: list[StatementOut]
    history: list[ThemeEventOut] = Field(description="all steps so far, oldest first; empty unless asked for")
    versions: list[VersionOut] = Field(description="the versions of the profile, oldest first; empty unless asked for")


class ChangeOut(Out):
    """One difference between two profiles."""

    kind: str = Field(
        description="of a theme: new, split, lasting, faded, one-off, shared, revived, merged, gone, renamed, rose, fell; of a "
        "statement: said, unsaid"
    )
    id: str = Field(description="theme id or statement id")
    text: str = Field(description="the same in words")
    before: float | None = Field(description="importance, where that is what changed")
    after: float | None


class DiffOut(Out):
    """What changed from one stored profile to another."""

    user: str
    from_version: int
    from_as_of: Moment = Field(description="of the profile stored last by the first moment, UTC")
    to_version: int
    to_as_of: Moment = Field(description="of the profile stored last by the second moment, UTC")
    changes: list[ChangeOut] = Field(
        description="themes first, strongest first, then statements; empty if all is the same"
    )


class SideOut(Out):
    """The likes or the dislikes of a profile, grouped by an algorithm."""

    polarity: Polarity
    algorithm: str
    clusters: int
    rule: str = Field(description="how the number of clusters was found")
    silhouette: float | None = Field(
        description="from -1 to 1; none for one cluster, or where each statement is its own"
    )
    groups: list[list[str]] = Field(description="statement ids, the one in the middle first")


class GroupingOut(Out):
    """The statements of a profile grouped anew, to lay beside the living themes. Nothing of it is stored."""

    user: str
    version: int
    themes: int = Field(description="living themes of the same statements")
    sides: list[SideOut]
    texts: dict[str, str] = Field(description="statement id -> text")


def diff(found: Comparison) -> DiffOut:
    return DiffOut(
        user=found.now.user,
        from_version=found.then.version,
        from_as_of=found.then.as_of,
        to_version=found.now.version,
        to_as_of=found.now.as_of,
        changes=[ChangeOut.model_validate(change) for change in found.changes],
    )


def grouping(profile: Profile, sides: Sequence[Side]) -> GroupingOut:
    return GroupingOut(
        user=profile.user,
        version=profile.version,
        themes=sum(bool(theme.statements) for theme in profile.themes),
        sides=[
            SideOut(
                polarity=side.polarity,
                algorithm=side.grouping.algorithm,
                clusters=side.grouping.clusters,
                rule=side.grouping.rule,
                silhouette=side.grouping.silhouette,
                groups=[list(group) for group in side.groups],
            )
            for side in sides
        ],
        texts={s.id: s.text for s in profile.statements},
    )


def show_diff(out: DiffOut) -> RenderableType:
    first, last = out.from_as_of.date(), out.to_as_of.date()
    head = Text(f"{out.user}, {first} (version {out.from_version}) to {last} (version {out.to_version})", style="bold")
    return Group(head, *([f"  {change.text}" for change in out.changes] or ["  nothing has changed"]))


def show_grouping(out: GroupingOut) -> RenderableType:
    parts: list[RenderableType] = [
        Text(f"{out.user} (version {out.version}), {out.themes} living themes", style="bold")
    ]
    for side in out.sides:
        score = "no silhouette" if side.silhouette is None else f"silhouette {side.silhouette:.2f}"
        parts += ["", f"{side.polarity}s by {side.algorithm}: {side.clusters} clusters, {score} ({side.rule})"]
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for number, group in enumerate(side.groups, start=1):
            table.add_row(str(number), "; ".join(out.texts[i] for i in group))
        parts.append(table)
    return Group(*parts)
