"""One background process of ours: started in its own session, remembered in a file, recognised, stopped with its children.

A pid alone is not an identity, since the system reuses numbers: the record also holds the start time of the process, and a
process that does not match it is never signalled. Linux only (/proc).
"""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

_POLL_S = 0.05
_TELLING = re.compile(r"(\w*(?:Error|Exception|Killed)\b: *\S.*)$")
_TELLING_LENGTH = 300
_SECOND_HAND = "Engine core initialization failed"  # vLLM repeats this after the line that says why


@dataclass(frozen=True)
class Record:
    """What we remember of the process. `ticks` is its start time in clock ticks since boot."""

    pid: int
    ticks: int
    started_at: str
    port: int
    model: str
    weights: str

    def alive(self) -> bool:
        return start_ticks(self.pid) == self.ticks

    def write(self, file: Path) -> None:
        scratch = file.with_suffix(".tmp")
        scratch.write_text(json.dumps(asdict(self), indent=2) + "\n", "utf-8")
        scratch.replace(file)


def read_record(file: Path) -> Record | None:
    """The record, or None when there is none or it cannot be understood (a half-written file of an older version)."""
    try:
        return Record(**json.loads(file.read_text("utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def start_ticks(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None when it does not run (a zombie does not)."""
    _reap(pid)
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def spawn(command: list[str], env: dict[str, str], log: Path) -> int:
    """Start detached, in its own session and process group, both streams added to `log`. Returns the pid.

    Raises OSError when the command cannot be executed.
    """
    out = (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), out, (os.POSIX_SPAWN_DUP2, 1, 2)]
    # Not subprocess.Popen: it wants to be waited for, and this process outlives us.
    return os.posix_spawn(command[0], command, env, file_actions=actions, setsid=True)


def remember(pid: int, *, port: int, model: str, weights: str) -> Record:
    return Record(pid, start_ticks(pid) or 0, datetime.now(UTC).isoformat(timespec="seconds"), port, model, weights)


def terminate(record: Record, grace_s: float) -> bool:
    """End the process and everything in its group: politely, and after `grace_s` by force. False if it had ended before.

    Returns when they are gone, their port and memory free, or after `grace_s` more.
    """
    was_alive = record.alive()
    if was_alive:
        _signal_group(record.pid, signal.SIGTERM)
        _wait_until(lambda: not record.alive(), grace_s)
    # A number stays taken while its group has members, so what is left under a dead leader is still ours.
    if was_alive or start_ticks(record.pid) is None:
        _signal_group(record.pid, signal.SIGKILL)
        _wait_until(lambda: not _group_runs(record.pid), grace_s)
    return was_alive


def telling_line(log: Path) -> str:
    """The line of a log that says best why the process died, or a remark that there is none."""
    try:
        lines = [line.strip() for line in log.read_text("utf-8", errors="replace").splitlines() if line.strip()]
    except FileNotFoundError:
        lines = []
    for line in reversed(lines):
        found = _TELLING.search(line)
        if found and _SECOND_HAND not in line:
            return found.group(1)[:_TELLING_LENGTH]
    return lines[-1][:_TELLING_LENGTH] if lines else "its log is empty"


def _wait_until(done: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on (proc(5), field 3); empty when it does not run."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    except (FileNotFoundError, ProcessLookupError):
        return []
    fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
    # The first thread is a zombie as soon as it ends; the process holds its port until the other threads have ended too.
    return [] if fields[0] in "ZX" and threads <= 1 else fields


def _group_runs(group: int) -> bool:
    _reap(group)
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return any(fields[2] == str(group) for fields in map(_stat, pids) if fields)


def _signal_group(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):  # nobody left
        os.killpg(pid, number)


def _reap(pid: int) -> None:
    """If the process is a child of ours that has ended, let it go; otherwise it would seem to run."""
    with suppress(ChildProcessError):  # started by another run of ours
        os.waitpid(pid, os.WNOHANG)
