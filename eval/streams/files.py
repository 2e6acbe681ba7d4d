"""Streams in files: JSON Lines, a point or a change a line, vectors in the lines, beside them (.npz), or made from the texts.

for stream in load(Path("mine.jsonl"), embed): ...
save([stream], Path("mine.jsonl"))
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from eval.streams.streams import Change, Stream
from retrieval.embed import Vectors, unit
from retrieval.evolution import Point
from retrieval.readers import ReadError
from retrieval.records import Polarity, ThemeEventKind, utc

Embed = Callable[[Sequence[str]], Vectors]
HINT = "docs/eval.md has the form, under Themes"


@dataclass(slots=True)
class _Read:
    points: list[Point] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)  # place among all points of the file
    vectors: list[Any] = field(default_factory=list)
    truth: list[str | None] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)


def load(path: Path, embed: Embed) -> list[Stream]:
    """The streams of a file. `embed` is asked about texts where there are no vectors. Raises ReadError, naming the line."""
    found: dict[str, _Read] = {}
    count = 0
    for number, row in _lines(path):
        into = found.setdefault(str(row.get("stream", path.stem)), _Read())
        try:
            if "change" in row:
                themes = tuple(map(str, row["themes"]))
                into.changes.append(Change(ThemeEventKind(row["change"]), _time(row["at"]), themes))
            else:
                _point(row, into, count)
                count += 1
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            problem = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise ReadError(f"{path.name}, line {number}: {problem}", hint=HINT) from error
    if not count:
        raise ReadError(f"{path.name} holds no points", hint=HINT)
    beside = _beside(path, count)
    try:
        return [_stream(name, read, beside, embed) for name, read in found.items() if read.points]
    except ValueError as error:
        raise ReadError(f"{path.name}: {error}", hint=HINT) from error


def save(streams: Sequence[Stream], path: Path) -> None:
    """Write streams to `path` (JSON Lines), their vectors beside it as .npz."""
    lines: list[dict[str, Any]] = []
    for stream in streams:
        for row, point in enumerate(stream.points):
            line: dict[str, Any] = {
                "stream": stream.name,
                "id": point.id,
                "at": point.at.isoformat(),
                "theme": stream.truth[row],
            }
            line |= {"polarity": point.polarity.value, "weight": point.weight}
            lines.append(line | ({"text": stream.texts[row]} if stream.texts else {}))
        lines += [
            {"stream": stream.name, "change": c.kind.value, "at": c.at.isoformat(), "themes": c.themes}
            for c in stream.changes
        ]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    np.savez_compressed(path.with_suffix(".npz"), vectors=np.concatenate([s.vectors for s in streams]))


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(f"cannot read {path.name}", hint=HINT) from error
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ReadError(f"{path.name}, line {number}: not JSON", hint=HINT) from error
        if not isinstance(row, dict):
            raise ReadError(f"{path.name}, line {number}: not a JSON object", hint=HINT)
        yield number, row


def _time(text: str) -> datetime:
    return utc(datetime.fromisoformat(text))


def _point(row: dict[str, Any], into: _Read, place: int) -> None:
    says, theme = Polarity(row.get("polarity", "like")), row["theme"]
    into.points.append(Point(str(row["id"]), _time(row["at"]), says, float(row.get("weight", 1.0))))
    into.rows.append(place)
    into.vectors.append(row.get("vector"))
    into.truth.append(None if theme is None else str(theme))
    into.texts.append(str(row.get("text", "")))


def _beside(path: Path, count: int) -> Vectors | None:
    """The vectors in the .npz of the same name, one a point of the file; None where there is none."""
    beside = path.with_suffix(".npz")
    if not beside.is_file():
        return None
    try:
        with np.load(beside, allow_pickle=False) as kept:
            vectors: Vectors = kept["vectors"].astype(np.float32)
    except (OSError, ValueError, KeyError) as error:
        raise ReadError(f"{beside.name} holds no array 'vectors'", hint=HINT) from error
    if vectors.ndim != 2 or len(vectors) != count:
        raise ReadError(f"{beside.name} holds {len(vectors)} vectors for {count} points", hint=HINT)
    return vectors


def _stream(name: str, read: _Read, beside: Vectors | None, embed: Embed) -> Stream:
    given = beside[read.rows] if beside is not None else _given(name, read)
    vectors = embed(read.texts) if given is None else given
    if not np.isfinite(vectors).all():
        raise ValueError(f"{name}: a vector holds what is no number")
    order = sorted(range(len(read.points)), key=lambda row: (read.points[row].at, row))
    return Stream(
        name,
        tuple(read.points[row] for row in order),
        unit(vectors[order]),
        tuple(read.truth[row] for row in order),
        tuple(sorted(read.changes, key=lambda change: change.at)),
        tuple(read.texts[row] for row in order) if all(read.texts) else (),
        given is None,
    )


def _given(name: str, read: _Read) -> Vectors | None:
    """The vectors in the lines; None where all points have texts in their place."""
    if all(vector is not None for vector in read.vectors):
        given = np.asarray(read.vectors, dtype=np.float32)
        if given.ndim != 2:
            raise ValueError(f"{name}: vectors are lists of numbers of one length")
        return given
    if any(vector is not None for vector in read.vectors) or not all(read.texts):
        raise ValueError(f"{name}: every point needs a vector, or every point a text")
    return None
