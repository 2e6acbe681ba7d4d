"""The mean of adapters: what they add to the base is averaged, not their factors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from agent.errors import UsageError
from agent.tuning.mean import mean, write_mean
from agent.tuning.train import ADAPTER_FILE

RANK, IN, OUT = 4, 12, 10
DOWN, UP = "layers.0.q.lora_A.weight", "layers.0.q.lora_B.weight"


def adapter(seed: int, down: NDArray[np.float32] | None = None) -> dict[str, NDArray[np.float32]]:
    dice = np.random.default_rng(seed)
    own = dice.normal(size=(RANK, IN)).astype(np.float32) if down is None else down
    return {DOWN: own, UP: dice.normal(size=(OUT, RANK)).astype(np.float32)}


def added(weights: dict[str, NDArray[np.floating]]) -> NDArray[np.floating]:
    return weights[UP] @ weights[DOWN]


@given(st.integers(0, 1000))
def test_what_fits_the_rank_is_averaged_exactly(seed: int) -> None:
    one = adapter(seed)
    two = adapter(seed + 1, down=one[DOWN])
    found = mean([one, two])
    assert found[UP].shape == (OUT, RANK)
    assert found[DOWN].shape == (RANK, IN)
    assert np.allclose(added(found), (added(one) + added(two)) / 2, atol=1e-4)


@given(st.integers(0, 1000))
def test_nothing_of_the_rank_is_nearer_to_the_mean(seed: int) -> None:
    one, two = adapter(seed), adapter(seed + 1)
    wanted = (added(one) + added(two)) / 2
    lost = np.linalg.norm(added(mean([one, two])) - wanted)
    rest = np.linalg.svd(wanted, compute_uv=False)[RANK:]
    assert lost == pytest.approx(np.linalg.norm(rest), rel=1e-3)  # Eckart and Young
    assert lost < np.linalg.norm(added(one) - wanted)


def test_factors_of_one_product_have_that_product_as_their_mean() -> None:
    one = adapter(3)
    turned = {DOWN: one[DOWN][::-1].copy(), UP: one[UP][:, ::-1].copy()}
    assert np.allclose(added(mean([one, turned])), added(one), atol=1e-4)


def folder(path: Path, weights: dict[str, NDArray[np.float32]], alpha: int = 8) -> Path:
    path.mkdir()
    half = {key: value.astype(np.float16) for key, value in weights.items()}
    save_file(half, path / ADAPTER_FILE, metadata={"format": "pt"})
    (path / "adapter_config.json").write_text(json.dumps({"r": RANK, "lora_alpha": alpha}), encoding="utf-8")
    return path


def test_a_mean_is_written_like_an_adapter(tmp_path: Path) -> None:
    one, two = folder(tmp_path / "one", adapter(0)), folder(tmp_path / "two", adapter(1))
    (tmp_path / "out").mkdir()
    write_mean([one, two], tmp_path / "out")
    found = load_file(tmp_path / "out" / ADAPTER_FILE)
    assert {str(value.dtype) for value in found.values()} == {"float16"}
    assert (tmp_path / "out" / "adapter_config.json").read_bytes() == (one / "adapter_config.json").read_bytes()


def test_adapters_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", adapter(0))
    other = folder(tmp_path / "other", adapter(1), alpha=16)
    wide = folder(tmp_path / "wide", {DOWN: np.ones((RANK, IN + 1), np.float32), UP: np.ones((OUT, RANK), np.float32)})
    for bad in (other, wide, tmp_path / "none"):
        with pytest.raises(UsageError):
            write_mean([one, bad], tmp_path)
