"""tune, resample: train an adapter for the embedded model, and find more to train it on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from agent.serve.commands.reports import ResampleOut, TuneOut
from agent.serve.commands.session import Home, Json, Session

Data = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Examples, one JSON object a line.")]
More = Annotated[Path | None, typer.Option("--resampled", metavar="DIR", help="What `resample` has written.")]


def tune(
    ctx: typer.Context,
    name: Annotated[str, typer.Option("--name", help="What to call the adapter.")] = "mine",
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Settings of the training.")] = None,
    data: Data = None,
    resampled: More = None,
    start: Annotated[
        Path | None, typer.Option("--from", metavar="DIR", help="An adapter: only the last round of preferences on it.")
    ] = None,
    steps: Annotated[int, typer.Option("--steps", min=-1, help="End after so many steps; -1 does not.")] = -1,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Train an adapter for the embedded model.

    On the project's own examples or on yours, on the CPU or a GPU. A run that was cut off goes on. See docs/tune.md.

    \b
    Example: leitmotif tune --name mine
             leitmotif tune --name mine --data my-examples --config my-config.toml
    """
    from agent.tuning import examples, run, settings

    session = Session(ctx, as_json, home)
    lessons = examples.lessons(data, resampled)
    done = run.tune(
        session.configured,
        name,
        lessons,
        config=config or settings.CONFIG,
        most_steps=steps,
        start=start,
        progress=session.note,
    )
    out = TuneOut(model=done.model, adapter=str(done.adapter), weights=str(done.weights), **asdict(done.figures))
    told = (
        f"loss {out.first_loss:.2f} -> {out.train_loss:.2f}, dev {out.dev_loss:.3f}, {out.steps} steps in {out.seconds:.0f} s\n"
        f"start it with: LEITMOTIF_LLM__MODEL={out.model} leitmotif llm start"
    )
    session.show(out, told)


def resample(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the answers go.")],
    data: Data = None,
    share: Annotated[float, typer.Option("--share", min=0.001, max=10, help="Of the usual number of inputs.")] = 1.0,
    seed: Annotated[int, typer.Option("--seed", help="Other inputs.")] = 0,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Let the tuned model answer new inputs, and keep what holds.

    The second step of tuning. Inputs are put together out of training examples; of several answers to each, code keeps the one
    that says nothing but what the input holds and names most of it. The tuned model must run. See docs/tune.md.

    \b
    Example: leitmotif resample --out mine
             leitmotif tune --name mine --resampled mine
    """
    from agent.tuning import examples, run

    session = Session(ctx, as_json, home)
    found = run.resample(
        session.settings, out, data=data or examples.DATA, share=share, seed=seed, progress=session.note
    )
    session.show(
        ResampleOut(**asdict(found)), f"{found.kept} of {found.inputs} inputs have an answer in {found.folder}"
    )
