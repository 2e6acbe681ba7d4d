"""ingest, export, forget: data in, data out, data gone."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from agent.errors import UsageError
from agent.serve import render
from agent.serve.commands.people import Who
from agent.serve.commands.session import Home, Json, Session, column_map
from agent.serve.progress import progress
from agent.serve.schemas import ForgetOut


def ingest(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A file, or a folder of files that belong together.")],
    source_format: Annotated[
        str,
        typer.Option(
            "--format", metavar="FORMAT", help="auto, jsonl, csv, tsv, parquet, movielens or recbole; auto looks."
        ),
    ] = "auto",
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="FIELD=COLUMN,...", help="Our field = your column or :constant. Repeatable."),
    ] = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Take in items and events from a file or folder.

    Items are what can be recommended, events what people did. A row that cannot be used is refused with its line and
    the reason; the rest goes in, in one transaction. Reading the same data twice changes nothing. See docs/ingest.md.

    \b
    Example: leitmotif ingest retrieval/sample
             leitmotif ingest log.csv --map user=uid,item=sku,at=when --map kind=:purchase
    """
    from agent.serve import present

    session = Session(ctx, as_json, home)
    columns = column_map(mapping or [])
    with session.service() as service, progress("rows") as tick:
        summary = service.ingest(
            path,
            now=datetime.now(UTC),
            source_format=source_format,
            columns=columns,
            progress=lambda rows: tick(rows, None),
        )
        out = present.ingest(summary, service.counts())
    session.show(out, render.ingest(out))


def export(ctx: typer.Context, user: Who, as_json: Json = False, home: Home = None) -> None:
    """Print all that is stored about a user, as JSON.

    \b
    Example: leitmotif export ann > ann.json
    """
    from agent.serve import present

    session = Session(ctx, as_json, home)
    with session.service() as service:
        out = present.export(service, user)
    sys.stdout.write(out.model_dump_json(indent=2) + "\n")


def forget(
    ctx: typer.Context,
    user: Who,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Erase a user for good.

    Events, statements, themes, vectors, and the bytes in the database files. Only a salted hash stays, so that a
    later ingest does not bring them back.

    \b
    Example: leitmotif forget ann --yes
    """
    session = Session(ctx, as_json, home)
    if not yes:
        _confirm(user)
    with session.service() as service:
        report = service.forget(user)
    out = ForgetOut(user=user, rows=dict(report.rows), scrubbed=report.scrubbed)
    session.show(out, render.forget(out))


def _confirm(user: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError("forget asks before it erases, and nobody is there to answer", hint="say --yes")
    if not typer.confirm(f"Erase everything about {user}?", err=True):
        sys.stderr.write("nothing was erased\n")
        raise typer.Exit(1)
