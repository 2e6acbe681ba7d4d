"""What an evaluation works on: a dataset that was cut, cases to rank, systems that rank them, and what they answered.

Only data and one protocol live here; every other file of eval imports these words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from retrieval.records import Event, Item, Refusal

HISTORY = 50  # items of a history that a system sees, the latest ones: the protocol of LLMRank (arXiv 2305.08845)


@dataclass(frozen=True, slots=True)
class Case:
    """One question: after `history` (distinct item ids, oldest first, at most HISTORY), what came next?

    `at` is the moment of the target: only what happened before belongs to the user's past. `target` is for the metrics;
    a system that reads it cheats.
    """

    user: str
    history: tuple[str, ...]
    target: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Dataset:
    """A catalogue, what everybody did before their test item, and the test cases.

    `train`: user -> events, oldest first, the test item never among them; it holds users who are not tested, too. `timed`
    is False where the source has no times and those of the events only keep the order within a user. `digest` is a hash
    of the content of the source files.
    """

    name: str
    digest: str
    items: Mapping[str, Item] = field(repr=False)
    train: Mapping[str, tuple[Event, ...]] = field(repr=False)
    cases: tuple[Case, ...] = field(repr=False)
    timed: bool = True
    problems: tuple[Refusal, ...] = ()

    def sequences(self) -> dict[str, tuple[str, ...]]:
        """User -> distinct training items in the order in which they were first touched."""
        return {user: distinct(event.item for event in events) for user, events in self.train.items()}


@dataclass(frozen=True, slots=True)
class Question:
    """A case with the items to rank, in the order in which they are shown (shuffled by the seed)."""

    case: Case
    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ranking:
    """What a system answered: a score for each candidate in the order of the question (NaN: no opinion), and its cost.

    `invalid` counts answers of the LLM that could not be used; `seconds` is time that was spent on it in an earlier run.
    """

    scores: tuple[float, ...]
    invalid: int = 0
    llm_calls: int = 0
    llm_tokens: int = 0
    seconds: float = 0.0


class System(Protocol):
    """Ranks the candidates of a question. `key` says all that decides its answers (name, parameters, model, prompt), so
    that answers can be kept; equal keys on equal data must mean equal answers."""

    @property
    def name(self) -> str: ...

    @property
    def key(self) -> str: ...

    async def rank(self, question: Question) -> Ranking: ...


def distinct(items: Iterable[str | None]) -> tuple[str, ...]:
    """The ids, each at its first place, without None."""
    return tuple(dict.fromkeys(item for item in items if item is not None))
