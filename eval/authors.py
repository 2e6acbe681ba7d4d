"""Who writes about whom: our profiles and the rivals' lists, of real users and of junk histories, with what that cost.

    about = await ours(shop, dataset, tell)
    about = await theirs("langchain", shop, histories, dataset.items, tell)

Answers of rivals are kept in the folder of the workshop by the rival's version, the model and the events, as
eval/runner.py does it for rankings.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import reduce
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from agent.errors import UsageError
from agent.weights import embedder_folder
from eval import rivals
from eval.cases import Dataset, distinct
from eval.grounding import Said
from eval.rivals import Chat, LangChain, Mem0, NotInstalledError, Rival
from eval.workshop import Workshop
from eval.written import Histories, build
from retrieval.records import Event, Item

if TYPE_CHECKING:
    from eval.rank import Tell

RIVALS = ("langchain", "mem0")
SYSTEMS = ("leitmotif", *RIVALS)
JUNK_ITEMS = 30
JUNK_KINDS = ("uniform", "popular")


@dataclass(frozen=True, slots=True)
class Written:
    """What a system wrote, user -> statements, and what it cost. `seconds` is None where
    some was kept from an earlier run. `note` says what a reader of the figures must know."""

    statements: Mapping[str, Sequence[Said]]
    tokens: int = 0
    calls: int = 0
    seconds: float | None = 0.0
    version: str = ""
    note: str = ""


def junk(dataset: Dataset, each: int, seed: int) -> dict[str, tuple[Event, ...]]:
    """`each` histories of every kind in JUNK_KINDS: JUNK_ITEMS items drawn without any coherence, all alike or by how many
    users touched them. Kinds and values of the events are drawn from the dataset's own, times lie evenly in its time."""
    rng = np.random.default_rng([seed, 7])
    events = [event for user in sorted(dataset.train) for event in dataset.train[user] if event.item is not None]
    first, last = min(e.at for e in events), max(e.at for e in events)
    ids = sorted(dataset.items)
    touched = dict.fromkeys(ids, 0.0)
    for history in dataset.train.values():
        for item in distinct(event.item for event in history):
            touched[item] += 1
    popular = np.array([touched[item] for item in ids]) / sum(touched.values())
    made = {}
    for kind in JUNK_KINDS:
        size = min(JUNK_ITEMS, int((popular > 0).sum()))
        for number in range(each):
            user = f"junk-{kind}-{number}"
            drawn = rng.choice(len(ids), size=size, replace=False, p=popular if kind == "popular" else None)
            like = [events[i] for i in rng.integers(len(events), size=size)]
            made[user] = tuple(
                Event(f"{user}-{n}", user, act.kind, first + (last - first) * (n + 1) / (size + 1), ids[i], act.value)
                for n, (i, act) in enumerate(zip(drawn, like, strict=True))
            )
    return made


async def ours(shop: Workshop, dataset: Dataset, tell: Tell, extra: Histories | None = None) -> Written:
    """The statements of the real service about the tested users, or about those of `extra` with the tested for company."""
    built = await build(shop, dataset, tell, extra)
    said = {
        user: [Said(s.text, s.polarity, frozenset(s.evidence), s.origin.value) for s in profile.statements]
        for user, profile in built.profiles.items()
    }
    return Written(said, built.tokens, built.calls, built.seconds, shop.llm.identity)


async def theirs(name: str, shop: Workshop, histories: Histories, items: Mapping[str, Item], tell: Tell) -> Written:
    """The statements of a rival. Where it is not installed, nobody has any and the note says so."""
    try:
        async with _rival(name, shop) as rival:
            return await _answers(name, rival, shop, histories, items, tell)
    except NotInstalledError as missing:
        return Written({}, note=f"not installed: {missing.hint}")


async def _answers(
    name: str, rival: Rival, shop: Workshop, histories: Histories, items: Mapping[str, Item], tell: Tell
) -> Written:
    """What is known from an earlier run, and the rest asked now."""
    shop.folder.mkdir(parents=True, exist_ok=True)
    code = _hash([shop.llm.identity, inspect.getsource(rivals)])
    path = shop.folder / f"{name}-{rival.version}-{code}.jsonl"
    kept = _read(path)
    gate = asyncio.Semaphore(rival.at_once)
    done = 0

    async def one(user: str) -> _Row:
        nonlocal done
        told = rivals.lines(histories[user][-shop.settings.profile.window_events :], items)
        key = _hash([user, *told])
        async with gate:
            row = kept.get(key) or await _asked(key, rival, user, told)
        if key not in kept:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(row)) + "\n")
        done += 1
        tell(name, done, len(histories))
        return row

    started = time.monotonic()
    rows = await asyncio.gather(*map(one, histories))
    said = {user: [Said(text) for text in row.statements] for user, row in zip(histories, rows, strict=True)}
    total = reduce(_Row.plus, rows, _Row("", ()))
    taken = time.monotonic() - started if not kept else None  # what was known took no time, and says nothing
    return Written(said, total.tokens, total.calls, taken, rival.version, _note(total, rival.room))


@dataclass(frozen=True, slots=True)
class _Row:
    """What a rival wrote about one user, and its cost; `fault` is the last thing that it raised."""

    key: str
    statements: tuple[str, ...]
    calls: int = 0
    tokens: int = 0
    refused: int = 0
    longest: int = 0
    fault: str = ""

    def plus(self, other: _Row) -> _Row:
        return _Row(
            "",
            (),
            self.calls + other.calls,
            self.tokens + other.tokens,
            self.refused + other.refused,
            max(self.longest, other.longest),
            other.fault or self.fault,
        )


async def _asked(key: str, rival: Rival, user: str, told: Sequence[str]) -> _Row:
    found, cost = await rival.write(user, told)
    return _Row(key, found, cost.calls, cost.tokens, cost.refused, cost.longest, cost.fault)


def _note(total: _Row, room: int) -> str:
    """What went wrong, in one line; "" where nothing did."""
    said = []
    if total.refused:
        said.append(
            f"{total.refused} of {total.calls} requests did not fit the model: the longest prompt has "
            f"{total.longest:,} tokens, the context {room:,}"
        )
    if total.fault and total.refused < total.calls:
        said.append(f"last fault: {total.fault}")
    return "; ".join(said)


@asynccontextmanager
async def _rival(name: str, shop: Workshop) -> AsyncIterator[Rival]:
    """Raises NotInstalledError, UsageError for a name that nobody has."""
    if name not in RIVALS:
        raise UsageError(f"no system {name!r}", hint=f"there are {', '.join(SYSTEMS)}")
    with tempfile.TemporaryDirectory() as folder:
        settings = shop.settings.llm
        rival: Rival = (
            LangChain(Chat(settings))
            if name == "langchain"
            else Mem0(settings, embedder_folder(shop.settings.embed.model), Path(folder))
        )
        try:
            yield rival
        finally:
            await rival.close()


def _read(path: Path) -> dict[str, _Row]:
    if not path.exists():
        return {}
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return {row["key"]: _Row(**{**row, "statements": tuple(row["statements"])}) for row in rows}


def _hash(parts: Sequence[object]) -> str:
    return sha256(json.dumps(list(parts)).encode()).hexdigest()[:16]
