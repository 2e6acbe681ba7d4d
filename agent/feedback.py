"""What people say to what they are shown. It counts at the very next recommendation, and no LLM is asked for that.

event = feedback(store, "ann", "film-3", "like", now=now, impression=7)
waiting(store, profile, now)        # is all that came since the profile such feedback, which may wait for the next build?
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from agent.errors import NotFoundError, UsageError
from retrieval.readers import content_hash
from retrieval.records import Event, EventKind, Profile
from retrieval.store import Store

KINDS = (EventKind.LIKE, EventKind.DISLIKE, EventKind.HIDE, EventKind.SKIP)
SOURCE = "feedback"
MOST_WAITING = 20  # acts; more are worth a new profile
LONGEST = timedelta(days=1)


def feedback(store: Store, user: str, item: str, kind: str, *, now: datetime, impression: int | None = None) -> Event:
    """Record it. Marked as an echo when we had shown the item; `impression` says when, by default the last time.

    Raises UsageError for another kind, NotFoundError for an unknown item and for an impression that is not this user's of
    this item.
    """
    if kind not in KINDS:
        raise UsageError(f"feedback is like, dislike, hide or skip, not {kind!r}")
    if store.item(item) is None:
        raise NotFoundError(f"unknown item {item!r}")
    shown = store.impression(user, item, before=now, id=impression)
    if impression is not None and shown is None:
        raise NotFoundError(f"no impression {impression} of {item!r} was shown to {user!r}")
    context = {"source": SOURCE, "recommended": shown is not None}
    context |= {} if shown is None else {"impression": shown}
    event = Event(id="", user=user, kind=EventKind(kind), at=now, item=item, context=context)
    event = replace(event, id=content_hash(event))
    store.ingest([event])
    return event


def waiting(store: Store, profile: Profile, now: datetime) -> bool:
    """Has nothing happened since the profile was made but a little feedback, of late?"""
    new = store.event_count(profile.user, now) - profile.events_seen
    if not 0 < new <= MOST_WAITING or now - profile.as_of > LONGEST:
        return False
    if store.edited_since(profile.user, profile.as_of):
        return False
    return all(e.context.get("source") == SOURCE for e in store.events(profile.user, until=now, limit=new))
