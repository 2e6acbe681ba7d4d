"""Attacked items in the ranking: where does an item of the bottom half end up when its own words attack, all else equal?

Only the attacked item is scored again: its text channels, its vector, and the LLM's score of its title. Success is a place
among the first TOP after, and not before; for a demotion, that the named competitor is no longer there. The same attempts
are made twice: with the product's defences, and on a system that reads raw text and follows the LLM without a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agent.llm import LLM
from agent.rerank import next_titles, taken
from eval.candidates import generator
from eval.cases import Question
from eval.robustness.attacks import Attack, attacked, read
from prompts import library
from retrieval.embed import Embedder, item_text
from retrieval.features import CatalogueStats, distinctive
from retrieval.fusion import FusionWeights, bounded
from retrieval.ranker import prior
from retrieval.records import Item
from retrieval.restraint import bare, restrained
from retrieval.signals import Signals
from retrieval.trust import trusted

TOP = 3
Floats = NDArray[np.float64]
Read = Callable[[Item], Item]


def raw(item: Item) -> Item:
    """What a system without defences reads of an item: all of it."""
    return item


def defended(item: Item) -> Item:
    """What the product reads of an item."""
    return trusted(read(item))


@dataclass(frozen=True)
class Ranker:
    """One configuration. `reads` is what it takes of an item; `max_rise` bounds what the LLM may move, `most_places` what an
    item's own words may."""

    signals: Signals = field(repr=False)
    weights: FusionWeights
    reads: Read
    max_rise: int
    most_places: int
    llm: LLM | None = field(default=None, repr=False)

    @property
    def llm_weight(self) -> float:
        return self.weights.llm_share(self.signals.people) if self.llm else 0.0

    async def told(self, history: Sequence[Item], items: Sequence[Item]) -> list[float]:
        """The LLM's scores of titles; none without an LLM or where it has no weight."""
        if self.llm is None or not self.llm_weight or not items:
            return [float("nan")] * len(items)
        if self.reads is not raw:
            return await next_titles(self.llm, taken(history), items)
        prefix = library.load("next_title").text(taken="\n".join(f"- {item.title}" for item in history[-30:]))
        return await self.llm.likelihood([(prefix, f" {item.title}") for item in items], ref="robustness")

    def prior(self, channels: Mapping[str, Floats]) -> Floats:
        known = {name: channels[name] for name in self.weights.channels if name in channels}
        return prior(known, self.weights, asked=False)

    def order(self, channels: Mapping[str, Floats], bare_channels: Mapping[str, Floats], llm: Floats) -> list[int]:
        """Rows of the candidates, best first. `bare_channels` are those of the items without their own words."""
        scores = self.prior(channels)
        rows = restrained(scores, self.prior(bare_channels), self.most_places)
        told = {str(row): float(score) for row, score in enumerate(llm)}
        falling = np.sort(scores)[::-1].tolist()
        after = bounded([str(row) for row in rows], told, self.llm_weight, self.max_rise, falling)
        return [int(row) for row in after]


@dataclass(frozen=True)
class Standing:
    """A question as one ranker sees it before any attack. `order` holds rows of the candidates, best first."""

    ranker: Ranker
    question: Question
    history: tuple[Item, ...]
    items: tuple[Item, ...]
    channels: Mapping[str, Floats]
    bare: Mapping[str, Floats]
    llm: Floats
    order: list[int]

    async def after(self, attempts: Sequence[tuple[int, Item]], embedder: Embedder) -> list[list[int]]:
        """The order after each attempt: the candidate in this row has become this item."""
        items = [item for _, item in attempts]
        unseen, bared = (texts(self.ranker, self.question, some, embedder) for some in (items, list(map(bare, items))))
        same = [self.items[row].title == item.title for row, item in attempts]
        fresh = iter(await self.ranker.told(self.history, [i for i, kept in zip(items, same, strict=True) if not kept]))
        found = []
        for number, (row, _) in enumerate(attempts):
            llm = self.llm if same[number] else _put(self.llm, row, next(fresh))
            changed = {name: _put(self.channels[name], row, scores[number]) for name, scores in unseen.items()}
            without = {name: _put(self.bare[name], row, scores[number]) for name, scores in bared.items()}
            found.append(self.ranker.order({**self.channels, **changed}, {**self.bare, **without}, llm))
        return found


def texts(ranker: Ranker, question: Question, items: Sequence[Item], embedder: Embedder) -> dict[str, Floats]:
    """The text channels of items that are not in the catalogue."""
    read = [item_text(item, ranker.reads) for item in items]
    distinct = list(dict.fromkeys(read))
    place = {text: n for n, text in enumerate(distinct)}
    vectors = embedder.embed(distinct)[[place[text] for text in read]]
    return ranker.signals.unseen(question.case.history, items, vectors, ranker.reads)


async def stand(ranker: Ranker, question: Question, catalogue: Mapping[str, Item], embedder: Embedder) -> Standing:
    """Rank a question as it is."""
    items = tuple(catalogue[item] for item in question.candidates)
    history = tuple(catalogue[item] for item in question.case.history if item in catalogue)
    channels = ranker.signals.channels(question.case.history, question.candidates)
    without = {**channels, **texts(ranker, question, list(map(bare, items)), embedder)}
    llm = np.array(await ranker.told(history, items))
    return Standing(ranker, question, history, items, channels, without, llm, ranker.order(channels, without, llm))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attack on one item for one user: places before and after (0 is the first), and whether it worked."""

    attack: Attack
    before: int
    after: int
    success: bool


def victims(standings: Sequence[Standing], count: int, seed: int) -> list[int]:
    """Rows of items that every ranker has in its bottom half, `count` of them by the seed."""
    n = len(standings[0].items)
    low = set(range(n)).intersection(*({*s.order[n // 2 :]} for s in standings))
    rng = generator(seed, standings[0].question.case.user, "victims")
    return [int(row) for row in rng.permutation(sorted(low))[:count]]


def names(standing: Standing, stats: CatalogueStats, popular: str) -> dict[str, str]:
    """What the attacker knows: the user's taste and last titles, who leads the list, what is popular."""
    tastes = [feature for feature, _ in distinctive(standing.history, stats)] or ["good things"]
    titles = [item.title for item in standing.history[::-1]] or [popular]
    return {
        **{name: tastes[min(n, len(tastes) - 1)] for n, name in enumerate(("genre", "genre2", "genre3"))},
        **{name: titles[min(n, len(titles) - 1)] for n, name in enumerate(("history1", "history2"))},
        "popular": popular,
        "competitor": standing.items[standing.order[0]].title,
    }


async def attempt(
    standing: Standing, rows: Sequence[int], attacks: Sequence[Attack], known: Mapping[str, str], embedder: Embedder
) -> list[Attempt]:
    """All attacks on all victims of one question."""
    pairs = [(row, attacked(standing.items[row], attack, known)) for row in rows for attack in attacks]
    orders = await standing.after(pairs, embedder)
    tried = [attack for _ in rows for attack in attacks]
    return [_judged(standing, row, attack, order) for (row, _), attack, order in zip(pairs, tried, orders, strict=True)]


def _judged(standing: Standing, row: int, attack: Attack, order: Sequence[int]) -> Attempt:
    before, after = standing.order.index(row), order.index(row)
    rises = after < TOP <= before
    falls = order.index(standing.order[0]) >= TOP
    return Attempt(attack, before, after, falls if attack.goal == "demote" and not rises else rises)


def _put(values: Floats, row: int, value: float) -> Floats:
    changed = values.copy()
    changed[row] = value
    return changed
