"""Why an item, or why not: what speaks for it and against it, and where it stands among what would be recommended.

The LLM is not asked: everything here is read from the data.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from agent import plain, standing
from agent.explain import from_data
from agent.grounds import Against, Grounds, against
from agent.recommender import Recommender
from agent.results import Objection, Why, trace
from agent.slate import Slate
from agent.standing import Standing
from retrieval.records import Item, Profile, Recommendation, Theme
from retrieval.signals import Signals
from retrieval.store import Store


def why_item(
    store: Store,
    recommender: Recommender,
    signals: Signals,
    profile: Profile,
    item: Item,
    *,
    now: datetime,
    k: int,
    muted: frozenset[str],
) -> Why:
    """The answer for one item, against the first `k` that would be recommended now. `muted`: theme ids."""
    slate = recommender.slates.slate(profile, signals, k=k, query=None, now=now, muted=muted)
    ranked = recommender.slates.ranked_with(slate, item.id)
    slate = replace(slate, what_if=replace(slate.what_if, pool=ranked))
    found = recommender.speaks_for([item], slate, muted, now).get(item.id)
    falls = slate.what_if.of_each(slate.known.items)[item.id]
    silent = _silent(profile, recommender.grounds(item, slate.known, falls), muted)
    chosen = [c.item for c in slate.top[:k]]
    if silent is not None and item.id not in chosen and not (found and found.shared):
        place = standing.muted(silent.label)
    else:
        place = standing.standing(item.id, ranked, chosen, slate.what_if.weights, bool(found and found.shared))
    acts = [e for e in store.events(profile.user, until=now) if e.item == item.id]
    if acts:
        place = standing.touched(item, acts)
    # what merely lifts a low score a little is no reason for an item that is not recommended
    speaks = found if found and (found.shared or place.outcome == "recommended") else None
    return _told(item, slate, speaks, place)


def _told(item: Item, slate: Slate, found: Grounds | None, place: Standing) -> Why:
    known = slate.known
    rec = from_data(Recommendation(item.id, 0, 0.0, {}), found, slate.wants.popularity.get(item.id, 0), None)
    cited = found.citation.events if found else ()
    objections = against(item, known.profile, known.events, known.items, found.shared if found else ())
    why = trace(known, item.id, rec.reason, found.statement if found else None, cited)
    return replace(why, against=tuple(map(_objection, objections)), standing=place)


def _objection(known: Against) -> Objection:
    text = plain.counts_against(known.acts, known.statement.facet, known.shared)
    events, items = (tuple(side) for side in zip(*known.acts, strict=True)) if known.acts else ((), ())
    return Objection(text, known.statement, known.shared, events, items)


def _silent(profile: Profile, found: Grounds | None, muted: frozenset[str]) -> Theme | None:
    """The muted theme that what speaks for an item belongs to."""
    if found is None or found.statement is None:
        return None
    said = found.statement.id
    return next((t for t in profile.themes if t.id in muted and said in t.statements), None)
