"""HTTP: interest communities, the question worth asking, and its answer. No logic of its own, like api.py."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from agent.coldstart import MOST_CHARS
from agent.serve import communities
from agent.serve.examples import describe
from agent.serve.incoming import In
from agent.service import Service
from retrieval.records import Reply

router = APIRouter()
User = Annotated[str, Path(description="user id", examples=["mara"])]


class QuestionIn(In):
    """A stranger, in their own words."""

    text: str = Field(min_length=1, max_length=MOST_CHARS, description="a sentence or two about oneself")


class AnswerIn(In):
    """What a user answers."""

    community: int = Field(ge=0, description="the id that came with the question")
    reply: Reply


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _now(request: Request) -> datetime:
    now: datetime = request.app.state.clock()
    return now


Open = Annotated[Service, Depends(_service)]
Now = Annotated[datetime, Depends(_now)]


@router.get("/v1/communities", tags=["communities"], **describe("communities"))
async def get_communities(service: Open) -> communities.CommunitiesOut:
    """What many people like, as it was last counted, largest first. Nobody is named, and small groups are left out."""
    return await run_in_threadpool(communities.communities, service)


@router.get("/v1/users/{user:path}/question", tags=["communities"], **describe("question"))
async def get_question(service: Open, user: User) -> communities.AskOut:
    """The one question whose answer would tell most about what to show this user, and why it is asked."""
    return communities.ask(user, service.parts.asking.question(user))


@router.post("/v1/users/{user:path}/answers", tags=["communities"], **describe("answer"))
async def post_answer(service: Open, now: Now, user: User, body: AnswerIn) -> communities.AnswerOut:
    """Record an answer. A yes or no becomes a statement of the user's own; no question is asked twice."""
    said = service.parts.asking.answer(user, body.community, body.reply, now)
    return communities.answer(user, body.community, body.reply, said)


@router.post("/v1/question", tags=["communities"], **describe("stranger_question"))
async def post_question(service: Open, now: Now, body: QuestionIn) -> communities.AskOut:
    """The question for a stranger who says `text`. Nothing of it is stored; it is in the body, as addresses are logged."""
    return communities.ask(None, *await service.parts.asking.question_for(body.text, now))
