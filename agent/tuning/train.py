"""LoRA training of the embedded model on the examples: resumable, on a CPU or a GPU, the same file either way.

    figures = train(config, lessons(), base, out, progress=print)

Writes the adapter to `out`, with history.jsonl (the loss of each step and on the dev split) and run.json (what went in, how
long it took). A run that was cut off goes on from its last checkpoint, if configuration, examples and prompts are the same.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from agent.errors import UsageError
from agent.host import cpu_flags
from agent.tuning.batches import Encoded, encode
from agent.tuning.examples import Example, Lessons, Preference, taught
from agent.tuning.history import History, Progress
from agent.tuning.pairs import made
from agent.tuning.render import Rendered, names_more, render, render_pair
from agent.tuning.settings import TuneConfig

_FAST_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}  # what x86 and ARM call it
BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"
ADAPTER_FILE = "adapter_model.safetensors"


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run came to. Losses are nats a token of the answers; `seconds` since it was last started, where it was cut off."""

    train_examples: int
    preferences: int
    dev_examples: int
    steps: int
    tokens: int
    first_loss: float
    train_loss: float
    dev_loss: float | None
    seconds: float
    precision: str
    adapter_bytes: int
    adapter_sha256: str


def train(
    config: TuneConfig,
    lessons: Lessons,
    base: Path,
    out: Path,
    *,
    progress: Progress = lambda _: None,
    most_steps: int = -1,
    start: Path | None = None,
) -> Figures:
    """Train on the `train` split and on what was chosen, then on the preferences, round after round; look at `dev`. `base` is
    the float32 folder of the base model; `most_steps` ends each stage early (-1: does not). From `start`, an adapter that the
    stages before have made, only the last round is trained.

    Raises UsageError where there is nothing to train on.
    """
    import torch
    from transformers import AutoTokenizer, set_seed

    started = time.monotonic()
    set_seed(config.seed)
    tokenizer: Any = AutoTokenizer.from_pretrained(str(base))
    passes = [] if start else _passes(config, lessons.examples, lessons.chosen)
    rounds = lessons.rounds[-1:] if start else lessons.rounds
    if not (rounds if start else passes):
        hint = "it needs pairs" if start else 'at least one needs "split": "train"'
        raise UsageError("there are no training examples", hint=hint)
    learnt = [encode(tokenizer, r) for r in passes]
    pairs = [[_both(tokenizer, p) for p in told] for told in rounds]
    watched = [_told(tokenizer, e) for e in lessons.examples if e.split == "dev" and taught(e)]
    precision = _precision(config.training.precision)
    model = _with_adapter(config, base, getattr(torch, precision), start)
    run = _Run(config, model, watched, tokenizer.pad_token_id, out, progress, most_steps)
    losses, steps, dev_loss = run.stages(learnt, pairs, f"{start}")
    seconds = round(time.monotonic() - started, 1)
    told = [*learnt, *(e for told in pairs for pair in told for e in pair)]
    figures = _figures(lessons, rounds, told, losses, dev_loss, steps, seconds, precision, save(model, out))
    _finish(out, {"config": config.model_dump(), "figures": asdict(figures)})
    return figures


def _finish(out: Path, about: dict[str, Any]) -> None:
    (out / "run.json").write_text(json.dumps(about, indent=2) + "\n", "utf-8")
    for folder in out.glob("checkpoints*"):
        shutil.rmtree(folder)


def _told(tokenizer: Any, example: Example) -> Encoded:
    return encode(tokenizer, render(example, whole=names_more(example)))


def _both(tokenizer: Any, pair: Preference) -> tuple[Encoded, Encoded]:
    """The answer that was chosen and the one that was refused, to the same notes."""
    whole = names_more(pair.chosen)
    chosen, refused = (encode(tokenizer, render(e, whole=whole)) for e in (pair.chosen, pair.refused))
    return chosen, refused


@dataclass(frozen=True, slots=True)
class _Stage:
    """What is learnt in one go, from `rows` of examples or of pairs; `about` is what else its checkpoints depend on."""

    folder: str
    about: str
    rows: Sequence[Any]
    paired: bool


@dataclass(frozen=True, slots=True)
class _Run:
    """What the stages share."""

    config: TuneConfig
    model: Any
    watched: Sequence[Encoded]
    pad: int
    out: Path
    progress: Progress
    most_steps: int

    def stages(
        self, learnt: Sequence[Encoded], rounds: Sequence[Sequence[tuple[Encoded, Encoded]]], about: str
    ) -> tuple[list[float], int, float | None]:
        """The loss of each step, how many there were, and the loss on the dev split. Each stage has checkpoints of its own,
        so that what was cut off in a later one goes on there."""
        from agent.tuning.trainer import preference_trainer_of, trainer_of

        make: dict[bool, Any] = {False: trainer_of, True: preference_trainer_of}
        shared = (self.watched, self.pad)
        trainer: Any = None
        steps, seen = 0, list[Encoded]()
        history: History | None = None
        for stage in self._planned(learnt, rounds, about):
            if stage.paired:
                self.progress(f"{len(stage.rows)} pairs of a chosen and a refused answer")
            seen += [e for pair in stage.rows for e in pair] if stage.paired else stage.rows
            work, last = self._work(stage, seen)
            history = history or History(self.out / "history.jsonl", self.progress, resumed=last is not None)
            tell = partial(history.add, after=steps)
            trainer = make[stage.paired](self.config, self.model, stage.rows, *shared, work, tell, self.most_steps)
            trainer.train(resume_from_checkpoint=last)
            steps += trainer.state.global_step
        dev_loss = float(trainer.evaluate()["eval_loss"]) if self.watched else None
        return history.losses() if history else [], steps, dev_loss

    def _planned(
        self, learnt: Sequence[Encoded], rounds: Sequence[Sequence[tuple[Encoded, Encoded]]], about: str
    ) -> list[_Stage]:
        first = self.config.model_dump_json(exclude={"preference"}) + about
        stages = [_Stage("checkpoints", first, learnt, paired=False)] if learnt else []
        told, work = self.config.model_dump_json() + about, "checkpoints-preferences"
        return stages + [_Stage(f"{work}-{n}", told, rows, paired=True) for n, rows in enumerate(rounds)]

    def _work(self, stage: _Stage, told: Sequence[Encoded]) -> tuple[Path, str | None]:
        """A folder for checkpoints, and the last one in it that was made of the same."""
        work = self.out / stage.folder
        last = _last_checkpoint(work, _fingerprint(stage.about, told), self.progress)
        return work, str(last) if last else None


def _figures(
    lessons: Lessons,
    rounds: Sequence[Sequence[Preference]],
    learnt: Sequence[Encoded],
    losses: Sequence[float],
    dev_loss: float | None,
    steps: int,
    seconds: float,
    precision: str,
    file: Path,
) -> Figures:
    return Figures(
        train_examples=sum(e.split == "train" for e in (*lessons.examples, *lessons.chosen)),
        preferences=sum(map(len, rounds)),
        dev_examples=sum(e.split == "dev" for e in lessons.examples),
        steps=steps,
        tokens=sum(len(e.ids) for e in learnt),
        first_loss=losses[0],
        train_loss=sum(losses[-20:]) / len(losses[-20:]),
        dev_loss=dev_loss,
        seconds=seconds,
        precision=precision,
        adapter_bytes=file.stat().st_size,
        adapter_sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
    )


def save(model: Any, out: Path) -> Path:
    """Write the adapter with its configuration, in half precision; the path of its weights."""
    import torch

    state = {name: p.detach().to(torch.float16) for name, p in model.named_parameters() if p.requires_grad}
    model.save_pretrained(str(out), state_dict=state)
    (out / "README.md").unlink(missing_ok=True)  # a model card with nothing in it
    about = out / "adapter_config.json"
    told = {**json.loads(about.read_text("utf-8")), "base_model_name_or_path": BASE}  # not a path of this machine
    about.write_text(json.dumps(told, indent=2) + "\n", "utf-8")
    return out / ADAPTER_FILE


def _passes(config: TuneConfig, examples: Sequence[Example], chosen: Sequence[Example]) -> list[Rendered]:
    """Each training example `copies` times, pass after pass, the notes in another order each time. The first passes have the
    chosen answers and the pairs among them."""
    dice = random.Random(config.seed)  # noqa: S311  dice, not secrets
    written = [e for e in examples if e.split == "train" and taught(e)]
    rendered: list[Rendered] = []
    for copy in range(config.copies):
        asked = made(examples, config.seed + copy) if copy < config.pair_copies else []
        learnt = [*written, *(chosen if copy < config.chosen_copies else ())]
        told = [render(e, dice if copy else None, whole=names_more(e)) for e in learnt]
        told += [render_pair(p) for p in asked if p.split == "train"]
        rendered += dice.sample(told, len(told))
    return rendered


def _precision(wanted: str) -> str:
    import torch

    if wanted != "auto":
        return wanted
    fast = torch.cuda.is_bf16_supported() if torch.cuda.is_available() else bool(cpu_flags() & _FAST_BFLOAT16)
    return "bfloat16" if fast else "float32"


def _with_adapter(config: TuneConfig, base: Path, dtype: Any, start: Path | None) -> Any:
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(str(base), dtype=dtype)
    if start is not None:
        tuned = PeftModel.from_pretrained(model, str(start), is_trainable=True)
        # else each checkpoint looks for the base in a hub
        tuned.peft_config["default"].base_model_name_or_path = str(base)
        return tuned
    lora = config.lora
    asked = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, asked)


def _fingerprint(about: str, told: Sequence[Encoded]) -> str:
    """What a checkpoint must agree with to be gone on from."""
    return hashlib.sha256(f"{about}{[e.ids for e in told]}".encode()).hexdigest()


def _last_checkpoint(work: Path, fingerprint: str, progress: Progress) -> Path | None:
    from transformers.trainer_utils import get_last_checkpoint

    mark = work / "fingerprint"
    if work.is_dir() and (not mark.exists() or mark.read_text("utf-8") != fingerprint):
        progress("what was begun here had other settings or examples; starting anew")
        shutil.rmtree(work)
    work.mkdir(parents=True, exist_ok=True)
    mark.write_text(fingerprint, "utf-8")
    found = get_last_checkpoint(str(work))  # type: ignore[no-untyped-call]
    if found:
        progress(f"going on from {Path(found).name}")
    return Path(found) if found else None
