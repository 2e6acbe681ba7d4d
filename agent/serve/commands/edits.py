"""edit: what the owner of a profile says about it. It beats inference and survives every rebuild; no LLM is asked."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from agent.serve import edits as shapes
from agent.serve import render_edits as render
from agent.serve.commands.people import Who
from agent.serve.commands.session import Home, Json, Session
from agent.serve.progress import progress
from retrieval.records import EditKind, Polarity

app = typer.Typer(
    help="Correct a profile: the owner's word beats inference.\n\nExample: leitmotif edit mute ann t-1f0c9d2e4b",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Target = Annotated[str, typer.Argument(metavar="TARGET", help="Statement id or theme id.")]
Text = Annotated[str, typer.Argument(metavar="TEXT", help="In their own words.")]
Side = Annotated[bool | None, typer.Option("--like/--dislike", help="Where the words do not tell it [--like].")]
Sensitive = Annotated[
    bool, typer.Option("--allow-sensitive", help="Keep what they say of their health, faith, age and so on, too.")
]
Try = Annotated[bool, typer.Option("--preview", help="Only show what would rise and fall; store nothing.")]
HowMany = Annotated[int, typer.Option("-k", min=1, max=100, help="How many recommendations a preview compares.")]


@app.command()
def add(
    ctx: typer.Context,
    user: Who,
    text: Text,
    side: Side = None,
    allow_sensitive: Sensitive = False,
    preview: Try = False,
    k: HowMany = 10,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Add a statement in the owner's words.

    One taste, like "old radio plays" or "I can't stand gore". An opposite inference gives way to it and stays as history.

    \b
    Example: leitmotif edit add ann "slow mysteries set in cold places"
             leitmotif edit add ann "I used to like horror, now I avoid it" --preview
    """
    said = shapes.EditIn(kind=EditKind.ADD, text=_short(text), polarity=_side(side), allow_sensitive=allow_sensitive)
    _run(Session(ctx, as_json, home), user, said, preview, k)


@app.command()
def reword(
    ctx: typer.Context,
    user: Who,
    target: Target,
    text: Text,
    side: Side = None,
    allow_sensitive: Sensitive = False,
    preview: Try = False,
    k: HowMany = 10,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Put a statement, or the name of a theme, in other words.

    A reworded statement keeps its evidence, and takes the place of what inference says of the same acts.

    \b
    Example: leitmotif edit reword ann s-1f0c9d2e4b6a "bleak northern crime"
    """
    words = {"text": _short(text), "polarity": _side(side), "allow_sensitive": allow_sensitive}
    said = shapes.EditIn(kind=EditKind.REWORD, target=target, **words)
    _run(Session(ctx, as_json, home), user, said, preview, k)


@app.command()
def delete(
    ctx: typer.Context,
    user: Who,
    target: Target,
    preview: Try = False,
    k: HowMany = 10,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Take a statement or theme out for good.

    It leaves the profile, its past versions, reasons and prompts. Inference never brings it back; when three new things
    speak for it, the profile asks.

    \b
    Example: leitmotif edit delete ann s-1f0c9d2e4b6a
    """
    _run(Session(ctx, as_json, home), user, shapes.EditIn(kind=EditKind.DELETE, target=target), preview, k)


@app.command()
def mute(
    ctx: typer.Context,
    user: Who,
    target: Target,
    preview: Try = False,
    k: HowMany = 10,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Keep a statement or theme, but recommend nothing for it.

    The others stay in their order. Of a dislike: it holds nothing back any more.

    \b
    Example: leitmotif edit mute ann t-1f0c9d2e4b --preview
    """
    _run(Session(ctx, as_json, home), user, shapes.EditIn(kind=EditKind.MUTE, target=target), preview, k)


@app.command()
def pin(ctx: typer.Context, user: Who, target: Target, as_json: Json = False, home: Home = None) -> None:
    """Keep a statement or theme, whatever inference says later.

    \b
    Example: leitmotif edit pin ann t-1f0c9d2e4b
    """
    _run(Session(ctx, as_json, home), user, shapes.EditIn(kind=EditKind.PIN, target=target), False, 1)


@app.command()
def boost(
    ctx: typer.Context,
    user: Who,
    target: Target,
    preview: Try = False,
    k: HowMany = 10,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Give a statement or theme twice its places.

    Among the recommendations, and two at least; the others stay in their order.

    \b
    Example: leitmotif edit boost ann t-1f0c9d2e4b --preview
    """
    _run(Session(ctx, as_json, home), user, shapes.EditIn(kind=EditKind.BOOST, target=target), preview, k)


@app.command()
def clear(ctx: typer.Context, user: Who, target: Target, as_json: Json = False, home: Home = None) -> None:
    """Take back a mute, a pin or a boost.

    \b
    Example: leitmotif edit clear ann t-1f0c9d2e4b
    """
    _run(Session(ctx, as_json, home), user, shapes.EditIn(kind=EditKind.CLEAR, target=target), False, 1)


@app.command()
def answer(
    ctx: typer.Context,
    user: Who,
    number: Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="Of the deletion, as `edit list` shows it.")],
    says: Annotated[Literal["yes", "no"], typer.Argument(help="May it come back?")],
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Say whether what was deleted may come back.

    With yes, the next profile may say it again (this also takes back a deletion that nobody asked about). With no, only
    what is new from now on can raise the question again.

    \b
    Example: leitmotif edit answer ann 3 no
    """
    kind = EditKind.RESTORE if says == "yes" else EditKind.REFUSE
    _run(Session(ctx, as_json, home), user, shapes.EditIn(kind=kind, target=str(number)), False, 1)


@app.command("list")
def list_(ctx: typer.Context, user: Who, as_json: Json = False, home: Home = None) -> None:
    """Show all edits, what holds, and open questions.

    Also the statements that others took the place of.

    \b
    Example: leitmotif edit list ann
    """
    session = Session(ctx, as_json, home)
    with session.service() as service:
        out = shapes.owned(user, service.control.owned(user))
    session.show(out, render.owned(out))


def _run(session: Session, user: str, said: shapes.EditIn, preview: bool, k: int) -> None:
    now = datetime.now(UTC)
    with session.service() as service:
        if preview:
            with progress("indexing items") as tick:
                service.prepare(tick)
            found = asyncio.run(service.control.preview(user, shapes.wish(said), now=now, k=k))
            shown = shapes.preview(service, found)
            session.show(shown, render.preview(shown))
            return
        out = shapes.edited(asyncio.run(service.control.edit(user, shapes.wish(said), now=now)))
    session.show(out, render.edited(out))


def _side(likes: bool | None) -> Polarity | None:
    return None if likes is None else Polarity.LIKE if likes else Polarity.DISLIKE


def _short(text: str) -> str:
    """A text of any length comes as far as the check that names the problem; the model would refuse it less clearly."""
    from agent.errors import UsageError

    if len(text) > shapes.MOST_TEXT:
        raise UsageError(f"the text is longer than {shapes.MOST_TEXT} characters", hint="say it in fewer words")
    return text
