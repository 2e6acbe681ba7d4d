"""`leitmotif eval`: every figure that this project publishes, made again by one command.

    leitmotif eval rank path/to/ml-latest-small
    leitmotif eval report

The command line finds this group through the entry point `leitmotif.commands`, so that nothing in `agent` imports `eval`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.serve.commands.session import Home, Json, Session, column_map
from eval.cli_control import control
from eval.cli_crowds import questions, representations
from eval.cli_reasons import explanations
from eval.cli_refresh import refresh
from eval.cli_robustness import robustness
from eval.cli_sensitive import sensitive
from eval.cli_themes import themes
from eval.cli_writing import writing
from eval.options import Candidates, Format, LLMUsers, Mapping_, Out, Protocol, Seed, Source, Systems, Users, Weights
from eval.publish import names, publish, telling

if TYPE_CHECKING:
    from eval.cases import System
    from eval.material import Material
    from eval.workshop import Workshop

app = typer.Typer(
    help="Measure: ranking, and what it is made of.\n\nExample: leitmotif eval rank retrieval/sample",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def rank(
    ctx: typer.Context,
    path: Source,
    candidates: Candidates = None,
    protocol: Protocol = "uniform",
    users: Users = None,
    seed: Seed = 0,
    systems: Systems = None,
    llm_users: LLMUsers = 300,
    weights: Weights = None,
    source_format: Format = "auto",
    mapping: Mapping_ = None,
    out: Out = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Rank each user's last item among others.

    The last item of each user is taken out; profiles, counts and weights see only what came before. Weights of the fusion
    are learnt on other users. Interrupted runs go on where they stopped. See docs/eval.md.

    \b
    Example: leitmotif eval rank retrieval/sample
             leitmotif eval rank Games.test.inter --candidates Games.random --json
    """
    from eval.rank import SYSTEMS, Request, Run
    from eval.written import written
    from retrieval.fusion import SHIPPED

    session = Session(ctx, as_json, home)
    columns = column_map(mapping or [])
    rest = (weights or SHIPPED, source_format, columns)
    request = Request(path, candidates, protocol, users, seed, names(systems) or SYSTEMS, llm_users, *rest)
    shop = _workshop(session)
    fits = shop.settings.recommend.asks == "fits" and shop.llm.settings.tuned
    with telling() as tell:
        profiles = partial(written, shop, tell=tell) if fits else None
        run = Run(request, shop.embedder, shop.llm, shop.folder, shop.now, tell, profiles)
        document = asyncio.run(run.document())
    publish(session, document, out)


@app.command()
def llm(
    ctx: typer.Context,
    path: Source,
    users: Annotated[int, typer.Option("--users", metavar="N", min=1, help="A sample of the users.")] = 100,
    variants: Annotated[
        str | None, typer.Option("--variants", metavar="A,B,...", help="Ways to ask; default: all of them.")
    ] = None,
    seed: Seed = 0,
    source_format: Format = "auto",
    mapping: Mapping_ = None,
    out: Out = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Rank with the LLM alone, asked in every way.

    \b
    Example: leitmotif eval llm retrieval/sample
    """
    from eval.ways import Ways

    session = Session(ctx, as_json, home)
    chosen = names(variants)
    shop = _workshop(session)
    with telling() as tell:
        dataset = shop.load(path, source_format, column_map(mapping or []), users, seed)
        publish(session, asyncio.run(Ways(dataset, shop, seed, tell).document(chosen)), out)


@app.command()
def recall(
    ctx: typer.Context,
    path: Source,
    users: Users = None,
    seed: Seed = 0,
    source_format: Format = "auto",
    mapping: Mapping_ = None,
    out: Out = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Measure retrieval by itself.

    Is the item that came next among the first 50, 100, 200 of each channel, and of all together?

    \b
    Example: leitmotif eval recall retrieval/sample
    """
    from eval import recall as measured
    from eval.results import to_json
    from eval.workshop import chroma
    from retrieval.fusion import load_weights

    session = Session(ctx, as_json, home)
    shop = _workshop(session)
    with telling() as tell:
        material = shop.material(shop.load(path, source_format, column_map(mapping or []), None, seed), tell)
        weights = load_weights().among(material.signals.people)
        with chroma(material) as index:
            found = measured.measure(
                material, lambda _: weights, chroma=index, sample=users, seed=seed, progress=partial(tell, "recall")
            )
    publish(session, to_json(found), out)


@app.command()
def profiles(
    ctx: typer.Context,
    path: Source,
    users: Annotated[int, typer.Option("--users", metavar="N", min=1, help="A sample of the users.")] = 60,
    systems: Systems = None,
    junk: Annotated[int, typer.Option("--junk", metavar="N", min=0, help="Junk histories of each kind.")] = 8,
    planted: Annotated[
        Path | None, typer.Option("--planted", metavar="FILE", help="Planted interests; default: beside DATASET.")
    ] = None,
    seed: Seed = 0,
    source_format: Format = "auto",
    mapping: Mapping_ = None,
    out: Out = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Judge written statements, ours and those of rivals.

    How many claims the evidence supports, how many interests are found, and what is said of junk; and how much likelier
    the next item is with our profile. See docs/eval.md.

    \b
    Example: leitmotif eval profiles retrieval/sample
             leitmotif eval profiles retrieval/sample --systems leitmotif --junk 0
    """
    from eval.authors import SYSTEMS
    from eval.profiles import Request, beside, document

    session = Session(ctx, as_json, home)
    shop = _workshop(session)
    with telling() as tell:
        dataset = shop.load(path, source_format, column_map(mapping or []), users, seed)
        request = Request(dataset, names(systems) or SYSTEMS, junk, planted or beside(path), seed)
        found = asyncio.run(document(request, shop, tell))
    publish(session, found, out)


app.command()(control)
app.command()(explanations)
app.command()(questions)
app.command()(refresh)
app.command()(representations)
app.command()(robustness)
app.command()(sensitive)
app.command()(themes)
app.command()(writing)


@app.command("cold-start")
def cold_start(
    ctx: typer.Context,
    path: Source,
    users: Annotated[int, typer.Option("--users", metavar="N", min=1, help="Strangers, a sample of the users.")] = 500,
    seed: Seed = 0,
    source_format: Format = "auto",
    mapping: Mapping_ = None,
    out: Out = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Measure strangers and beginners.

    Strangers describe themselves; ranking gets better with each event that is known of somebody.

    \b
    Example: leitmotif eval cold-start retrieval/sample
    """
    from eval import strangers
    from eval.results import to_json
    from retrieval.fusion import load_weights

    session = Session(ctx, as_json, home)
    shop = _workshop(session)
    with telling() as tell:
        material = shop.material(shop.load(path, source_format, column_map(mapping or []), None, seed), tell)
        asked = (shop.embedder, shop.llm, load_weights(), shop.folder)
        ranked = strangers.run(material, _curves(material, seed), *asked, sample=users, seed=seed, progress=tell)
        found = asyncio.run(ranked)
    publish(session, to_json(found), out)


@app.command()
def report(
    ctx: typer.Context,
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[RESULT.json]...", help="Default: those of the last report.")
    ] = None,
    html: Annotated[Path, typer.Option("--html", metavar="FILE", help="The page to write.")] = Path("eval.html"),
    readme: Annotated[
        Path | None, typer.Option("--readme", metavar="FILE", help="Put three tables between the marks in this file.")
    ] = None,
    tables: Annotated[
        Path | None, typer.Option("--tables", metavar="FILE", help="Write all tables to this file.")
    ] = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Make one page of all results, with plots.

    It needs no network. With --readme, the tables of a README are made anew as well, and with --tables a page of all.

    \b
    Example: leitmotif eval report --html eval.html
    """
    from eval import report as made

    session = Session(ctx, as_json, home)
    documents = made.load(paths or sorted(made.RESULTS.glob("*.json")))
    html.write_text(made.page(documents), encoding="utf-8")
    if readme is not None:
        text = readme.read_text(encoding="utf-8")
        readme.write_text(made.include(text, made.markdown(made.for_readme(documents))), encoding="utf-8")
    if tables is not None:
        tables.write_text(made.tables(documents), encoding="utf-8")
    if session.as_json:
        sys.stdout.write(json.dumps({"page": html.name, "documents": len(documents)}) + "\n")
    else:
        session.note(f"{html} shows {len(documents)} results")


def _curves(material: Material, seed: int) -> list[System]:
    """The systems whose growth with each known event is shown."""
    from eval.baselines import make
    from eval.systems import ZERO_SHOT, Fused
    from retrieval.fusion import load_weights

    ours = {"zero_shot": ZERO_SHOT, "full_default": load_weights().among(material.signals.people)}
    return [
        *(make(name, material.dataset, material.index, seed) for name in ("pop", "bm25", "itemknn", "als")),
        *(Fused(name, material.signals, [weights]) for name, weights in ours.items()),
    ]


def _workshop(session: Session) -> Workshop:
    from eval.workshop import Workshop

    return Workshop(session.settings, datetime.now(UTC))
