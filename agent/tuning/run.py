"""One tuning run from the examples to weights that the engine can start with, and the second step's sampling.

    tuned = tune(settings, "mine", lessons(), progress=print)      # then start the engine with tuned.model
    found = resample(settings, Path("mine"), progress=print)       # with the tuned model running

Everything lies in `<home>/tuning/<name>`: the checkpoints of a run under way, then the sealed adapter with its curve.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from agent import weights
from agent.config import BASE_MODEL, EMBEDDED_MODEL, Settings
from agent.errors import UsageError
from agent.llm import LLM
from agent.tuning import examples, settings
from agent.tuning.choose import choose
from agent.tuning.recombine import Sizes, recombined
from agent.tuning.train import ADAPTER_FILE, Figures, train
from agent.weights import embedder_folder
from retrieval.embed import SentenceTransformerEmbedder

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
    lessons: examples.Lessons,
    *,
    config: Path = settings.CONFIG,
    most_steps: int = -1,
    start: Path | None = None,
    progress: Progress = lambda _: None,
) -> Tuned:
    """Train, seal the adapter with its digests, merge it into the base. A run that was cut off is gone on with.
    `start` is an adapter with which only the last round of preferences is made.

    Raises UsageError for a bad name, for a `start` that is none and for nothing to train on, ConfigError for what the file
    says, WeightsError for the base.
    """
    _check(name)
    if start is not None and not (start / ADAPTER_FILE).is_file():
        raise UsageError(f"no adapter in {start}", hint="give the folder that `leitmotif tune` has written")
    work = given.home.resolve() / "tuning" / name / "work"
    work.mkdir(parents=True, exist_ok=True)
    base = weights.prepare(given.home, "float32", BASE_MODEL, progress=progress)
    figures = train(settings.read(config), lessons, base, work, progress=progress, most_steps=most_steps, start=start)
    adapter = work.with_name("adapter")
    with weights.publish(adapter, {"name": name, "figures": asdict(figures)}) as folder:
        for part in _PARTS:
            shutil.copy(work / part, folder / part)
    shutil.rmtree(work)
    model = f"{EMBEDDED_MODEL}-{name}"
    merged = weights.prepare(given.home, given.engine.weights, model, adapter=adapter, progress=progress)
    return Tuned(model, adapter, merged, figures)


def _check(name: str) -> None:
    if not _NAME.fullmatch(name) or name == "base":
        raise UsageError(f"bad name {name!r}", hint="use small letters, digits and hyphens, at most 32, and not `base`")


@dataclass(frozen=True, slots=True)
class Resampled:
    """`kept` of the `inputs` got an answer that holds, `tasks` says how many of each; for `pairs` of them one was refused."""

    folder: str
    inputs: int
    kept: int
    pairs: int
    tasks: dict[str, int]


def resample(
    given: Settings,
    out: Path,
    *,
    data: Path = examples.DATA,
    share: float = 1.0,
    seed: int = 0,
    progress: Progress = lambda _: None,
) -> Resampled:
    """Let the tuned model that runs answer new inputs, and write the answers that hold into the folder `out`: `chosen` and
    `preferences`, for `tune`. `share` of the usual number of inputs.

    Raises UsageError where the model is not tuned or `out` is there, LLMUnavailableError where it does not run.
    """
    if not given.llm.tuned:
        raise UsageError(f"{given.llm.model} is not tuned", hint="`leitmotif llm start` starts the tuned model")
    if out.exists():
        raise UsageError(f"{out.name} is there already", hint="give another --out, or remove it")
    rows = examples.load(data)
    asked = recombined(rows, Sizes().times(share), seed)
    embedder = SentenceTransformerEmbedder(embedder_folder(given.embed.model), given.embed.batch_size)
    found = asyncio.run(choose(LLM(given.llm), asked, rows, embedder.embed, progress=progress))
    for name, kept in (("chosen", found.examples), ("preferences", found.pairs)):
        file = out / name / f"{given.llm.model}-{seed}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{row.model_dump_json()}\n" for row in kept), encoding="utf-8")
    tasks = Counter(str(e.task) for e in found.examples)
    return Resampled(str(out), len(asked), len(found.examples), len(found.pairs), dict(tasks))
