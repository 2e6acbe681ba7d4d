"""What every `leitmotif eval` command does around its work: progress, the command and machine for the record, the result."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.serve.progress import SPARSE_S

PLACES = ("--home", "--out")  # options whose value is a place on this machine

if TYPE_CHECKING:
    from agent.serve.commands.session import Session
    from eval.rank import Tell


@contextmanager
def telling() -> Iterator[Tell]:
    """Progress on stderr: a line when a stage begins to take long, and one when it ends."""
    last: dict[str, float] = {}

    def tell(stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        begun = last.setdefault(stage, now)
        if now - begun >= SPARSE_S or (done == total and stage in last and done):
            last[stage] = now
            sys.stderr.write(f"{stage}: {done:,} of {total:,}\n")

    yield tell


def publish(session: Session, document: dict[str, Any], out: Path | None) -> None:
    document |= {"command": _command(), "machine": _machine()}
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    if session.as_json:
        sys.stdout.write(text)
        return
    from eval.report import markdown

    sys.stdout.write(markdown([document]) + "\n")
    for note in document.get("notes", ()):
        session.note(note)
    faults = document.get("problems", ())
    for fault in faults[:20]:
        session.note(f"{fault['file']}, line {fault['line']}: {fault['reason']}")
    if len(faults) > 20:
        session.note(f"... and {len(faults) - 20} more; --json has all of them")


def names(text: str | None) -> tuple[str, ...]:
    """ "a, b" as ("a", "b")."""
    return tuple(name.strip() for name in text.split(",")) if text else ()


def _command() -> str:
    """The command as a person would type it: without the folders of this machine, and without where things are kept."""
    words = [Path(word).name if "/" in word else word for word in sys.argv[1:]]
    kept = (word for before, word in pairwise(["", *words]) if before not in PLACES and word not in (*PLACES, "--json"))
    return " ".join(["leitmotif", *kept])


def _machine() -> str:
    return f"{len(os.sched_getaffinity(0))} CPUs, {platform.machine()}, Python {platform.python_version()}"
