"""The command `leitmotif`: every verb of the service, for people and (--json) for scripts. See docs/cli.md.

leitmotif --help
python -m agent.serve.cli --help        the same from a checkout
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Annotated

import typer
from typer.main import get_command

from agent.serve import edge
from agent.serve.commands import answers, crowds, data, edits, history, machine, people, tuning
from agent.serve.commands.session import Given, Home, Json

app = typer.Typer(
    name="leitmotif",
    add_completion=False,
    rich_markup_mode=None,  # plain help: quick to load, and the same at any width
    pretty_exceptions_enable=False,
)
app.command()(machine.doctor)
app.add_typer(machine.llm, name="llm")
app.command()(data.ingest)
app.command()(data.fit)
app.command()(people.profile)
app.command()(people.themes)
app.command()(history.rollback)
app.command()(answers.recommend)
app.command("cold-start")(answers.cold_start)
app.command()(people.why)
app.command()(answers.feedback)
app.add_typer(edits.app, name="edit")
app.add_typer(crowds.communities, name="communities")
app.command()(crowds.ask)
app.command()(crowds.answer)
app.command()(data.export)
app.command()(data.forget)
app.command()(machine.serve)
app.command()(machine.demo)
app.command()(tuning.tune)
app.command()(tuning.resample)
for plugin in sorted(entry_points(group="leitmotif.commands")):
    app.add_typer(plugin.load(), name=plugin.name)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"leitmotif {machine.version()}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    as_json: Json = False,
    home: Home = None,
    version: Annotated[  # noqa: ARG001  the callback answers
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Leitmotif turns what people do into what they like, in words that can be checked.

    Results go to stdout, messages and progress to stderr. Exit codes: 0 done, 1 failed, 2 bad usage or input.
    Settings come from options, then LEITMOTIF_* variables, then leitmotif.toml.

    \b
    Start: leitmotif doctor
           leitmotif llm start
           leitmotif ingest retrieval/sample
           leitmotif profile --all
           leitmotif recommend mara
    """
    ctx.obj = Given(as_json, home)
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help(), err=as_json)
        raise typer.Exit(edge.USAGE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and answer with its exit code."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    command = get_command(app)
    return edge.run(lambda: command.main(argv, prog_name="leitmotif", standalone_mode=False), argv)


if __name__ == "__main__":
    sys.exit(main())
