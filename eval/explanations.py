"""`leitmotif eval explanations`: are reasons true, and is what they cite what moved the score?

Everybody's training events go into a store of their own; the tested users get recommendations as of now. Each reason is
judged claim by claim (eval/reason_judge.py), and its cited items are deleted from the history: the score must fall more than
without as many items drawn at random. Other rules that choose evidence are measured on the same recommendations.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from agent.explain import from_data
from agent.gate import Tally
from agent.grounds import CITED_ITEMS, Grounds, grounds
from agent.parts import Parts
from agent.slate import Known, Slate
from agent.will import Marks
from eval.cases import Case, Dataset
from eval.reason_judge import Verdict, judge
from eval.results import to_json
from eval.stats import bootstrap_ci
from eval.workshop import Workshop
from retrieval.embed import Embedder, Vectors, item_text
from retrieval.features import features
from retrieval.records import Event, Item, Origin, Polarity, Recommendation, Statement
from retrieval.segments import LIKED_FROM, verdict
from retrieval.store import Store

if TYPE_CHECKING:
    from eval.rank import Tell

DRAWS = 10  # random sets of items for each number of cited ones

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Told:
    """A reason and what became of it. `fall` without the cited items, `chance` without as many random ones; `best`: the
    share of the history's most influential items, as many as are cited, that are cited."""

    user: str
    text: str
    origin: Origin
    verdict: Verdict
    items: frozenset[str]
    fall: float
    chance: float
    best: float


@dataclass(frozen=True, slots=True)
class Figures:
    """See docs/eval.md. Shares are 0 to 1; falls are in the unit of the prior (a z-score times its weight, in sum)."""

    precision: float
    recall: float
    specificity: float
    redundancy: float
    coverage: float
    abstention_on_junk: float
    counterfactual_effect: float
    counterfactual_ci95: tuple[float, float]
    fall_cited: float
    fall_random: float
    users: int
    reasons: int
    claims: int
    unique_sentences: float
    model_words: float


async def document(
    shop: Workshop, dataset: Dataset, *, k: int, llm_users: int, seed: int, tell: Tell
) -> dict[str, Any]:
    """The published figures. Raises LLMUnavailableError where an LLM is asked for and away."""
    started = time.monotonic()
    material = shop.material(dataset, tell)
    texts = (item_text(item) for item in dataset.items.values())
    embedder = Remembering(shop.embedder, dict(zip(texts, material.vectors, strict=True)))
    recommend = shop.settings.recommend.model_copy(update={"llm_weight": 0.0})
    home = shop.folder / f"explanations-{dataset.digest[:12]}"
    home.mkdir(parents=True, exist_ok=True)
    settings = shop.settings.model_copy(update={"home": home, "database_url": None, "recommend": recommend})
    with Store(settings.db_url) as store:
        store.ingest([*dataset.items.values(), *(e for own in dataset.train.values() for e in own)])
        parts = Parts(settings, store, embedder, shop.llm, store.catalogue_signature(), None, Tally())
        parts.index(lambda done, total: tell("index", done, total))
        bench = Bench(shop, dataset, parts, k, seed)
        for done, case in enumerate(dataset.cases, 1):
            await bench.measure(case, written=done <= llm_users)
            tell("users", done, len(dataset.cases))
        parts.close()
    rows = {name: _figures(told, bench.asked[name], dataset, seed) for name, told in bench.told.items()}
    about = {"kind": "explanations", "dataset": dataset.name, "digest": dataset.digest, "seed": seed, "k": k}
    refused = dict(parts.recommender.explainer.rejected)
    took = round(time.monotonic() - started, 1)
    systems = {name: to_json(found) for name, found in rows.items()}
    return {**about, "users": len(dataset.cases), "seconds": took, "refused": refused, "systems": systems}


class Bench:
    """Measures one user after the other. `told`: system -> its reasons; `asked`: how many recommendations it had to explain."""

    def __init__(self, shop: Workshop, dataset: Dataset, parts: Parts, k: int, seed: int) -> None:
        self._shop = shop
        self._dataset = dataset
        self._parts = parts
        self._k = k
        self._rng = np.random.default_rng(seed)
        self._people = _chosen_by(dataset)
        self.told: dict[str, list[Told]] = {}
        self.asked: Counter[str] = Counter()

    async def measure(self, case: Case, *, written: bool) -> None:
        """Recommend to one user, and judge the reasons; `written`: profile and reasons by the LLM, too."""
        now = self._shop.now
        recommender, signals = self._parts.warm(now)
        for by_llm in (False, True) if written else (False,):
            worker = self._parts.profiler.build(case.user, now, now) if by_llm else None
            profile = await worker if worker else await self._parts.sketcher.sketch(case.user, now)
            about = {"k": self._k, "query": None, "now": now, "marks": Marks()}
            found = await recommender.recommend(profile, signals, explain=by_llm, **about)  # type: ignore[arg-type]
            slate = recommender.slates.slate(profile, signals, **about)  # type: ignore[arg-type]
            answers = {"leitmotif_llm" if by_llm else "leitmotif": found}
            if not by_llm:
                answers |= {name: self._by_rule(rule, found, slate) for name, rule in RULES.items()}
            self._judge(case.user, slate, answers)

    def _by_rule(self, rule: Rule, found: Sequence[Recommendation], slate: Slate) -> list[Recommendation]:
        bare = [Recommendation(r.item, r.rank, r.score, r.parts) for r in found]
        known = [rule(self._dataset.items[r.item], slate.known, self._vector, self._rng) for r in bare]
        return [
            from_data(r, one, slate.wants.popularity.get(r.item, 0), None) for r, one in zip(bare, known, strict=True)
        ]

    def _vector(self, item: str) -> Vectors:
        return self._parts.index().vectors([item])[item]

    def _judge(self, user: str, slate: Slate, answers: Mapping[str, Sequence[Recommendation]]) -> None:
        history = slate.what_if.history
        flat = [(name, rec, _cited(rec)) for name, found in answers.items() for rec in found]
        sizes = sorted({len(items) for *_, items in flat} - {0})
        draws = {size: self._drawn(history, size) for size in sizes}
        sets = [*(items for *_, items in flat), *(one for size in sizes for one in draws[size])]
        falls = slate.what_if.falls(sets)
        each = slate.what_if.of_each(history)
        column = {c.item: place for place, c in enumerate(slate.what_if.pool)}
        random = {size: falls[len(flat) + DRAWS * n :][:DRAWS] for n, size in enumerate(sizes)}
        for place, (name, rec, items) in enumerate(flat):
            self.asked[name] += 1
            fall = float(falls[place, column[rec.item]])
            said = self._verdict(user, rec, fall)
            chance = float(random[len(items)][:, column[rec.item]].mean()) if items else math.nan
            best = sorted(each[rec.item], key=lambda i: (-each[rec.item][i], i))[: len(items)]
            share = len(items & set(best)) / len(items) if items else math.nan
            spoken = items if said.speaks else frozenset[str]()  # a dislike that the item is none of moves no score
            told = Told(user, rec.reason, rec.reason_origin, said, spoken, fall, chance, share)
            self.told.setdefault(name, []).append(told)

    def _drawn(self, history: Sequence[str], size: int) -> list[frozenset[str]]:
        size = min(size, len(history))
        return [frozenset(self._rng.choice(history, size=size, replace=False).tolist()) for _ in range(DRAWS)]

    def _verdict(self, user: str, rec: Recommendation, fall: float) -> Verdict:
        events = {e.id: e for e in self._dataset.train[user]}
        items = self._dataset.items
        ids = [e for citation in rec.citations for e in citation.events]
        cited = [(events[i], items[events[i].item or ""]) for i in ids if i in events]
        if len(cited) < len(ids):  # somebody else's, or nobody's
            return Verdict(1, 0)
        return judge(rec.reason, items[rec.item], cited, fall=fall, people=self._people[rec.item])


def _cited(rec: Recommendation) -> frozenset[str]:
    return frozenset(i for citation in rec.citations for i in citation.items)


def _chosen_by(dataset: Dataset) -> Counter[str]:
    """How many users did something with an item that is no dislike and no middling rating."""

    def chose(event: Event) -> bool:
        return verdict(event) is not Polarity.DISLIKE and (event.value is None or event.value >= LIKED_FROM)

    return Counter(i for own in dataset.train.values() for i in {e.item for e in own if e.item and chose(e)})


def _figures(told: Sequence[Told], asked: int, dataset: Dataset, seed: int) -> Figures:
    cited = [t for t in told if t.items]
    effects: dict[str, list[float]] = {}
    for t in cited:
        effects.setdefault(t.user, []).append(t.fall - t.chance)
    by_user = [float(np.mean(values)) for values in effects.values()]
    made = sum(t.verdict.made for t in told)
    once = len({(t.user, t.items) for t in cited})
    return Figures(
        precision=sum(t.verdict.supported for t in told) / made if made else math.nan,
        recall=_mean([t.best for t in cited]),
        specificity=_mean([1 - _share(dataset, t.verdict.features) for t in cited if t.verdict.features]),
        redundancy=1 - once / len(cited) if cited else math.nan,
        coverage=len(cited) / asked if asked else math.nan,
        abstention_on_junk=math.nan,
        counterfactual_effect=_mean(by_user),
        counterfactual_ci95=bootstrap_ci(by_user, seed) if by_user else (math.nan, math.nan),
        fall_cited=_mean([t.fall for t in cited]),
        fall_random=_mean([t.chance for t in cited]),
        users=len({t.user for t in told}),
        reasons=len(told),
        claims=made,
        unique_sentences=len({t.text for t in told}) / len(told) if told else math.nan,
        model_words=_mean([float(t.origin is Origin.MODEL) for t in told]),
    )


def _share(dataset: Dataset, said: Sequence[str]) -> float:
    """Of how many items of the catalogue the same could be said."""
    return sum(set(said) <= set(features(item)) for item in dataset.items.values()) / len(dataset.items)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


# --- other ways to choose evidence ------------------------------------------------------------------------------------

Nearness = Callable[[str], Vectors]
Rule = Callable[[Item, Known, Nearness, np.random.Generator], Grounds | None]


def _shared_features(item: Item, known: Known, vector: Nearness, _: np.random.Generator) -> Grounds | None:
    """The statement that shares most features, and its acts that do; nothing is asked about the score."""
    near = {i: float(v @ vector(item.id)) for i, v in known.vectors.items()}
    return grounds(item, known.profile, near, known.events, known.items)


def _nearest(item: Item, known: Known, vector: Nearness, _: np.random.Generator) -> Grounds | None:
    own = vector(item.id)
    return _of_acts(item, known, lambda other: -float(vector(other) @ own))


def _random(item: Item, known: Known, _: Nearness, rng: np.random.Generator) -> Grounds | None:
    return _of_acts(item, known, lambda _: float(rng.random()))


def _of_acts(item: Item, known: Known, order: Callable[[str], float]) -> Grounds | None:
    """The first CITED_ITEMS of all evidence of likes, and what they all share with `item`."""
    behind: dict[str, tuple[Statement, Event]] = {}
    for statement in known.profile.statements:
        for event in (known.events[e] for e in statement.evidence if e in known.events):
            if statement.polarity is Polarity.LIKE and event.item in known.items:
                behind[event.item or ""] = statement, event
    chosen = sorted(behind, key=order)[:CITED_ITEMS]
    if not chosen:
        return None
    acts = tuple((behind[i][1], known.items[i]) for i in chosen)
    shared = [f for f in features(item) if all(f in features(other) for _, other in acts)]
    return Grounds(item, behind[chosen[0]][0], acts, tuple(shared[:3]))


RULES: Mapping[str, Rule] = {"shared_features": _shared_features, "nearest": _nearest, "random": _random}


class Remembering:
    """An embedder that knows the vectors of some texts already."""

    def __init__(self, inner: Embedder, known: Mapping[str, Vectors]) -> None:
        self._inner = inner
        self._known = known
        self.name, self.dim = inner.name, inner.dim

    def embed(self, texts: Sequence[str]) -> Vectors:
        if all(text in self._known for text in texts):
            return np.array([self._known[text] for text in texts], dtype=np.float32).reshape(len(texts), self.dim)
        return self._inner.embed(texts)
