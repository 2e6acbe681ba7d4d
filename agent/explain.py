"""Why an item: the evidence is selected first, the words come second, and every word is checked against the evidence.

A reason cites statements, their events and the items of those. What the LLM writes passes only if all that it says is in
the selected evidence or in the item; else a plain sentence from the data says it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from agent import guard, plain
from agent.errors import LLMOutputError, LLMUnavailableError
from agent.llm import LLM
from agent.protocol import Answer
from prompts import library
from prompts.outputs import SentenceOut
from retrieval.features import domain, features
from retrieval.records import Citation, Event, Item, Origin, Polarity, Profile, Recommendation, Statement

CITED_ITEMS = 2  # items a reason names
FEATURES = 3


@dataclass(frozen=True, slots=True)
class Grounds:
    """What speaks for an item: a statement, the acts behind it that are nearest to the item, and what they share with it."""

    item: Item
    statement: Statement
    acts: tuple[tuple[Event, Item], ...]
    shared: tuple[str, ...]

    @property
    def citation(self) -> Citation:
        events = tuple(event.id for event, _ in self.acts)
        return Citation(self.statement.id, events, tuple(dict.fromkeys(item.id for _, item in self.acts)))


def grounds(
    item: Item, profile: Profile, nearness: Mapping[str, float], events: Mapping[str, Event], items: Mapping[str, Item]
) -> Grounds | None:
    """The best reason there is for `item`, or None for a user of whom no like is known.

    `nearness`: statement id -> similarity to the item. `events` and `items` hold the statements' evidence. The statement
    that shares most features with the item comes first, the nearest decides between equals.
    """
    best: Grounds | None = None
    best_key = (-1, float("-inf"))
    for statement in _alive(profile):
        acts = _nearest_acts(features(item), statement, events, items)
        shared = _shared(item, statement, [i for _, i in acts])
        key = (min(len(shared), FEATURES), nearness.get(statement.id, 0.0))
        if (acts or not statement.evidence) and key > best_key:
            best, best_key = Grounds(item, statement, tuple(acts[:CITED_ITEMS]), shared), key
    return best


def _alive(profile: Profile) -> list[Statement]:
    """The likes that active themes rest on; all likes of a user without any. What faded or was a gift is no reason."""
    likes = [s for s in profile.statements if s.polarity is Polarity.LIKE]
    active = {i for theme in profile.themes if theme.active for i in theme.statements}
    return [s for s in likes if s.id in active] or likes


def _nearest_acts(
    own: Sequence[str], statement: Statement, events: Mapping[str, Event], items: Mapping[str, Item]
) -> list[tuple[Event, Item]]:
    """One act for each evidence item, those that share most with the item first, the latest act of each."""
    latest: dict[str, Event] = {}
    for event in sorted((events[e] for e in statement.evidence if e in events), key=lambda e: (_weight(e), e.at)):
        if event.item in items:
            latest[event.item or ""] = event
    pairs = [(event, items[item_id]) for item_id, event in latest.items()]
    return sorted(pairs, key=lambda pair: (-len(set(own) & set(features(pair[1]))), -pair[0].at.timestamp()))


def _weight(event: Event) -> int:
    """A rating says more than a look, so that it is the act which a reason names."""
    return 1 if event.value is not None else 0


def _shared(item: Item, statement: Statement, evidence: Sequence[Item]) -> tuple[str, ...]:
    """Features of the item that the statement or its evidence has too, those that the statement names first.

    What the user said of themselves names no features; there the words that the item's title and text share with it count.
    """
    own = [f for f in features(item) if guard.fit_to_say(f)]
    theirs = {f for other in evidence for f in features(other)}
    said = guard.stems([statement.text if statement.evidence else statement.facet])
    named = [f for f in own if guard.stems([f]) and guard.stems([f]) <= said]
    found = dict.fromkeys([*named, *(f for f in own if f in theirs)])
    if not found and not statement.evidence:
        told = guard.stems([item.title, item.text, *own])
        found = dict.fromkeys(w for w in guard.content(statement.facet) if guard.stems([w]) <= told)
    return tuple(found)[:FEATURES]


def spared(
    item: Item, profile: Profile, events: Mapping[str, Event], items: Mapping[str, Item]
) -> tuple[Statement, Citation] | None:
    """For a user of whom only dislikes are known: the one with most evidence that `item` shares nothing with."""
    own = set(features(item))
    for statement in sorted(profile.statements, key=lambda s: (-len(s.evidence), s.id)):
        acts = _nearest_acts(features(item), statement, events, items)
        theirs = {f for _, other in acts for f in features(other)}
        named = {f for f in theirs if guard.stems([f]) <= guard.stems([statement.text])}
        if statement.polarity is Polarity.DISLIKE and acts and named and not own & named:
            return statement, Grounds(item, statement, tuple(acts[-CITED_ITEMS:]), ()).citation
    return None


def from_data(rec: Recommendation, known: Grounds | None, people: float, query: str | None) -> Recommendation:
    """`rec` with the plain reason and its citation; where nothing known speaks for it, the question or the `people` who
    chose it are the reason."""
    if known is None:
        return replace(rec, reason=plain.reason_asked(query) if query else plain.reason_popular(int(people)))
    return replace(rec, reason=plain_reason(known), citations=(known.citation,))


class Explainer:
    """Phrases grounds with one LLM. `rejected` counts what the guard refused, by check."""

    def __init__(self, llm: LLM, embed: guard.EmbedTexts) -> None:
        self._llm = llm
        self._embed = embed
        self.rejected: Counter[str] = Counter()

    async def phrase(
        self, user: str, recommended: Sequence[Recommendation], found: Mapping[str, Grounds]
    ) -> list[Recommendation]:
        """`recommended` with reasons in the LLM's words where these pass; `found`: grounds by item id.

        Never fails: where the LLM does, the plain sentence stays and `degraded` says "explain".
        """
        return list(await asyncio.gather(*(self._one(user, r, found.get(r.item)) for r in recommended)))

    async def _one(self, user: str, rec: Recommendation, known: Grounds | None) -> Recommendation:
        if known is None:
            return rec
        try:
            words = await self._phrase(user, known)
        except LLMUnavailableError:
            return replace(rec, degraded=(*rec.degraded, "explain"))
        except LLMOutputError:
            self.rejected["invalid"] += 1
            return rec
        return replace(rec, reason=words, reason_origin=Origin.MODEL) if words else rec

    async def _phrase(self, user: str, known: Grounds) -> str | None:
        if not known.shared:
            return None  # nothing to say that the data does not say better
        prompt = library.load("explain")
        answers: list[Answer[SentenceOut]] = await self._llm.complete(
            prompt, n=2, user=user or None, shared=", ".join(known.shared), item=_notes(known.item)
        )
        for answer in sorted(answers, key=lambda a: -a.logprob):
            text = plain.lower(plain.tidy(answer.output.text))
            problem = guard.check(text, _support(known), self._embed) or _says_nothing_shared(text, known)
            if problem is None:
                return f"{_because(known)}; this is {text}."
            self.rejected[problem] += 1
        return None


def plain_reason(known: Grounds) -> str:
    """The sentence from the data alone."""
    return f"{_because(known)}; {plain.shares(known.shared)}."


def _because(known: Grounds) -> str:
    return plain.because(known.acts, known.statement.facet)


def _notes(item: Item) -> str:
    """An item as the model sees it: "book, mystery (slow-burn, iceland)". Its text stays out: it may be hostile."""
    tags = [t.lower() for t in item.tags if guard.fit_to_say(t)][:FEATURES]
    head = ", ".join([c.lower() for c in item.categories if guard.fit_to_say(c)][:FEATURES])
    return f"{head} ({', '.join(tags)})" if tags else head


def _support(known: Grounds) -> guard.Support:
    """What a reason may say of the item: its features and its kind."""
    kind = domain(known.item)
    return guard.support([*known.shared, *features(known.item)], domains=[kind] if kind else [])


def _says_nothing_shared(text: str, known: Grounds) -> str | None:
    said = guard.stems([text])
    return None if any(guard.stems([f]) <= said for f in known.shared) else "beside the point"
