"""`leitmotif eval themes`: streams with planted truth, every system followed through them, one document of figures.

streams -> checkpoints -> assignment and events of each system -> figures of a stream -> means over streams
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from agent.errors import UsageError
from eval import stats, theme_systems
from eval.rank import Tell
from eval.results import to_json
from eval.rivals import NotInstalledError
from eval.streams import films, ideal, planted, sentences
from eval.streams.files import load
from eval.streams.lives import Words, live, told
from eval.streams.streams import KINDS, Stream
from eval.theme_metrics import Measured, Noticed, Shot, delays, measure
from retrieval.axes import AS_IS, axes_of
from retrieval.embed import CachedEmbedder, Embedder, Vectors, unit
from retrieval.records import ThemeEvent
from retrieval.store import Store
from retrieval.themes import medoid

BACKGROUND = 24  # texts of each topic whose mean is taken out of all, as retrieval.topics takes out a catalogue's


@dataclass(frozen=True, slots=True)
class Request:
    """What to run. `sources`: files of streams, and folders of items with genres; without any, our own. `seeds` of each kind
    that is generated, from `seed`; `every` points a checkpoint, or each day with points; `ideal`: streams without words."""

    sources: tuple[Path, ...] = ()
    seeds: int = 4
    seed: int = 0
    systems: tuple[str, ...] = theme_systems.SYSTEMS
    every: int | None = None
    ideal: bool = False

    def __post_init__(self) -> None:
        if unknown := [name for name in self.systems if name not in theme_systems.SYSTEMS]:
            raise UsageError(f"unknown system {unknown[0]!r}", hint=f"choose among {', '.join(theme_systems.SYSTEMS)}")


@dataclass
class Run:
    """One run. `folder` keeps vectors."""

    request: Request
    embedder: Embedder
    folder: Path
    now: datetime
    tell: Tell

    def document(self) -> dict[str, Any]:
        """The published figures (DESIGN: `eval themes`), by system, and by stream below."""
        streams = self._streams()
        found: dict[str, dict[str, Measured]] = {}
        seconds: dict[str, float] = {}
        notes: list[str] = []
        with threadpool_limits(limits=1, user_api="blas"):
            for name in self.request.systems:
                begun = time.perf_counter()
                try:
                    found[name] = self._follow(name, streams)
                except NotInstalledError as error:
                    notes.append(f"{name} is left out: {error} ({error.hint}).")
                seconds[name] = time.perf_counter() - begun
        systems = {
            name: {**figures(list(rows.values()), self.request.seed), "seconds": seconds[name]}
            for name, rows in found.items()
        }
        return {
            "kind": "themes",
            "dataset": ", ".join(dict.fromkeys(stream.name.rpartition("-")[0] or stream.name for stream in streams)),
            "streams": len(streams),
            "points": sum(len(stream.points) for stream in streams),
            "seed": self.request.seed,
            "date": self.now.isoformat(),
            "every": self.request.every,
            "systems": to_json(systems),
            "by_stream": to_json(
                {s.name: {n: figures([rows[s.name]], 0) for n, rows in found.items()} for s in streams}
            ),
            "notes": notes,
        }

    def _follow(self, name: str, streams: Sequence[Stream]) -> dict[str, Measured]:
        found = {}
        learnt = axes_of(self.embedder.name)
        for n, stream in enumerate(streams):
            system = theme_systems.make(name, self.request.seed, learnt if stream.embedded else AS_IS)
            found[stream.name] = followed(stream, system, self.request.every)
            self.tell(name, n + 1, len(streams))
        return found

    def _streams(self) -> list[Stream]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with Store(f"sqlite:///{self.folder / 'streams.db'}") as store:
            embedder = CachedEmbedder(self.embedder, store, "")
            made = list(self._made(embedder))
        if len({stream.name for stream in made}) < len(made):
            raise UsageError("two streams have the same name", hint="name each with the field `stream`")
        return made

    def _made(self, embedder: Embedder) -> Iterator[Stream]:
        ours: list[tuple[str, Words]] = []
        if self.request.ideal:
            for n in range(self.request.seeds):
                yield ideal.stream(self.request.seed + n)
        elif not self.request.sources:
            ours = [("planted", planted.words()), ("sentences", sentences.words())]
        for source in self.request.sources:
            if source.is_file():
                yield from load(source, centred(embedder, sentences.words()))
            else:
                ours.append((source.name, films.words(source, self.now)))
        for name, words in ours:
            embed = centred(embedder, words)
            for n in range(self.request.seeds):
                seed = self.request.seed + n
                yield told(f"{name}-{seed}", live(list(words.topics), words.pairs, seed), words, embed, seed)
                self.tell(f"streams of {name}", n + 1, self.request.seeds)


def centred(embedder: Embedder, words: Words) -> Callable[[Sequence[str]], Vectors]:
    """Texts to unit vectors around the mean of what is said in general, as the product's are around the catalogue's mean."""
    background = [text for own in words.topics.values() for text in own[:: max(1, len(own) // BACKGROUND)]]
    mean = embedder.embed(background).mean(axis=0)
    return lambda texts: unit(embedder.embed(texts) - mean)


def followed(stream: Stream, system: theme_systems.System, every: int | None = None) -> Measured:
    """`system` led through `stream`, a checkpoint at the last point of each day, or after `every` points."""
    shots: list[Shot] = []
    events: dict[ThemeEvent, datetime] = {}  # when it was told first, whatever time it gives itself
    begun = 0
    texts = stream.texts or tuple(point.id for point in stream.points)
    for seen in checkpoints(stream, every):
        rows = slice(begun, seen)
        batch = theme_systems.Batch(stream.points[rows], stream.vectors[rows], texts[rows])
        now = stream.points[seen - 1].at
        system.advance(batch, now)
        events |= {event: now for event in system.events if event not in events}
        said = dict(system.assignment)
        shots.append(Shot(seen, said, labels(stream, seen, said)))
        begun = seen
    return measure(stream, shots, [replace(event, at=told_at) for event, told_at in events.items()])


def checkpoints(stream: Stream, every: int | None) -> list[int]:
    """How many points are known at each checkpoint."""
    n = len(stream.points)
    if every:
        return [*range(every, n, every), n]
    days = [point.at.date() for point in stream.points]
    return [row for row in range(1, n + 1) if row == n or days[row] != days[row - 1]]


def labels(stream: Stream, seen: int, said: Mapping[str, str]) -> dict[str, str]:
    """Theme -> the point that stands for it: the medoid of its points."""
    members: dict[str, list[int]] = {}
    for row in range(seen):
        if name := said.get(stream.points[row].id):
            members.setdefault(name, []).append(row)
    return {name: stream.points[rows[medoid(stream.vectors[rows])]].id for name, rows in members.items()}


# --- figures --------------------------------------------------------------------------------------------------------


def figures(found: Sequence[Measured], seed: int) -> dict[str, Any]:
    """Means over streams, shares and medians over everything in them. NaN (null in JSON) is what could not be measured, a
    median delay too where half of the changes were missed."""
    ari = [m.agreement[0] for m in found if math.isfinite(m.agreement[0])]
    noticed = [one for m in found for one in m.noticed]
    points = sum(m.points for m in found)
    alarms = {kind: sum(m.false_alarms[kind] for m in found) for kind in KINDS}
    return {
        "ari": _mean(ari),
        "ari_ci95": stats.bootstrap_ci(ari, seed) if len(ari) > 1 else (math.nan, math.nan),
        "nmi": _mean([m.agreement[1] for m in found]),
        "v_measure": _mean([m.agreement[2] for m in found]),
        "id_stability": _share((m.kept, m.lives) for m in found),
        "id_stability_step": _share(m.steps for m in found),
        "label_stability": _share(m.relabelled for m in found),
        "delay_median": _median(list(delays(noticed))),
        "own_delay_median": _own_median(noticed),
        "changes": len(noticed),
        "missed": sum(one.delay is None for one in noticed),
        "false_alarms_per_200": 200 * sum(alarms.values()) / points if noticed else math.nan,
        "by_kind": {
            kind.value: {
                "changes": len(own),
                "missed": sum(one.delay is None for one in own),
                "delay_median": _median(list(delays(own))),
                "own_delay_median": _own_median(own),
                "days_median": _median([math.inf if one.days is None else one.days for one in own]),
                "false_alarms": alarms[kind],
            }
            for kind in KINDS
            for own in [[one for one in noticed if one.change.kind is kind]]
        },
    }


def _own_median(noticed: Sequence[Noticed]) -> float:
    """The median delay where only points of the change's own themes are counted: 0 for a fade, which has none."""
    return _median([math.inf if one.own is None else one.own for one in noticed])


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return float(np.mean(known)) if known else math.nan


def _share(pairs: Iterator[tuple[int, int]]) -> float:
    some, of = (sum(column) for column in zip(*pairs, strict=True))
    return some / of if of else math.nan


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else math.nan
