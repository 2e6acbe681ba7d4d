"""Many people on the small catalogue, so that communities form: subjects of their own, and some who like two.

gather(service)         # events, profiles and communities
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from agent.service import Service
from retrieval.records import Event
from retrieval.store import CrowdCount
from tests.fakes import NOW, act

THINGS = ("film-1", "film-2", "book-1", "book-2", "course-1")
TASTES: Sequence[tuple[str, ...]] = (
    *[("noir",)] * 6,
    *[("jazz",)] * 9,
    *[("bread",)] * 3,
    *[("noir", "bread")] * 5,
)


def crowd() -> list[Event]:
    """p00, p01, ... each like five things of each of their subjects."""
    return [
        act(f"p{person:02d}", 10 * place + number, f"{subject}-{thing}")
        for person, subjects in enumerate(TASTES)
        for place, subject in enumerate(subjects)
        for number, thing in enumerate(THINGS)
    ]


def profiled(service: Service) -> None:
    service.ingest_records(crowd())
    people = sorted({event.user for event in crowd()})
    found = asyncio.run(service.profiles(people, now=NOW))
    assert len(found) == len(TASTES)


def gather(service: Service) -> CrowdCount:
    profiled(service)
    return asyncio.run(service.parts.crowds.refresh(NOW))
