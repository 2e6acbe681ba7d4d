"""rollback, and what `themes` shows beside the themes: differences and other groupings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from agent.errors import UsageError
from agent.serve import render
from agent.serve.commands.session import Home, Json, Session, moment
from agent.serve.schemas import ProfileOut

if TYPE_CHECKING:
    from agent.service import Service


def rollback(
    ctx: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", help="User id.")],
    version: Annotated[int, typer.Argument(metavar="VERSION", min=1, help="As listed by `themes USER --history`.")],
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Go back to an earlier version of a profile.

    Its statements, names and portrait become a new version; nothing is lost, so a rollback can be rolled back. What was
    written differently since is not written again until new events change it. Needs no LLM.

    \b
    Example: leitmotif rollback ann 3
    """
    session = Session(ctx, as_json, home)
    with session.service() as service:
        out = ProfileOut.model_validate(service.lives(user).rollback(user, version, datetime.now(UTC)))
    session.show(out, render.profile(out))


def difference(session: Session, service: Service, user: str, moments: tuple[str, str]) -> None:
    """`themes USER --diff FROM TO`."""
    from agent.serve import histories

    out = histories.diff(service.lives(user).compare(user, *(moment(text) for text in moments)))
    session.show(out, histories.show_diff(out))


def grouping(session: Session, service: Service, user: str, algorithm: str) -> None:
    """`themes USER --algorithm NAME`."""
    from agent.serve import histories
    from retrieval.clustering import ALGORITHMS

    known = next((name for name in ALGORITHMS if name == algorithm), None)
    if known is None:
        raise UsageError(f"no algorithm {algorithm!r}", hint=f"choose among {', '.join(ALGORITHMS)}")
    profile, _ = service.themes(user)
    out = histories.grouping(profile, service.lives(user).grouping(user, known))
    session.show(out, histories.show_grouping(out))
