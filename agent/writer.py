"""Events to statements, statements to theme labels, themes to a portrait.

The LLM sees what the evidence has in common, draws several sentences, and code chooses: what fails the guard is dropped, of
what is left the sentence that the evidence makes most likelier wins (log-likelihood with the evidence minus without). If
none is left, a plain sentence from the data stands in, marked `origin: fallback`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from agent import guard, plain
from agent.errors import LLMOutputError, LLMUnsupportedError
from agent.llm import LLM
from agent.protocol import Answer
from prompts import library
from prompts.library import Prompt
from prompts.outputs import LabelOut, ParagraphOut, SentenceOut
from retrieval.features import CatalogueStats, distinctive, domains, features
from retrieval.merge import confidence, statement_id
from retrieval.records import Event, EventKind, Horizon, Item, Origin, Segment, Source, Statement

FEATURES = 4  # features that go into a prompt; the untuned model strings together what is more
_KINDS_LISTED = re.compile(rf"\b({guard.KINDS}), ({guard.KINDS})\b")
SLACK = 0.15  # sentences that name about as much of the evidence are compared by likelihood, others by what they name


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a segment (or several) shows: items, features best first, nouns for the kinds of things, the user's queries.

    `known` are the words of the catalogue.
    """

    items: tuple[Item, ...]
    features: tuple[str, ...]
    domains: tuple[str, ...]
    queries: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()

    def split(self) -> tuple[list[str], list[str]]:
        """The features that are categories, and those that are tags, each best first."""
        genres = {c.lower() for item in self.items for c in item.categories}
        return [f for f in self.features if f in genres], [f for f in self.features if f not in genres]

    @property
    def notes(self) -> str:
        """What the model sees: "mystery films, books (slow-burn, arctic)"."""
        genres, details = self.split()
        head = f"{', '.join(genres[:2])} {', '.join(self.domains[:2])}".strip()
        if not head:
            return ", ".join(details[:FEATURES])
        return f"{head} ({', '.join(details[:2])})" if details else head

    @property
    def phrase(self) -> str:
        """The same from the data alone."""
        return plain.phrase(*self.split(), self.domains)

    @property
    def support(self) -> guard.Support:
        """What may be said: the features, and the words that two items share. One item's own words are not a taste."""
        counts = Counter(stem for item in self.items for stem in guard.stems([item.text, *features(item)]))
        base = guard.support(
            self.features,
            texts=self.queries,
            titles=[item.title for item in self.items],
            domains=self.domains,
            known=self.known,
        )
        return replace(base, stems=base.stems | {stem for stem, n in counts.items() if n > 1})


def evidence_of(events: Sequence[Event], items: Mapping[str, Item], stats: CatalogueStats) -> Evidence:
    """Gather what `events` show. Features are ranked by how much more frequent they are here than in the catalogue."""
    touched = tuple(items[i] for i in dict.fromkeys(e.item for e in events if e.item in items) if i is not None)
    queries = tuple(e.text for e in events if e.text and e.kind is EventKind.SEARCH)
    ranked = [feature for feature, _ in distinctive(touched, stats)]
    told = ranked if touched else [" ".join(guard.words(query)) for query in queries]
    chosen: list[str] = []
    for feature in told:
        if guard.fit_to_say(feature) and not guard.overlap(feature, chosen):
            chosen.append(feature)
    return Evidence(touched, tuple(chosen), tuple(domains(touched)), queries, stats.words)


class Writer:
    """Writes with one LLM, or without any (`None`) plain sentences only.

    `rejected` counts the answers that the guard refused, by check.
    """

    def __init__(self, llm: LLM | None, embed: guard.EmbedTexts, stats: CatalogueStats, samples: int) -> None:
        self._llm = llm
        self._embed = embed
        self._stats = stats
        self._samples = samples
        self.rejected: Counter[str] = Counter()
        self.prompt = library.load("write_statement")
        self.model = llm.settings.model if llm else ""

    async def statement(self, segment: Segment, items: Mapping[str, Item], now: datetime) -> Statement | None:
        """One statement about a segment, or None when its events have nothing in common that is worth saying.

        Raises LLMUnavailableError; an answer that is no good is not an error but a plain sentence.
        """
        evidence = evidence_of(segment.events, items, self._stats)
        if not evidence.features:
            return None
        if evidence.items:
            words, origin = await self._phrase(segment.user, evidence)
            text = plain.statement(segment.polarity, words)
        else:
            text, origin = plain.looking_for(evidence.features), Origin.FALLBACK
        ids = tuple(e.id for e in segment.events)
        return Statement(
            id=statement_id(segment.user, segment.polarity, text, ids),
            user=segment.user,
            text=text,
            polarity=segment.polarity,
            facet=evidence.features[0],
            evidence=ids,
            first_at=segment.events[0].at,
            last_at=segment.events[-1].at,
            horizon=Horizon.SHORT,
            source=Source.INFERRED,
            origin=origin,
            confidence=confidence(len(evidence.items) or 1),
            prompt=self.prompt.ref,
            model=self.model,
            written_at=now,
            segment=segment.key,
        )

    async def _phrase(self, user: str, evidence: Evidence) -> tuple[str, Origin]:
        """The phrase that names the taste: the best that the model wrote, or the plain one."""
        support = evidence.support
        answers: list[Answer[SentenceOut]] = await self._ask(
            self.prompt, n=self._samples, user=user, notes=evidence.notes
        )
        sound: dict[str, float] = {}
        for answer in answers:
            text = _KINDS_LISTED.sub(r"\1 and \2", plain.lower(plain.tidy(answer.output.text)))
            problem = guard.check(text, support, self._embed, least_words=1)
            if problem:
                self.rejected[problem] += 1
            else:
                sound[text] = max(answer.logprob, sound.get(text, float("-inf")))
        if not sound:
            return evidence.phrase, Origin.FALLBACK
        named = {text: guard.coverage(text, evidence.features[:FEATURES]) for text in sound}
        most = max(named.values())
        telling = {text: sound[text] for text in sound if named[text] >= most - SLACK}
        return await self._likeliest(telling, user), Origin.MODEL

    async def _ask(self, prompt: Prompt, *, n: int, user: str, **variables: str) -> list[Answer[Any]]:
        """The valid answers; none without an LLM, or when it wrote nothing valid. Raises LLMUnavailableError."""
        if self._llm is None:
            return []
        try:
            return await self._llm.complete(prompt, n=n, user=user, **variables)
        except LLMOutputError:
            self.rejected["invalid"] += n
            return []

    async def _likeliest(self, sound: Mapping[str, float], user: str) -> str:
        """The sentence whose likelihood the evidence raises most; where the server cannot score, the likeliest."""
        if len(sound) == 1 or self._llm is None:
            return next(iter(sound))
        neutral = library.load("neutral_statement")
        texts = sorted(sound)
        try:
            without = await self._llm.likelihood([(neutral.text(), f" {t}") for t in texts], ref=neutral.ref, user=user)
        except LLMUnsupportedError:
            without = [0.0] * len(texts)
        return max(zip(texts, without, strict=True), key=lambda pair: (sound[pair[0]] - pair[1], pair[0]))[0]

    async def label(self, user: str, evidence: Evidence, taken: Sequence[str]) -> tuple[str, Origin]:
        """A short name for what `evidence` shows (one feature at least), unlike the names in `taken`."""
        prompt = library.load("label_theme")
        answers: list[Answer[LabelOut]] = await self._ask(prompt, n=2, user=user, notes=evidence.notes)
        support = replace(evidence.support, titles=())
        for answer in sorted(answers, key=lambda a: -a.logprob):
            text = plain.capital(answer.output.label.strip(" .,"))
            problem = guard.check(text, support, self._embed, least_words=1, most_words=6)
            if problem is None and text.lower() not in {t.lower() for t in taken}:
                return text, Origin.MODEL
            self.rejected[problem or "taken"] += 1
        names = [plain.label(evidence.features[i : i + 2]) for i in range(len(evidence.features))]
        free = (n for n in names if n.lower() not in {t.lower() for t in taken})
        return next(free, f"{names[0]} ({len(taken) + 1})"), Origin.FALLBACK

    async def portrait(
        self, user: str, likes: Sequence[str], dislikes: Sequence[str], words: Sequence[str]
    ) -> tuple[str, Origin]:
        """One paragraph from theme labels, strongest first; `words` are features behind them that may be named too."""
        if not likes:
            return plain.portrait(likes, dislikes), Origin.FALLBACK
        prompt = library.load("write_portrait")
        answers: list[Answer[ParagraphOut]] = await self._ask(
            prompt,
            n=2,
            user=user,
            likes="; ".join(plain.lower(t) for t in likes[:4]),
            dislikes="; ".join(plain.lower(t) for t in dislikes[:2]) or "none",
        )
        support = guard.support([*likes, *dislikes, *words])
        for answer in sorted(answers, key=lambda a: -a.logprob):
            problem = _portrait_problem(answer.output.text, likes, dislikes, support, self._embed)
            if problem is None:
                return answer.output.text.strip(), Origin.MODEL
            self.rejected[problem] += 1
        return plain.portrait(likes, dislikes), Origin.FALLBACK


def _portrait_problem(
    text: str, likes: Sequence[str], dislikes: Sequence[str], support: guard.Support, embed: guard.EmbedTexts
) -> str | None:
    """The check that a portrait fails: each sentence by itself, and the strongest interest must be in it."""
    sentences = [s for s in text.replace("!", ".").split(".") if s.strip()]
    for sentence in sentences:
        problem = guard.check(sentence.strip(), support, embed, most_words=40)
        if problem:
            return problem
    if guard.loops(text):
        return "loop"
    said = guard.stems([text])
    if not guard.stems([likes[0]]) <= said:
        return "left out"
    if dislikes and not guard.stems(dislikes[:1]) <= said:
        return "left out"
    return None
