"""GGUF -> Hugging Face safetensors that vLLM loads: float32, or int8 weights with int8 activations (W8A8).

Used once a machine by agent/weights.py, and by tuning to publish a merged model. Imports torch and transformers inside the
functions, because the command line must not pay for them.

W8A8 here: symmetric, plain rounding, one scale for each output channel, activations scaled for each token while running
(compressed-tensors `int-quantized`). Before that, SmoothQuant (arXiv 2211.10438, alpha 0.5) moves the few huge activation
channels into the weights; the float model stays the same function. That takes the divergence from float32 from 0.041 to
0.018 nats a token and costs nothing while running: docs/decisions/0002. lm_head is the embedding and stays float32.
"""

from __future__ import annotations

import gc
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

INT8_MAX = 127
# Activations are measured on text of the kind that the model will read: chat turns that sum up what somebody watched.
CALIBRATION = (
    ("Watched: The Usual Suspects; Seven; The Game", "Likes a classic crime drama with a twist ending."),
    ("Watched: Toy Story; Finding Nemo; Up", "Likes warm animated adventures for the whole family."),
    ("Read: The Hobbit (1937), fantasy; A Wizard of Earthsea, ages 10+", "Likes fantasy that begins with a journey."),
    ("Bought: cast-iron pan 26 cm, $39.90; whetstone 1000/6000", "Likes cooking tools that last and can be repaired."),
    ("Searched: quiet hotels near Lisbon? Rated 4.5 of 5: a walking tour", "Likes slow city trips on foot."),
    ("Disliked: Saw; Hostel. Review: 'far too much gore for me!'", "Dislikes films that show cruelty in detail."),
)
MODEL_FILE = "model.safetensors"
_TINY = 1e-5  # a channel that is never used must not become infinite
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


@contextmanager
def _steady() -> Iterator[None]:
    """One thread, no garbage collection, no progress bars: for seconds of work on a machine that may well be busy.

    OpenMP threads spin while they wait for each other; beside a running engine two of them take six times as long as one.
    """
    import torch

    threads, collecting = torch.get_num_threads(), gc.isenabled()
    torch.set_num_threads(1)
    gc.disable()
    try:
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        torch.set_num_threads(threads)
        if collecting:
            gc.enable()


def dequantise(gguf: Path, out: Path) -> None:
    """Write the model and tokenizer of a GGUF file to `out` as float32 safetensors, configuration and chat template."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    with _steady():
        tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
        model = AutoModelForCausalLM.from_pretrained(
            str(gguf.parent),
            gguf_file=gguf.name,
            dtype=torch.float32,
            quantization_config=GgufConfig(dequantize=True),
        )
        tokenizer.save_pretrained(str(out))
        model.save_pretrained(str(out))


def merge(adapter: Path, directory: Path) -> None:
    """Add a LoRA adapter to the float32 checkpoint in `directory`, in place: served apart it would cost compilation."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    with _steady():
        model = AutoModelForCausalLM.from_pretrained(str(directory), dtype=torch.float32)
        merged = PeftModel.from_pretrained(model, str(adapter), torch_dtype=torch.float32).merge_and_unload()
        merged.save_pretrained(str(directory))


def quantise_rows(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(out, in) float32 -> int8 of the same shape and float32 scales (out, 1), such that weight is about int8 * scale."""
    import torch

    scale = weight.abs().amax(dim=1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny) / INT8_MAX
    return (weight / scale).round().clamp(-INT8_MAX, INT8_MAX).to(torch.int8), scale


def smooth(model: Any, tokens: torch.Tensor) -> None:
    """Even out the input channels of a Llama's projections, in place; `tokens` (1, n) are read to see how large each gets.

    Dividing a channel by s where it is made and multiplying the columns that read it by s changes nothing in exact
    arithmetic. Inputs are made by a norm (queries, keys, values; gate, up) or by `up_proj` (down).
    """
    import torch

    largest: dict[Any, torch.Tensor] = {}

    def note(module: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        largest[module] = inputs[0].abs().amax(dim=(0, 1))

    hooks = [
        module.register_forward_pre_hook(note) for module in model.modules() if isinstance(module, torch.nn.Linear)
    ]
    with torch.no_grad():
        model(tokens)
        for hook in hooks:
            hook.remove()
        for layer in model.model.layers:
            heads, mlp = layer.self_attn, layer.mlp
            for source, readers in (
                (layer.input_layernorm, (heads.q_proj, heads.k_proj, heads.v_proj)),
                (layer.post_attention_layernorm, (mlp.gate_proj, mlp.up_proj)),
                (mlp.up_proj, (mlp.down_proj,)),
            ):
                columns = torch.stack([reader.weight.abs().amax(dim=0) for reader in readers]).amax(dim=0)
                scale = (largest[readers[0]].clamp(min=_TINY) / columns.clamp(min=_TINY)).sqrt()
                source.weight.div_(scale if source.weight.dim() == 1 else scale[:, None])
                for reader in readers:
                    reader.weight.mul_(scale)


def quantise(directory: Path) -> None:
    """Turn the float32 Llama checkpoint in `directory` into W8A8, in place. Safe only before it is published."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with _steady():
        tokenizer: Any = AutoTokenizer.from_pretrained(str(directory))
        model = AutoModelForCausalLM.from_pretrained(str(directory), dtype=torch.float32)
        turns = [
            {"role": role, "content": text}
            for pair in CALIBRATION
            for role, text in zip(("user", "assistant"), pair, strict=True)
        ]
        text = tokenizer.apply_chat_template(turns, tokenize=False)
        smooth(model, tokenizer(text, return_tensors="pt").input_ids)
        model.save_pretrained(str(directory))
    write_int8(directory)


def write_int8(directory: Path) -> None:
    """Replace the projections in the checkpoint by int8 and scales, and say so in its configuration."""
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
