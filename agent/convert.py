"""GGUF -> Hugging Face safetensors that vLLM loads: float32, or int8 weights with int8 activations (W8A8).

Used once a machine by agent/weights.py, and by tuning to publish a merged model. Imports torch and transformers inside the
functions, because the command line must not pay for them.

W8A8 is plain rounding: symmetric, one scale for each output channel, activations scaled for each token while running
(compressed-tensors `int-quantized`). lm_head shares the embedding, and stays float32. Effect on the text: docs/decisions/0002.
"""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

INT8_MAX = 127
MODEL_FILE = "model.safetensors"
W8A8_CONFIG: dict[str, Any] = {
    "quant_method": "compressed-tensors",
    "format": "int-quantized",
    "quantization_status": "compressed",
    "ignore": ["lm_head"],
    "config_groups": {
        "group_0": {
            "targets": ["Linear"],
            "weights": {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "channel", "dynamic": False},
            "input_activations": {
                "num_bits": 8,
                "type": "int",
                "symmetric": True,
                "strategy": "token",
                "dynamic": True,
            },
        }
    },
}


def dequantise(gguf: Path, out: Path) -> None:
    """Write the model and tokenizer of a GGUF file to `out` as float32 safetensors, configuration and chat template."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    with redirect_stderr(io.StringIO()):  # progress bars and advice that are not for our users
        tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
        model = AutoModelForCausalLM.from_pretrained(
            str(gguf.parent),
            gguf_file=gguf.name,
            dtype=torch.float32,
            quantization_config=GgufConfig(dequantize=True),
        )
        tokenizer.save_pretrained(str(out))
        model.save_pretrained(str(out))


def quantise_rows(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(out, in) float32 -> int8 of the same shape and float32 scales (out, 1), such that weight is about int8 * scale."""
    import torch

    scale = weight.abs().amax(dim=1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny) / INT8_MAX
    return (weight / scale).round().clamp(-INT8_MAX, INT8_MAX).to(torch.int8), scale


def quantise(directory: Path) -> None:
    """Turn the float32 checkpoint in `directory` into W8A8, in place. Safe only before it is published."""
    from safetensors.torch import load_file, save_file

    file = directory / MODEL_FILE
    out: dict[str, torch.Tensor] = {}
    for name, tensor in load_file(file).items():
        if name.endswith("_proj.weight"):
            out[name], out[name.removesuffix("weight") + "weight_scale"] = quantise_rows(tensor)
        else:
            out[name] = tensor
    save_file(out, file, metadata={"format": "pt"})
    config_file = directory / "config.json"
    config = json.loads(config_file.read_text("utf-8"))
    config["quantization_config"] = W8A8_CONFIG
    config_file.write_text(json.dumps(config, indent=2) + "\n", "utf-8")
