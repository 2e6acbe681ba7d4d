"""The mean of adapters that were trained one from another.

    average(settings, "mine", [first, last])     # what the model has learnt between them, half of it

Rounds of preferences win what readers look for and lose some of the care for what is true: words come to be made up or said
twice. The mean of the weights before and after keeps most of what was won, and what was lost comes back (Wortsman et al.,
Robust fine-tuning of zero-shot models, CVPR 2022; for preferences: Rame et al., WARP, arXiv 2406.16768).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from agent.errors import UsageError
from agent.tuning.train import ADAPTER_FILE

CONFIG_FILE = "adapter_config.json"

Weights = Mapping[str, NDArray[np.floating]]


def mean(adapters: Sequence[Weights]) -> dict[str, NDArray[np.floating]]:
    """The adapter of the same rank that is nearest (in squares) to the mean of what these add to the base.

    `adapters`: for each layer lora_A (rank, in) and lora_B (out, rank). Raises ValueError where their layers or ranks differ.
    """
    first = adapters[0]
    if any({k: v.shape for k, v in a.items()} != {k: v.shape for k, v in first.items()} for a in adapters):
        raise ValueError("the adapters have different layers or ranks")
    found: dict[str, NDArray[np.floating]] = {}
    for down in (key for key in first if "lora_A" in key):
        up = down.replace("lora_A", "lora_B")
        one, two = _factors([a[up] for a in adapters], [a[down] for a in adapters])
        found[up], found[down] = one.astype(first[up].dtype), two.astype(first[down].dtype)
    return found


def _factors(
    ups: Sequence[NDArray[np.floating]], downs: Sequence[NDArray[np.floating]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(out, rank) and (rank, in) of the mean of the products, by QR and a singular value decomposition of the small middle."""
    rank = downs[0].shape[0]
    left, right_of_left = np.linalg.qr(np.concatenate([u.astype(np.float64) for u in ups], axis=1) / len(ups))
    right, left_of_right = np.linalg.qr(np.concatenate([d.astype(np.float64) for d in downs]).T)
    u, s, v = np.linalg.svd(right_of_left @ left_of_right.T)
    root = np.sqrt(s[:rank])
    return left @ (u[:, :rank] * root), (root[:, None] * v[:rank]) @ right.T


def write_mean(folders: Sequence[Path], out: Path) -> None:
    """The mean of the adapters in `folders` into `out`: weights and configuration. Raises UsageError where one is none, and
    where they do not go together."""
    for folder in folders:
        if not (folder / ADAPTER_FILE).is_file():
            raise UsageError(f"no adapter in {folder}", hint="give folders that `leitmotif tune` has written")
    if len({_scale(folder) for folder in folders}) > 1:
        raise UsageError(
            "the adapters have different ranks or scales", hint="give adapters that were trained one from another"
        )
    try:
        weights = mean([load_file(folder / ADAPTER_FILE) for folder in folders])
    except ValueError as error:
        raise UsageError(str(error), hint="give adapters that were trained one from another") from error
    with safe_open(folders[0] / ADAPTER_FILE, framework="np") as kept:
        save_file(weights, out / ADAPTER_FILE, metadata=kept.metadata())
    shutil.copy(folders[0] / CONFIG_FILE, out / CONFIG_FILE)


def _scale(folder: Path) -> tuple[int, int]:
    told = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    return told["r"], told["lora_alpha"]
