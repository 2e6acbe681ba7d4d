"""`leitmotif eval profiles`: profiles written from training events by the real service, and what they are worth as a predictor.

The profiles live in a home of their own beside the answers, so that an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from agent.batch import for_each
from agent.errors import LeitmotifError
from agent.results import Failure
from agent.service import Service
from eval import predictor
from eval.candidates import uniform
from eval.cases import Dataset
from eval.results import to_json
from eval.runner import source
from eval.systems import Fused
from eval.workshop import Workshop
from prompts import library
from retrieval.fusion import load_weights
from retrieval.records import Event, Profile

if TYPE_CHECKING:
    from eval.rank import Tell

Histories = Mapping[str, Sequence[Event]]
BEFORE = timedelta(microseconds=1)  # a profile sees what happened before the target, not what happened with it


@dataclass(frozen=True, slots=True)
class Built:
    """Profiles by user, calls and tokens of the LLM since the home was made, and the seconds of this run."""

    profiles: Mapping[str, Profile]
    calls: int
    tokens: int
    seconds: float


async def document(shop: Workshop, dataset: Dataset, seed: int, tell: Tell) -> dict[str, Any]:
    """What the profiles of all tested users of `dataset` add to the shipped ranking. Raises LeitmotifError."""
    profiles = await written(shop, dataset, tell)
    material = shop.material(dataset, tell)
    weights = load_weights().among(material.signals.people)
    prior = Fused("full_default", material.signals, [weights]).scores
    questions = uniform(dataset, seed).questions
    found = to_json(predictor.run(profiles, questions, prior, material.index, shop.embedder, seed=seed))
    about = {"kind": found.pop("kind"), "dataset": dataset.name, "digest": dataset.digest, "seed": seed}
    return {**about, "users": found["users"], "worst": found.pop("worst"), "systems": {"leitmotif": found}}


async def written(shop: Workshop, dataset: Dataset, tell: Tell) -> Mapping[str, Profile]:
    """User -> the profile as of just before the target."""
    return (await build(shop, dataset, tell)).profiles


async def build(shop: Workshop, dataset: Dataset, tell: Tell, extra: Histories | None = None) -> Built:
    """The profiles of the tested users as of just before their targets; with `extra`, those of its users instead, as of their
    last event, in a home that holds the tested users' events too. A home belongs to the code, prompts and model that wrote it.

    Raises LeitmotifError where a profile could not be built: figures of those that could would be of other people.
    """
    kind = "junk" if extra else "profiles"
    code = _authorship(shop)
    home = shop.folder / f"{kind}-{dataset.digest[:12]}-{code}"
    settings = shop.settings.model_copy(update={"home": home, "database_url": None})
    moments = {case.user: case.at - BEFORE for case in dataset.cases}
    known = [event for user in moments for event in dataset.train[user]]
    if extra:
        known += [event for events in extra.values() for event in events]
        moments = {user: events[-1].at for user, events in extra.items()}
    started = time.monotonic()
    with Service.open(settings) as service:
        service.ingest_records([*dataset.items.values(), *known])

        async def one(user: str) -> Profile:
            return await service.profile(user, now=shop.now, as_of=moments[user])

        found = await for_each(list(moments), one, partial(tell, kind))
        totals = service.llm_totals()
    if failed := [profile for profile in found if isinstance(profile, Failure)]:
        raise LeitmotifError(
            f"{len(failed)} of {len(found)} profiles were not built: {failed[0].user}: {failed[0].error}"
        )
    profiles = {profile.user: profile for profile in found if isinstance(profile, Profile)}
    tokens = totals.tokens_in + totals.tokens_out
    return Built(profiles, totals.calls, tokens, time.monotonic() - started)


def _authorship(shop: Workshop) -> str:
    """Who writes: eight digits of the code, the prompts and the model."""
    prompts = [library.load(name, version).sha for name in library.names() for version in library.versions(name)]
    told = "\n".join([source("agent"), source("prompts"), *prompts, shop.llm.identity])
    return sha256(told.encode()).hexdigest()[:8]
