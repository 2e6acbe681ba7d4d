"""Why an item: the evidence is selected first, the words come second, and every word is checked against the evidence.

A reason cites a statement, its events and the items of those (agent/grounds.py). What the LLM writes passes only if all that
it says is in the selected evidence or in the item; else a plain sentence from the data says it. Before an answer goes out,
every claim is looked up in the store once more.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from agent import guard, plain
from agent.errors import LLMOutputError, LLMUnavailableError
from agent.grounds import FEATURES, Grounds, claims, what_is_left
from agent.llm import LLM
from agent.notes import MOST_FEATURES
from agent.protocol import Answer
from prompts import library
from prompts.outputs import SentenceOut
from retrieval.features import domain, features, kind
from retrieval.records import Event, Item, Origin, Recommendation

_AGAIN = re.compile(r"(?:(?P<word>another|more(?! than\b)) )?(?P<what>[^,]+)", re.IGNORECASE)
_THIS_TIME = re.compile(r"\bthis time ")


def from_data(rec: Recommendation, known: Grounds | None, people: float, query: str | None) -> Recommendation:
    """`rec` with the plain reason and its citation; where nothing known speaks for it, the question or the `people` who
    chose it are the reason."""
    if known is None:
        return replace(rec, reason=plain.reason_asked(query) if query else plain.reason_popular(int(people)))
    return replace(rec, reason=plain_reason(known), citations=(known.citation,))


class Explainer:
    """Phrases grounds with one LLM. `rejected` counts what was refused: the LLM's words by check, and under "claim" each
    thing that was no longer so when the answer went out."""

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

    def confirmed(
        self,
        rec: Recommendation,
        known: Grounds | None,
        events: Mapping[str, Event],
        items: Mapping[str, Item],
        people: float,
        query: str | None,
    ) -> Recommendation:
        """`rec`, if all that its reason says is so in the store as it is now; else what is left of it, in plain words.

        `events` (the user's own) and `items`: those that it cites and that are still there, by id.
        """
        if known is None or not rec.citations:
            false = sum(event not in events for citation in rec.citations for event in citation.events)
        else:
            false = sum(not claim.holds(events, items) for claim in claims(known, known.item))
        if not false:
            return rec
        self.rejected["claim"] += false
        left = what_is_left(known, events, items) if known else None
        return from_data(replace(rec, citations=(), reason_origin=Origin.FALLBACK), left, people, query)

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
        tuned = self._llm.settings.tuned
        notes = _short_notes(known) if tuned else {"shared": ", ".join(known.shared), "item": _notes(known.item)}
        prompt = library.load("explain", tuned=tuned)
        answers: list[Answer[SentenceOut]] = await self._llm.complete(prompt, n=2, user=user or None, **notes)
        for answer in sorted(answers, key=lambda a: -a.logprob):
            text = plain.lower(plain.tidy(answer.output.text))
            problem = guard.check(text, _support(known), self._embed) or _says_nothing_shared(text, known)
            if problem is None:
                return f"{_because(known)}; this is {_as_it_is(text, known)}."
            self.rejected[problem] += 1
        return None


def plain_reason(known: Grounds) -> str:
    """The sentence from the data alone."""
    second = plain.shares(known.shared) if known.shared else plain.MOVED if known.acts else plain.CLOSE
    return f"{_because(known)}; {second}."


def _because(known: Grounds) -> str:
    return plain.because(known.acts, known.statement.facet if known.statement else "")


def _notes(item: Item) -> str:
    """An item as the model sees it: "book, mystery (slow-burn, iceland)". Its text stays out: it may be hostile."""
    tags = [t.lower() for t in item.tags if guard.fit_to_say(t)][:FEATURES]
    head = ", ".join([c.lower() for c in item.categories if guard.fit_to_say(c)][:FEATURES])
    return f"{head} ({', '.join(tags)})" if tags else head


def _short_notes(known: Grounds) -> dict[str, str]:
    """The same as the tuned model was taught it, and the kinds of things that the evidence is about."""
    kinds = dict.fromkeys(found for _, item in known.acts if (found := kind(item)))
    own = [f for f in features(known.item) if guard.fit_to_say(f)][:MOST_FEATURES]
    item = f"{kind(known.item) or 'item'} ({', '.join(own)})"
    return {"known": ", ".join(kinds) or "searches", "shared": ", ".join(known.shared[:FEATURES]), "item": item}


def _support(known: Grounds) -> guard.Support:
    """What a reason may say of the item: its features and its kind."""
    noun = domain(known.item)
    return guard.support([*known.shared, *features(known.item)], domains=[noun] if noun else [])


def _as_it_is(text: str, known: Grounds) -> str:
    """Without "another" and "this time" where not all that is cited is such a thing: "another jazz film" after a record."""
    again = _AGAIN.match(text)
    if again is None or not (again["word"] or _THIS_TIME.search(text)):
        return text
    such = guard.stems(guard.content(again["what"]))
    cited = [guard.stems([*features(item), kind(item) or ""]) for _, item in known.acts]
    if cited and all(such <= held for held in cited):
        return text
    bare = _THIS_TIME.sub("", text[again.start("what") :])
    if (again["word"] or "more").lower() == "more":
        return bare
    return f"{'an' if bare[0].lower() in 'aeiou' else 'a'} {bare}"


def _says_nothing_shared(text: str, known: Grounds) -> str | None:
    said = guard.stems([text])
    return None if any(guard.stems([f]) <= said for f in known.shared) else "beside the point"
