"""Ways to ask the LLM for one token: yes or no to a candidate, or the letter of one. See eval/llm_systems.py."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from agent.errors import UsageError
from agent.llm import LLM
from agent.rerank import fits, short, taken
from eval.candidates import generator
from eval.cases import Ranking
from prompts import library
from prompts.outputs import Label
from retrieval.records import Item

LETTERS: tuple[str, ...] = get_args(Label)
PASSES = 3  # of llm_letters, each with the candidates in another order
AGREE = 0.9  # rank correlation of the last two passes from which on another one would change little


@dataclass(frozen=True, slots=True)
class Shown:
    """A question as items: `taken` oldest first, without items that are not in the catalogue."""

    user: str
    taken: tuple[Item, ...]
    candidates: tuple[Item, ...]


@dataclass(frozen=True)
class YesNo:
    """log P(" yes") - log P(" no") to whether the same person would like the item."""

    prompts = ("would_like",)

    async def rank(self, llm: LLM, shown: Shown) -> Ranking:
        prompt, listed = library.load("would_like"), taken(shown.taken)

        async def one(item: Item) -> float:
            text = prompt.text(taken=listed, title=short(item))
            yes, no = await llm.choices(text, (" yes", " no"), ref=prompt.ref, user=shown.user)
            return yes - no

        return Ranking(tuple(await asyncio.gather(*map(one, shown.candidates))))


Tastes = tuple[tuple[str, ...], tuple[str, ...]]  # likes, dislikes


@dataclass(frozen=True)
class Fits:
    """The same of whether an item fits a profile, as the tuned model has learnt to say: what it likes and dislikes, and the
    item with its features. Of users of whom no like is known the model says the same of every item."""

    known: Mapping[str, Tastes]
    prompts = ("fits",)

    async def rank(self, llm: LLM, shown: Shown) -> Ranking:
        likes, dislikes = self.known.get(shown.user, ((), ()))
        if not likes:
            return Ranking((0.0,) * len(shown.candidates))
        return Ranking(tuple(await fits(llm, likes, dislikes, shown.candidates, shown.user)))


@dataclass(frozen=True)
class Letters:
    """The mean log-probability of an item's letter over passes, each of which shows the candidates in another order.

    Telling a model to ignore position does nothing; shuffling before every pass and averaging does (LLMRank, arXiv
    2305.08845). Stops as soon as two passes agree.
    """

    seed: int
    passes: int = PASSES
    agree: float = AGREE
    prompts = ("rank_letters",)

    async def rank(self, llm: LLM, shown: Shown) -> Ranking:
        prompt, listed = library.load("rank_letters"), taken(shown.taken)
        rng = generator(self.seed, shown.user, "letters")
        labels = [f" {letter}" for letter in LETTERS[: len(shown.candidates)]]
        found: list[NDArray[np.float64]] = []
        while len(found) < self.passes and not self._agreed(found):
            order = rng.permutation(len(shown.candidates))
            text = prompt.text(taken=listed, options=options([shown.candidates[place] for place in order]))
            logprobs = np.array(await llm.choices(text, labels, ref=prompt.ref, user=shown.user))
            found.append(np.zeros(len(order)))
            found[-1][order] = logprobs - np.logaddexp.reduce(logprobs)
        return Ranking(tuple(np.mean(found, axis=0).tolist()))

    def _agreed(self, found: Sequence[NDArray[np.float64]]) -> bool:
        """Spearman's correlation of the last two passes is high; one candidate is always agreed upon."""
        if len(found) < 2:
            return False
        last, other = (rankdata(scores) - (len(scores) + 1) / 2 for scores in found[-2:])
        spread = np.sqrt((last @ last) * (other @ other))
        return bool(last @ other >= self.agree * spread)


def options(candidates: Sequence[Item]) -> str:
    """A line for each candidate: its letter and its title. Raises UsageError where the letters do not suffice."""
    if len(candidates) > len(LETTERS):
        raise UsageError(f"{len(candidates)} candidates in one prompt", hint=f"there are {len(LETTERS)} letters")
    return "\n".join(f"{letter}. {short(item)}" for letter, item in zip(LETTERS, candidates, strict=False))
