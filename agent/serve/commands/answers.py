"""recommend, cold-start, feedback: what somebody might like, and what they say to it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from agent.serve import render
from agent.serve.commands.people import Who
from agent.serve.commands.session import Home, Json, Session
from agent.serve.progress import progress

HowMany = Annotated[int, typer.Option("-k", min=1, max=100, help="How many.")]


def recommend(
    ctx: typer.Context,
    user: Who,
    k: HowMany = 10,
    query: Annotated[str | None, typer.Option("--query", metavar="TEXT", help="What they ask for right now.")] = None,
    explain: Annotated[
        bool, typer.Option("--explain/--no-explain", help="Reasons in the LLM's words, or plain ones from the data.")
    ] = True,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Recommend new items to a user, with reasons.

    Items that the user has not touched, each with a reason that cites what they did. Without an LLM the ranking and
    the reasons come from the data alone, and a note says so. The first run after an ingest also indexes the items.

    \b
    Example: leitmotif recommend ann -k 5
             leitmotif recommend ann --query "something short for tonight"
    """
    from agent.serve import present

    session = Session(ctx, as_json, home)
    with session.service() as service:
        with progress("indexing items") as tick:
            service.prepare(tick)
        found = asyncio.run(service.recommend(user, now=datetime.now(UTC), k=k, query=query, explain=explain))
        out = present.recommendations(service, user, query, k, found)
    session.show(out, render.recommendations(out))


def cold_start(
    ctx: typer.Context,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A sentence or two about oneself.")],
    k: HowMany = 10,
    allow_sensitive: Annotated[
        bool, typer.Option("--allow-sensitive", help="Use what they say of their health, faith, age and so on, too.")
    ] = False,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Recommend to a stranger from a sentence or two.

    From what they say about themselves. Nothing of it is stored. What tells of their age, gender, ethnicity, religion,
    health, sexuality, politics, income or home is left out unless --allow-sensitive is given.

    \b
    Example: leitmotif cold-start "I love slow mysteries set in cold places, and I can't stand gore."
    """
    from agent.serve import present

    session = Session(ctx, as_json, home)
    with session.service() as service:
        with progress("indexing items") as tick:
            service.prepare(tick)
        found = asyncio.run(service.cold_start(text, now=datetime.now(UTC), k=k, allow_sensitive=allow_sensitive))
        out = present.cold_start(service, k, found)
    session.show(out, render.cold_start(out))


def feedback(
    ctx: typer.Context,
    user: Who,
    item: Annotated[str, typer.Argument(metavar="ITEM", help="Item id.")],
    kind: Annotated[Literal["like", "dislike", "hide", "skip"], typer.Argument(help="What they think of it.")],
    impression: Annotated[
        int | None, typer.Option("--impression", metavar="ID", min=1, help="Of the recommendation [the last of it].")
    ] = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Record what a user thinks of an item.

    It counts at the next `leitmotif recommend`, and no LLM is asked for that. What was recommended before counts less as
    evidence, because it is partly our own echo.

    \b
    Example: leitmotif feedback ann film-003 like
             leitmotif feedback ann film-007 skip --impression 12
    """
    from agent.serve import present

    session = Session(ctx, as_json, home)
    with session.service() as service:
        out = present.feedback(service.feedback(user, item, kind, now=datetime.now(UTC), impression=impression))
    session.show(out, render.feedback(out))
