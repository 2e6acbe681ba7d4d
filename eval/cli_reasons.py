"""`leitmotif eval explanations` on the command line."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from agent.serve.commands.session import Home, Json, Session, column_map
from eval.options import Format, Mapping_, Out, Seed, Source
from eval.publish import publish, telling


def explanations(
    ctx: typer.Context,
    path: Source,
    users: Annotated[int, typer.Option("--users", metavar="N", min=1, help="A sample of the users.")] = 60,
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="Recommendations to each.")] = 10,
    llm_users: Annotated[
        int,
        typer.Option("--llm-users", metavar="N", min=0, help="Of these users the LLM words profile and reasons, too."),
    ] = 0,
    seed: Seed = 0,
    source_format: Format = "auto",
    mapping: Mapping_ = None,
    out: Out = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Measure reasons.

    Are they true, and is what they cite what moved the score? See docs/eval.md.

    \b
    Example: leitmotif eval explanations retrieval/sample
    """
    from eval.explanations import document
    from eval.workshop import Workshop

    session = Session(ctx, as_json, home)
    shop = Workshop(session.settings, datetime.now(UTC))
    with telling() as tell:
        dataset = shop.load(path, source_format, column_map(mapping or []), users, seed)
        found = asyncio.run(document(shop, dataset, k=k, llm_users=llm_users, seed=seed, tell=tell))
    publish(session, found, out)
