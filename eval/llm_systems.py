"""The LLM alone as a ranker, in the ways that are worth comparing: each is a System that sees titles and nothing else.

    system = make("llm", dataset, llm, seed=0)      # next_title: what the product does, see agent/rerank.py
    ranking = await system.rank(question)           # with the calls and tokens that this question cost

Titles are the only text of items that is shown, cut to one short line each. A question's history is what the person took,
oldest first. What each way is worth stands in prompts/CHANGELOG.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Protocol

from agent.errors import LLMOutputError, UsageError
from agent.llm import LLM
from agent.rerank import TAKEN, next_titles, taken, tastes, titles
from eval.cases import Dataset, Question, Ranking, System
from eval.llm_choices import LETTERS, Fits, Letters, Shown, Tastes, YesNo, options
from prompts import library
from retrieval.records import Item, Polarity, Profile
from retrieval.store import LLMCall

VARIANTS = (
    "llm",
    "llm_short",
    "llm_pmi",
    "llm_letters",
    "llm_yesno",
    "llm_fits",
    "llm_generated",
    "llm_themes",
    "llm_fame",
)
SHORT = 5  # titles of the history that llm_short sees
LIKES = 3  # themes that llm_themes names


class Way(Protocol):
    """How the LLM is asked. Its repr and the texts of its `prompts` say all that decides the answers of a given model."""

    @property
    def prompts(self) -> tuple[str, ...]: ...

    async def rank(self, llm: LLM, shown: Shown) -> Ranking: ...


@dataclass(slots=True)
class Meter:
    """A call log that adds up."""

    invalid: int = 0
    calls: int = 0
    tokens: int = 0

    def __call__(self, call: LLMCall) -> None:
        self.invalid += call.outcome == "invalid"
        self.calls += 1
        self.tokens += call.tokens_in + call.tokens_out


@dataclass(frozen=True)
class LLMSystem:
    """The System of a way to ask, with a client of its own for each question, so that the costs of several stay apart."""

    name: str
    way: Way
    items: Mapping[str, Item] = field(repr=False)
    llm: LLM = field(repr=False)

    @property
    def key(self) -> str:
        texts = [library.load(name, tuned=True).sha for name in self.way.prompts]
        return f"{self.way!r} {self.llm.identity} {texts}"

    async def rank(self, question: Question) -> Ranking:
        meter = Meter()
        llm = copy(self.llm)  # shares connections and the limit of requests at once
        llm.log = meter
        case = question.case
        shown = Shown(
            case.user,
            tuple(self.items[item] for item in case.history if item in self.items),
            tuple(self.items[item] for item in question.candidates),
        )
        found = await self.way.rank(llm, shown)
        return replace(found, invalid=found.invalid + meter.invalid, llm_calls=meter.calls, llm_tokens=meter.tokens)


def make(name: str, dataset: Dataset, llm: LLM, seed: int, profiles: Mapping[str, Profile] | None = None) -> System:
    """The variant of this name. `profiles` by user, written from training data alone; only llm_themes and llm_fits read
    them. Raises UsageError for a name that is not in VARIANTS."""
    return LLMSystem(name, _way(name, seed, profiles or {}), dataset.items, llm)


def _way(name: str, seed: int, profiles: Mapping[str, Profile]) -> Way:
    made: Mapping[str, Callable[[], Way]] = {
        "llm": Next,
        "llm_short": lambda: Next(SHORT),
        "llm_pmi": Informed,
        "llm_letters": lambda: Letters(seed),
        "llm_yesno": YesNo,
        "llm_fits": lambda: Fits({user: _tastes(profile) for user, profile in profiles.items()}),
        "llm_generated": Generated,
        "llm_themes": lambda: Themes({user: _labels(profile) for user, profile in profiles.items()}),
        "llm_fame": Fame,
    }
    if name not in made:
        raise UsageError(f"no way to rank with an LLM is called {name!r}", hint=f"choose among {', '.join(VARIANTS)}")
    return made[name]()


def _labels(profile: Profile) -> tuple[str, ...]:
    """Of the strongest themes that are liked."""
    return tuple(t.label for t in profile.themes if t.active and t.polarity is Polarity.LIKE)[:LIKES]


def _tastes(profile: Profile) -> Tastes:
    likes, dislikes = tastes(profile)
    return tuple(likes), tuple(dislikes)


# --- one candidate at a time ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Next:
    """How likely the title is after the last titles: raw, so that how well known an item is counts, too."""

    count: int = TAKEN
    prompts = ("next_title",)

    async def rank(self, llm: LLM, shown: Shown) -> Ranking:
        return Ranking(tuple(await next_titles(llm, taken(shown.taken, self.count), shown.candidates, shown.user)))


@dataclass(frozen=True)
class Alone:
    """How likely a title is with nobody in sight; an item is asked about once, at the cost of whose question came first."""

    prompt: str
    known: dict[str, float] = field(default_factory=dict, repr=False)

    async def scores(self, llm: LLM, candidates: Sequence[Item], **nothing: str) -> list[float]:
        prompt = library.load(self.prompt)
        missing = [item for item in candidates if item.id not in self.known]
        fresh = await titles(llm, prompt.text(**nothing), missing, prompt.ref)
        self.known.update(zip((item.id for item in missing), fresh, strict=True))
        return [self.known[item.id] for item in candidates]


@dataclass(frozen=True)
class Informed:
    """Pointwise mutual information of title and list: what the title alone explains is taken out."""

    alone: Alone = field(default_factory=lambda: Alone("next_title"))
    prompts = ("next_title",)

    async def rank(self, llm: LLM, shown: Shown) -> Ranking:
        given = await Next().rank(llm, shown)
        alone = await self.alone.scores(llm, shown.candidates, taken="")
        return Ranking(tuple(with_ - without for with_, without in zip(given.scores, alone, strict=True)))


@dataclass(frozen=True)
class Fame:
    """How likely the title is as that of something famous: the same for everybody."""

    alone: Alone = field(default_factory=lambda: Alone("famous_title"))
    prompts = ("famous_title",)

    async def rank(self, llm: LLM, shown: Shown) -> Ranking:
        return Ranking(tuple(await self.alone.scores(llm, shown.candidates)))


@dataclass(frozen=True)
class Themes:
    """Next, with the labels of the profile's themes in front of the list; users without labels have the list alone."""

    labels: Mapping[str, tuple[str, ...]]
    prompts = ("next_title_themes", "next_title")

    async def rank(self, llm: LLM, shown: Shown) -> Ranking:
        labels = self.labels.get(shown.user)
        if not labels:
            return await Next().rank(llm, shown)
        prompt = library.load("next_title_themes")
        prefix = prompt.text(likes=", ".join(labels), taken=taken(shown.taken))
        return Ranking(tuple(await titles(llm, prefix, shown.candidates, prompt.ref, shown.user)))


# --- all candidates in one prompt -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Generated:
    """The order that the LLM writes. What it leaves out comes last, in the order in which it was shown.

    An answer that is not an order of all the candidates is counted as invalid, also where it was repaired like this.
    """

    prompts = ("rank_order",)

    async def rank(self, llm: LLM, shown: Shown) -> Ranking:
        count = len(shown.candidates)
        named: list[int] = []
        invalid = 0
        try:
            answers = await llm.complete(
                library.load("rank_order"),
                user=shown.user,
                taken=taken(shown.taken),
                options=options(shown.candidates),
            )
            named = [LETTERS.index(letter) for letter in answers[0].output.order]
            invalid = int(sorted(named) != list(range(count)))
        except LLMOutputError:
            pass  # the call log has counted both answers
        order = dict.fromkeys([*(place for place in named if place < count), *range(count)])
        ranks = {place: rank for rank, place in enumerate(order)}
        return Ranking(tuple(-float(ranks[place]) for place in range(count)), invalid)
