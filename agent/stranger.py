"""Somebody who only says a sentence or two about themselves: read, profile, recommendations. Nothing of it is stored."""

from __future__ import annotations

import asyncio
from datetime import datetime

from agent import coldstart
from agent.llm import LLM
from agent.parts import Parts
from agent.results import ColdStart
from agent.will import NONE
from retrieval.embed import Embedder

NOBODY = ""  # no user has this id, so a stranger is never taken for somebody known


async def cold_start(
    text: str, parts: Parts, embedder: Embedder, llm: LLM, *, now: datetime, k: int, allow_sensitive: bool
) -> ColdStart:
    """At most `k` recommendations. What tells of health, faith and so on is used only with `allow_sensitive`."""
    reading = await coldstart.read(text, NOBODY, now, llm, allow_sensitive=allow_sensitive)
    profile = coldstart.provisional(NOBODY, reading.statements, embedder, now)
    recommender, signals = await asyncio.to_thread(parts.warm, now)
    found = await recommender.recommend(profile, signals, k=k, query=None, explain=True, now=now, marks=NONE)
    return ColdStart(profile, reading.ignored, tuple(found))
