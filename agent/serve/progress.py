"""How far the work is, on stderr: a bar where somebody looks, and where a file or a pipe does, a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

SPARSE_S = 10.0

Tick = Callable[[int, int | None], None]  # (done, total); total None: nobody knows


@contextmanager
def progress(label: str) -> Iterator[Tick]:
    """A function that is told (done, total). Nothing is drawn before its first call."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(label)
        return
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task(label, total=None)
    try:
        yield lambda done, total: _draw(bar, task, done, total)
    finally:
        bar.stop()


def _draw(bar: Progress, task: object, done: int, total: int | None) -> None:
    if not bar.live.is_started:
        bar.start()
    bar.update(task, completed=done, total=total)  # type: ignore[arg-type]  # TaskID is an int by another name


class _Lines:
    """At most a line in ten seconds, and none for work that is done sooner."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._last = time.monotonic()

    def __call__(self, done: int, total: int | None) -> None:
        if time.monotonic() - self._last < SPARSE_S:
            return
        self._last = time.monotonic()
        sys.stderr.write(f"{self._label}: {done:,}{f' of {total:,}' if total else ''}\n")
