"""Which evidence speaks for an item, and which against it. Chosen from data before anybody writes a word.

An act is cited if the reader can see the connection (its item shares a feature with the recommended one) and, among those,
if the item's score falls most without it (agent/counterfactual.py). What a reason says is written down as claims, so that
each can be checked against the store at the moment of answering.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from agent import guard
from retrieval.features import features
from retrieval.records import Citation, Event, Item, Polarity, Profile, Statement

CITED_ITEMS = 2  # items a reason names
FEATURES = 3
NEAR = 0.3  # cosine of what a stranger said and an item; two unrelated texts have about 0.1 (MiniLM)
MOST_AGAINST = 2  # dislikes that are told

Acts = Sequence[tuple[Event, Item]]
_fit_to_say = lru_cache(maxsize=100_000)(guard.fit_to_say)  # a pool asks the same of few features many times


@dataclass(frozen=True, slots=True)
class Against:
    """A dislike that an item runs into: the disliked items that it shares features with."""

    statement: Statement
    acts: tuple[tuple[Event, Item], ...]
    shared: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grounds:
    """What speaks for an item: a statement, the acts behind it that move the item's score most, and the features that the
    item shares with each of them (with the user's own words, where there are no acts). Without a statement, acts alone.

    `fall`: how far the item's prior falls without the cited items, each alone, in sum; 0 where no history is known.
    """

    item: Item
    statement: Statement | None
    acts: tuple[tuple[Event, Item], ...]
    shared: tuple[str, ...]
    fall: float = 0.0

    @property
    def citation(self) -> Citation:
        return _citation(self.statement, self.acts)


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that a reason says: that the user did `event` with `item`, or that `item` has `feature`."""

    item: Item
    event: Event | None = None
    feature: str | None = None

    def holds(self, events: Mapping[str, Event], items: Mapping[str, Item]) -> bool:
        """Is it so in the store? `events` (the user's own) and `items` as they are there now, by id."""
        item = items.get(self.item.id)
        if item is None or item.title != self.item.title:
            return False
        did = self.event is None or events.get(self.event.id) == self.event
        return did and (self.feature is None or self.feature in features(item))


def claims(known: Grounds | Against, item: Item) -> tuple[Claim, ...]:
    """All that a reason from `known` says of `item`. What users said of themselves has no features to look up."""
    did = [Claim(touched, event=event) for event, touched in known.acts]
    owners = [item, *(touched for _, touched in known.acts)] if known.acts else []
    return (*did, *(Claim(owner, feature=feature) for feature in known.shared for owner in owners))


def what_is_left(known: Grounds, events: Mapping[str, Event], items: Mapping[str, Item]) -> Grounds | None:
    """`known` without what is no longer so; None where nothing is left to cite."""
    if all(claim.holds(events, items) for claim in claims(known, known.item)):
        return known
    acts = tuple(act for act in known.acts if Claim(act[1], event=act[0]).holds(events, items))
    acts = tuple((event, items[item.id]) for event, item in acts)
    now = items.get(known.item.id)
    if not acts or now is None:
        return None
    shared = tuple(f for f in known.shared if all(f in features(i) for i in (now, *(item for _, item in acts))))
    return replace(known, item=now, acts=acts, shared=shared) if shared else None


def grounds(
    item: Item,
    profile: Profile,
    nearness: Mapping[str, float],
    events: Mapping[str, Event],
    items: Mapping[str, Item],
    falls: Mapping[str, float] | None = None,
) -> Grounds | None:
    """The best reason there is for `item`, or None where nothing known speaks for it.

    `nearness`: statement id -> similarity to the item. `events` and `items` hold the statements' evidence. `falls`: item id
    -> how far the prior falls without it. The statement whose acts share something comes first, then the one whose acts
    matter most, then the one that shares most; the nearest decides between equals.
    """
    best: Grounds | None = None
    best_key: tuple[float, ...] = ()
    for statement in _alive(profile):
        near = nearness.get(statement.id, 0.0)
        found = _of_statement(item, statement, events, items, falls or {})
        if found is None or not (found.shared or found.fall > 0 or (not found.acts and near >= NEAR)):
            continue
        key = (bool(found.shared), found.fall, len(found.shared), near)
        if best is None or key > best_key:
            best, best_key = found, key
    return best


def _of_statement(
    item: Item,
    statement: Statement,
    events: Mapping[str, Event],
    items: Mapping[str, Item],
    falls: Mapping[str, float],
) -> Grounds | None:
    if not statement.evidence:
        return Grounds(item, statement, (), _told(item, statement))
    return _of(item, statement, _acts(item, statement, events, items), falls)


def of_acts(item: Item, acts: Acts, falls: Mapping[str, float]) -> Grounds | None:
    """What speaks for `item` where no statement does: the acts that share something with it. `falls` as in `grounds`."""
    found = _of(item, None, acts, falls)
    return found if found and found.shared else None


def _of(item: Item, statement: Statement | None, acts: Acts, falls: Mapping[str, float]) -> Grounds | None:
    """Those of the acts to cite: what the reader can see, and of that what moves the score most."""
    acts = [act for act in acts if act[1].id != item.id]
    acts.sort(key=lambda act: -falls.get(act[1].id, 0.0))  # stable: among equals, what shares most
    seen = [act for act in acts if _common(item, [act])] or [act for act in acts if falls.get(act[1].id, 0.0) > 0]
    if not seen:
        return None
    chosen, shared = seen[:1], _common(item, seen[:1])
    for act in seen[1:]:
        common = _common(item, [*chosen, act])
        moves = falls.get(act[1].id, 0.0) > 0 or not falls
        if len(chosen) < CITED_ITEMS and moves and bool(common) is bool(shared):
            chosen, shared = [*chosen, act], common
    fall = sum(falls.get(touched.id, 0.0) for _, touched in chosen)
    return Grounds(item, statement, tuple(chosen), _first(shared, statement), fall)


def _alive(profile: Profile) -> list[Statement]:
    """The likes that active themes rest on; all likes of a user without any. What faded or was a gift is no reason."""
    likes = [s for s in profile.statements if s.polarity is Polarity.LIKE]
    active = {i for theme in profile.themes if theme.active for i in theme.statements}
    return [s for s in likes if s.id in active] or likes


def _acts(
    item: Item, statement: Statement, events: Mapping[str, Event], items: Mapping[str, Item]
) -> list[tuple[Event, Item]]:
    """One act for each evidence item, those that share most with `item` first, the latest act of each."""
    latest: dict[str, Event] = {}
    for event in sorted((events[e] for e in statement.evidence if e in events), key=lambda e: (_weight(e), e.at)):
        if event.item in items:
            latest[event.item or ""] = event
    pairs = [(event, items[item_id]) for item_id, event in latest.items()]
    return sorted(pairs, key=lambda pair: (-len(_common(item, [pair])), -pair[0].at.timestamp()))


def _weight(event: Event) -> int:
    """A rating says more than a look, so that it is the act which a reason names."""
    return 1 if event.value is not None else 0


def _common(item: Item, acts: Acts) -> list[str]:
    """The features of `item` that every act's item has too and that may be said."""
    theirs = set[str].intersection(*(set(features(other)) for _, other in acts))
    return [f for f in features(item) if f in theirs and _fit_to_say(f)]


def _first(shared: Collection[str], statement: Statement | None) -> tuple[str, ...]:
    """At most FEATURES, those that the statement names first."""
    said = guard.stems([statement.text] if statement else [])
    return tuple(sorted(shared, key=lambda f: not _named(f, said)))[:FEATURES]


def _named(feature: str, said: Collection[str]) -> bool:
    own = guard.stems([feature])
    return bool(own) and own <= frozenset(said)


def _told(item: Item, statement: Statement) -> tuple[str, ...]:
    """What an item has of the user's own words: features that these name, or else words of its title and text."""
    own = [f for f in features(item) if _fit_to_say(f)]
    said = guard.stems([statement.facet])
    if named := [f for f in own if _named(f, said)]:
        return tuple(named[:FEATURES])
    told = guard.stems([item.title, item.text, *own])
    return tuple(dict.fromkeys(w for w in guard.content(statement.facet) if guard.stems([w]) <= told))[:FEATURES]


def against(
    item: Item,
    profile: Profile,
    events: Mapping[str, Event],
    items: Mapping[str, Item],
    liked: Collection[str] = (),
) -> tuple[Against, ...]:
    """At most MOST_AGAINST dislikes that `item` runs into, those that name most of what is shared first.

    `liked`: features that speak for the item; they count against it only where the dislike names them.
    """
    found = []
    for statement in profile.statements:
        if statement.polarity is not Polarity.DISLIKE:
            continue
        said = guard.stems([statement.text])
        if not statement.evidence:
            shared = _told(item, statement)
            found += [Against(statement, (), shared)] if shared else []
            continue
        acts = [a for a in _acts(item, statement, events, items) if a[1].id != item.id and _common(item, [a])]
        shared = (
            _first([f for f in _common(item, acts[:1]) if f not in liked or _named(f, said)], statement) if acts else ()
        )
        cited = [a for a in acts if set(shared) <= set(features(a[1]))][:CITED_ITEMS]
        found += [Against(statement, tuple(cited), shared)] if shared else []
    found.sort(key=lambda a: (-_names(a), -len(a.shared), a.statement.id))
    return tuple(found[:MOST_AGAINST])


def _names(known: Against) -> int:
    said = guard.stems([known.statement.text])
    return sum(_named(feature, said) for feature in known.shared)


def spared(
    item: Item, profile: Profile, events: Mapping[str, Event], items: Mapping[str, Item]
) -> tuple[Statement, Citation] | None:
    """For a user of whom only dislikes are known: the one with most evidence that `item` shares nothing with."""
    own = set(features(item))
    for statement in sorted(profile.statements, key=lambda s: (-len(s.evidence), s.id)):
        acts = _acts(item, statement, events, items)
        said = guard.stems([statement.text])
        named = {f for _, other in acts for f in features(other) if _named(f, said)}
        if statement.polarity is Polarity.DISLIKE and acts and named and not own & named:
            return statement, _citation(statement, acts[-CITED_ITEMS:])
    return None


def _citation(statement: Statement | None, acts: Acts) -> Citation:
    events = tuple(event.id for event, _ in acts)
    return Citation(statement.id if statement else "", events, tuple(dict.fromkeys(item.id for _, item in acts)))
