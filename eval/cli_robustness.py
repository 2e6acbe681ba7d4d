"""`leitmotif eval robustness` on the command line."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from agent.serve.commands.session import Home, Json, Session, column_map
from eval.options import Format, Mapping_, Out, Seed, Source
from eval.publish import publish, telling


def robustness(
    ctx: typer.Context,
    path: Source,
    attacks: Annotated[
        list[Path] | None,
        typer.Option("--attacks", metavar="FILE", help="Attack texts; default: ours. May be repeated."),
    ] = None,
    users: Annotated[int, typer.Option("--users", metavar="N", min=1, help="Whose rankings are attacked.")] = 12,
    items: Annotated[int, typer.Option("--items", metavar="N", min=1, help="Items attacked in each ranking.")] = 1,
    planted: Annotated[int, typer.Option("--planted", metavar="N", min=0, help="Texts planted for the writer.")] = 5000,
    fuzz: Annotated[int, typer.Option("--fuzz", metavar="N", min=0, help="Random answers of the LLM.")] = 100_000,
    with_llm: Annotated[bool, typer.Option("--llm/--no-llm", help="Let the LLM score titles, too.")] = False,
    seed: Seed = 0,
    source_format: Format = "auto",
    mapping: Mapping_ = None,
    out: Out = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Measure what hostile text gains.

    In rankings, and in what is stored of people.

    \b
    Example: leitmotif eval robustness retrieval/sample
             leitmotif eval robustness retrieval/sample --attacks mine.jsonl
    """
    from eval.robustness.attacks import load, ours
    from eval.robustness.document import Robustness
    from eval.workshop import Workshop

    session = Session(ctx, as_json, home)
    shop = Workshop(session.settings, datetime.now(UTC))
    texts, problems = load(attacks) if attacks else ours()
    sizes = (users, items, planted, fuzz, seed)
    with telling() as tell:
        dataset = shop.load(path, source_format, column_map(mapping or []), None, seed)
        material, llm = shop.material(dataset, tell), shop.llm if with_llm else None
        run = Robustness(material, shop.embedder, texts, tell, llm, *sizes, problems)
        publish(session, asyncio.run(run.document()), out)
