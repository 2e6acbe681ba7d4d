"""Profile and candidates to an order, by likelihood: the LLM never writes a ranking, it says how probable a title is.

score = log P(title | profile) - log P(title | nothing), per token: what the title alone explains is divided out (pointwise
mutual information). Untuned models of this size rank at random when they generate an order, and well above it by likelihood
(docs/decisions/0007). Each candidate is scored by itself, so there is no position to be biased by and no other item's text
to be commanded by; how far an item may rise on this score alone is bounded by `retrieval.fusion.bounded`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent import plain
from agent.llm import LLM
from prompts import library
from retrieval.records import Item, Polarity, Profile
from retrieval.store import Store, content_hash

TITLE_CHARS = 80  # a longer title is cut: the score is per token, and a sentence in place of a title is suspect
LIKES = 3
RECENT = 4


class Reranker:
    """Scores candidates with one LLM. The scores without a profile are kept in the store: they are the same for everybody."""

    def __init__(self, llm: LLM, store: Store) -> None:
        self._llm = llm
        self._store = store

    async def scores(
        self, profile: Profile, recent: Sequence[Item], candidates: Sequence[Item], query: str | None = None
    ) -> dict[str, float]:
        """Item id -> how much likelier (nats per token) the profile makes its title.

        `recent` are liked items, latest first. Raises LLMUnavailableError or LLMUnsupportedError.
        """
        prompt = library.load("rank_title")
        tastes = [query] if query else []
        tastes += [t.label for t in profile.themes if t.active and t.polarity is Polarity.LIKE]
        prefix = prompt.text(
            likes=plain.enumerate_words([plain.lower(t) for t in tastes[:LIKES]]) or "many things",
            recent="; ".join(_title(item) for item in recent[:RECENT]) or "nothing yet",
        )
        neutral = await self._neutral(candidates)
        pairs = [(prefix, f" {_title(item)}") for item in candidates]
        given = await self._llm.likelihood(pairs, ref=prompt.ref, user=profile.user or None)
        return {item.id: with_ - neutral[item.id] for item, with_ in zip(candidates, given, strict=True)}

    async def _neutral(self, candidates: Sequence[Item]) -> Mapping[str, float]:
        """Item id -> log-likelihood per token of its title with nothing known."""
        prompt = library.load("neutral_title")
        model = self._llm.settings.model
        hashes = {item.id: content_hash(item) for item in candidates}
        known = self._store.neutral_scores(model, prompt.ref, set(hashes.values()))
        missing = [item for item in candidates if hashes[item.id] not in known]
        pairs = [(prompt.text(), f" {_title(item)}") for item in missing]
        fresh = await self._llm.likelihood(pairs, ref=prompt.ref)
        made = {hashes[item.id]: score for item, score in zip(missing, fresh, strict=True)}
        self._store.put_neutral_scores(model, prompt.ref, made)
        return {item_id: (known | made)[key] for item_id, key in hashes.items()}


def _title(item: Item) -> str:
    return item.title if len(item.title) <= TITLE_CHARS else item.title[:TITLE_CHARS].rsplit(" ", 1)[0]
