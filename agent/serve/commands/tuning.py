"""tune: train an adapter for the embedded model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from agent.serve.commands.reports import TuneOut
from agent.serve.commands.session import Home, Json, Session


def tune(
    ctx: typer.Context,
    name: Annotated[str, typer.Option("--name", help="What to call the adapter.")] = "mine",
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Settings of the training.")] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Examples, one JSON object a line.")
    ] = None,
    steps: Annotated[int, typer.Option("--steps", min=-1, help="End after so many steps; -1 does not.")] = -1,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Train an adapter for the embedded model.

    On the project's own examples or on yours, on the CPU or a GPU. A run that was cut off goes on where it was. What comes out
    can be started with `LEITMOTIF_LLM__MODEL=leitmotif-smollm2-135m-NAME leitmotif llm start`.

    \\b
    Example: leitmotif tune --name mine
             leitmotif tune --name mine --data my-examples --config my-config.toml
    """
    from agent.tuning import examples, run, settings

    session = Session(ctx, as_json, home)
    done = run.tune(
        session.configured,
        name,
        config=config or settings.CONFIG,
        data=data or examples.DATA,
        most_steps=steps,
        progress=session.note,
    )
    out = TuneOut(model=done.model, adapter=str(done.adapter), weights=str(done.weights), **asdict(done.figures))
    told = (
        f"loss {out.first_loss:.2f} -> {out.train_loss:.2f}, dev {out.dev_loss:.3f}, {out.steps} steps in {out.seconds:.0f} s\n"
        f"start it with: LEITMOTIF_LLM__MODEL={out.model} leitmotif llm start"
    )
    session.show(out, told)
