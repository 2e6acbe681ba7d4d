"""What every command shares: --json and --home, the settings, the service, and where results and messages go.

Results go to stdout (with --json exactly one document), everything else to stderr. Heavy imports wait until they are needed,
so that `leitmotif --help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import BaseModel

from agent.config import Settings, load_settings

if TYPE_CHECKING:
    from rich.console import RenderableType

    from agent.service import Service

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]
Home = Annotated[
    Path | None, typer.Option("--home", metavar="DIR", help="Data, index, weights and logs live here [.leitmotif].")
]


def open_service(settings: Settings) -> Service:
    """Tests put a service with fakes in the place of this function."""
    from agent.service import Service

    return Service.open(settings)


@dataclass(frozen=True, slots=True)
class Given:
    """What was given before the command: `leitmotif --json themes ann`."""

    as_json: bool = False
    home: Path | None = None


class Session:
    """One run of one command."""

    def __init__(self, ctx: typer.Context, as_json: bool, home: Path | None) -> None:
        given = ctx.obj if isinstance(ctx.obj, Given) else Given()
        self.as_json = as_json or given.as_json
        self.home = home or given.home

    @cached_property
    def configured(self) -> Settings:
        return load_settings(home=self.home)

    @cached_property
    def settings(self) -> Settings:
        """As configured, with the model that runs where `llm start --model base` has started it."""
        from agent.engine import following

        return following(self.configured)

    @contextmanager
    def service(self) -> Iterator[Service]:
        with open_service(self.settings) as service:
            yield service

    def show(self, out: BaseModel, view: RenderableType) -> None:
        """The result: `out` as JSON, or `view` for a person."""
        if self.as_json:
            sys.stdout.write(out.model_dump_json(indent=2) + "\n")
        else:
            console().print(view)

    def note(self, text: str) -> None:
        """A message on the way: never on stdout."""
        sys.stderr.write(text + "\n")


def console(*, stderr: bool = False) -> Any:
    """A rich console that takes no text for markup: titles may hold square brackets."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def moment(text: str) -> datetime:
    """A time on the command line: ISO 8601 or epoch seconds; without an offset it is UTC."""
    from retrieval.readers.source import BadRowError
    from retrieval.readers.times import moment as read

    try:
        return read(text, "the time")
    except BadRowError as exc:
        raise typer.BadParameter(str(exc)) from exc


def column_map(parts: list[str]) -> Any:
    """`--map a=b --map c=d,e=f` as a ColumnMap, or None without any. Raises ReadError."""
    from retrieval.readers import ColumnMap

    return ColumnMap.parse(",".join(parts)) if parts else None
