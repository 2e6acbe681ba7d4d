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
from agent.will import Marks
from retrieval.records import Item, Profile, Recommendation
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
    marks: Marks,
) -> Why:
    """The answer for one item, against the first `k` that would be recommended now."""
    slate = recommender.slates.slate(profile, signals, k=k, query=None, now=now, marks=marks)
    ranked = recommender.slates.ranked_with(slate, item.id)
    slate = replace(slate, what_if=replace(slate.what_if, pool=ranked))
    found = recommender.speaks_for([item], slate, marks.silent, now).get(item.id)
    said = recommender.slates.speaks(slate.known, slate.what_if).get(item.id) if marks.silent else None
    chosen = [c.item for c in slate.top[:k]]
    if said in marks.silent:
        place = standing.muted(_name(profile, said))
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


def _name(profile: Profile, said: str | None) -> str:
    """The theme of a statement, by name."""
    return next((t.label for t in profile.themes if said in t.statements), "")
