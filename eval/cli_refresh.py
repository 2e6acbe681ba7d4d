"""`leitmotif eval refresh` on the command line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from agent.serve.commands.session import Home, Json, Session, column_map
from eval.options import Format, Mapping_, Out, Seed, Source, Users
from eval.publish import publish, telling


def refresh(
    ctx: typer.Context,
    path: Source,
    users: Users = None,
    share: Annotated[float, typer.Option("--share", min=0.0, max=1.0, help="Share of the users who get news.")] = 0.1,
    days: Annotated[
        float, typer.Option("--days", min=0.01, help="The last days of the dataset, which are the news.")
    ] = 7,
    seed: Seed = 0,
    source_format: Format = "auto",
    mapping: Mapping_ = None,
    out: Out = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Measure what an update costs.

    Profiles of all users are written, a few users get news, and all are brought up to date; beside it, all are written anew
    from the same log. The LLM's tokens, and how alike the themes are. See docs/eval.md.

    \b
    Example: leitmotif eval refresh retrieval/sample
    """
    from eval.refresh import Request, document
    from eval.workshop import Workshop

    session = Session(ctx, as_json, home)
    shop = Workshop(session.settings, datetime.now(UTC))
    with telling() as tell:
        dataset = shop.load(path, source_format, column_map(mapping or []), users, seed)
        found = document(shop, dataset, Request(share, days, seed), tell)
    publish(session, found, out)
