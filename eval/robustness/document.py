"""The figures of `leitmotif eval robustness` in one document: attempts on the ranking, planted texts, random output, what order
and length of the input do, and what all defences cost on clean data.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from agent.evidence import evidence_of
from agent.gate import Tally
from agent.llm import LLM
from agent.rerank import TAKEN_BYTES, taken
from agent.writer import Writer
from eval import metrics
from eval.candidates import generator, uniform
from eval.cases import Dataset, Question
from eval.material import Material
from eval.robustness.attacks import FIELDS, Attack
from eval.robustness.planting import Garden, Parrot, Plant, Scribbler, fabricated, scribbled
from eval.robustness.ranking import Attempt, Ranker, Standing, attempt, defended, names, raw, stand, victims
from eval.stats import bootstrap_ci, wilson
from eval.systems import MAX_RISE
from retrieval.embed import Embedder, Vectors, item_text
from retrieval.features import CatalogueStats, catalogue_stats
from retrieval.fusion import load_weights
from retrieval.lexical import Lexical
from retrieval.records import Item, Refusal
from retrieval.restraint import MOST_PLACES
from retrieval.signals import Signals
from retrieval.trust import suspicion

if TYPE_CHECKING:
    from eval.rank import Tell

SHUFFLES = 20
SAMPLES = 16  # answers of the scribbler a request
UNBOUND = 1_000_000
Made = TypeVar("Made", Attempt, Plant)
Pair = tuple[Standing, Standing]  # with defences, without


class Remembered:
    """An embedder that keeps what it has embedded: the same attack is made on several items."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[str, Vectors] = {}
        self.name, self.dim = embedder.name, embedder.dim

    def embed(self, texts: Sequence[str]) -> Vectors:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known.update(zip(new, self._embedder.embed(new), strict=True))
        return np.array([self._known[text] for text in texts], dtype=np.float32).reshape(len(texts), self.dim)


@dataclass
class Robustness:
    """One run. `users` and `items` bound the attempts on the ranking, `planted` and `fuzz` the texts for the writer; without
    `llm`, nobody scores titles."""

    material: Material
    embedder: Embedder
    attacks: Sequence[Attack]
    tell: Tell
    llm: LLM | None = None
    users: int = 12
    items: int = 1
    planted: int = 5000
    fuzz: int = 100_000
    seed: int = 0
    problems: Sequence[Refusal] = ()
    _notes: list[str] = field(default_factory=list)

    async def document(self) -> dict[str, Any]:
        """DESIGN §7, and more. Shares and ndcg in percent, places counted from the top."""
        with threadpool_limits(limits=1, user_api="blas"):
            pairs = await self._standings()
            with_, without = await self._attempts(pairs)
            flips = await self._flips([pair[0] for pair in pairs])
        plants = await self._plants()
        seen = [a for a in with_ if not a.attack.unseen]
        document: dict[str, Any] = {
            "kind": "robustness",
            "dataset": self.dataset.name,
            "digest": self.dataset.digest,
            "seed": self.seed,
            "users": len(pairs),
            "families": _families(with_, without, plants),
            "success": _share(seen),
            "success_unseen": _share([a for a in with_ if a.attack.unseen]),
            "success_undefended": _share(without),
            "stored_instructions": sum(bool(plant.survived) for plant in plants if not plant.attack.unseen),
            "stored_unseen": sum(bool(plant.survived) for plant in plants if plant.attack.unseen),
            "stored_undefended": sum(bool(plant.undefended) for plant in plants),
            "planted": len(plants),
            "survivors": [
                {"family": p.attack.family, "field": p.field, "text": p.survived} for p in plants if p.survived
            ][:50],
            **await self._scribbled(),
            **self._costs(pairs),
            "top1_flips": flips,
            "prompt_bytes": self._drain(pairs),
            "problems": [asdict(problem) for problem in self.problems],
        }
        return document | {"notes": self._notes}

    @property
    def dataset(self) -> Dataset:
        return self.material.dataset

    @cached_property
    def _memory(self) -> Remembered:
        return Remembered(self.embedder)

    @cached_property
    def _stats(self) -> CatalogueStats:
        return catalogue_stats(self.material.items)

    @cached_property
    def _questions(self) -> list[Question]:
        """Of a sample of the users, fewest first where the sample is small: the order of the seed."""
        questions = uniform(self.dataset, self.seed).questions
        order = generator(self.seed, "", "robustness").permutation(len(questions))
        return [questions[place] for place in order]

    @cached_property
    def _rankers(self) -> tuple[Ranker, Ranker]:
        """The product, and the same without anything that this evaluation is about."""
        ours = self.material.signals
        weights = load_weights().among(ours.people)
        texts = [item_text(item, raw) for item in self.material.items]
        vectors = self.material.vectors.copy()
        other = [row for row, item in enumerate(self.material.items) if item_text(item) != texts[row]]
        vectors[other] = self._memory.embed([texts[row] for row in other])
        lexical = Lexical(self.material.items, raw)
        trusting = Signals(self.material.items, vectors, lexical, self.dataset.sequences().values())
        return (
            Ranker(ours, weights, defended, MAX_RISE, MOST_PLACES, self.llm),
            Ranker(trusting, weights, raw, UNBOUND, UNBOUND, self.llm),
        )

    async def _standings(self) -> list[Pair]:
        found = []
        chosen = self._questions[: self.users]
        for done, question in enumerate(chosen, 1):
            ours, trusting = [await stand(r, question, self.dataset.items, self._memory) for r in self._rankers]
            found.append((ours, trusting))
            self.tell("rankings", done, len(chosen))
        return found

    async def _attempts(self, pairs: Sequence[Pair]) -> tuple[list[Attempt], list[Attempt]]:
        """The same attempts with and without defences."""
        attacks = [attack for attack in self.attacks if attack.on_items]
        popular = max(self.material.signals.popularity().items(), key=lambda pair: (pair[1], pair[0]))[0]
        found: tuple[list[Attempt], list[Attempt]] = ([], [])
        for done, pair in enumerate(pairs, 1):
            rows = victims(pair, self.items, self.seed)
            known = names(pair[0], self._stats, self.dataset.items[popular].title)
            for standing, kept in zip(pair, found, strict=True):
                kept += await attempt(standing, rows, attacks, known, self._memory)
            self.tell("attacks on the ranking", done, len(pairs))
        return found

    async def _flips(self, standings: Sequence[Standing]) -> float:
        """How often another item is first when only the order of the candidates is another one."""
        flips = tried = 0
        for standing in standings[: 4 if self.llm else None]:
            first = standing.items[standing.order[0]].id
            rng = generator(self.seed, standing.question.case.user, "shuffles")
            for _ in range(SHUFFLES):
                shuffled = tuple(str(i) for i in rng.permutation(np.array(standing.question.candidates, dtype=object)))
                question = Question(standing.question.case, shuffled)
                again = await stand(standing.ranker, question, self.dataset.items, self._memory)
                flips += again.items[again.order[0]].id != first
                tried += 1
        return 100 * flips / max(tried, 1)

    def _costs(self, pairs: Sequence[Pair]) -> dict[str, Any]:
        """ndcg@10 that the defences of texts cost on data that nobody has attacked: without less with, in points."""
        gains = np.array([[_ndcg(standing) for standing in pair] for pair in pairs])
        lost = gains[:, 1] - gains[:, 0]
        flagged = sum(suspicion(item.text) is not None for item in self.material.items)
        low, high = bootstrap_ci(lost, self.seed)
        return {"ndcg_cost": float(lost.mean()), "ndcg_cost_ci95": [low, high], "texts_flagged": flagged}

    def _drain(self, pairs: Sequence[Pair]) -> dict[str, float]:
        """Bytes of the list of titles in a ranking prompt: as it is, and where every title is as long as the reader lets in."""
        usual = [len(taken(pair[0].history).encode()) for pair in pairs]
        words = sorted(self._stats.words, key=lambda word: (-len(word), word))
        longest = [Item(str(n), " ".join(words[n::50][:60])) for n in range(50)]
        worst = len(taken(longest).encode())
        return {"median": float(np.median(usual)), "worst": float(worst), "cap": float(TAKEN_BYTES)}

    # What is stored ----------------------------------------------------------------------------------------------------

    async def _plants(self) -> list[Plant]:
        """Every attack that commands something, in every field it may stand in, user after user, until there are enough."""
        parrot = Parrot()
        writer = Writer(parrot, self._memory.embed, 1, Tally())
        tries = [(a, name) for a in self.attacks if a.instructs for name in _fields(a)]
        found: list[Plant] = []
        for garden in self._gardens():
            for attack, name in tries[: max(0, self.planted - len(found))]:
                found.append(await garden.plant(attack, name, parrot, writer))
            self.tell("planted texts", len(found), self.planted)
            if len(found) >= self.planted:
                break
        return found

    def _gardens(self) -> list[Garden]:
        gardens = []
        for question in self._questions:
            history = [self.dataset.items[item] for item in question.case.history if item in self.dataset.items]
            if history:
                tastes = [c for item in history for c in item.categories] or ["films"]
                known = {"genre": tastes[0], "genre2": tastes[-1], "competitor": history[0].title}
                items = tuple(history[-3:])
                gardens.append(Garden(question.case.user, items, known, self._stats, question.case.at))
        return gardens

    async def _scribbled(self) -> dict[str, int]:
        """Random output of the LLM, and how many statements made of it cite or say what they may not."""
        ids = [event.id for events in self.dataset.train.values() for event in events[:2]][:500]
        scribbler = Scribbler(sorted(self._stats.words)[:2000], ids, self.seed)
        writer = Writer(scribbler, self._memory.embed, SAMPLES, Tally())
        counts: Counter[str] = Counter()
        gardens = [garden for garden in self._gardens() if evidence_of(*garden.seen, self._stats).features]
        for turn in count() if gardens else ():
            if scribbler.outputs >= self.fuzz:
                break
            segment, statement = await scribbled(gardens[turn % len(gardens)], "text", writer)
            counts["statements"] += statement is not None
            counts["fabricated"] += statement is not None and fabricated(segment, statement, ids)
            if turn % 200 == 0:
                self.tell("random output", scribbler.outputs, self.fuzz)
        return {
            "fuzzed": scribbler.outputs,
            "fuzzed_statements": counts["statements"],
            "fabricated": counts["fabricated"],
        }


def _fields(attack: Attack) -> tuple[str, ...]:
    """Where a text may be planted: where it belongs, and wherever people type."""
    own = ("+".join(attack.fields),) if attack.on_items else ()
    return (*own, *(name for name in FIELDS if name not in ("title", "text", "tag")))


def _families(
    with_: Sequence[Attempt], without: Sequence[Attempt], plants: Sequence[Plant]
) -> Mapping[str, Mapping[str, Any]]:
    ours, theirs, stored = _by_family(with_), _by_family(without), _by_family(plants)
    found = {}
    for name in sorted({*ours, *stored}):
        tried, bare, kept = ours.get(name, []), theirs.get(name, []), stored.get(name, [])
        worked = sum(one.success for one in tried)
        found[name] = {
            "attempts": len(tried),
            "success": _share(tried),
            "wilson95": [100 * x for x in wilson(worked, len(tried))] if tried else None,
            "success_undefended": _share(bare),
            "rise": _rise(tried),
            "rise_undefended": _rise(bare),
            "planted": len(kept),
            "stored": sum(bool(plant.survived) for plant in kept),
            "stored_undefended": sum(bool(plant.undefended) for plant in kept),
            "unseen": any(one.attack.unseen for one in tried or kept),
        }
    return found


def _by_family(made: Sequence[Made]) -> dict[str, list[Made]]:
    found: dict[str, list[Made]] = defaultdict(list)
    for one in made:
        found[one.attack.family].append(one)
    return found


def _share(attempts: Sequence[Attempt]) -> float | None:
    """Percent that worked; None where nothing was tried."""
    return 100 * sum(one.success for one in attempts) / len(attempts) if attempts else None


def _rise(attempts: Sequence[Attempt]) -> float | None:
    """Places won in the mean."""
    return sum(one.before - one.after for one in attempts) / len(attempts) if attempts else None


def _ndcg(standing: Standing) -> float:
    ranked = [standing.items[row].id for row in standing.order]
    return 100 * metrics.ndcg(ranked, {standing.question.case.target}, 10)
