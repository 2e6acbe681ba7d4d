"""What tests use in the place of a model, a catalogue and people.

    llm = FakeLLM()
    llm.enqueue('{"text": "Likes jazz"}')      # the next request gets this; with nothing queued, a sensible answer
    with make_service(tmp_path, llm) as service:
        profile = asyncio.run(service.profile("ann", now=NOW))
    assert llm.asked("write_statement")

`FakeLLM` is a real `agent.llm.LLM`: validation, repair, sampling, the concurrency gate and the call log are the product's.
Only what would go over the wire is made here.
"""

from __future__ import annotations

import asyncio
import atexit
import hashlib
import json
import re
import shutil
import tempfile
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast

import openai

from agent.config import LLMSettings, ProfileSettings, RecommendSettings, Settings
from agent.errors import LLMUnavailableError
from agent.llm import LLM
from agent.protocol import ChatRequest, RawChat, RawChoice, RawScore, Usage
from agent.service import Service
from prompts import library
from prompts.library import Prompt
from retrieval.embed import HashEmbedder
from retrieval.features import DOMAINS
from retrieval.records import Event, EventKind, Item
from retrieval.store import Store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
_TOKEN = re.compile(r"\s*\S+|\s+\Z")
_NOUNS = frozenset(DOMAINS) | frozenset(DOMAINS.values())
_VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class _Queued:
    texts: tuple[str, ...]
    finish_reason: str
    prompt: str | None


class FakeLLM(LLM):
    """An LLM with a queue and a history.

    `history` holds the chat requests, `scored` the texts whose log-probabilities were asked for. `busiest` is the greatest
    number of requests that were under way at once. Set `delay` (seconds) to make every request slow.
    """

    def __init__(self, settings: LLMSettings | None = None) -> None:
        nobody = cast(openai.AsyncOpenAI, object())  # any use of the wire is an AttributeError
        super().__init__(settings or LLMSettings(model="fake-1"), client=nobody)
        self.history: list[ChatRequest] = []
        self.scored: list[str] = []
        self.delay = 0.0
        self.busiest = 0
        self._under_way = 0
        self._queue: deque[_Queued] = deque()
        self._failure: Exception | None = None
        self._failures_left: int | None = None

    # What a test says beforehand -----------------------------------------------------------------------------------

    def enqueue(
        self, *answers: str | Mapping[str, Any], prompt: str | None = None, finish_reason: str = "stop"
    ) -> None:
        """The samples of the next request (of the next one for `prompt`, where it is named). A mapping becomes JSON."""
        texts = tuple(a if isinstance(a, str) else json.dumps(a) for a in answers)
        self._queue.append(_Queued(texts, finish_reason, prompt))

    def enqueue_invalid(self, times: int = 1, prompt: str | None = None) -> None:
        """The next `times` requests are answered with what is no JSON."""
        for _ in range(times):
            self.enqueue("santoramacana {", prompt=prompt)

    def fail(self, exc: Exception | None = None, times: int | None = None) -> None:
        """Raise `exc` (default: LLMUnavailableError) on the next `times` requests, or on all until `heal`."""
        self._failure = exc or LLMUnavailableError("the fake LLM is away")
        self._failures_left = times

    def heal(self) -> None:
        self._failure = None

    # What a test asks afterwards -----------------------------------------------------------------------------------

    def asked(self, prompt: str) -> list[dict[str, str]]:
        """The variables of each request that was made of `prompt`, in order."""
        found = (_recognise(request) for request in self.history)
        return [variables for name, variables in found if name == prompt]

    @property
    def requests(self) -> int:
        return len(self.history) + len(self.scored)

    # In the place of the wire --------------------------------------------------------------------------------------

    async def models(self) -> list[str]:
        self._fail_if_told()
        return [self.settings.model]

    async def close(self) -> None:
        """Nothing is open."""

    async def _chat(self, request: ChatRequest) -> RawChat:
        self.history.append(request)
        await self._work()
        name, variables = _recognise(request)
        queued = self._take(name)
        if queued is not None:
            choices = tuple(RawChoice(text, queued.finish_reason, _scores(text)) for text in queued.texts)
        else:
            text = json.dumps(_answer(name, variables, request), ensure_ascii=False)
            choices = tuple(RawChoice(text, "stop", _scores(text)) for _ in range(request.n))
        asked = sum(len(_TOKEN.findall(message.content)) for message in request.messages)
        return RawChat(choices, Usage(asked, sum(len(c.tokens) for c in choices), asked // 2))

    async def _score(self, text: str) -> RawScore:
        self.scored.append(text)
        await self._work()
        tokens = _scores(text)
        *_, asked, answer = text.splitlines() if "\n" in text else ("", "", text)
        if answer.endswith((" likes", " dislikes")):  # read_polarity: a like, unless the words complain
            complains = any(word in asked.split() for word in ("off", "ruins", "boring", "awful"))
            tokens = (*tokens[:-1], (tokens[-1][0], -1.0 if complains is answer.endswith(" dislikes") else -5.0))
        return RawScore(tokens[1:], Usage(len(tokens), 1, 0))

    async def _work(self) -> None:
        self._fail_if_told()
        self._under_way += 1
        self.busiest = max(self.busiest, self._under_way)
        try:
            await asyncio.sleep(self.delay)
        finally:
            self._under_way -= 1

    def _fail_if_told(self) -> None:
        if self._failure is None:
            return
        failure = self._failure
        if self._failures_left is not None:
            self._failures_left -= 1
            if self._failures_left <= 0:
                self._failure = None
        raise failure

    def _take(self, name: str) -> _Queued | None:
        for place, queued in enumerate(self._queue):
            if queued.prompt in (None, name):
                del self._queue[place]
                return queued
        return None


def _scores(text: str) -> tuple[tuple[str, float], ...]:
    """Words as tokens, with a log-probability that a hash of the word gives, higher for a word that came before."""
    seen: set[str] = set()
    found = []
    for token in _TOKEN.findall(text):
        word = re.sub(r"\W", "", token).lower()
        chance = int.from_bytes(hashlib.sha256(word.encode()).digest()[:2], "big") / 65536
        found.append((token, chance - (2.0 if word in seen else 6.0)))
        seen.add(word)
    return tuple(found)


# The default answers -----------------------------------------------------------------------------------------------


@cache
def _written_prompts() -> tuple[tuple[Prompt, re.Pattern[str]], ...]:
    """Every prompt that is chatted with, and a pattern that reads the variables back from its last message."""
    found = []
    for name in library.names():
        for version in library.versions(name):
            prompt = library.load(name, version)
            if prompt.output is not None:
                found.append((prompt, re.compile(_pattern(prompt.sections[-1].content), re.DOTALL)))
    return tuple(found)


def _pattern(template: str) -> str:
    parts = _VARIABLE.split(template)
    pattern = ""
    for place, part in enumerate(parts):
        if place % 2 == 0:
            pattern += re.escape(part)
        else:
            pattern += f"(?P={part})" if part in parts[1:place:2] else f"(?P<{part}>.*)"
    return pattern + r"\Z"


def _recognise(request: ChatRequest) -> tuple[str, dict[str, str]]:
    """The prompt that a request was rendered from (its repair too), by its fixed messages, and the variables."""
    contents = [message.content for message in request.messages]
    name = ""
    for prompt, pattern in _written_prompts():
        fixed = [section.content for section in prompt.sections[:-1]]
        if len(contents) <= len(fixed) or contents[: len(fixed)] != fixed:
            continue
        if match := pattern.match(contents[len(fixed)]):
            return prompt.name, match.groupdict()
        name = prompt.name if fixed else name
    return name, {"features": re.split(r"[|:\n]", contents[-1])[-1].strip()}  # a template with more than variables


def _answer(name: str, variables: Mapping[str, str], request: ChatRequest) -> dict[str, str]:
    """What a good model would say, built from the words that it was given."""
    if name == "write_portrait":
        likes = variables.get("likes", "things").split("; ")
        dislikes = [t for t in variables.get("dislikes", "none").split("; ") if t != "none"]
        away = f" Avoids {dislikes[0]}." if dislikes else ""
        return {"text": f"Mostly interested in {' and '.join(likes[:2])}.{away}"}
    said = _said(variables)
    if name == "write_statement" and "polarity" in variables:  # else code puts the verb before the phrase
        said = f"{'Dislikes' if variables['polarity'] == 'dislike' else 'Likes'} {said}"
    if name == "explain":
        said = f"about {said}"
    return dict.fromkeys(json.loads(request.schema)["properties"], said[:48])


def _said(variables: Mapping[str, str]) -> str:
    """The first two features in the notes that have no word in common, joined by "and". Nouns of a domain are left out."""
    notes = next((variables[v] for v in ("shared", "features", "notes") if variables.get(v)), "things")
    features = [
        f for part in re.split(r"[,;|()]", notes) if (f := " ".join(w for w in part.split() if w not in _NOUNS))
    ]
    if not features:
        return "things"
    second = next((f for f in features[1:] if not set(f.split()) & set(features[0].split())), None)
    return f"{features[0]} and {second}" if second else features[0]


# People and what there is ------------------------------------------------------------------------------------------

_SUBJECTS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "noir": (("mystery", "crime"), ("detective", "arctic", "slow-burn")),
    "jazz": (("jazz", "concert"), ("piano", "improvisation", "vinyl")),
    "bread": (("cooking", "baking"), ("sourdough", "fermentation", "oven")),
    "space": (("astronomy", "exploration"), ("rockets", "mars", "telescope")),
}
_DOMAINS = ("film", "book", "course")
_TITLES: Mapping[str, tuple[str, ...]] = {
    "noir": ("The Long Thaw", "Harbour Without Birds", "White Ledger", "Nine Winters", "Kaldvik", "Silent Fjord Road"),
    "jazz": ("Blue Interval", "Midnight Keys", "The Left Hand", "Cellar Sessions", "Hearing Changes", "Swing Theory"),
    "bread": ("Crumb", "Flour and Patience", "The Village Mill", "Rising", "First Loaf", "Crust by Numbers"),
    "space": ("Red Horizon", "Far Side", "Signal Lost", "Orbit Diaries", "Reading the Sky", "Launch Window"),
}


def catalogue() -> list[Item]:
    """25 items: four subjects, each with two films, two books and two courses, and one thing that is like nothing else.

    Ids say it all: "noir-film-1". Items of a subject share its two categories and two or three of its tags.
    """
    items = []
    for subject, (categories, tags) in _SUBJECTS.items():
        for number in range(6):
            domain = _DOMAINS[number // 2]
            some = tuple(tag for place, tag in enumerate(tags) if place != number % 4)
            items.append(
                Item(
                    id=f"{subject}-{domain}-{number % 2 + 1}",
                    title=_TITLES[subject][number],
                    text=f"A {domain} on {' and '.join(some)}.",
                    categories=(domain, *categories),
                    tags=some,
                    published_at=NOW - timedelta(days=400 - number),
                )
            )
    items.append(Item(id="odd-one", title="Umbrella Repair", categories=("course", "craft"), tags=("umbrellas",)))
    return items


def act(user: str, day: float, item: str | None, kind: EventKind = EventKind.LIKE, **more: Any) -> Event:
    """An event `day` days after the start of 2026."""
    at = datetime(2026, 1, 1, 9, tzinfo=UTC) + timedelta(days=day)
    return Event(id=f"{user}-{day:g}-{kind.value}-{item}", user=user, kind=kind, at=at, item=item, **more)


def people() -> list[Event]:
    """Three users. ann likes noir and bread and dislikes space; bob rates jazz and noir; cleo has looked at one thing."""
    ann = [
        *(
            act("ann", day, f"noir-{what}")
            for day, what in ((1, "film-1"), (3, "film-2"), (5, "book-1"), (9, "book-2"))
        ),
        *(
            act("ann", day, f"bread-{what}", EventKind.VIEW)
            for day, what in ((2, "book-1"), (4, "course-1"), (8, "film-1"))
        ),
        *(act("ann", day, f"space-{what}", EventKind.DISLIKE) for day, what in ((6, "film-1"), (7, "book-1"))),
    ]
    bob = [
        *(act("bob", day, f"jazz-film-{n}", EventKind.RATE, value=4.5) for day, n in ((1, 1), (2, 2))),
        act("bob", 3, "jazz-book-1", EventKind.PURCHASE),
        *(act("bob", day, f"noir-film-{n}", EventKind.RATE, value=1.0) for day, n in ((5, 1), (6, 2))),
        act("bob", 7, "space-course-1", EventKind.RATE, value=3.0),
    ]
    return [*ann, *bob, act("cleo", 4, "jazz-course-1", EventKind.VIEW)]


def make_service(
    tmp_path: Path,
    llm: LLM | None = None,
    records: Sequence[Item | Event] | None = None,
    *,
    profile: Mapping[str, Any] | None = None,
    recommend: Mapping[str, Any] | None = None,
) -> Service:
    """A service on `records` (default: the catalogue and the three people) that loads no model. Close it, or use `with`.

    `profile` and `recommend` change single settings. The same `tmp_path` opens the same home again, as it was left.
    """
    home = tmp_path / "home"
    if records is None and not home.exists():
        shutil.copytree(_prepared(), home)
    settings = Settings(
        home=home, profile=ProfileSettings(**(profile or {})), recommend=RecommendSettings(**(recommend or {}))
    )
    service = _open(settings, llm or FakeLLM())
    if records is not None:
        service.ingest_records(records)
    return service


def _open(settings: Settings, llm: LLM) -> Service:
    settings.home.mkdir(parents=True, exist_ok=True)
    return Service(settings, Store(settings.db_url), HashEmbedder(256), llm)


@cache
def _prepared() -> Path:
    """A home with the catalogue and the people in it, indexed: copying it is ten times faster than making it."""
    home = Path(tempfile.mkdtemp(prefix="leitmotif-")) / "home"
    atexit.register(shutil.rmtree, home.parent, ignore_errors=True)
    with _open(Settings(home=home), FakeLLM()) as service:
        service.ingest_records([*catalogue(), *people()])
        service.prepare()
    return home
