"""Events to statements, statements to theme labels, themes to a portrait.

The LLM sees what the evidence has in common, draws several sentences, and code chooses: what fails the guard or the gate is
dropped, of what is left the sentence that the evidence makes most likelier wins (log-likelihood with the evidence minus
without). If none is left, a plain sentence from the data stands in, marked `origin: fallback`, and passes the gate too.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from agent import guard, plain
from agent.entailment import Entailment
from agent.errors import LLMOutputError, LLMUnsupportedError
from agent.evidence import Evidence
from agent.gate import Judge, Tally, supported
from agent.llm import LLM
from agent.protocol import Answer
from prompts import library
from prompts.library import Prompt
from prompts.outputs import ParagraphOut, SentenceOut, TasteOut
from retrieval.echo import weighed_items
from retrieval.merge import confidence, statement_id
from retrieval.records import Horizon, Origin, Segment, Source, Statement

NAMED = 4  # features that a sentence is expected to name, best first
_KINDS_LISTED = re.compile(rf"\b({guard.KINDS}), ({guard.KINDS})\b")
MOST_STATEMENTS = 6  # of a theme, that its name is made from
LOOSER = 0.5  # temperature of the tuned model's other answers, the first being the likeliest
SLACK = 0.15  # sentences that name about as much of the evidence are compared by likelihood, others by what they name


class Writer:
    """Writes with one LLM, or without any (`None`) plain sentences only.

    `tally` counts what was refused, by check. An entailment model, if any, is asked about each of the LLM's statements.
    """

    def __init__(
        self,
        llm: LLM | None,
        embed: guard.EmbedTexts,
        samples: int,
        tally: Tally,
        entailment: Entailment | None = None,
    ) -> None:
        self._llm = llm
        self._embed = embed
        self._entailment = entailment
        self.tally = tally
        self._tuned = llm is not None and llm.settings.tuned
        self.prompt = library.load("write_statement", tuned=self._tuned)
        self._tries = [(self.prompt, samples)]
        if self._tuned:  # the likeliest answer nearly always holds; others are drawn only where it does not
            looser = replace(self.prompt, params=replace(self.prompt.params, temperature=LOOSER))
            self._tries = [(self.prompt, 1), (looser, samples)]
        self.model = llm.identity if llm else ""

    async def statement(self, segment: Segment, evidence: Evidence, judge: Judge, now: datetime) -> Statement | None:
        """One statement about a segment whose evidence was `weighed`, or None when even the plain sentence does not pass.

        Raises LLMUnavailableError; an answer that is no good is not an error but a plain sentence.
        """
        if evidence.items:
            words, origin = await self._phrase(segment, evidence, judge)
            text = plain.cased(plain.statement(segment.polarity, words), evidence.names)
        else:
            text, origin = plain.looking_for(evidence.features), Origin.FALLBACK
        if origin is Origin.FALLBACK and (problem := judge.check(text, evidence.worth)):
            self.tally.dropped[problem] += 1
            return None
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
            confidence=confidence(weighed_items(e for e in segment.events if e.item) or 1),
            prompt=self.prompt.ref,
            model=self.model,
            written_at=now,
            segment=segment.key,
        )

    async def _phrase(self, segment: Segment, evidence: Evidence, judge: Judge) -> tuple[str, Origin]:
        """The phrase that names the taste: the best that the model wrote, or the plain one."""
        sound: dict[str, float] = {}
        for answers in self._tries:
            sound = self._sound(await self._drafts(segment, evidence, *answers), evidence, judge)
            if sound:
                break
        if not sound:
            return evidence.phrase, Origin.FALLBACK
        shared = evidence.counted
        fair = [text for text in sound if not shared.overstated(text)] or list(sound)
        named = {text: guard.coverage(text, evidence.features[:NAMED]) for text in fair}
        most = max(named.values())
        telling = {text: sound[text] for text in fair if named[text] >= most - SLACK}
        best, lift = await self._likeliest(telling, evidence.notes, segment.user)
        if problem := self._unsupported(segment, plain.statement(segment.polarity, best), lift, evidence, judge):
            self.tally.refused[problem] += 1
            return evidence.phrase, Origin.FALLBACK
        return best, Origin.MODEL

    async def _drafts(
        self, segment: Segment, evidence: Evidence, prompt: Prompt, n: int
    ) -> list[Answer[SentenceOut] | Answer[TasteOut]]:
        notes = evidence.counted.leading
        if not self._tuned:
            return await self._ask(prompt, n=n, user=segment.user, notes=evidence.notes)
        if not notes.features:
            return []  # a single item: what may be said of it stands in the data
        return await self._ask(prompt, n=n, user=segment.user, polarity=segment.polarity.value, notes=notes.text)

    def _sound(
        self, answers: Sequence[Answer[SentenceOut] | Answer[TasteOut]], evidence: Evidence, judge: Judge
    ) -> dict[str, float]:
        """The phrases that pass every check, with their log-probabilities."""
        sound: dict[str, float] = {}
        for answer in answers:
            if answer.output.text is None:
                self.tally.refused["abstained"] += 1
                continue
            text = _KINDS_LISTED.sub(r"\1 and \2", plain.lower(plain.tidy(answer.output.text)))
            if problem := self._problem(text, evidence, judge):
                self.tally.refused[problem] += 1
            else:
                sound[text] = max(answer.logprob, sound.get(text, float("-inf")))
        return sound

    def _problem(self, text: str, evidence: Evidence, judge: Judge) -> str | None:
        """The check that a phrase fails. Only the untuned model sets words side by side that make no phrase."""
        if problem := guard.check(text, evidence.support, self._embed, least_words=1):
            return problem
        if problem := judge.check(text, evidence.worth, evidence.texts):
            return problem
        heap = not self._tuned and guard.heaped(text, evidence.features)
        return "heap" if heap else "misplaced" if guard.misplaced(text, evidence.of_kind) else None

    def _unsupported(
        self, segment: Segment, text: str, lift: float | None, evidence: Evidence, judge: Judge
    ) -> str | None:
        """Does the evidence as a whole speak for the sentence? The name of the check that says no."""
        if not supported(judge.agreement(segment, text), lift):
            return "unlike"
        if self._entailment and not self._entailment.follows(evidence.premise, text):
            return "entailment"
        return None

    async def _ask(self, prompt: Prompt, *, n: int, user: str, **variables: str) -> list[Answer[Any]]:
        """The valid answers; none without an LLM, or when it wrote nothing valid. Raises LLMUnavailableError."""
        if self._llm is None:
            return []
        try:
            return await self._llm.complete(prompt, n=n, user=user, **variables)
        except LLMOutputError:
            self.tally.refused["invalid"] += n
            return []

    async def _likeliest(self, sound: Mapping[str, float], notes: str, user: str) -> tuple[str, float | None]:
        """The phrase whose likelihood the evidence raises most, and by how much: nats a token, of the embedded model only, as
        the scale is another one for each model. Where the server cannot score, the likeliest."""
        likeliest = max(sound, key=lambda text: (sound[text], text))
        if self._llm is None or self._tuned:
            return likeliest, None
        texts = sorted(sound)
        noted, neutral = library.load("noted_statement"), library.load("neutral_statement")
        contexts = ((noted.ref, noted.text(notes=notes)), (neutral.ref, neutral.text()))
        asked = (
            self._llm.likelihood([(context, f" {t}") for t in texts], ref=ref, user=user) for ref, context in contexts
        )
        try:
            known, unknown = await asyncio.gather(*asked)
        except LLMUnsupportedError:
            return likeliest, None
        lift, best = max((known[i] - unknown[i], text) for i, text in enumerate(texts))
        return best, lift if self._llm.settings.embedded else None

    def label(self, names: Sequence[str], evidence: Evidence, taken: Sequence[str]) -> tuple[str, Origin]:
        """The first of `names` that holds for what `evidence` shows (one feature at least) and is unlike those in `taken`; else
        a plain one."""
        support = replace(evidence.support, titles=())
        taken = [t.lower() for t in taken]
        for given in names:
            text = plain.tidy(given)
            problem = guard.check(text, support, self._embed, least_words=1, most_words=6)
            if problem is None and text.lower() not in taken:
                return plain.cased(text, evidence.names), Origin.MODEL
            self.tally.refused[problem or "taken"] += 1
        plainly = [plain.label(evidence.features[i : i + 2]) for i in range(len(evidence.features))]
        free = (n for n in plainly if n.lower() not in taken)
        return plain.cased(next(free, f"{plainly[0]} ({len(taken) + 1})"), evidence.names), Origin.FALLBACK

    async def names(self, user: str, statements: Sequence[Statement], evidence: Evidence) -> list[str]:
        """What the LLM would call a theme, likeliest first; none without an LLM. Raises LLMUnavailableError."""
        prompt = library.load("label_theme", tuned=self._tuned)
        if not self._tuned:
            answers = await self._ask(prompt, n=2, user=user, notes=evidence.notes)
            return [a.output.label for a in sorted(answers, key=lambda a: -a.logprob)]
        said = "\n".join(s.text for s in statements[:MOST_STATEMENTS])
        answers = await self._ask(prompt, n=2, user=user, statements=said)
        return [a.output.theme.label for a in sorted(answers, key=lambda a: -a.logprob)]

    async def portrait(
        self, user: str, likes: Sequence[str], dislikes: Sequence[str], words: Sequence[str]
    ) -> tuple[str, Origin]:
        """One paragraph from theme labels, strongest first; `words` are features behind them that may be named too."""
        if not likes:
            return plain.portrait(likes, dislikes), Origin.FALLBACK
        prompt = library.load("write_portrait", tuned=self._tuned)
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
            self.tally.refused[problem] += 1
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
