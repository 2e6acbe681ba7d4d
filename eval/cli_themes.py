"""`leitmotif eval themes` on the command line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from agent.serve.commands.session import Home, Json, Session
from eval.options import Out, Systems
from eval.publish import names, publish, telling

Every = Annotated[
    int | None, typer.Option("--every", metavar="N", min=1, help="Points a checkpoint; default: each day.")
]


def themes(
    ctx: typer.Context,
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE|FOLDER]...",
            exists=True,
            help="Streams (.jsonl), or a MovieLens folder to make streams from; default: our own.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", metavar="N", min=1, help="Streams of each kind.")] = 4,
    seed: Annotated[int, typer.Option("--seed", help="The first of the seeds.")] = 0,
    systems: Systems = None,
    every: Every = None,
    ideal: Annotated[
        bool, typer.Option("--ideal", help="Streams whose meanings are known: what the rules lose, and no embedding.")
    ] = False,
    out: Out = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Measure themes that evolve.

    Streams whose themes are planted, with their births, fades, merges, splits and returns; and who notices, when, and under
    which name. See docs/eval.md.

    \b
    Example: leitmotif eval themes --seeds 2
             leitmotif eval themes mine.jsonl --json
    """
    from eval.theme_systems import SYSTEMS
    from eval.themes import Request, Run
    from eval.workshop import Workshop

    session = Session(ctx, as_json, home)
    request = Request(tuple(sources or ()), seeds, seed, names(systems) or SYSTEMS, every, ideal)
    shop = Workshop(session.settings, datetime.now(UTC))
    with telling() as tell:
        document = Run(request, shop.embedder, shop.folder, shop.now, tell).document()
    publish(session, document, out)
