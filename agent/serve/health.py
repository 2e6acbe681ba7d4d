"""Is it alive, and can it work: what an operator's probe asks.

An LLM that is away makes the service degraded, not dead: the prior answers then, and says so. A store that fails does.
"""

from __future__ import annotations

import asyncio
from typing import Literal

from pydantic import Field

from agent.errors import LLMError
from agent.serve.schemas import Out
from agent.service import Service
from retrieval.manifest import Manifest
from retrieval.store import StoreError

LLM_WAIT_S = 2.0  # a probe must answer before the prober gives up
State = Literal["ok", "degraded", "failed"]


class HealthOut(Out):
    """The process answers; nothing else is said."""

    status: Literal["ok"] = "ok"


class PartOut(Out):
    """One thing that the service depends on."""

    state: State
    detail: str = Field("", description="what is the matter; empty when all is well")


class ReadyOut(Out):
    """`state` is the worst of the parts, where only a failed store makes it failed."""

    state: State
    store: PartOut
    index: PartOut
    llm: PartOut


async def ready(service: Service) -> ReadyOut:
    """Look at all three. Never raises for what is away."""
    store, index = _store(service)
    llm = await _llm(service)
    worst: State = "degraded" if {index.state, llm.state} != {"ok"} else "ok"
    if store.state == "failed":
        worst = "failed"
    return ReadyOut(state=worst, store=store, index=index, llm=llm)


def _store(service: Service) -> tuple[PartOut, PartOut]:
    """The store, and the index as the store's catalogue would have it."""
    try:
        signature = service.store.catalogue_signature()
    except StoreError as exc:
        return PartOut(state="failed", detail=str(exc)), PartOut(state="degraded", detail="unknown without the store")
    manifest = Manifest.read(service.settings.home / "index")
    fresh = manifest is not None and manifest.signature == signature
    stale = PartOut(state="degraded", detail="out of date; the next recommendation brings it up to date")
    return PartOut(state="ok"), PartOut(state="ok") if fresh else stale


async def _llm(service: Service) -> PartOut:
    try:
        async with asyncio.timeout(LLM_WAIT_S):
            models = await service.llm_models()
    except (LLMError, TimeoutError) as exc:
        return PartOut(state="degraded", detail=str(exc) or "the LLM did not answer in time")
    wanted = service.settings.llm.model
    known = wanted in models
    return PartOut(state="ok") if known else PartOut(state="degraded", detail=f"the server does not offer {wanted!r}")
