"""Two tastes with what stands behind them, for the tests of reasons."""

from __future__ import annotations

from retrieval.merge import statement_id
from retrieval.records import Horizon, Origin, Polarity, Source, Statement
from tests.fakes import NOW, act, catalogue

ITEMS = {item.id: item for item in catalogue()}
EVENTS = {
    e.id: e
    for e in [
        *(act("ann", n, f"noir-{what}") for n, what in enumerate(["film-1", "film-2", "book-1"])),
        *(act("ann", n, f"bread-{what}") for n, what in enumerate(["film-1", "book-1"])),
    ]
}
NEW = ITEMS["noir-course-1"]


def said(text: str, subject: str, polarity: Polarity = Polarity.LIKE) -> Statement:
    evidence = tuple(i for i in EVENTS if subject in i) if subject else ()
    return Statement(
        id=statement_id("ann", polarity, text, evidence),
        user="ann",
        text=text,
        polarity=polarity,
        facet=text.partition(" ")[2],
        evidence=evidence,
        first_at=NOW,
        last_at=NOW,
        horizon=Horizon.LONG,
        source=Source.INFERRED if evidence else Source.ASSERTED,
        origin=Origin.MODEL,
        confidence=0.6,
        prompt="p@1",
        model="m",
        written_at=NOW,
    )


NOIR, BREAD = said("Likes mystery films", "noir"), said("Likes baking", "bread")
