"""The real base model learns: fifty of the shipped examples, a few steps, and the loss falls."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from agent import weights
from agent.config import BASE_MODEL
from agent.tuning.examples import Lessons, load
from agent.tuning.settings import CONFIG, read
from agent.tuning.train import train

STEPS = 18

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning"),
]


def test_a_few_steps_on_fifty_examples_lower_the_loss(tmp_path: Path) -> None:
    base = weights.prepare(tmp_path / "home", "float32", BASE_MODEL)
    config = read(CONFIG).model_copy(update={"pair_copies": 0})
    fifty = [e for e in load() if e.split == "train" and e.language == "en"][::30][:50]
    figures = train(config, Lessons(fifty), base, tmp_path / "run", most_steps=STEPS)
    rows = map(json.loads, (tmp_path / "run" / "history.jsonl").read_text("utf-8").splitlines())
    losses = [row["loss"] for row in rows if "loss" in row]
    assert (figures.train_examples, figures.steps) == (len(fifty), STEPS)
    assert np.mean(losses[-3:]) < 0.7 * np.mean(losses[:3])
    assert figures.adapter_bytes < 12_000_000
