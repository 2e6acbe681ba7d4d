"""What a run of training tells as it goes: history.jsonl, and a line now and then for whoever watches."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

Progress = Callable[[str], None]


class History:
    """One JSON line a step: {"step", "loss", "learning_rate"} or {"step", "dev_loss"}."""

    def __init__(self, file: Path, progress: Progress, *, resumed: bool) -> None:
        self._file = file
        self._progress = progress
        if not resumed:
            file.unlink(missing_ok=True)

    def add(self, step: int, of: int, logs: dict[str, float], *, after: int = 0) -> None:
        """`after`: steps that were made before, in another stage."""
        step, of = step + after, of + after
        if "loss" in logs:
            row = {"step": step, "loss": logs["loss"], "learning_rate": logs["learning_rate"]}
        elif "eval_loss" in logs:
            row = {"step": step, "dev_loss": logs["eval_loss"]}
            self._progress(f"step {step} of {of}: dev loss {logs['eval_loss']:.3f}")
        else:
            return
        with self._file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
        if "loss" in logs and step % 10 == 0:
            self._progress(f"step {step} of {of}: loss {logs['loss']:.3f}")

    def losses(self) -> list[float]:
        rows = map(json.loads, self._file.read_text("utf-8").splitlines())
        return [float(row["loss"]) for row in rows if "loss" in row]
