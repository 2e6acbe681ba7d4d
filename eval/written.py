"""`leitmotif eval profiles`: profiles written from training events by the real service, and what they are worth as a predictor.

The profiles live in a home of their own beside the answers, so that an interrupted run goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from agent.errors import LeitmotifError
from agent.service import Service
from eval import predictor
from eval.candidates import uniform
from eval.cases import Dataset
from eval.results import to_json
from eval.systems import Fused
from eval.workshop import Workshop
from retrieval.fusion import load_weights
from retrieval.records import Profile

if TYPE_CHECKING:
    from eval.rank import Tell

BEFORE = timedelta(microseconds=1)  # a profile sees what happened before the target, not what happened with it


async def document(shop: Workshop, dataset: Dataset, seed: int, tell: Tell) -> dict[str, Any]:
    """What the profiles of all tested users of `dataset` add to the shipped ranking. Raises LLMUnavailableError."""
    profiles = await written(shop, dataset, tell)
    material = shop.material(dataset, tell)
    weights = load_weights().among(material.signals.people)
    prior = Fused("full_default", material.signals, [weights]).scores
    questions = uniform(dataset, seed).questions
    found = to_json(predictor.run(profiles, questions, prior, material.index, shop.embedder, seed=seed))
    about = {"kind": found.pop("kind"), "dataset": dataset.name, "digest": dataset.digest, "seed": seed}
    return {**about, "users": found["users"], "worst": found.pop("worst"), "systems": {"leitmotif": found}}


async def written(shop: Workshop, dataset: Dataset, tell: Tell) -> Mapping[str, Profile]:
    """User -> the profile as of just before the target, for everybody whose profile could be built."""
    home = shop.folder / f"profiles-{dataset.digest[:12]}"
    settings = shop.settings.model_copy(update={"home": home, "database_url": None})
    cases = dataset.cases
    with Service.open(settings) as service:
        events = [event for case in cases for event in dataset.train[case.user]]
        service.ingest_records([*dataset.items.values(), *events])
        found = {}
        for done, case in enumerate(cases, 1):
            try:
                found[case.user] = await service.profile(case.user, now=shop.now, as_of=case.at - BEFORE)
            except LeitmotifError as error:
                if error.retryable:
                    raise
            tell("profiles", done, len(cases))
    return found
