"""The page of a running service: who there is, and one person as they are now."""

from __future__ import annotations

import asyncio
from datetime import datetime
from urllib.parse import quote

from agent.serve import edits
from agent.serve.edits import EditIn, PreviewOut
from agent.serve.web.page import Hand, Link, Page, UserView
from agent.service import Service

Tried = tuple[PreviewOut, EditIn]
SHOWN = 8  # recommendations on the page
MOST_PEOPLE = 200  # in the list; anybody else is reached by address


async def page(
    service: Service, user: str | None, now: datetime, tried: Tried | None = None, refused: str = ""
) -> Page:
    """The list of people, and `user` with profile, recommendations and forms to correct them; `tried`: an edit that is only to
    be shown; `refused`: why one was not done. Raises NotFoundError for an unknown user.

    Looking at a person brings their profile up to date, as every recommendation does; without an LLM the page shows what
    is stored and says so.
    """
    counts = service.counts()
    figures = [("people", f"{counts.users:,}"), ("items", f"{counts.items:,}"), ("events", f"{counts.events:,}")]
    if user is None:
        lead = "What people like, in words that can be checked." if counts.users else ""
        return Page("Interests", now, figures if counts.users else (), people=_people(service, None), lead=lead)
    answer = await service.recommend(user, now=now, k=SHOWN)
    profile, found, steps = answer.profile, answer.recommendations, service.store.theme_events(user)
    missing = {part for r in found for part in r.degraded}
    events = service.store.events_by_id(user, {e for s in profile.statements for e in s.evidence})
    ids = {e.item for e in events.values() if e.item} | {r.item for r in found}
    owned = service.control.owned(user, profile)
    course = await asyncio.to_thread(service.parts.profiler.course, profile, owned.marks.silent)
    view = UserView(profile, steps, found, service.store.items(ids), events, course)
    marks = {mark.target: mark.mark for mark in edits.owned(user, owned).marks}
    shown, asked = tried or (None, None)
    hand = Hand(user, marks, owned.questions, shown, asked, refused)
    people, notice = _people(service, user), _notice(missing)
    return Page("Interests", now, figures, (view,), people=people, notice=notice, hand=hand)


def _people(service: Service, current: str | None) -> tuple[Link, ...]:
    users = service.store.users()
    shown = users[:MOST_PEOPLE]
    if current is not None and current not in shown:
        shown = [current, *shown]
    return tuple(Link(user, f"/?user={quote(user, safe='')}", user == current) for user in shown)


def _notice(missing: set[str]) -> str:
    if "profile" in missing:
        return "The language model is out of reach: the profile below may be older than what this person last did."
    return "The language model is out of reach: order and reasons come from the data alone." if missing else ""
