"""Profile and candidates to an order, by likelihood: the LLM never writes a ranking, it says how probable a title is.

For someone of whom we know what they took, score = log P(title | the last titles that they took), per token. What the
title alone explains is left in: part of it is how well known the item is, and taking it out is as likely to cost as to give
(prompts/CHANGELOG.md). For a question, or where only themes are known, score = log P(title | themes) - log P(title | nothing),
per token (pointwise mutual information).

Untuned models of this size rank at random when they generate an order, and well above it by likelihood
(docs/decisions/0007). The tuned one may be asked whether an item fits what the profile says instead: score = log P(yes) - log
P(no), one token (fits@1). It is told the item's features, too. Better where titles are nobody's common knowledge, worse where
they are.

Each candidate is scored by itself, so there is no position to be biased by and no other item's text to be commanded by; how
far an item may rise on this score alone is bounded by `retrieval.fusion.bounded`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from agent import guard, plain
from agent.llm import LLM
from agent.notes import item_line
from prompts import library
from retrieval.features import features, kind
from retrieval.records import Item, Polarity, Profile
from retrieval.store import Store, content_hash
from retrieval.trust import spoken

TITLE_CHARS = 80  # a longer title is cut: the score is per token, and a sentence in place of a title is suspect
TAKEN = 30  # titles in the list; with 5 it ranks worse (prompts/CHANGELOG.md)
TAKEN_BYTES = 3000  # a token is a byte at least, so list and title fit into 4096 tokens in whatever script they are
LIKES = 3
FITTED, FITTED_AGAINST = 4, 1  # tastes that fits@1 is told, as in its training (agent/tuning/pairs.py)
FITS = (" yes", " no")
RECENT = 4


class Reranker:
    """Scores candidates with one LLM. The scores without a profile are kept in the store: they are the same for everybody."""

    def __init__(self, llm: LLM, store: Store, fits: bool = False) -> None:
        """`fits`: ask whether an item fits, where likes are known and there is no question. For the tuned model."""
        self._llm = llm
        self._store = store
        self._fits = fits

    async def scores(
        self, profile: Profile, recent: Sequence[Item], candidates: Sequence[Item], query: str | None = None
    ) -> dict[str, float]:
        """Item id -> how likely its title is (nats per token), to be compared with the others of this call only.

        `recent` are liked items, latest first. Raises LLMUnavailableError or LLMUnsupportedError.
        """
        likes, dislikes = tastes(profile)
        if self._fits and likes and not query:
            told = await fits(self._llm, likes, dislikes, candidates, profile.user)
            return {item.id: score for item, score in zip(candidates, told, strict=True)}
        if query or not recent:
            return await self._informed(profile, recent, candidates, query)
        found = await next_titles(self._llm, taken(recent[::-1]), candidates, profile.user)
        return {item.id: score for item, score in zip(candidates, found, strict=True)}

    async def _informed(
        self, profile: Profile, recent: Sequence[Item], candidates: Sequence[Item], query: str | None
    ) -> dict[str, float]:
        """Item id -> how much likelier (nats per token) the question or the themes make its title."""
        prompt = library.load("rank_title")
        tastes = [query] if query else []
        tastes += [t.label for t in profile.themes if t.active and t.polarity is Polarity.LIKE]
        prefix = prompt.text(
            likes=plain.enumerate_words([plain.lower(t) for t in tastes[:LIKES]]) or "many things",
            recent="; ".join(filter(None, map(short, recent[:RECENT]))) or "nothing yet",
        )
        neutral = await self._neutral(candidates)
        given = await titles(self._llm, prefix, candidates, prompt.ref, profile.user)
        return {item.id: with_ - neutral[item.id] for item, with_ in zip(candidates, given, strict=True)}

    async def _neutral(self, candidates: Sequence[Item]) -> Mapping[str, float]:
        """Item id -> log-likelihood per token of its title with nothing known."""
        prompt = library.load("neutral_title")
        model = self._llm.identity
        hashes = {item.id: content_hash(item) for item in candidates}
        known = self._store.neutral_scores(model, prompt.ref, set(hashes.values()))
        missing = [item for item in candidates if hashes[item.id] not in known]
        fresh = await titles(self._llm, prompt.text(), missing, prompt.ref)
        made = {hashes[item.id]: score for item, score in zip(missing, fresh, strict=True)}
        self._store.put_neutral_scores(model, prompt.ref, made)
        return {item_id: (known | made)[key] for item_id, key in hashes.items()}


def tastes(profile: Profile) -> tuple[list[str], list[str]]:
    """What the strongest active themes of a profile say is liked and disliked: the words of their statements."""
    words = {s.id: plain.words_of(s.text) for s in profile.statements}
    active = [t for t in profile.themes if t.active]
    likes, dislikes = (
        [words.get(t.medoid) or plain.lower(t.label) for t in active if t.polarity is side] for side in Polarity
    )
    return likes[:FITTED], dislikes[:FITTED_AGAINST]


async def fits(
    llm: LLM, likes: Sequence[str], dislikes: Sequence[str], candidates: Sequence[Item], user: str = ""
) -> list[float]:
    """log P(yes) - log P(no) (nats) to whether each item fits. For the tuned model; features are shown as far as they may be
    said."""
    prompt = library.load("fits", tuned=True)
    told = {"likes": "; ".join(likes), "dislikes": "; ".join(dislikes) or "none"}

    async def one(item: Item) -> float:
        own = [f for f in features(item) if guard.fit_to_say(f)]
        text = prompt.text(**told, item=item_line(kind(item) or "item", short(item), own))
        yes, no = await llm.choices(text, FITS, ref=prompt.ref, user=user or None)
        return yes - no

    return list(await asyncio.gather(*map(one, candidates)))


async def next_titles(llm: LLM, listed: str, candidates: Sequence[Item], user: str = "") -> list[float]:
    """The log-likelihood per token of each title as the next one of a list that `taken` has made."""
    prompt = library.load("next_title")
    return await titles(llm, prompt.text(taken=listed), candidates, prompt.ref, user)


async def titles(llm: LLM, prefix: str, candidates: Sequence[Item], ref: str, user: str = "") -> list[float]:
    """The log-likelihood per token of each candidate's title after `prefix`, which the server reads once.

    Of a title that is nothing but an attack there is nothing to score: it counts as much as the least likely one.
    """
    named = [place for place, item in enumerate(candidates) if short(item)]
    pairs = [(prefix, f" {short(candidates[place])}") for place in named]
    found = dict(zip(named, await llm.likelihood(pairs, ref=ref, user=user or None), strict=True))
    least = min(found.values(), default=0.0)
    return [found.get(place, least) for place in range(len(candidates))]


def taken(items: Sequence[Item], count: int = TAKEN) -> str:
    """The titles of the last `count` items, a line each, in their order; fewer where they are more than TAKEN_BYTES."""
    lines: list[str] = []
    left = TAKEN_BYTES
    for item in reversed(items[-count:]):
        if not short(item):
            continue
        line = f"- {short(item)}"
        left -= len(line.encode()) + 1
        if left < 0:
            break
        lines.append(line)
    return "\n".join(reversed(lines))


def short(item: Item) -> str:
    """The title on one line, cut, without what it has to say to whoever ranks (retrieval.trust); maybe nothing is left.
    What an item says of itself can neither fill a prompt nor add a line to it."""
    title = " ".join(spoken(item.title).split())
    return title if len(title) <= TITLE_CHARS else title[:TITLE_CHARS].rsplit(" ", 1)[0]
