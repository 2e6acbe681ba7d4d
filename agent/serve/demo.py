"""The whole path once, on the sample data: engine, ingest, profiles over time, recommendations, a stranger, and a page.

The data lives in `<home>/demo`, apart from anything else in the home; the weights are shared. A second run finds what the
first one wrote, so only recommendations are asked for again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console

from agent import engine
from agent.config import Settings
from agent.errors import LeitmotifError
from agent.results import ColdStart, Failure
from agent.serve.progress import Tick, progress
from agent.serve.web.page import ColdStartView, Page, UserView, render
from agent.service import Service
from retrieval.records import Citation, Event, Profile, Recommendation

SAMPLE = Path(__file__).resolve().parents[2] / "retrieval" / "sample"
STRANGER = "I love slow-burn mysteries set in cold places, can't stand gore, and I'm learning Italian"
EACH = 5  # recommendations a person
SHOWN = ("mara", "owen", "orchard")  # people of the printed excerpt
CHECKPOINTS = (
    timedelta(days=120),
    timedelta(days=0),
)  # before the end of the data: twice, so that themes have a history


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What the report prints of one person: statements as (text, events, origin), recommendations as (title, reason)."""

    user: str
    portrait: str
    statements: tuple[tuple[str, int, str], ...]
    recommendations: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class DemoReport:
    """The figures of a run. Shares are in [0, 1]; `stages` and `seconds` in seconds; tokens are this run's, in and out."""

    users: int
    statements: int
    grounded_share: float
    model_share: float
    refused: Mapping[str, int]
    dropped: Mapping[str, int]
    themes: int
    recommendations: int
    reasons_valid_share: float
    llm_tokens: int
    stages: Mapping[str, float]
    seconds: float
    page: Path
    excerpts: tuple[Excerpt, ...] = ()


@dataclass(slots=True)
class _Clock:
    stages: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self.stages[name] = round(time.monotonic() - started, 1)


@dataclass(frozen=True, slots=True)
class _Person:
    profile: Profile
    recommendations: tuple[Recommendation, ...]


async def run(settings: Settings, *, console: Console, now: datetime) -> DemoReport:
    """Run everything and write `<home>/demo/report.html`. Stops the engine if it was not running before.

    `console` shows progress. Raises LeitmotifError where a piece is missing.
    """
    clock = _Clock()
    started, began = time.monotonic(), datetime.now(UTC)
    with clock.stage("engine"):
        # Not in a thread: Ctrl-C would leave it there to finish, and nobody would stop what it started.
        ours = _start_engine(settings, console)
    try:
        home = settings.home / "demo"
        with Service.open(settings.model_copy(update={"home": home, "database_url": None})) as service:
            people, cold = await _through(service, console, clock, now)
            tokens = service.llm_totals(since=began)
            with clock.stage("page"):
                page = home / "report.html"
                page.write_text(_page(service, people, cold, now), encoding="utf-8")
            spent = time.monotonic() - started
            return _report(service, people, tokens.tokens_in + tokens.tokens_out, clock.stages, spent, page)
    finally:
        if ours:
            engine.stop(settings)


def _start_engine(settings: Settings, console: Console) -> bool:
    """Start the embedded engine unless it runs or another server is configured; says whether it was started here."""
    status = engine.status(settings)
    if status.ready or not settings.llm.embedded or settings.llm.base_url != status.base_url:
        return False
    with console.status("starting the LLM") as spinner:
        engine.start(settings, spinner.update)
    return True


async def _through(service: Service, console: Console, clock: _Clock, now: datetime) -> tuple[list[_Person], ColdStart]:
    """All stages in order: what every person's profile and recommendations are, and the stranger's."""
    with clock.stage("ingest"):
        service.ingest(SAMPLE, now=now)
    with clock.stage("index"), progress("embedding items") as tick:
        service.prepare(tick)
    users = service.store.users()
    end = max(e.at for user in users for e in service.store.events(user, limit=1)) + timedelta(minutes=1)
    profiles: list[Profile | Failure] = []
    with clock.stage("profiles"):
        for before in CHECKPOINTS:
            with progress(f"profiles as of {end - before:%Y-%m-%d}") as tick:
                profiles = await service.profiles(users, now=end, as_of=end - before, progress=tick)
    with clock.stage("recommendations"), progress("recommendations") as tick:
        people = await _recommend(service, _sound(profiles), end, tick)
    with clock.stage("cold start"), console.status("a stranger"):
        cold = await service.cold_start(STRANGER, k=EACH, now=end)
    return people, cold


def _sound(profiles: list[Profile | Failure]) -> list[Profile]:
    for found in profiles:
        if isinstance(found, Failure):
            raise LeitmotifError(f"no profile of {found.user!r}: {found.error}", hint="run the demo again")
    return [p for p in profiles if isinstance(p, Profile)]


async def _recommend(service: Service, profiles: list[Profile], end: datetime, tick: Tick) -> list[_Person]:
    done = 0

    async def one(profile: Profile) -> _Person:
        nonlocal done
        found = await service.recommend(profile.user, k=EACH, now=end)
        done += 1
        tick(done, len(profiles))
        return _Person(found.profile, found.recommendations)

    return list(await asyncio.gather(*(one(profile) for profile in profiles)))


def _report(
    service: Service, people: list[_Person], tokens: int, stages: Mapping[str, float], seconds: float, page: Path
) -> DemoReport:
    statements = [s for p in people for s in p.profile.statements]
    recs = [(p, r) for p in people for r in p.recommendations]
    valid = [r for p, r in recs if r.reason and all(_cites(service, p.profile, c) for c in r.citations) and r.citations]
    return DemoReport(
        users=len(people),
        statements=len(statements),
        grounded_share=_share(sum(service.grounded(p.profile) for p in people), len(statements)),
        model_share=_share(sum(s.origin == "model" for s in statements), len(statements)),
        refused=dict(service.tally.refused),
        dropped=dict(service.tally.dropped),
        themes=sum(t.active for p in people for t in p.profile.themes),
        recommendations=len(recs),
        reasons_valid_share=_share(len(valid), len(recs)),
        llm_tokens=tokens,
        stages=stages,
        seconds=round(seconds, 1),
        page=page,
        excerpts=tuple(_excerpt(service, p) for p in people if p.profile.user in SHOWN),
    )


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 1.0


def _cites(service: Service, profile: Profile, citation: Citation) -> bool:
    """Do the cited events exist, name the cited items, and belong to the cited statement, if one is cited?"""
    statement = profile.statement(citation.statement)
    of_statement = not citation.statement or (statement and set(citation.events) <= set(statement.evidence))
    events = service.store.events_by_id(profile.user, citation.events)
    items = {e.item for e in events.values()}
    return bool(of_statement) and len(events) == len(citation.events) and set(citation.items) <= items


def _excerpt(service: Service, person: _Person) -> Excerpt:
    titles = service.store.items([r.item for r in person.recommendations])
    return Excerpt(
        person.profile.user,
        person.profile.portrait,
        tuple((s.text, len(s.evidence), s.origin.value) for s in person.profile.statements),
        tuple((titles[r.item].title, r.reason) for r in person.recommendations[:3]),
    )


def _page(service: Service, people: list[_Person], cold: ColdStart, now: datetime) -> str:
    statements = sum(len(p.profile.statements) for p in people)
    figures = (
        ("people", str(len(people))),
        ("statements", str(statements)),
        ("themes", str(sum(t.active for p in people for t in p.profile.themes))),
        ("recommendations", str(sum(len(p.recommendations) for p in people))),
    )
    stranger = ColdStartView(STRANGER, cold, service.store.items([r.item for r in cold.recommendations]))
    views = tuple(_view(service, p) for p in people)
    return render(Page("Leitmotif: the demo", now, figures, views, stranger))


def _view(service: Service, person: _Person) -> UserView:
    profile = person.profile
    events: Mapping[str, Event] = service.store.events_by_id(
        profile.user, {e for s in profile.statements for e in s.evidence}
    )
    wanted = {r.item for r in person.recommendations} | {e.item for e in events.values() if e.item is not None}
    steps = service.store.theme_events(profile.user)
    course = service.parts.profiler.course(profile, service.control.marks(profile).silent)
    return UserView(profile, steps, person.recommendations, service.store.items(wanted), events, course)
