"""ingest, fit, export, forget: data in, what is learnt from it, data out, data gone."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from agent.errors import UsageError
from agent.serve import edge, render
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

    Items are what can be recommended, events what people did. A row that cannot be used is refused with its line and the
    reason (status 1 if all are); the rest goes in, in one transaction. Reading it twice changes nothing. See docs/ingest.md.

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
    raise typer.Exit(edge.FAILED if summary.nothing_taken else edge.DONE)


def fit(
    ctx: typer.Context,
    negatives: Annotated[
        int, typer.Option("--negatives", min=1, help="Items never touched beside each taken one.")
    ] = 19,
    per_user: Annotated[int, typer.Option("--per-user", min=1, help="Latest items of a user to learn from.")] = 3,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of what is drawn by chance.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Keep what was learnt even if it ranks worse.")] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Return to the shipped weights and learn nothing.")] = False,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Learn from all events how to rank.

    How much each kind of evidence counts, learnt from what people here liked last. What was learnt is compared with the
    shipped weights on people it has not seen, and kept unless it is clearly worse. No LLM is needed. A server that runs
    takes it up when it is started again.

    \b
    Example: leitmotif fit
             leitmotif fit --reset
    """
    from agent.fitting import Lesson
    from agent.serve import present

    session = Session(ctx, as_json, home)
    with session.service() as service:
        if reset:
            out = present.reset(service.reset_weights())
        else:
            with progress("indexing items") as tick:
                service.prepare(tick)
            session.note("learning; this takes about a minute for every hundred thousand events")
            found = service.fit(Lesson(negatives, per_user, seed), now=datetime.now(UTC), force=force)
            out = present.fit(found)
    session.show(out, out.message)


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
    events: Annotated[
        list[str] | None, typer.Option("--event", metavar="ID", help="Only this event, and what leaned on it.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Erase a user for good, or single events of theirs.

    Events, statements, themes, vectors, and the bytes in the database files. Of a user only a salted hash stays, so
    that a later ingest does not bring them back. With --event, statements and themes that leaned on it go at once, and
    the next profile is made without it.

    \b
    Example: leitmotif forget ann --yes
             leitmotif forget ann --event e-17 --yes
    """
    session = Session(ctx, as_json, home)
    if not yes:
        _confirm(f"everything about {user}" if not events else f"{len(events)} events of {user}")
    with session.service() as service:
        report = service.lives(user).withdraw(user, events) if events else service.forget(user)
    out = ForgetOut(user=user, rows=dict(report.rows), scrubbed=report.scrubbed)
    session.show(out, render.forget(out))


def _confirm(what: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError("forget asks before it erases, and nobody is there to answer", hint="say --yes")
    if not typer.confirm(f"Erase {what}?", err=True):
        sys.stderr.write("nothing was erased\n")
        raise typer.Exit(1)
