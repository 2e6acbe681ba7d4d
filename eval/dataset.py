"""A dataset for the evaluation: any source that `ingest` reads, cut so that each user's last item is what is tested.

    dataset = load(Path("ml-latest-small"), now=datetime.now(UTC))

The cut is leave-last-out: of each user the last distinct item, at its first touch, is the target, and everything of that
user from that moment on is gone. What other users did stays whenever it happened, as in LLMRank (arXiv 2305.08845).
Everything odd is in `problems`, with line 0 where the line is not known.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from eval.cases import HISTORY, Case, Dataset, distinct
from retrieval.readers import ColumnMap, ReadError, Sequence, detect, movielens, native, read, read_sequences, recbole
from retrieval.readers.recbole import SequenceFiles
from retrieval.readers.rows import shown
from retrieval.readers.source import BadRowError
from retrieval.records import Event, Item, Refusal


@dataclass(slots=True)
class _Log:
    """What the files say: user -> events, oldest first. Of `tested` users the target is among them, of `others` nothing
    is tested. `rows` says where a user stands, if that is known."""

    file: str
    items: dict[str, Item] = field(default_factory=dict)
    tested: dict[str, list[Event]] = field(default_factory=dict)
    others: dict[str, list[Event]] = field(default_factory=dict)
    rows: dict[str, Sequence] = field(default_factory=dict)
    problems: list[Refusal] = field(default_factory=list)

    def report(self, reason: str, row: Sequence | None = None) -> None:
        self.problems.append(Refusal(row.file, row.line, reason) if row else Refusal(self.file, 0, reason))


def load(
    path: Path,
    *,
    format: str = "auto",  # noqa: A002  what the command line calls it
    columns: ColumnMap | None = None,
    users: int | None = None,
    seed: int = 0,
    now: datetime,
) -> Dataset:
    """The source at `path` (formats and `columns` as `retrieval.readers.read`), cut leave-last-out.

    `users` keeps a random sample of so many cases, a larger one of the same `seed` holding the smaller; `train` keeps
    everybody. A source without items gets a catalogue of bare ids. Raises ReadError when a file cannot be read at all or
    nobody can be tested.
    """
    kind = detect(path) if format == "auto" else format
    sequences = recbole.sequence_files(path) if kind == "recbole" else None
    log = _from_sequences(sequences, now) if sequences else _from_events(path, kind, columns, now)
    train, cases = _cut_all(log)
    if not cases:
        raise ReadError(f"{path.name}: nobody to test", hint="an evaluation needs users with items of the catalogue")
    files = [*sequences.items, sequences.tested, *sequences.others] if sequences else _files(path, kind)
    return Dataset(
        name=path.resolve().name if path.is_dir() else path.stem,
        digest=_digest(files),
        items=log.items,
        train=train,
        cases=_sample(cases, users, seed),
        timed=sequences is None,
        problems=tuple(sorted(log.problems, key=lambda problem: (problem.file, problem.line))),
    )


def _cut_all(log: _Log) -> tuple[dict[str, tuple[Event, ...]], list[Case]]:
    train, cases = {user: tuple(events) for user, events in log.others.items()}, []
    for user, events in log.tested.items():
        train[user], case = _cut(user, events)
        cases.append(case)
        if not case.history:
            log.report(f"the history of user {shown(user)} is empty: tested all the same", log.rows.get(user))
    return train, cases


def _cut(user: str, events: list[Event]) -> tuple[tuple[Event, ...], Case]:
    """What comes before the first touch of the last distinct item, and that item as the case."""
    *history, target = distinct(event.item for event in events)
    first = next(place for place, event in enumerate(events) if event.item == target)
    return tuple(events[:first]), Case(user, tuple(history[-HISTORY:]), target, events[first].at)


def _sample(cases: list[Case], users: int | None, seed: int) -> tuple[Case, ...]:
    kept = np.random.default_rng(seed).permutation(len(cases))[:users]
    return tuple(cases[place] for place in sorted(kept))


# --- timed events -----------------------------------------------------------------------------------------------------


def _from_events(path: Path, kind: str, columns: ColumnMap | None, now: datetime) -> _Log:
    log = _Log(path.name)
    events: dict[str, Event] = {}
    for record in read(path, format=kind, columns=columns, now=now, tags=False):
        if isinstance(record, Refusal):
            log.problems.append(record)
        elif isinstance(record, Item):
            _add_item(log, record, path.name)
        elif events.setdefault(record.id, record) is not record:
            log.report(f"event {shown(record.id)} is there again: the first is kept")
    _need_items(log, (event.item for event in events.values() if event.item is not None))
    unknown = Counter(event.item for event in events.values() if event.item is not None and event.item not in log.items)
    for item, count in unknown.items():
        log.report(f"item {shown(item)} is not in the catalogue: {count} events left out")
    by_user: dict[str, list[Event]] = {}
    for event in sorted(events.values(), key=lambda event: event.at):  # stable: equal times in the order of the source
        if event.item not in unknown:
            by_user.setdefault(event.user, []).append(event)
    for user, own in by_user.items():
        touched = any(event.item for event in own)  # somebody who only searched has nothing to be tested on
        (log.tested if touched else log.others)[user] = own
    return log


def _add_item(log: _Log, item: Item, file: str) -> None:
    if item.id in log.items:
        log.problems.append(Refusal(file, 0, f"item {shown(item.id)} is there again: the last is kept"))
    log.items[item.id] = item


def _need_items(log: _Log, mentioned: Iterable[str]) -> None:
    if not log.items:
        log.items = {item: Item(item, item) for item in mentioned}
        log.report("the source has no items: their ids stand for titles")


# --- the sequence form of RecBole -------------------------------------------------------------------------------------


def _from_sequences(files: SequenceFiles, now: datetime) -> _Log:
    log = _Log(files.tested.name)
    for file in files.items:
        for record in read(file, format="recbole", now=now):
            if isinstance(record, Item):
                _add_item(log, record, file.name)
            elif isinstance(record, Refusal):
                log.problems.append(record)
    rows = _first_rows(log, files.tested)
    more = _longest_rows(log, files.others, tested=rows)
    _need_items(log, (item for row in (*rows.values(), *more.values()) for item in (*row.history, row.target)))
    for row in rows.values():
        _add_tested(log, row, now)
    for row in more.values():
        _add(log, log.others, row, _known(log, row, (*row.history, row.target)), now)
    return log


def _first_rows(log: _Log, file: Path) -> dict[str, Sequence]:
    """User -> row, of the file to test."""
    rows: dict[str, Sequence] = {}
    for row in read_sequences(file):
        if isinstance(row, Refusal):
            log.problems.append(row)
        elif rows.setdefault(row.user, row) is not row:
            log.report(f"user {shown(row.user)} is there again: line {rows[row.user].line} is kept", row)
    return rows


def _longest_rows(log: _Log, files: Iterable[Path], tested: Container[str]) -> dict[str, Sequence]:
    """User -> the longest row of the other splits, which begins with the rest of them.

    Nothing of those who are tested: other splits may hold their target, as LLMRank writes the longer histories to the
    split that it calls valid.
    """
    longest: dict[str, Sequence] = {}
    for row in (row for file in files for row in read_sequences(file)):
        if isinstance(row, Refusal):
            log.problems.append(row)
        elif row.user not in tested and len(row.history) >= len(longest.get(row.user, row).history):
            longest[row.user] = row
    return longest


def _add_tested(log: _Log, row: Sequence, now: datetime) -> None:
    past = tuple(item for item in row.history if item != row.target)
    if len(past) < len(row.history):
        log.report(f"target {shown(row.target)} is in its own history: taken out of it", row)
    past = _known(log, row, past)
    if row.target in log.items:
        _add(log, log.tested, row, (*past, row.target), now)
    else:
        log.report(f"target {shown(row.target)} is not in the catalogue: the user is not tested", row)
        _add(log, log.others, row, past, now)


def _known(log: _Log, row: Sequence, items: tuple[str, ...]) -> tuple[str, ...]:
    for item in distinct(items):
        if item not in log.items:
            log.report(f"item {shown(item)} is not in the catalogue: left out", row)
    return tuple(item for item in items if item in log.items)


def _add(log: _Log, group: dict[str, list[Event]], row: Sequence, items: tuple[str, ...], now: datetime) -> None:
    try:
        group[row.user] = recbole.views(row.user, items, now=now)
    except BadRowError as bad:
        log.report(f"{bad}: the user is left out", row)
    else:
        log.rows[row.user] = row


# --- the files themselves ---------------------------------------------------------------------------------------------


def _files(path: Path, kind: str) -> list[Path]:
    """What `read` reads of `path` without tags."""
    if kind == "recbole":
        return recbole.files(path)
    if not path.is_dir():
        return [path]
    names = movielens.FILES if kind == "movielens" else (native.ITEMS, native.EVENTS)
    return [file for name in names if (file := path / name).is_file()]


def _digest(files: Iterable[Path]) -> str:
    """SHA-256 over names and contents, whatever the order of the files."""
    total = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.name):
        with file.open("rb") as handle:
            total.update(os.fsencode(file.name) + b"\0" + hashlib.file_digest(handle, "sha256").digest())
    return total.hexdigest()
