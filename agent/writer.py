"""Events to statements, statements to theme labels, themes to a portrait.

The LLM sees what the evidence has in common, draws several sentences, and code chooses: what fails the guard is dropped, of
what is left the sentence that the evidence makes most likelier wins (log-likelihood with the evidence minus without). If
none is left, a plain sentence from the data stands in, marked `origin: fallback`.
"""

from __future__ import annotations

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
from retrieval.records import Event, EventKind, Horizon, Item, Origin, Polarity, Segment, Source, Statement

FEATURES = 4  # features that go into a prompt; the untuned model strings together what is more
SLACK = 0.15  # sentences that name about as much of the evidence are compared by likelihood, others by what they name


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a segment (or several) shows: items, features best first, nouns for the kinds of things, the user's words."""

    items: tuple[Item, ...]
    features: tuple[str, ...]
    domains: tuple[str, ...]
    words: tuple[str, ...]

    def split(self) -> tuple[list[str], list[str]]:
        """The features that are categories, and those that are tags, each best first."""
        genres = {c.lower() for item in self.items for c in item.categories}
        return [f for f in self.features if f in genres], [f for f in self.features if f not in genres]

    @property
    def support(self) -> guard.Support:
        """What may be said: the features, and the words that two items share. One item's own words are not a taste."""
        counts = Counter(stem for item in self.items for stem in guard.stems([item.text, *features(item)]))
        shared = guard.stems(self.features) | {stem for stem, n in counts.items() if n > 1}
        nouns = guard.support(self.features, self.words, [i.title for i in self.items], self.domains)
        return replace(nouns, stems=nouns.stems | shared)


def evidence_of(events: Sequence[Event], items: Mapping[str, Item], stats: CatalogueStats) -> Evidence:
    """Gather what `events` show. Features are ranked by how much more frequent they are here than in the catalogue."""
    touched = tuple(items[i] for i in dict.fromkeys(e.item for e in events if e.item in items) if i is not None)
    words = tuple(e.text for e in events if e.text and e.kind is EventKind.SEARCH)
    searched = [" ".join(guard.words(e.text)) for e in events if e.kind is EventKind.SEARCH and e.text and not e.item]
    ranked = [feature for feature, _ in distinctive(touched, stats)]
    return Evidence(touched, tuple(dict.fromkeys(ranked or searched)), tuple(domains(touched)), words)


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
        text, origin = await self._sentence(segment, evidence)
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

    async def _sentence(self, segment: Segment, evidence: Evidence) -> tuple[str, Origin]:
        support = evidence.support
        answers: list[Answer[SentenceOut]] = await self._ask(
            self.prompt,
            n=self._samples,
            user=segment.user,
            polarity=segment.polarity.value,
            domains=", ".join(evidence.domains[:2]) or "things",
            features=", ".join(evidence.features[:FEATURES]),
        )
        sound: dict[str, float] = {}
        for answer in answers:
            text = tidy(answer.output.text)
            problem = guard.check(text, support, self._embed) or _wrong_side(text, segment.polarity)
            if problem:
                self.rejected[problem] += 1
            else:
                sound[text] = max(answer.logprob, sound.get(text, float("-inf")))
        if not sound:
            return plain.statement(segment.polarity, *evidence.split(), evidence.domains), Origin.FALLBACK
        named = {text: guard.coverage(text, evidence.features[:FEATURES]) for text in sound}
        most = max(named.values())
        telling = {text: sound[text] for text in sound if named[text] >= most - SLACK}
        return await self._likeliest(telling, segment.user), Origin.MODEL

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

    async def label(
        self, user: str, evidence: Evidence, polarity: Polarity, taken: Sequence[str]
    ) -> tuple[str, Origin]:
        """A short name for what `evidence` shows, unlike the names in `taken`."""
        if not evidence.features:
            return "Other interests" if polarity is Polarity.LIKE else "Other dislikes", Origin.FALLBACK
        prompt = library.load("label_theme")
        answers: list[Answer[LabelOut]] = await self._ask(
            prompt, n=2, user=user, features=", ".join(evidence.features[:4])
        )
        support = replace(evidence.support, titles=())
        for answer in sorted(answers, key=lambda a: -a.logprob):
            text = _capital(answer.output.label.strip(" .,"))
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
        support = guard.support([*likes, *dislikes, *words], [], [], [])
        for answer in sorted(answers, key=lambda a: -a.logprob):
            problem = _portrait_problem(answer.output.text, likes, dislikes, support, self._embed)
            if problem is None:
                return answer.output.text.strip(), Origin.MODEL
            self.rejected[problem] += 1
        return plain.portrait(likes, dislikes), Origin.FALLBACK


def tidy(text: str) -> str:
    """The sentence without a final full stop and with one space between words."""
    return _capital(" ".join(text.split()).rstrip(" .;,"))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _wrong_side(text: str, polarity: Polarity) -> str | None:
    """A dislike must be told as one, and a like must not."""
    negative = guard.words(text)[:1] in (["dislikes"], ["avoids"], ["hates"])
    positive = guard.words(text)[:1] in (["likes"], ["enjoys"], ["loves"], ["prefers"])
    right = negative if polarity is Polarity.DISLIKE else positive
    return None if right else "polarity"


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
