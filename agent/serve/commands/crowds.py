"""communities, ask, answer: what many people like, and the one question worth asking."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from agent.errors import NotFoundError, UsageError
from agent.serve import communities as shape
from agent.serve import render_crowds
from agent.serve.commands.people import Who
from agent.serve.commands.session import Home, Json, Session
from retrieval.records import Reply

communities = typer.Typer(
    help="What many people like.\n\nExample: leitmotif communities build", no_args_is_help=True, rich_markup_mode=None
)


@communities.command()
def build(
    ctx: typer.Context,
    anew: Annotated[
        bool, typer.Option("--anew", help="Look for all of them anew; those that are alike keep their id.")
    ] = False,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Find communities, or bring them up to date.

    From the themes of all stored profiles, going on from the last ones, whose ids stay. Who was erased is in nothing that
    comes of it. New ones are named by the LLM; without one, from what their members share.

    \b
    Example: leitmotif communities build
    """
    session = Session(ctx, as_json, home)
    with session.service() as service:
        asyncio.run(service.parts.crowds.refresh(datetime.now(UTC), anew=anew))
        out = shape.communities(service)
    session.show(out, render_crowds.communities(out))


@communities.command("list")
def list_(ctx: typer.Context, as_json: Json = False, home: Home = None) -> None:
    """List the communities as last counted.

    Largest first. Communities of fewer people than the setting communities.least are nowhere.

    \b
    Example: leitmotif communities list
    """
    session = Session(ctx, as_json, home)
    with session.service() as service:
        out = shape.communities(service)
    session.show(out, render_crowds.communities(out))


@communities.command()
def show(
    ctx: typer.Context,
    community: Annotated[int, typer.Argument(metavar="ID", help="Community id.")],
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Show one community.

    What its members share, what most of them chose, and its size over time.

    \b
    Example: leitmotif communities show 3
    """
    session = Session(ctx, as_json, home)
    with session.service() as service:
        out = shape.communities(service, community)
    if not out.communities:
        raise NotFoundError(f"no community {community}", hint="`leitmotif communities list` shows them")
    session.show(out.communities[0], render_crowds.community(out.communities[0]))


def ask(
    ctx: typer.Context,
    user: Annotated[str | None, typer.Argument(metavar="[USER]", help="User id.")] = None,
    about: Annotated[
        str | None, typer.Option("--about", metavar="TEXT", help="A stranger, in their own words.")
    ] = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Ask the one question that tells most.

    The one whose answer is expected to tell most about what to recommend, and why. `leitmotif answer` takes the answer. Of a
    stranger nothing is stored.

    \b
    Example: leitmotif ask ann
             leitmotif ask --about "I love slow mysteries"
    """
    session = Session(ctx, as_json, home)
    if (user is None) == (about is None):
        raise UsageError("name a user, or give a stranger's words with --about")
    with session.service() as service:
        asking = service.parts.asking
        if user is not None:
            out = shape.ask(user, asking.question(user))
        else:
            out = shape.ask(None, *asyncio.run(asking.question_for(about or "", datetime.now(UTC))))
    session.show(out, render_crowds.question(out))


def answer(
    ctx: typer.Context,
    user: Who,
    community: Annotated[int, typer.Argument(metavar="ID", help="The community that was asked about.")],
    reply: Annotated[Reply, typer.Argument(help="What they say.")],
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Record the answer to a question.

    A yes or no becomes a statement of the user's own, which nothing overrules. It is not asked again, after a skip neither.

    \b
    Example: leitmotif answer ann 3 yes
    """
    session = Session(ctx, as_json, home)
    with session.service() as service:
        said = service.parts.asking.answer(user, community, reply, datetime.now(UTC))
    out = shape.answer(user, community, reply, said)
    session.show(out, render_crowds.answered(out))
