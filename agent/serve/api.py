"""The HTTP service. No logic of its own: read the request, call the service, shape the answer.

    app = create_app(load_settings())
    uvicorn.run(app, host="127.0.0.1", port=8000)      # what `leitmotif serve` does

Everything runs in the one event loop that the service's LLM client belongs to. Only what touches nothing but the store, which
may be used from several threads, goes to a thread: taking rows in, export, and forgetting, which can rewrite a large file.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, FastAPI, Path, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from agent.coldstart import MOST_CHARS
from agent.config import Settings
from agent.errors import NotFoundError
from agent.serve import edits, health, histories, history_api, present, reasons, rows, schemas
from agent.serve.community_routes import router as community_router
from agent.serve.depends import Now, Open, User
from agent.serve.examples import describe, documented
from agent.serve.incoming import In
from agent.serve.limits import LOOPBACK, PAGE_HEADERS, Limits
from agent.serve.problems import install
from agent.serve.web import editing, live
from agent.serve.web.page import render
from agent.service import Service
from agent.typed import MOST_QUERY
from retrieval.records import utc

Clock = Callable[[], datetime]
Many = Annotated[int, Query(ge=1, le=100, description="how many at most")]

router = APIRouter()


class ColdStartIn(In):
    """A stranger, in their own words."""

    text: str = Field(min_length=1, max_length=MOST_CHARS, description="a sentence or two about oneself")
    k: int = Field(10, ge=1, le=100)
    allow_sensitive: bool = Field(False, description="use what it tells of health, faith, age and so on, too")


class FeedbackIn(In):
    """What a user says of an item."""

    item: str = Field(min_length=1, description="item id")
    kind: Literal["like", "dislike", "hide", "skip"]
    impression: int | None = Field(None, ge=1, description="the impression of the recommendation that it answers")


def create_app(
    settings: Settings,
    service: Service | None = None,
    *,
    clock: Clock = lambda: datetime.now(UTC),
    hosts: Sequence[str] = LOOPBACK,
) -> FastAPI:
    """The application. A given `service` stays the caller's to close; else one is opened at start-up and closed at the end.

    `clock` says what time it is; `hosts` are the names that the server answers under.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.service = service or Service.open(settings)
        try:
            yield
        finally:
            if service is None:
                app.state.service.close()

    # The interactive pages of FastAPI load scripts from elsewhere; /openapi.json serves any local viewer.
    app = FastAPI(title="Leitmotif", version="1", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.clock = clock
    app.include_router(history_api.router)
    app.include_router(router)
    app.include_router(community_router)
    app.add_middleware(Limits, hosts=hosts)
    install(app)
    documented(app)
    return app


@router.post("/v1/items", tags=["ingest"], **describe("items"))
async def post_items(service: Open, body: rows.Items) -> rows.RowsOut:
    """Add or replace items: a JSON array, one answer a row."""
    return await run_in_threadpool(rows.take_items, service, body)


@router.post("/v1/events", tags=["ingest"], **describe("events"))
async def post_events(service: Open, now: Now, body: rows.Events) -> rows.RowsOut:
    """Add what people did: a JSON array, one answer a row. Sending an event twice changes nothing."""
    return await run_in_threadpool(rows.take_events, service, body, now)


# Ids may hold slashes. This route comes first, so that an item called x/profile is not taken for another route.
@router.get("/v1/users/{user:path}/why/{target:path}", tags=["profile"], **describe("why"))
async def get_why(
    service: Open, now: Now, user: User, target: Annotated[str, Path(description="a statement id or an item id")]
) -> reasons.WhyOut:
    """The evidence behind a statement, down to the events; for an item also what counts against it and why it is not
    recommended."""
    return reasons.WhyOut.model_validate(await service.why(user, target, now=now))


@router.get("/v1/users/{user:path}/profile", tags=["profile"], **describe("profile"))
async def get_profile(
    service: Open, now: Now, user: User, as_of: Annotated[datetime | None, Query(description="default: now")] = None
) -> schemas.ProfileOut:
    """The interest profile, brought up to date (by the LLM, where something new happened)."""
    found = await service.profile(user, now=now, as_of=utc(as_of) if as_of else None)
    return schemas.ProfileOut.model_validate(found)


@router.get("/v1/users/{user:path}/themes", tags=["profile"], **describe("themes"))
async def get_themes(
    service: Open,
    user: User,
    history: Annotated[bool, Query(description="also every step in their lives, and the versions")] = False,
    as_of: Annotated[datetime | None, Query(description="the profile stored last by then; default: now")] = None,
) -> histories.ThemesOut:
    """The themes of the stored profile. Nothing is written."""
    profile, steps = service.themes(user, as_of=utc(as_of) if as_of else None)
    versions = service.lives(user).versions(user) if history else []
    return present.themes(profile, steps if history else [], versions)


@router.get("/v1/users/{user:path}/recommendations", tags=["recommend"], **describe("recommendations"))
async def get_recommendations(
    service: Open,
    now: Now,
    user: User,
    k: Many = 10,
    query: Annotated[str | None, Query(max_length=MOST_QUERY, description="what is looked for, in words")] = None,
    explain: Annotated[bool, Query(description="let the LLM phrase the reasons; else plain sentences")] = True,
) -> schemas.RecommendationsOut:
    """Items the user has not touched, best first, each with a reason that cites statements and events."""
    found = await service.recommend(user, now=now, k=k, query=query, explain=explain)
    return present.recommendations(service, user, query, k, found)


@router.post("/v1/cold-start", tags=["recommend"], **describe("cold_start"))
async def post_cold_start(service: Open, now: Now, body: ColdStartIn) -> schemas.ColdStartOut:
    """Recommendations for a stranger from a sentence or two about themselves. Nothing of it is stored."""
    found = await service.cold_start(body.text, now=now, k=body.k, allow_sensitive=body.allow_sensitive)
    return present.cold_start(service, body.k, found)


@router.post("/v1/users/{user:path}/feedback", tags=["recommend"], **describe("feedback"))
async def post_feedback(service: Open, now: Now, user: User, body: FeedbackIn) -> schemas.FeedbackOut:
    """Record a like, a dislike, a hide or a skip. It counts at the next recommendation, and no LLM is asked for that."""
    found = service.feedback(user, body.item, body.kind, now=now, impression=body.impression)
    return present.feedback(found)


@router.get("/v1/users/{user:path}/edits", tags=["control"], **describe("edits"))
async def get_edits(service: Open, user: User) -> edits.OwnedOut:
    """What the owner said about their profile so far, what holds of it, and what only they can decide."""
    return edits.owned(user, service.control.owned(user))


@router.post("/v1/users/{user:path}/edits", tags=["control"], **describe("edit"))
async def post_edit(service: Open, now: Now, user: User, body: edits.EditIn) -> edits.EditedOut:
    """Add, reword, delete, mute, pin, boost or clear a statement or theme, or answer a question. It beats any inference."""
    return edits.edited(await service.control.edit(user, edits.wish(body), now=now))


@router.post("/v1/users/{user:path}/edits/preview", tags=["control"], **describe("preview"))
async def post_preview(service: Open, now: Now, user: User, body: edits.EditIn, k: Many = 10) -> edits.PreviewOut:
    """Which recommendations an edit would lift, sink, bring or take, without the LLM's part. Nothing is stored."""
    return edits.preview(service, await service.control.preview(user, edits.wish(body), now=now, k=k))


@router.get("/v1/users/{user:path}/export", tags=["rights"], **describe("export"))
async def get_export(service: Open, user: User) -> schemas.ExportOut:
    """Everything that is stored about a user."""
    return await run_in_threadpool(present.export, service, user)


@router.delete("/v1/users/{user:path}", tags=["rights"], **describe("forget"))
async def delete_user(service: Open, user: User) -> schemas.ForgetOut:
    """Erase a user. Afterwards nothing can be stored under this id again."""
    report = await run_in_threadpool(service.forget, user)
    return schemas.ForgetOut(user=user, rows=dict(report.rows), scrubbed=report.scrubbed)


@router.get("/healthz", tags=["operate"], **describe("health"))
async def get_health() -> health.HealthOut:
    """The process answers."""
    return health.HealthOut()


@router.get("/readyz", tags=["operate"], **describe("ready"))
async def get_ready(service: Open, response: Response) -> health.ReadyOut:
    """Whether the service can work, part by part; 503 when the store cannot be used."""
    found = await health.ready(service)
    response.status_code = 503 if found.state == "failed" else 200
    return found


@router.post("/edits", include_in_schema=False)
async def post_form(service: Open, now: Now, request: Request) -> Response:
    """The forms of the page."""
    return await editing.submit(service, request, now)


@router.get("/", response_class=HTMLResponse, include_in_schema=False)
async def get_page(service: Open, now: Now, user: str | None = None) -> HTMLResponse:
    """The page: who there is, and one person as they are now."""
    try:
        status, page = 200, await live.page(service, user or None, now)
    except NotFoundError as exc:  # a person reads this: the page with the list says it, not a problem document
        status, page = 404, replace(await live.page(service, None, now), notice=f"{exc}.")
    return HTMLResponse(render(page), status, headers=PAGE_HEADERS)
