"""The loop over batches: the Trainer of transformers, with the loss on answers alone. Imports torch, so import it late."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from agent.tuning.batches import IGNORED, Encoded, answers, collate
from agent.tuning.settings import TuneConfig

STRETCH = 32  # batches within which examples are sorted by length

T = TypeVar("T", bound="AnswerTrainer")
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


class PreferenceTrainer(AnswerTrainer):
    """Batches alternate an answer that was chosen and one to the same input that was refused. The loss wants the chosen one
    likelier, per token from where the two part (SimPO, arXiv 2405.14734, but for the beginning that they share), and keeps it
    likely (the second term of CPO, arXiv 2401.08417)."""

    beta: float = 0.0
    margin: float = 0.0

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        if not model.training:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        inner = model.get_base_model()
        read = inner.model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
        states, labels = answers(read.last_hidden_state, inputs["labels"])
        loss = torch.nn.functional.cross_entropy(
            inner.lm_head(states).float(), labels, ignore_index=IGNORED, reduction="none"
        )
        labels = inputs["labels"][:, 1:]
        told = labels != IGNORED
        losses = torch.zeros(told.shape).to(loss).masked_scatter(told, loss[: int(told.sum())])
        parted = apart(labels) & told
        chosen, refused = _mean(losses, parted)[0::2], _mean(losses, parted)[1::2]
        wanted = -torch.nn.functional.logsigmoid(self.beta * (refused - chosen) - self.margin)
        # a token of "nothing" counts no more than one of a phrase, as in the first stage
        kept = losses[0::2].sum() / told[0::2].sum()
        return wanted.mean() + kept


def apart(labels: torch.Tensor) -> torch.Tensor:
    """Where the two rows of a pair differ, and after: (rows, tokens). What both begin with says nothing about which is better,
    but in a mean over tokens it would: the shorter of the two gives it more weight. So a model unlearns (or learns) to say
    nothing, because the answers that were chosen are shorter (or longer) than those that were refused."""
    same = (labels[0::2] == labels[1::2]).long().cumprod(dim=1).bool()
    return ~same.repeat_interleave(2, dim=0)


def _mean(values: torch.Tensor, of: torch.Tensor) -> torch.Tensor:
    """The mean of each row over the places that count."""
    return (values * of).sum(dim=1) / of.sum(dim=1).clamp(min=1)


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
    ordered = _bucketed([(e,) for e in learnt], config.training.batch, config.seed)
    arguments = _arguments(config, len(ordered), config.training.learning_rate, bool(watched), work, most_steps)
    return _made(AnswerTrainer, model, arguments, ordered, watched, pad, tell)


def preference_trainer_of(
    config: TuneConfig,
    model: Any,
    pairs: Sequence[tuple[Encoded, Encoded]],
    watched: Sequence[Encoded],
    pad: int,
    work: Path,
    tell: Told,
    most_steps: int,
) -> PreferenceTrainer:
    """The same for pairs of a chosen and a refused answer, each as often as the configuration says."""
    rules = config.preference
    ordered = _bucketed([*pairs] * rules.copies, config.training.batch, config.seed)
    arguments = _arguments(config, len(ordered), rules.learning_rate, bool(watched), work, most_steps)
    trainer = _made(PreferenceTrainer, model, arguments, ordered, watched, pad, tell)
    trainer.beta, trainer.margin = rules.beta, rules.margin
    return trainer


def _made(
    kind: type[T],
    model: Any,
    arguments: TrainingArguments,
    ordered: Sequence[Encoded],
    watched: Sequence[Encoded],
    pad: int,
    tell: Told,
) -> T:
    trainer = kind(
        model=model,
        args=arguments,
        train_dataset=list(ordered),
        eval_dataset=sorted(watched, key=lambda e: len(e.ids)),
        data_collator=lambda examples: collate(examples, pad),
        callbacks=[_Teller(tell)],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _arguments(
    config: TuneConfig, count: int, rate: float, watched: bool, work: Path, most_steps: int
) -> TrainingArguments:
    training = config.training
    return TrainingArguments(
        output_dir=str(work),
        per_device_train_batch_size=training.batch,
        per_device_eval_batch_size=training.batch,
        num_train_epochs=1,
        max_steps=most_steps,
        learning_rate=rate,
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


def _bucketed(groups: Sequence[Sequence[Encoded]], batch: int, seed: int) -> list[Encoded]:
    """The examples in an order in which the neighbours in a batch are about as long, and the batches come in any order. Those
    of a group stay together. Pass follows pass roughly: sorting is within stretches of STRETCH batches."""
    dice = random.Random(seed)  # noqa: S311
    size = max(1, batch // max(map(len, groups), default=1))
    stretch = STRETCH * size
    found: list[Encoded] = []
    for begin in range(0, len(groups), stretch):
        near = sorted(groups[begin : begin + stretch], key=lambda group: max(len(e.ids) for e in group))
        batches = [near[i : i + size] for i in range(0, len(near), size)]
        dice.shuffle(batches)
        found += [e for b in batches for group in b for e in group]
    return found
