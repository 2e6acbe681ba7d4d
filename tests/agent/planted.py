"""A deployment where taste turns round: everybody begins with what is well known, and then takes only what is obscure.

Elsewhere, what is popular among people alike is a good guess. Here it is a bad one, and only the events can tell.
"""

from __future__ import annotations

import random

from retrieval.records import Event, Item
from tests.fakes import act

PEOPLE, EACH = 36, 24


def planted() -> list[Item | Event]:
    """EACH well-known and EACH obscure items; PEOPLE who took nine of the former, then three of the latter."""
    known, obscure = ([f"{kind}-{n:02}" for n in range(EACH)] for kind in ("known", "obscure"))
    rng = random.Random(0)
    events: list[Event] = []
    for person in range(PEOPLE):
        taken = [*rng.sample(known, 9), *rng.sample(obscure, 3)]
        events += [act(f"p{person:02}", day, item) for day, item in enumerate(taken)]
    return [*(Item(item, f"Tale {item[-2:]}") for item in (*known, *obscure)), *events]  # titles do not tell
