"""What somebody did as points for `retrieval.evolution`: a polarity and a weight for each act.

said = sides(events)                         # event id -> polarity, for the events that say anything
points = points_of(events, said)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from retrieval import echo
from retrieval.evolution import Point
from retrieval.records import Event, EventKind, Polarity
from retrieval.segments import polarities

# What an act is worth beside a rating. A look costs nothing, so three of them make a theme only just (EvolutionRules.birth
# and birth_weight); money and a recommendation to others cost something. Chosen by hand.
VALUES: Mapping[EventKind, float] = {
    EventKind.SKIP: 0.25,
    EventKind.VIEW: 0.5,
    EventKind.CLICK: 0.5,
    EventKind.SEARCH: 0.75,
    EventKind.HIDE: 0.75,
    EventKind.RATE: 1.0,
    EventKind.LIKE: 1.0,
    EventKind.DISLIKE: 1.0,
    EventKind.PURCHASE: 1.5,
    EventKind.SHARE: 1.5,
}


def sides(events: Sequence[Event]) -> dict[str, Polarity]:
    """Event id -> what it says, without those that say nothing. `events` in time order, all that follow the first."""
    return {e.id: says for e, says in zip(events, polarities(events), strict=True) if says is not None}


def points_of(events: Sequence[Event], said: Mapping[str, Polarity]) -> list[Point]:
    """A point for each event that says something."""
    return [Point(e.id, e.at, said[e.id], weight(e)) for e in events if e.id in said]


def weight(event: Event) -> float:
    """The value of an act; less where one of our recommendations led to it."""
    return VALUES[event.kind] * echo.weight(event)


def turned(acts: Sequence[Event], new: Collection[str]) -> set[str]:
    """The ids of the acts that say something else because of those in `new`. `acts`: all on some items, in time order."""
    now = sides(acts)
    then = sides([act for act in acts if act.id not in new])
    return {id_ for id_, says in then.items() if now[id_] is not says}
