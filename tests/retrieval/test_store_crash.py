"""A process that ingests is killed with SIGKILL at any moment: what was acknowledged is there, the rest is whole or absent."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from retrieval.store import Store

ROUNDS = 6
SIZES = (200, 8000)  # events an ingest: a few milliseconds, and more than the page cache holds before the commit
CHILD = """
import sys
from datetime import UTC, datetime
from retrieval.records import Event, EventKind, Item
from retrieval.store import Store

url, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Store(url) as store:
    print("open", flush=True)
    for n in range(1_000_000):
        user = f"{name}-{n}-{count}"
        events = (Event(f"{user}-{k}", user, EventKind.VIEW, datetime.now(UTC), user, text="x" * 200) for k in range(count))
        store.ingest([Item(user, "t"), *events])
        print(user, flush=True)
"""


def test_sigkill_during_ingest_loses_nothing_acknowledged_and_keeps_no_half(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    rng = random.Random(7)
    acknowledged: set[str] = set()
    for number in range(ROUNDS):
        acknowledged |= _killed_run(url, f"r{number}", SIZES[number % 2], rng.uniform(0.0, 0.25))
    assert acknowledged
    with Store(url) as store:
        assert store.integrity_problems() == []
        counts = store.event_counts()
        assert counts == {user: int(user.split("-")[2]) for user in counts}
        assert acknowledged <= set(counts)
        assert store.catalogue_signature()[0] == store.item_count() == len(counts)


def _killed_run(url: str, name: str, events: int, delay_s: float) -> set[str]:
    """Start a child, kill it `delay_s` after it opened the store, and return the ingests that it reported as done."""
    command = [sys.executable, "-c", CHILD, url, name, str(events)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        time.sleep(delay_s)
        child.send_signal(signal.SIGKILL)
        done = {line.strip() for line in child.stdout if line.endswith("\n")}
    assert child.returncode == -signal.SIGKILL
    return done
