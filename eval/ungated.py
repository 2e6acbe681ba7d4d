"""A statement about a few items as the product's writer writes it, with the gate held open: what is shared is worth saying.

    said = await statement(segment, items, writer, stats, now)

For measurements of the words alone, where there is no history that a gate could compare with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from agent.evidence import evidence_of
from agent.gate import Crowd, Judge
from agent.writer import Writer
from retrieval.features import CatalogueStats
from retrieval.population import Population
from retrieval.records import Item, Segment, Statement
from retrieval.significance import Null


async def statement(
    segment: Segment, items: Sequence[Item], writer: Writer, stats: CatalogueStats, now: datetime
) -> Statement | None:
    """All that is shared is worth saying, and all evidence speaks for all of it; None where nothing is shared. What does not
    get through was held by the guard alone. Raises LLMUnavailableError."""
    by_id = {item.id: item for item in items}
    evidence = evidence_of(segment.events, by_id, stats)
    if not evidence.features:
        return None
    nobody = Crowd(Population(), Null({}, np.ones((1, 1), dtype=np.float32), np.ones((1, 1))))
    alike = np.ones((len(segment.events), 1), dtype=np.float32)
    judge = Judge(segment.events, by_id, alike, nobody, stats, lambda texts: alike[: len(texts)])
    return await writer.statement(segment, replace(evidence, worth=evidence.features), judge, now)
