"""HTTP over the history of somebody's themes: what changed, back to an earlier version, and events taken back.

The router stands before the others in the application: `DELETE .../events/ID` would else be the erasure of a user whose id
has slashes in it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from agent.serve import histories, schemas
from agent.serve.depends import Now, Open, User
from agent.serve.examples import describe
from agent.serve.incoming import In
from retrieval.clustering import Algorithm
from retrieval.records import utc

router = APIRouter()


class RollbackIn(In):
    """Where to go back to."""

    version: int = Field(ge=1, description="a version of the profile; `themes?history=true` lists them")


@router.get("/v1/users/{user:path}/themes/diff", tags=["profile"], **describe("diff"))
async def get_diff(
    service: Open,
    now: Now,
    user: User,
    since: Annotated[datetime, Query(description="the profile stored last by then")],
    until: Annotated[datetime | None, Query(description="against the one stored last by then; default: now")] = None,
) -> histories.DiffOut:
    """What changed between two stored profiles, as data and in words."""
    return histories.diff(service.lives(user).compare(user, utc(since), utc(until) if until else now))


@router.get("/v1/users/{user:path}/themes/grouping", tags=["profile"], **describe("grouping"))
async def get_grouping(service: Open, user: User, algorithm: Algorithm = "ward") -> histories.GroupingOut:
    """The statements of the stored profile grouped by an algorithm, to lay beside the living themes. Nothing is stored."""
    profile, _ = service.themes(user)
    return histories.grouping(profile, service.lives(user).grouping(user, algorithm))


@router.post("/v1/users/{user:path}/rollback", tags=["profile"], **describe("rollback"))
async def post_rollback(service: Open, now: Now, user: User, body: RollbackIn) -> schemas.ProfileOut:
    """Go back to the statements, names and portrait of an earlier version; the answer is the new version that holds them."""
    return schemas.ProfileOut.model_validate(service.lives(user).rollback(user, body.version, now))


@router.delete("/v1/users/{user:path}/events/{event:path}", tags=["rights"], **describe("withdraw"))
async def delete_event(
    service: Open, user: User, event: Annotated[str, Path(description="event id")]
) -> schemas.ForgetOut:
    """Take an event back for good, and with it every statement, theme and step that leaned on it."""
    report = await run_in_threadpool(service.lives(user).withdraw, user, [event])
    return schemas.ForgetOut(user=user, rows=dict(report.rows), scrubbed=report.scrubbed)
