"""`leitmotif eval control` on the command line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from agent.serve.commands.session import Home, Json, Session, column_map
from eval.options import Format, Mapping_, Out, Seed, Source, Users
from eval.publish import publish, telling


def control(
    ctx: typer.Context,
    path: Source,
    users: Users = None,
    k: Annotated[int, typer.Option("-k", min=2, max=100, help="Recommendations to compare.")] = 10,
    seed: Seed = 0,
    source_format: Format = "auto",
    mapping: Mapping_ = None,
    out: Out = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Measure what mutes and boosts do.

    Each theme of each user is muted and boosted once: is it gone, has it twice its places, do the others stay in their order?
    See docs/eval.md.

    \b
    Example: leitmotif eval control retrieval/sample
    """
    from eval.control import document
    from eval.workshop import Workshop

    session = Session(ctx, as_json, home)
    shop = Workshop(session.settings, datetime.now(UTC))
    with telling() as tell:
        dataset = shop.load(path, source_format, column_map(mapping or []), users, seed)
        found = document(shop, dataset, k=k, tell=tell)
    publish(session, found, out)
