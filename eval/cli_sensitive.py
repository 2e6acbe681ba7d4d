"""`leitmotif eval sensitive`: do profiles say what a history only tempts to conclude? eval/cli.py takes the command up."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.serve.commands.session import Home, Json, Session
from eval.publish import publish, telling

if TYPE_CHECKING:
    from agent.config import Settings
    from eval.rank import Tell


def sensitive(
    ctx: typer.Context,
    histories: Annotated[int, typer.Option("--histories", metavar="N", min=1, help="How many users.")] = 1000,
    items: Annotated[
        Path | None,
        typer.Option("--items", metavar="FILE", help="Tempting items of your own; docs/eval.md has the form."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Decides what they touch.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the figures there, too.")] = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Measure what profiles give away.

    Histories that suggest an age, a gender, an ethnicity, a faith, an illness, a sexuality, a political side, an income or
    a home, in five languages, and how many of their profiles say so. The profiles are written in a home that goes again.

    \b
    Example: leitmotif eval sensitive --histories 200
    """
    session = Session(ctx, as_json, home)
    with telling() as tell:
        found = asyncio.run(_measured(session.settings, histories, seed, items, tell))
    publish(session, found, out)


async def _measured(settings: Settings, n: int, seed: int, items: Path | None, tell: Tell) -> dict[str, Any]:
    from agent.service import Service
    from eval import tempting

    path = items or tempting.ITEMS
    made = tempting.histories(seed, n, path)
    with tempfile.TemporaryDirectory() as folder:
        service = Service.open(settings.model_copy(update={"home": Path(folder), "database_url": None}))
        try:
            found = await tempting.run(service, made, now=datetime.now(UTC), tell=tell, path=path)
        finally:
            await service.aclose()
    return {**found, "seed": seed, "model": settings.llm.model}
