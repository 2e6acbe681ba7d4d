"""Training on a model with random weights, small enough for seconds: the loss falls, a run that was cut off goes on. The real
model is trained in tests/e2e."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from agent.errors import ConfigError, UsageError
from agent.tuning import settings
from agent.tuning.batches import ANSWERS, IGNORED, STEP, Encoded, answers, collate
from agent.tuning.examples import Lessons, Preference, StatementExample, load
from agent.tuning.settings import CONFIG, TuneConfig
from agent.tuning.train import train
from agent.tuning.trainer import _bucketed, apart

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
TRAINED = [e.model_copy(update={"split": "train"}) for e in load()[:24]]
WATCHED = [e.model_copy(update={"split": "dev"}) for e in load()[24:28]]
SMALL = TuneConfig.model_validate(
    {
        "copies": 3,
        "pair_copies": 0,
        "lora": {"rank": 4, "alpha": 8},
        "preference": {"copies": 4, "learning_rate": 0.01},
        "training": {"batch": 8, "learning_rate": 0.02, "save_every": 4, "precision": "float32"},
    }
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two thin layers that reads bytes, with the chat format of the real one."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    folder = tmp_path_factory.mktemp("base")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate(["<|im_end|>", "<|im_start|>", *alphabet])}
    bytes_ = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bytes_, eos_token="<|im_end|>", pad_token="<|im_end|>", bos_token="<|im_start|>"
    )
    tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "<|im_start|>assistant\n"
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def test_the_loss_falls_and_the_adapter_is_written(base: Path, tmp_path: Path) -> None:
    said: list[str] = []
    figures = train(SMALL, Lessons([*TRAINED, *WATCHED]), base, tmp_path, progress=said.append)
    assert figures.steps == 9
    assert figures.train_loss < figures.first_loss
    assert figures.dev_loss is not None
    weights = load_file(tmp_path / "adapter_model.safetensors")
    assert {w.dtype for w in weights.values()} == {torch.float16}
    assert any(w.abs().sum() > 0 for name, w in weights.items() if "lora_B" in name)
    rows = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == list(range(1, 10))
    assert any("dev_loss" in row for row in rows)
    assert json.loads((tmp_path / "run.json").read_text())["config"] == SMALL.model_dump()
    assert any("dev loss" in line for line in said)


def test_a_run_that_was_cut_off_goes_on(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(SMALL, Lessons(TRAINED), base, tmp_path / "whole")
    from transformers import Trainer

    real = Trainer.training_step

    def dies(self: Trainer, *given: object, **more: object) -> object:
        if self.state.global_step >= 6:
            raise KeyboardInterrupt
        return real(self, *given, **more)

    monkeypatch.setattr(Trainer, "training_step", dies)
    with pytest.raises(KeyboardInterrupt):
        train(SMALL, Lessons(TRAINED), base, tmp_path / "cut")
    monkeypatch.setattr(Trainer, "training_step", real)
    said: list[str] = []
    again = train(SMALL, Lessons(TRAINED), base, tmp_path / "cut", progress=said.append)
    assert "going on from checkpoint-4" in said
    assert again.adapter_sha256 == whole.adapter_sha256


def test_chosen_answers_become_likelier_than_refused_ones(base: Path, tmp_path: Path) -> None:
    """The second stage sees the same prompt with two answers; what is told of the loss goes on counting its steps."""
    said: list[str] = []
    figures = train(SMALL, Lessons(TRAINED[:8], rounds=[pairs_of(8)]), base, tmp_path, progress=said.append)
    assert "8 pairs of a chosen and a refused answer" in said
    rows = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    steps = [row["step"] for row in rows if "loss" in row]
    assert steps == list(range(1, figures.steps + 1))
    assert rows[-1]["loss"] < next(row["loss"] for row in rows if row["step"] == 4)
    assert not list(tmp_path.glob("checkpoints*"))


def pairs_of(n: int) -> list[Preference]:
    first, second = [e for e in TRAINED if isinstance(e, StatementExample) and e.answer][:2]
    return [Preference(chosen=first, refused=first.model_copy(update={"answer": second.answer}))] * n


def test_an_adapter_gets_the_last_round_alone(base: Path, tmp_path: Path) -> None:
    rounds = [pairs_of(16), pairs_of(8)]
    whole = train(SMALL, Lessons(TRAINED[:8], rounds=rounds[:1]), base, tmp_path / "first")
    said: list[str] = []
    more = train(
        SMALL,
        Lessons(TRAINED[:8], rounds=rounds),
        base,
        tmp_path / "more",
        progress=said.append,
        start=tmp_path / "first",
    )
    assert (whole.preferences, more.preferences) == (16, 8)
    assert more.steps < whole.steps
    assert [line for line in said if "pairs" in line] == ["8 pairs of a chosen and a refused answer"]
    assert more.adapter_sha256 != whole.adapter_sha256
    with pytest.raises(UsageError, match="no training examples"):
        train(SMALL, Lessons(TRAINED[:8]), base, tmp_path / "none", start=tmp_path / "first")


def test_rounds_come_one_after_the_other(base: Path, tmp_path: Path) -> None:
    said: list[str] = []
    lessons = Lessons(TRAINED[:8], rounds=[pairs_of(16), pairs_of(8)])
    figures = train(SMALL, lessons, base, tmp_path, progress=said.append)
    assert [line[:2] for line in said if "pairs" in line] == ["16", "8 "]
    rows = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == list(range(1, figures.steps + 1))


def test_what_two_answers_begin_with_does_not_say_which_is_better() -> None:
    """Else the shorter one would count it for more, and whether to say anything at all is where all answers begin."""
    chosen, refused = [IGNORED, 5, 6, 7, IGNORED], [IGNORED, 5, 8, 9, 10]
    parted = apart(torch.tensor([chosen, refused]))
    assert parted.tolist() == [[False, False, True, True, True]] * 2


def test_a_batch_keeps_the_two_answers_of_a_pair_side_by_side() -> None:
    pairs = [(Encoded((n,) * (n + 2), 1), Encoded((n,) * (40 - n), 1)) for n in range(20)]
    ordered = _bucketed(pairs, batch=8, seed=0)
    assert len(ordered) == 40
    assert all(chosen.ids[0] == refused.ids[0] for chosen, refused in zip(ordered[::2], ordered[1::2], strict=True))
    assert all(len(chosen.ids) == chosen.ids[0] + 2 for chosen in ordered[::2])


def test_other_settings_start_anew(base: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoints" / "checkpoint-4").mkdir(parents=True)
    said: list[str] = []
    train(SMALL, Lessons(TRAINED), base, tmp_path, progress=said.append, most_steps=1)
    assert "starting anew" in said[0]


def test_nothing_to_learn_from_is_an_error(base: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no training examples"):
        train(SMALL, Lessons(WATCHED), base, tmp_path)


def test_the_shipped_configuration_is_valid() -> None:
    assert settings.read(CONFIG).lora.rank <= 16


def test_a_misspelt_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[lora]\nrang = 8\n")
    with pytest.raises(ConfigError, match=r"lora\.rang"):
        settings.read(tmp_path / "c.toml")


def test_only_answers_are_learnt() -> None:
    batch = collate([Encoded((1, 2, 3, 4), 2), Encoded((5, 6), 1)], pad=0)
    assert batch["input_ids"].shape[1] % STEP == 0
    assert batch["labels"][0].tolist()[:5] == [IGNORED, IGNORED, 3, 4, IGNORED]
    assert batch["attention_mask"].sum(dim=1).tolist() == [4, 2]
    states = torch.arange(2 * STEP, dtype=torch.float32).reshape(2, STEP, 1)
    chosen, told = answers(states, batch["labels"])
    assert len(chosen) == len(told) == ANSWERS
    assert told.tolist()[:4] == [3, 4, 6, IGNORED]
    assert chosen[:3, 0].tolist() == [1, 2, STEP]
