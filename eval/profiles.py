"""`leitmotif eval profiles`: statements of several systems about the same users, judged, and ours as a predictor beside.

found = await document(Request(dataset, ("leitmotif", "langchain"), junk=8, planted=None, seed=0), shop, tell)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval import written
from eval.authors import JUNK_KINDS, SYSTEMS, Written, junk, ours, theirs
from eval.cases import Dataset
from eval.claims import Judge
from eval.facts import facts
from eval.grounding import Court, Figures, Person, Said, measure
from eval.labels import agreement, read
from eval.results import to_json
from eval.stats import bootstrap_ci
from eval.truth import Interest, overrepresented, planted
from eval.workshop import Workshop
from retrieval.records import Polarity

if TYPE_CHECKING:
    from eval.rank import Tell

PLANTED = "planted.json"  # looked for beside the dataset


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked. `junk`: histories of each kind, 0 for none. `planted`: the file of planted interests, if there is one."""

    dataset: Dataset
    systems: Sequence[str]
    junk: int
    planted: Path | None
    seed: int


def beside(path: Path) -> Path | None:
    """The file of planted interests that lies with a dataset."""
    found = (path if path.is_dir() else path.parent) / PLANTED
    return found if found.is_file() else None


async def document(request: Request, shop: Workshop, tell: Tell) -> dict[str, Any]:
    """The figures of every system by DESIGN §7. Raises ReadError, UsageError, LLMUnavailableError."""
    dataset = request.dataset
    people = {c.user: Person(facts(dataset.train[c.user], dataset.items), c.at) for c in dataset.cases}
    court = Court(Judge(dataset.items.values(), shop.embedder), people, shop.embedder, request.seed)
    truth, kind = _truth(request, people)
    systems = {}
    for name in request.systems:
        about, rubbish = await _written(name, request, shop, tell)
        systems[name] = _row(about, measure(court, _everybody(about, people), truth), rubbish, request.seed)
    found = {
        "kind": "profiles",
        "dataset": dataset.name,
        "digest": dataset.digest,
        "seed": request.seed,
        "users": len(people),
        "truth": kind,
        "interests": sum(map(len, truth.values())),
        "junk": dict.fromkeys(JUNK_KINDS, request.junk),
        "judge": to_json(agreement(read(), shop.embedder, request.seed)),
        "systems": systems,
    }
    if SYSTEMS[0] in request.systems:
        predictor = await written.document(shop, dataset, request.seed, tell)
        found |= {"predictor": predictor["systems"][SYSTEMS[0]], "worst": predictor["worst"]}
    return found


def _truth(request: Request, people: Mapping[str, Person]) -> tuple[dict[str, list[Interest]], str]:
    if request.planted is not None:
        return planted(request.planted, {user: person.as_of for user, person in people.items()}), "planted"
    likes = {u: [f for f in person.facts if f.side is Polarity.LIKE] for u, person in people.items()}
    return overrepresented(likes), "overrepresented"


async def _written(name: str, request: Request, shop: Workshop, tell: Tell) -> tuple[Written, Written]:
    """What a system says of the tested users, and of the junk histories."""
    dataset = request.dataset
    rubbish = junk(dataset, request.junk, request.seed)
    if name == SYSTEMS[0]:
        about = await ours(shop, dataset, tell)
        return about, await ours(shop, dataset, tell, rubbish) if rubbish else Written({})
    histories = {case.user: dataset.train[case.user] for case in dataset.cases}
    about = await theirs(name, shop, histories, dataset.items, tell)
    return about, await theirs(name, shop, rubbish, dataset.items, tell)


def _everybody(about: Written, people: Mapping[str, Person]) -> Mapping[str, Sequence[Said]]:
    """Who is not written about has no statement and counts; where nothing was written at all, nothing is measured."""
    return {user: about.statements.get(user, ()) for user in people} if about.statements else {}


def _row(about: Written, figures: Figures, rubbish: Written, seed: int) -> dict[str, Any]:
    """The figures with names and form of DESIGN §7; the counterfactual ones are those of `eval explanations`."""
    silent = {user: float(not said) for user, said in rubbish.statements.items()}
    kinds = {kind: [v for user, v in silent.items() if user.startswith(f"junk-{kind}-")] for kind in JUNK_KINDS}
    found: dict[str, Any] = to_json(figures)
    return found | {
        "abstention_on_junk": _mean(list(silent.values())),
        "abstention_ci95": bootstrap_ci(list(silent.values()), seed) if silent else None,
        "abstention_by_kind": {kind: _mean(values) for kind, values in kinds.items()},
        "statements_per_junk_user": _mean([float(len(said)) for said in rubbish.statements.values()]),
        "counterfactual_effect": None,
        "counterfactual_ci95": None,
        "llm_calls": about.calls,
        "llm_tokens": about.tokens,
        "seconds": None if about.seconds is None else round(about.seconds, 1),
        "version": about.version,
        "note": about.note,
    }


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
