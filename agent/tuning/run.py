"""One tuning run from the examples to weights that the engine can start with.

    tuned = tune(settings, "mine", progress=print)      # then: LEITMOTIF_LLM__MODEL=<tuned.model> leitmotif llm start

Everything lies in `<home>/tuning/<name>`: the checkpoints of a run under way, then the sealed adapter with its curve.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from agent import weights
from agent.config import BASE_MODEL, EMBEDDED_MODEL, Settings
from agent.errors import UsageError
from agent.tuning import examples, settings
from agent.tuning.train import Figures, train

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_PARTS = ("adapter_config.json", "adapter_model.safetensors", "history.jsonl", "run.json")

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Tuned:
    """`model` is the name to start and ask for, `adapter` the sealed folder, `weights` what the engine loads."""

    model: str
    adapter: Path
    weights: Path
    figures: Figures


def tune(
    given: Settings,
    name: str,
    *,
    config: Path = settings.CONFIG,
    data: Path = examples.DATA,
    most_steps: int = -1,
    progress: Progress = lambda _: None,
) -> Tuned:
    """Train, seal the adapter with its digests, merge it into the base. A run that was cut off is gone on with.

    Raises UsageError for a bad name, ConfigError and UsageError for what the files say, WeightsError for the base.
    """
    if not _NAME.fullmatch(name) or name == "base":
        raise UsageError(f"bad name {name!r}", hint="use small letters, digits and hyphens, at most 32, and not `base`")
    work = given.home.resolve() / "tuning" / name / "work"
    work.mkdir(parents=True, exist_ok=True)
    rows = examples.load(data)
    base = weights.prepare(given.home, "float32", BASE_MODEL, progress=progress)
    figures = train(settings.read(config), rows, base, work, progress=progress, most_steps=most_steps)
    adapter = work.with_name("adapter")
    with weights.publish(adapter, {"name": name, "figures": asdict(figures)}) as folder:
        for part in _PARTS:
            shutil.copy(work / part, folder / part)
    shutil.rmtree(work)
    model = f"{EMBEDDED_MODEL}-{name}"
    merged = weights.prepare(given.home, given.engine.weights, model, adapter=adapter, progress=progress)
    return Tuned(model, adapter, merged, figures)
