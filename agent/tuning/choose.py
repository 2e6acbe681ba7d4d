"""The second step of tuning: several answers of the tuned model to new inputs, of which code keeps the best.

    chosen = await choose(llm, recombined(examples, Sizes()), examples, embed, progress=print)

An answer is kept when each of its words stands in the input or is one that the hand-written answers connect words with, when
it does not loop, and names enough of what it should. Of the kept, the one that names most wins; among the likeliest of those
that name about as much, the one whose words are nearest to the thing that was held out, against other things of the domain
(next-item prediction). So the model learns from itself what can be checked. This is rejection sampling, as in arXiv
2308.01825 and 2312.06585.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from agent import guard
from agent.errors import LLMOutputError
from agent.llm import LLM
from agent.tuning.checker import Checker, said
from agent.tuning.examples import (
    Example,
    PortraitExample,
    Preference,
    SelfExample,
    StatementExample,
)
from agent.tuning.recombine import Asked
from agent.tuning.render import render

SAMPLES = 4
TEMPERATURE = 0.7
MOST_OPENING = 0.15  # share of the portraits that may begin with the same word

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was kept, and for some of it an answer to the same input that was refused."""

    examples: list[Example]
    pairs: list[Preference]


async def choose(
    llm: LLM,
    asked: Sequence[Asked],
    examples: Sequence[Example],
    embed: guard.EmbedTexts,
    *,
    progress: Progress = lambda _: None,
    at_once: int = 128,
) -> Chosen:
    """The inputs for which an answer was good enough, with it; no two answers alike. Raises LLMUnavailableError."""
    checker = Checker(examples, embed)
    kept: dict[str, Example] = {}
    refused: dict[str, Example] = {}
    known = {said(e) for e in examples}
    for start in range(0, len(asked), at_once):
        batch = asked[start : start + at_once]
        drafts = await asyncio.gather(*(_drafts(llm, a.example) for a in batch))
        for given, answers in zip(batch, drafts, strict=True):
            best = checker.best(given, answers)
            if best is None or said(best) in known:
                continue
            known.add(said(best))
            kept[best.id] = best
            if bad := checker.worst(best, answers):
                refused[best.id] = bad
        progress(f"{min(start + at_once, len(asked))} of {len(asked)} inputs, {len(kept)} kept")
    found = _varied(list(kept.values()))
    pairs = [Preference(chosen=e, refused=refused[e.id]) for e in found if e.id in refused]
    return Chosen(found, pairs + silences(examples))


def silences(examples: Sequence[Example], seed: int = 0) -> list[Preference]:
    """To each statement of the training split of which nothing should be said, that rather than the answer to another one.
    Without these the pairs, of which the chosen answer always says something, unlearn saying nothing."""
    dice = random.Random(f"{seed} silences")  # noqa: S311
    train = [e for e in examples if e.split == "train" and isinstance(e, StatementExample)]
    spoken = [e.answer for e in train if e.answer]
    silent = [e for e in train if e.answer is None]
    refused = (e.model_copy(update={"answer": dice.choice(spoken)}) for e in silent)
    return [Preference(chosen=e, refused=other) for e, other in zip(silent, refused, strict=True)]


def _varied(kept: Sequence[Example]) -> list[Example]:
    """Without the portraits that open like too many before them: a model that learns from itself narrows."""
    opened: Counter[str] = Counter()
    most = MOST_OPENING * sum(isinstance(e, PortraitExample) for e in kept)
    found: list[Example] = []
    for example in kept:
        if isinstance(example, PortraitExample):
            opened[example.answer.split()[0]] += 1
            if opened[example.answer.split()[0]] > most:
                continue
        found.append(example)
    return found


async def _drafts(llm: LLM, example: Example) -> list[Example]:
    """What the model answers, as examples; the known answer of a self-description."""
    if isinstance(example, SelfExample):
        return [example]
    asked = render(example)
    prompt = replace(asked.prompt, params=replace(asked.prompt.params, temperature=TEMPERATURE))
    try:
        answers = await llm.complete(prompt, n=SAMPLES, **asked.variables)
    except LLMOutputError:
        return []
    ranked = sorted(answers, key=lambda a: -a.logprob)
    outputs = [a.output.model_dump() for a in ranked]
    texts = [o.get("text", o.get("theme")) for o in outputs]
    told = [text for text in texts if text or isinstance(example, StatementExample)]
    return [type(example).model_validate({**example.model_dump(), "answer": text}) for text in told]
