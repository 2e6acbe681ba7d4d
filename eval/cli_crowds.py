"""`leitmotif eval representations` and `leitmotif eval questions` on the command line."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from agent.serve.commands.session import Home, Json, Session, column_map
from eval.options import Format, Mapping_, Out, Seed, Source
from eval.publish import publish, telling

Sample = Annotated[int, typer.Option("--users", metavar="N", min=1, help="A sample of the users.")]


def representations(
    ctx: typer.Context,
    path: Source,
    users: Sample = 300,
    llm: Annotated[bool, typer.Option("--llm", help="Statements and portraits of the LLM, too.")] = False,
    seed: Seed = 0,
    source_format: Format = "auto",
    mapping: Mapping_ = None,
    out: Out = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Compare ways to write a user as text.

    Words, event texts, statements, a portrait: do texts of one planted interest fall together, and does the next item stand
    near. Statements and portraits are the plain ones; with --llm, those that the LLM writes are compared with them. See
    docs/eval.md.

    \b
    Example: leitmotif eval representations retrieval/sample
    """
    from agent.gate import Tally
    from agent.writer import Writer
    from eval.representations import measure, planted
    from eval.results import to_json
    from eval.workshop import Workshop

    session = Session(ctx, as_json, home)
    shop = Workshop(session.settings, datetime.now(UTC))
    with telling() as tell:
        material = shop.material(shop.load(path, source_format, column_map(mapping or []), None, seed), tell)
        interests = planted(path / "planted.json", material.dataset.items)
        embed, samples = shop.embedder.embed, session.settings.profile.samples
        writer = Writer(shop.llm, embed, samples, Tally()) if llm else None
        found = measure(material, shop.embedder, interests, sample=users, seed=seed, writer=writer)
    publish(session, to_json(found), out)


def questions(
    ctx: typer.Context,
    path: Source,
    users: Sample = 300,
    simulate: Annotated[
        int, typer.Option("--simulate", metavar="N", min=0, help="So many people, made from planted interests.")
    ] = 0,
    seed: Seed = 0,
    source_format: Format = "auto",
    mapping: Mapping_ = None,
    out: Out = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Measure what one question is worth.

    Strangers describe themselves, answer the question that tells most, a random one or one on the largest community, and are
    ranked for again; and what their like chose is tried as a channel. No LLM is used. See docs/eval.md.

    \b
    Example: leitmotif eval questions retrieval/sample --simulate 300
    """
    from eval.questions import Run
    from eval.results import to_json
    from eval.workshop import Workshop

    session = Session(ctx, as_json, home)
    shop = Workshop(session.settings, datetime.now(UTC))
    with telling() as tell:
        if simulate:
            from eval.simulated import people

            dataset = people(path, simulate, seed, shop.now)
        else:
            dataset = shop.load(path, source_format, column_map(mapping or []), None, seed)
        found = asyncio.run(Run(shop, dataset, users, seed, tell).document())
    publish(session, to_json(found), out)
