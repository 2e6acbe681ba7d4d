"""`leitmotif eval writing`: what the model writes before any check repairs it. eval/cli.py takes the command up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.errors import UsageError
from agent.serve.commands.session import Home, Json, Session
from eval.options import Seed
from eval.publish import publish, telling


def writing(
    ctx: typer.Context,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Ask the LLM; raw answers go here, what is there stays."),
    ] = None,
    answers: Annotated[
        Path | None, typer.Option("--answers", metavar="FILE", help="Measure these raw answers; no LLM is needed.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option("--against", metavar="FILE", help="Raw answers to compare with, input by input.")
    ] = None,
    each: Annotated[
        int | None, typer.Option("--each", metavar="N", min=1, help="At most N inputs of each group; default: all.")
    ] = None,
    blind: Annotated[
        Path | None, typer.Option("--blind", metavar="FILE", help="Write 150 pairs to read, whose hidden.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option("--labels", metavar="FILE", help="What --blind wrote, with its labels filled in.")
    ] = None,
    unscreened: Annotated[
        bool, typer.Option("--unscreened", help="Let the model read what the product would hold back, too.")
    ] = False,
    seed: Seed = 0,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Measure what the model writes, unrepaired.

    One answer to each of 3,225 inputs that nobody trained on. Two models are compared by their files. See docs/eval.md.

    \b
    Example: leitmotif eval writing --out base.jsonl
             leitmotif eval writing --answers tuned.jsonl --against base.jsonl --blind pairs.jsonl
    """
    session = Session(ctx, as_json, home)
    files = _Files(out, answers, against, blind, labels)
    files.check()
    publish(session, _measured(session, files, each, seed, screened=not unscreened), None)


@dataclass(frozen=True, slots=True)
class _Files:
    out: Path | None
    answers: Path | None
    against: Path | None
    blind: Path | None
    labels: Path | None

    def check(self) -> None:
        """Raises UsageError for files that do not go together."""
        if self.out and self.answers:
            raise UsageError("--out asks and --answers does not", hint="give one of them")
        source = self.out or self.answers
        if not (source or self.labels):
            raise UsageError("there is nothing to measure", hint="give --out, --answers or --labels")
        if self.against and not source:
            raise UsageError("there is nothing to compare with --against", hint="give --out or --answers")
        if self.blind and not self.against:
            raise UsageError("pairs need two files of answers", hint="give --against, too")


def _measured(session: Session, files: _Files, each: int | None, seed: int, *, screened: bool) -> dict[str, Any]:
    """What can be said of the files, after asking where that is wanted."""
    from eval.workshop import Workshop
    from eval.writing import blind as pairs
    from eval.writing.asking import ask, read
    from eval.writing.compare import document
    from eval.writing.ground import Bench
    from eval.writing.inputs import inputs, some

    found: dict[str, Any] = {"kind": "writing", "dataset": "labels", "measures": {}}
    if source := files.out or files.answers:
        shop = Workshop(session.settings, datetime.now(UTC))
        made = inputs(seed)
        bench = Bench(made, shop.embedder)
        other = read(files.against) if files.against else []
        if files.out:
            with telling() as tell:
                asked = some(made, seed, each) if each else made
                ours = asyncio.run(ask(shop.llm, asked, files.out, tell, screened=screened))
        else:
            ours = read(source)
        found = document(bench, ours, other, seed=seed)
        if files.blind:
            session.note(f"{pairs.draw(bench, ours, other, files.blind, seed=seed)} pairs in {files.blind.name}")
    if files.labels:
        found["measures"] |= pairs.preference(files.labels)
    return found
