"""`leitmotif eval rank`: a dataset, questions by a protocol, every system asked, one document of figures.

dataset -> cut -> questions -> counts, vectors -> weights on other users -> the LLM's worth -> systems -> figures
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from agent.errors import LLMUnavailableError, UsageError
from agent.llm import LLM
from eval import baselines, candidates, gain, llm_systems, results, runner
from eval.cases import Dataset, Question, System
from eval.dataset import load
from eval.fitted import Lessons, collect, fit
from eval.material import Material, embedded
from eval.systems import ZERO_SHOT, Fused, Recorded, Retrieved, WithLLM
from retrieval.embed import Embedder
from retrieval.fusion import FED_BY_OTHERS, SHIPPED, FusionWeights, load_weights
from retrieval.readers import ColumnMap
from retrieval.records import Profile
from retrieval.signals import CHANNELS

PROTOCOLS = ("uniform", "popularity", "everything")
LESSONS = 12_000  # training questions that weights are learnt on, at most; up to MOST_A_USER of each user
MOST_A_USER = 3
ABLATIONS = (*(f"full-{name}" for name in CHANNELS), "full-crowd", "full-trees", "full-llm")
SYSTEMS = (*baselines.BASELINES, "llm", "zero_shot", "full", "full_default", *ABLATIONS)
ASKS_LLM = ("llm", "zero_shot", "full", "full_default")

Tell = Callable[[str, int, int], None]  # (stage, done, total)
Asked = tuple[System, Sequence[Question]]


@dataclass(frozen=True, slots=True)
class Request:
    """What to run. `llm_users`: how many users the LLM is asked about, a sample by the seed; 0 asks it nothing.
    `weights`: those of the row `full_default`."""

    path: Path
    candidates: Path | None = None
    protocol: str = "uniform"
    users: int | None = None
    seed: int = 0
    systems: tuple[str, ...] = SYSTEMS
    llm_users: int = 300
    weights: Path = SHIPPED
    format: str = "auto"
    columns: ColumnMap | None = None

    def __post_init__(self) -> None:
        if unknown := [name for name in self.systems if name not in SYSTEMS]:
            raise UsageError(f"unknown system {unknown[0]!r}", hint=f"choose among {', '.join(SYSTEMS)}")
        if self.protocol not in PROTOCOLS:
            raise UsageError(f"unknown protocol {self.protocol!r}", hint=f"choose among {', '.join(PROTOCOLS)}")


@dataclass
class Run:
    """One run under way. `folder` keeps answers and vectors; equal work is not done twice. `profiles` writes those of a
    data set's tested users, where the LLM is to be told them, as the tuned one is in the product."""

    request: Request
    embedder: Embedder
    llm: LLM
    folder: Path
    now: datetime
    tell: Tell
    profiles: Callable[[Dataset], Awaitable[Mapping[str, Profile]]] | None = None
    notes: list[str] = field(default_factory=list)
    _known: Mapping[str, Profile] = field(default_factory=dict, init=False)

    async def document(self) -> dict[str, Any]:
        """The published figures (DESIGN: `eval rank`), with notes on what was learnt and what was left out."""
        asked = results.prepare(self.dataset, self.drawn.questions, self.material.vectors)
        measured = {}
        # with matrices this small, threads of BLAS wait for each other longer than they work
        with threadpool_limits(limits=1, user_api="blas"):
            for system, questions in await self._systems():
                rows = await self._rows(system, questions)
                measured[system.name] = results.measure(asked, rows, self.request.seed)
        report = results.report(
            asked,
            measured,
            protocol=self._protocol,
            seed=self.request.seed,
            date=self.now,
            reference="full",
            problems=(*self.dataset.problems, *self.drawn.problems),
        )
        return {"kind": "rank", **results.to_json(report), "notes": self.notes}

    @cached_property
    def dataset(self) -> Dataset:
        r = self.request
        return load(r.path, format=r.format, columns=r.columns, users=r.users, seed=r.seed, now=self.now)

    @cached_property
    def drawn(self) -> candidates.Drawn:
        r = self.request
        if r.candidates is not None:
            return candidates.from_file(r.candidates, self.dataset, r.seed)
        if r.protocol == "popularity":
            return candidates.popularity_matched(self.dataset, r.seed)
        uniform = candidates.uniform(self.dataset, r.seed)
        if r.protocol == "everything":
            return replace(uniform, questions=tuple(candidates.everything(self.dataset, r.seed)))
        return uniform

    @cached_property
    def material(self) -> Material:
        return embedded(self.dataset, self.embedder, self.folder, lambda done, of: self.tell("vectors", done, of))

    @cached_property
    def lessons(self) -> Lessons:
        """Training questions with their scores, drawn by the protocol of the test."""
        r = self.request
        each = max(1, min(MOST_A_USER, LESSONS // max(len(self.dataset.train), 1)))
        made = candidates.validation(self.dataset, r.seed, self.drawn.negatives, per_user=each)
        return collect(self.material, made[:LESSONS], lambda done, of: self.tell("lessons", done, of))

    async def _systems(self) -> list[Asked]:
        """Each system that was asked for, with the questions for it."""
        wanted, signals = self.request.systems, self.material.signals
        found: list[Asked] = [
            (baselines.make(name, self.dataset, self.material.index, self.request.seed), self.drawn.questions)
            for name in baselines.BASELINES
            if name in wanted
        ]
        heard = await self._heard() if any(name in wanted for name in ASKS_LLM) else None
        if heard and "llm" in wanted:
            found.append((heard, self._sample))
        for name, weights in {
            "zero_shot": ZERO_SHOT,
            "full_default": load_weights(self.request.weights).among(signals.people),
        }.items():
            if name in wanted:
                found.append(self._with_llm(Fused(name, signals, [weights]), heard))
        fitted = [name for name in wanted if name == "full" or name in ABLATIONS]
        return found + (await self._fitted(fitted, heard) if fitted else [])

    async def _fitted(self, names: Sequence[str], heard: Recorded | None) -> list[Asked]:
        """`full`, and `full` without each part. A part is removed before the weights are learnt, and the LLM's share stays."""
        base = replace(load_weights().among(self.material.signals.people), llm=0.0)  # it has to earn its weight here
        whole = fit(self.lessons, base)
        verdict = await self._verdict(whole) if heard else None
        self.notes.append(verdict.told() if verdict else "No LLM was asked for `full`.")
        found = []
        for name in names:
            part = name.removeprefix("full").removeprefix("-")
            gone = FED_BY_OTHERS if part == "crowd" else (part,) if part in CHANNELS else ()
            weights = fit(self.lessons, base, gone, part != "trees") if gone or part == "trees" else whole
            if verdict and part != "llm":
                weights = verdict.applied(weights)
            found.append(self._with_llm(Fused(name, self.material.signals, weights), heard))
            if part == "" and self._protocol == "everything":
                retrieved = Retrieved("full_retrieved", Fused(name, self.material.signals, weights), self.material)
                found.append((retrieved, self.drawn.questions))
        return found

    def _with_llm(self, fused: Fused, heard: Recorded | None) -> Asked:
        """The system as it is, or with the LLM on the sample where the LLM has a weight."""
        if heard and any(w.llm for w in fused.weights):
            return WithLLM(fused.name, fused, heard), self._sample
        return fused, self.drawn.questions

    @cached_property
    def _sample(self) -> Sequence[Question]:
        """The questions that the LLM is asked: those of a sample of the users, the same for each seed."""
        n, questions = self.request.llm_users, self.drawn.questions
        rng = candidates.generator(self.request.seed, "", "llm sample")
        chosen = sorted(rng.permutation(len(questions))[:n].tolist())
        if len(chosen) < len(questions):
            self.notes.append(f"The LLM was asked about a sample of {len(chosen)} of the {len(questions)} users.")
        return [questions[place] for place in chosen]

    async def _heard(self) -> Recorded | None:
        """The LLM's own ranking of the sample, kept for all that use it; None where there is no LLM to ask."""
        if not self.request.llm_users:
            return None
        if self._protocol == "everything":
            self.notes.append(
                "The LLM was not asked: a title at a time, a whole catalogue takes it hours for one user."
            )
            return None
        if self.profiles:
            heard = {question.case.user for question in self._sample}
            cases = tuple(case for case in self.dataset.cases if case.user in heard)
            self._known = await self.profiles(replace(self.dataset, cases=cases))
        rows = await self._asked_llm(self._sample)
        return Recorded("llm", self._own_llm.key, {row.question: row for row in rows}) if rows else None

    @cached_property
    def _own_llm(self) -> System:
        """As the product asks: whether an item fits the profile, where there are profiles, else the next title."""
        way = "llm_fits" if self._known else "llm"
        return llm_systems.make(way, self.dataset, self.llm, self.request.seed, self._known)

    async def _asked_llm(self, questions: Sequence[Question]) -> list[runner.Row]:
        """The LLM's answers; none, and a note, where it cannot be reached or goes away. All others are still ranked."""
        try:
            return await self._rows(self._own_llm, questions)
        except LLMUnavailableError as error:
            self.notes.append(f"What needs an LLM is left out: {error} ({error.hint}).")
            return []

    async def _verdict(self, weights: Sequence[FusionWeights]) -> gain.Verdict | None:
        if self._known:
            self.notes.append("No share was learnt for the LLM in `full`: profiles know what came after the lessons.")
            return None
        rng = candidates.generator(self.request.seed, "", "llm pilot")
        places = rng.permutation(len(self.lessons.questions))[: self.request.llm_users]
        pilot = self.lessons.rows(places)
        rows = await self._asked_llm(pilot.questions)
        return gain.judge(pilot, weights, rows, self.request.seed) if rows else None

    async def _rows(self, system: System, questions: Sequence[Question]) -> list[runner.Row]:
        data = f"{self.dataset.digest} {self.request.format} {self.request.columns}"
        found = await runner.run([system], questions, self.folder, data=data, progress=self.tell)
        return found[system.name]

    @property
    def _protocol(self) -> str:
        return f"file {self.request.candidates.name}" if self.request.candidates else self.request.protocol
