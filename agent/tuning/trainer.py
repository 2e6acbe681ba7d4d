"""The loop over batches: the Trainer of transformers, with the loss on answers alone. Imports torch, so import it late."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from agent.tuning.batches import IGNORED, Encoded, answers, collate
from agent.tuning.settings import TuneConfig

STRETCH = 32  # batches within which examples are sorted by length

Told = Callable[[int, int, dict[str, float]], None]


class AnswerTrainer(Trainer):
    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,  # noqa: ARG002  the mean over the answers' tokens of the batch
    ) -> Any:
        """Cross-entropy of the answers' tokens. The vocabulary's logits are made for these positions alone: for all of them
        they would be a fifth of the work."""
        inner = model.get_base_model()
        read = inner.model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
        states, labels = answers(read.last_hidden_state, inputs["labels"])
        loss = torch.nn.functional.cross_entropy(inner.lm_head(states).float(), labels, ignore_index=IGNORED)
        return (loss, {"loss": loss}) if return_outputs else loss


class _Teller(TrainerCallback):
    def __init__(self, tell: Told) -> None:
        self._tell = tell

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **rest: Any) -> None:  # noqa: ARG002
        self._tell(state.global_step, state.max_steps, logs or {})


def trainer_of(
    config: TuneConfig,
    model: Any,
    learnt: Sequence[Encoded],
    watched: Sequence[Encoded],
    pad: int,
    work: Path,
    tell: Told,
    most_steps: int,
) -> AnswerTrainer:
    """A trainer that keeps its checkpoints in `work` and tells (step, of, figures). `watched` may be empty."""
    trainer = AnswerTrainer(
        model=model,
        args=_arguments(config, len(learnt), bool(watched), work, most_steps),
        train_dataset=_bucketed(learnt, config.training.batch, config.seed),
        eval_dataset=sorted(watched, key=lambda e: len(e.ids)),
        data_collator=lambda examples: collate(examples, pad),
        callbacks=[_Teller(tell)],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _arguments(config: TuneConfig, count: int, watched: bool, work: Path, most_steps: int) -> TrainingArguments:
    training = config.training
    return TrainingArguments(
        output_dir=str(work),
        per_device_train_batch_size=training.batch,
        per_device_eval_batch_size=training.batch,
        num_train_epochs=1,
        max_steps=most_steps,
        learning_rate=training.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=round(training.warmup * -(-count // training.batch)),
        weight_decay=training.weight_decay,
        logging_steps=1,
        eval_strategy="steps" if watched else "no",
        eval_steps=training.save_every,
        save_strategy="steps",
        save_steps=training.save_every,
        save_total_limit=1,
        seed=config.seed,
        data_seed=config.seed,
        use_cpu=not torch.cuda.is_available(),
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        prediction_loss_only=True,
        dataloader_pin_memory=torch.cuda.is_available(),
        train_sampling_strategy="sequential",
    )


def _bucketed(learnt: Sequence[Encoded], batch: int, seed: int) -> list[Encoded]:
    """The examples in an order in which the neighbours in a batch are about as long, and the batches come in any order. Pass
    follows pass roughly: sorting is within stretches of STRETCH batches."""
    dice = random.Random(seed)  # noqa: S311
    stretch = STRETCH * batch
    found: list[Encoded] = []
    for begin in range(0, len(learnt), stretch):
        near = sorted(learnt[begin : begin + stretch], key=lambda e: len(e.ids))
        batches = [near[i : i + batch] for i in range(0, len(near), batch)]
        dice.shuffle(batches)
        found += [e for b in batches for e in b]
    return found
