"""Interest communities and the question worth asking, as they go out: pydantic models, and how they are filled.

No id of a person is in any of them, and no community of fewer people than the setting communities.least.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from agent.serve.schemas import IgnoredOut, ItemRef, Moment, Out, StatementOut
from retrieval.records import Origin, Reply, Statement

if TYPE_CHECKING:  # as in present.py
    from agent.asking import Question
    from agent.coldstart import Reading
    from agent.service import Service
    from retrieval.store import Community

ITEMS_SHOWN = 5


class SizeOut(Out):
    """How many people were in a community when they were counted."""

    at: Moment
    people: int


class CommunityOut(Out):
    """An interest that many people share."""

    id: int
    label: str
    origin: Origin = Field(description="who found the label")
    features: list[str] = Field(description="what its members share more often than others, best first")
    people: int
    share: float = Field(description="of all people who were counted, from 0 to 1")
    since: Moment = Field(description="when it was found")
    sizes: list[SizeOut] = Field(description="at each count, oldest first")
    items: list[ItemRef] = Field(description="what most of its members chose; none that only a few did")


class CommunitiesOut(Out):
    """All communities, largest first."""

    at: Moment | None = Field(description="the last count; none before the first")
    people: int = Field(description="people with themes at the last count")
    rule: str = Field(description="how the communities were found")
    least: int = Field(description="people below whom a community is not shown")
    communities: list[CommunityOut]


class QuestionOut(Out):
    """The question whose answer would tell most, and why it is asked."""

    community: int = Field(description="the id to answer with")
    label: str
    text: str
    why: str
    likely: float = Field(description="how likely a yes is, from 0 to 1")
    gain: float = Field(description="bits that the answer is expected to tell of which community is theirs")


class AskOut(Out):
    """What to ask. Of a stranger, also what was understood; nothing of that is stored."""

    user: str | None
    question: QuestionOut | None = Field(description="none where nothing is worth asking")
    statements: list[StatementOut] = Field(description="what a stranger's text says; empty for a user")
    ignored: list[IgnoredOut]


class AnswerOut(Out):
    """An answer as it was stored."""

    user: str
    community: int
    reply: Reply
    statement: StatementOut | None = Field(description="the user's own statement that it made; none for a skip")


def communities(service: Service, only: int | None = None) -> CommunitiesOut:
    """All that may be shown, or the one with the id `only`."""
    crowds = service.parts.crowds
    censuses = service.store.censuses()
    last = censuses[-1] if censuses else None
    shown = [c for c in crowds.communities() if only in (None, c.id)]
    items = service.store.items({item for c in shown for item in _most_chosen(c)})

    def one(community: Community) -> CommunityOut:
        sizes = {c.at: c.sizes[str(community.id)] for c in censuses if str(community.id) in c.sizes}
        return CommunityOut(
            id=community.id,
            label=community.label,
            origin=community.origin,
            features=list(community.features),
            people=community.members,
            share=community.members / last.people if last else 0.0,
            since=community.since,
            sizes=[SizeOut(at=at, people=people) for at, people in sizes.items()],
            items=[ItemRef(id=i, title=items[i].title) for i in _most_chosen(community) if i in items],
        )

    return CommunitiesOut(
        at=last.at if last else None,
        people=last.people if last else 0,
        rule=last.rule if last else "",
        least=crowds.least,
        communities=[one(c) for c in shown],
    )


def ask(user: str | None, question: Question | None, reading: Reading | None = None) -> AskOut:
    return AskOut(
        user=user,
        question=QuestionOut.model_validate(question) if question else None,
        statements=[StatementOut.model_validate(s) for s in reading.statements] if reading else [],
        ignored=[IgnoredOut(text=text, reason=reason) for text, reason in reading.ignored] if reading else [],
    )


def answer(user: str, community: int, reply: Reply, said: Statement | None) -> AnswerOut:
    statement = StatementOut.model_validate(said) if said else None
    return AnswerOut(user=user, community=community, reply=reply, statement=statement)


def _most_chosen(community: Community) -> list[str]:
    return sorted(community.items, key=lambda item: (-community.items[item], item))[:ITEMS_SHOWN]
