"""Asks systems questions and keeps every answer: a run that was interrupted goes on, and one that was done does nothing.

    rows = await run(systems, questions, folder, data=dataset.digest, progress=show)

Each system has one append-only file of JSON lines in `folder`, named by its name and a hash of its key and the data; a line
is the answer to one question, found again by a hash of the question. So what changed is asked again and nothing else is.
A line that cannot be read (the process was killed while it wrote) counts as not asked.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from hashlib import sha256
from importlib import resources
from io import SEEK_END, FileIO
from pathlib import Path

from agent.errors import LLMError, LLMUnavailableError, LLMUnsupportedError, UsageError
from eval.cases import Question, Ranking, System

CONCURRENCY = 8  # questions in flight; one can be twenty requests, and the client has its own gate (llm.concurrency)
PATIENCE = 5  # questions in a row without an LLM: it is not this user, it is the server
FORMAT = 1  # of the rows; a new one makes new files

Progress = Callable[[str, int, int], None]
"""Told (system, answered, questions) at the start and after every answer."""


@dataclass(frozen=True, slots=True)
class Row:
    """The answer of a system to one question, or the `error` (one line) that it raised instead.

    `question` is `question_key`; `scores` stand in the order of its candidates and are empty after an error. `seconds` is
    wall time: with several questions in flight each gets an equal share of it, so the sum over rows is the time taken.
    """

    question: str
    user: str
    target: str
    scores: tuple[float, ...] = ()
    invalid: int = 0
    llm_calls: int = 0
    llm_tokens: int = 0
    seconds: float = 0.0
    error: str | None = None


_NAMES = tuple(field.name for field in fields(Row))


def question_key(question: Question) -> str:
    """A hash of all that a system is told: the case and its candidates in their order."""
    case = question.case
    return _hash([case.user, case.history, case.target, case.at.isoformat(), question.candidates])


@cache
def source(package: str) -> str:
    """A hash of the Python files of a package: part of the key of a system whose answers they decide, so that nothing that
    older code answered is taken for the answer of today's."""
    files = sorted(resources.files(package).iterdir(), key=lambda file: file.name)
    return _hash(file.read_text(encoding="utf-8") for file in files if file.name.endswith(".py"))


async def run(
    systems: Sequence[System],
    questions: Sequence[Question],
    folder: Path,
    *,
    data: str,
    progress: Progress | None = None,
    concurrency: int = CONCURRENCY,
) -> dict[str, list[Row]]:
    """The rows of each system by its name, in the order of the questions.

    `data` is a digest of what the systems were made from (Dataset.digest): answers from other data are not reused. A
    question that raised is a row with an error and is asked again next time. Systems that find no LLM for PATIENCE
    questions in a row are stopped; the others still run, and then LLMUnavailableError says which and what to do. A folder
    that cannot be written raises OSError; two systems of one name, UsageError.
    """
    names = [system.name for system in systems]
    if len(set(names)) < len(names):
        raise UsageError(f"two systems of one name among {', '.join(names)}")
    keyed = {question_key(question): question for question in questions}
    folder.mkdir(parents=True, exist_ok=True)
    answered, stopped = {}, []
    for system in systems:
        path = folder / _file(system, data)
        try:
            rows = await _answers(system, keyed, path, progress or _silent, concurrency)
        except _StoppedError as stop:
            stopped.append(stop)
        else:
            answered[system.name] = [rows[key] for key in keyed]
    if stopped:
        raise LLMUnavailableError("; ".join(map(str, stopped)), hint=stopped[0].hint)
    return answered


async def _answers(
    system: System, keyed: Mapping[str, Question], path: Path, progress: Progress, concurrency: int
) -> dict[str, Row]:
    """The row of each key: those in the file, and the rest asked now and added to it."""
    rows = {row.question: row for row in _read(path) if row.question in keyed and row.error is None}
    progress(system.name, len(rows), len(keyed))
    missing = {key: question for key, question in keyed.items() if key not in rows}
    if not missing:
        return rows
    with path.open("a+b", buffering=0) as file:  # unbuffered: a row is in the file as soon as it is known
        _end_line(file)

        def keep(row: Row) -> None:
            file.write(_line(row))
            rows[row.question] = row
            progress(system.name, len(rows), len(keyed))

        await _Asking(system, missing, keep).all(concurrency)
    return rows


class _StoppedError(LLMError):
    """There is no LLM, so asking on would only collect errors."""


class _Asking:
    """One system being asked, several questions in flight.

    A system that never waits is asked one question after the other, in order, however many could be in flight.
    """

    def __init__(self, system: System, missing: Mapping[str, Question], keep: Callable[[Row], None]) -> None:
        self._system = system
        self._left = iter(missing.items())
        self._keep = keep
        self._clock = _Clock()
        self._without_llm: list[LLMError] = []  # the errors of the questions just asked, in a row

    async def all(self, concurrency: int) -> None:
        workers = [asyncio.create_task(self._work()) for _ in range(max(concurrency, 1))]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self) -> None:
        for key, question in self._left:
            self._keep(await self._row(key, question))
            if len(self._without_llm) >= PATIENCE:
                raise self._stop()
            await asyncio.sleep(0)  # an interrupt gets through, and the others a turn, where nothing else waits

    async def _row(self, key: str, question: Question) -> Row:
        about = (key, question.case.user, question.case.target)
        entered = self._clock.enter()
        try:
            ranking = await self._system.rank(question)
            scores = _scores(ranking, question)
        except Exception as error:  # whatever a system raises for one user is a row, not the end of the run
            self._count(error)
            return Row(*about, seconds=self._clock.leave(entered), error=_one_line(error))
        self._count(None)
        cost = (ranking.invalid, ranking.llm_calls, ranking.llm_tokens)
        return Row(*about, scores, *cost, self._clock.leave(entered) + ranking.seconds)

    def _count(self, error: Exception | None) -> None:
        if isinstance(error, LLMUnavailableError | LLMUnsupportedError):
            self._without_llm.append(error)
        else:
            self._without_llm.clear()

    def _stop(self) -> _StoppedError:
        last = self._without_llm[-1]
        message = f"{self._system.name} stopped after {PATIENCE} questions in a row without an LLM ({last})"
        hint = f"{last.hint}; then run the same command again: it goes on where it stopped"
        return _StoppedError(message, hint=hint)


class _Clock:
    """Wall time shared out equally among the questions in flight, so that the shares of all add up to the time taken."""

    def __init__(self) -> None:
        self._in_flight = 0
        self._share = 0.0  # what a question would have got that was in flight from the beginning
        self._at = 0.0

    def enter(self) -> float:
        """A token for `leave`."""
        self._tick()
        self._in_flight += 1
        return self._share

    def leave(self, entered: float) -> float:
        """The share in seconds of the question that entered."""
        self._tick()
        self._in_flight -= 1
        return self._share - entered

    def _tick(self) -> None:
        now = time.perf_counter()
        if self._in_flight:
            self._share += (now - self._at) / self._in_flight
        self._at = now


def _scores(ranking: Ranking, question: Question) -> tuple[float, ...]:
    if len(ranking.scores) != len(question.candidates):
        raise ValueError(f"{len(ranking.scores)} scores for {len(question.candidates)} candidates")
    return tuple(map(float, ranking.scores))


def _read(path: Path) -> Iterator[Row]:
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            try:
                row = json.loads(line)
            except ValueError:  # torn or damaged; what it said is asked again
                continue
            yield Row(**{**row, "scores": tuple(row["scores"])})


def _line(row: Row) -> bytes:
    return json.dumps({name: getattr(row, name) for name in _NAMES}).encode() + b"\n"


def _end_line(file: FileIO) -> None:
    """Close a torn last line, so that the next row does not hang on it. Leaves `file`, open for appending, at its end."""
    if file.seek(0, SEEK_END):
        file.seek(-1, SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")


def _file(system: System, data: str) -> str:
    name = re.sub(r"[^\w.-]", "_", system.name)
    return f"{name}-{_hash([FORMAT, system.key, data])}.jsonl"


def _hash(parts: Iterable[object]) -> str:
    return sha256(json.dumps(list(parts)).encode()).hexdigest()[:16]


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _silent(system: str, answered: int, questions: int) -> None:
    """No progress is shown."""
