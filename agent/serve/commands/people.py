"""profile, themes, why: what is known of somebody, and how it is known."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from agent.errors import UsageError
from agent.serve import render
from agent.serve.commands.reports import FailureOut, ProfilesOut
from agent.serve.commands.session import Home, Json, Session, moment
from agent.serve.progress import progress
from agent.serve.reasons import WhyOut
from agent.serve.schemas import ProfileOut

if TYPE_CHECKING:
    from agent.results import Failure
    from agent.service import Service
    from retrieval.records import Profile

AsOf = Annotated[
    datetime | None,
    typer.Option("--as-of", metavar="TIME", parser=moment, help="As it was then (ISO 8601, UTC) [now]."),
]
Diff = Annotated[
    tuple[str, str] | None,
    typer.Option("--diff", metavar="TIME TIME", help="What changed from one time to another, instead."),
]
Algorithm = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="The statements grouped by ward, average, kmeans, dbscan, hdbscan or birch, instead."
    ),
]
Who = Annotated[str, typer.Argument(metavar="USER", help="User id.")]


def profile(
    ctx: typer.Context,
    users: Annotated[list[str] | None, typer.Argument(metavar="USER", help="User ids.")] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Everybody of whom something is known.")] = False,
    as_of: AsOf = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Write profiles, or bring them up to date.

    A profile is statements with their evidence, themes and a portrait. What was written before is not written again,
    so an interrupted run goes on where it stopped. Needs the LLM where something is new.

    \b
    Example: leitmotif profile ann bob
             leitmotif profile --all --json > profiles.json
    """
    session = Session(ctx, as_json, home)
    if bool(users) == everybody:
        raise UsageError("name one or more users, or everybody with --all")
    now = datetime.now(UTC)
    with session.service() as service:
        wanted = list(dict.fromkeys(users or service.store.users()))
        if not wanted:
            raise UsageError("there is nobody yet", hint="run `leitmotif ingest PATH` first")
        started = time.monotonic()
        found = asyncio.run(_build(service, wanted, now, as_of))
        out = _report(service, found, time.monotonic() - started)
    session.show(out, render.profiles(out))
    if out.failures:
        raise typer.Exit(1)


async def _build(
    service: Service, users: Sequence[str], now: datetime, as_of: datetime | None
) -> Sequence[Profile | Failure]:
    if len(users) == 1:  # then what goes wrong is the error of the whole command, with its hint
        return [await service.profile(users[0], now=now, as_of=as_of)]
    with progress("profiles") as tick:
        tick(0, len(users))
        return await service.profiles(users, now=now, as_of=as_of, progress=tick)


def _report(service: Service, found: Sequence[Profile | Failure], seconds: float) -> ProfilesOut:
    from agent.results import Failure

    profiles = [p for p in found if not isinstance(p, Failure)]
    statements = [s for p in profiles for s in p.statements]
    origins = [s.origin.value for s in statements]
    return ProfilesOut(
        profiles=[ProfileOut.model_validate(p) for p in profiles],
        failures=[FailureOut.model_validate(f) for f in found if isinstance(f, Failure)],
        statements=len(statements),
        grounded=sum(service.grounded(p) for p in profiles),
        by_model=origins.count("model"),
        by_fallback=origins.count("fallback"),
        refused=dict(service.tally.refused),
        dropped=dict(service.tally.dropped),
        seconds=seconds,
        users_per_hour=3600 * len(profiles) / max(seconds, 1e-6),
    )


def themes(
    ctx: typer.Context,
    user: Who,
    history: Annotated[bool, typer.Option("--history", help="Also how they came to be, and the versions.")] = False,
    as_of: AsOf = None,
    diff: Diff = None,
    algorithm: Algorithm = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Show the themes of the stored profile.

    With the statements in them. Themes grow from event to event and keep their ids; short-term ones, one-offs
    and what seems to be somebody else's are told apart. Writes nothing and needs no LLM.

    \b
    Example: leitmotif themes ann --history
             leitmotif themes ann --as-of 2026-01-31
             leitmotif themes ann --diff 2026-01-31 2026-03-31
             leitmotif themes ann --algorithm kmeans
    """
    from agent.serve import present
    from agent.serve.commands.history import difference, grouping

    session = Session(ctx, as_json, home)
    with session.service() as service:
        if diff:
            return difference(session, service, user, diff)
        if algorithm:
            return grouping(session, service, user, algorithm)
        found, steps = service.themes(user, as_of=as_of)
        versions = service.lives(user).versions(user) if history else []
    out = present.themes(found, steps if history else [], versions)
    session.show(out, render.themes(out))
    return None


def why(
    ctx: typer.Context,
    user: Who,
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Statement id or item id.")],
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Show the evidence for a statement or an item, and why not.

    The statements, and the events behind them with their items. Of an item also what counts against it, and why it is not
    recommended.

    \b
    Example: leitmotif why ann s-1f0c9d2e4b6a
             leitmotif why ann film-003
    """
    session = Session(ctx, as_json, home)
    with session.service() as service:
        out = WhyOut.model_validate(asyncio.run(service.why(user, target, now=datetime.now(UTC))))
    session.show(out, render.why(out))
