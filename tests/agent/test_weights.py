"""The embedded weights: digests, atomic publishing, refusal of what is damaged. The real conversion is driven in tests/e2e."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

import agent.weights
from agent.adapter import ADAPTER, shipped
from agent.config import BASE_MODEL, EMBEDDED_MODEL
from agent.convert import quantise_rows, smooth, write_int8
from agent.errors import WeightsError
from agent.weights import MANIFEST, PackagedFile, model_dir, prepare, publish, sha256, verify

Usage = namedtuple("Usage", ["total", "used", "free"])
SOURCE = "pytest/__init__.py"  # any file of any installed package will do


@pytest.fixture
def packaged(monkeypatch: pytest.MonkeyPatch) -> PackagedFile:
    """Stands in for the GGUF, with a conversion that writes two small files."""
    anything = PackagedFile("pytest", SOURCE, sha256(Path(pytest.__file__)))
    monkeypatch.setattr(agent.weights, "GGUF", anything)
    monkeypatch.setattr(agent.weights, "dequantise", fake_dequantise)
    monkeypatch.setattr(agent.weights, "merge", fake_merge)
    monkeypatch.setattr(agent.weights, "quantise", lambda folder: (folder / "config.json").write_text("int8"))
    return anything


def fake_dequantise(_gguf: Path, out: Path) -> None:
    (out / "model.safetensors").write_bytes(bytes(range(256)))
    (out / "config.json").write_text("float32")


def fake_merge(adapter: Path, out: Path) -> None:
    (out / "merged").write_bytes((adapter / "adapter_model.safetensors").read_bytes())


def an_adapter(folder: Path, content: bytes = b"low rank") -> Path:
    with publish(folder, {"name": "mine"}) as made:
        (made / "adapter_model.safetensors").write_bytes(content)
    return folder


def test_the_default_is_the_base_with_the_adapter_that_ships(tmp_path: Path, packaged: PackagedFile) -> None:
    weights = ADAPTER / "adapter_model.safetensors"
    assert (prepare(tmp_path, "float32") / "merged").read_bytes() == weights.read_bytes()
    assert not (prepare(tmp_path, "float32", BASE_MODEL) / "merged").exists()
    assert weights.stat().st_size <= 12_000_000
    assert sha256(weights) == shipped()


def test_another_adapter_makes_other_weights(tmp_path: Path, packaged: PackagedFile) -> None:
    adapter = an_adapter(tmp_path / "adapter")
    path = prepare(tmp_path, "float32", "mine", adapter=adapter)
    assert (path / "merged").read_bytes() == b"low rank"
    an_adapter(adapter, b"trained anew")
    assert (prepare(tmp_path, "float32", "mine", adapter=adapter) / "merged").read_bytes() == b"trained anew"


def test_a_damaged_adapter_is_not_merged(tmp_path: Path, packaged: PackagedFile) -> None:
    adapter = an_adapter(tmp_path / "adapter")
    (adapter / "adapter_model.safetensors").write_bytes(b"low rain")
    with pytest.raises(WeightsError, match=r"adapter_model\.safetensors is damaged") as caught:
        prepare(tmp_path, "float32", "mine", adapter=adapter)
    assert "--model base" in caught.value.hint
    prepare(tmp_path, "float32", BASE_MODEL)


def test_prepare_writes_once(tmp_path: Path, packaged: PackagedFile) -> None:
    said: list[str] = []
    path = prepare(tmp_path, "w8a8", progress=said.append)
    assert path == model_dir(tmp_path, "w8a8") == tmp_path / "models" / f"{EMBEDDED_MODEL}-w8a8"
    assert verify(path) == []
    assert (path / "config.json").read_text() == "int8"
    assert len(said) == 1
    assert prepare(tmp_path, "w8a8", progress=said.append) == path
    assert len(said) == 1
    assert (prepare(tmp_path, "float32") / "config.json").read_text() == "float32"


def test_force_writes_again(tmp_path: Path, packaged: PackagedFile) -> None:
    said: list[str] = []
    prepare(tmp_path, "float32", progress=said.append)
    prepare(tmp_path, "float32", force=True, progress=said.append)
    assert len(said) == 2


def test_flipped_byte_is_found_and_repaired(tmp_path: Path, packaged: PackagedFile) -> None:
    path = prepare(tmp_path, "float32")
    content = bytearray((path / "model.safetensors").read_bytes())
    content[100] ^= 1
    (path / "model.safetensors").write_bytes(bytes(content))
    assert verify(path) == ["model.safetensors is damaged"]
    said: list[str] = []
    assert verify(prepare(tmp_path, "float32", progress=said.append)) == []
    assert "model.safetensors is damaged" in said[0]


def test_verify_names_missing_and_foreign_files(tmp_path: Path, packaged: PackagedFile) -> None:
    path = prepare(tmp_path, "float32")
    (path / "config.json").rename(path / "other.json")
    assert verify(path) == ["config.json is missing", "other.json is not in the manifest"]
    (path / MANIFEST).write_text("{")
    assert verify(path) == [f"{MANIFEST} is unreadable"]
    (path / MANIFEST).unlink()
    assert verify(path) == [f"{MANIFEST} is missing"]
    assert verify(tmp_path / "nowhere") == [f"{MANIFEST} is missing"]


def test_other_recipe_is_written_again(tmp_path: Path, packaged: PackagedFile, monkeypatch: pytest.MonkeyPatch) -> None:
    path = prepare(tmp_path, "float32")
    monkeypatch.setattr(agent.weights, "RECIPE", agent.weights.RECIPE + 1)
    prepare(tmp_path, "float32")
    assert json.loads((path / MANIFEST).read_text())["recipe"] == agent.weights.RECIPE


def test_failed_conversion_leaves_the_old_weights(
    tmp_path: Path, packaged: PackagedFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = prepare(tmp_path, "float32")

    def half(_gguf: Path, out: Path) -> None:
        (out / "model.safetensors").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(agent.weights, "dequantise", half)
    with pytest.raises(WeightsError, match="No space left"):
        prepare(tmp_path, "float32", force=True)
    assert verify(path) == []
    assert sorted(entry.name for entry in path.parent.iterdir()) == [".lock", path.name]


def test_publish_shows_nothing_before_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "models" / "tuned-w8a8"
    with publish(target, {"name": "tuned-w8a8"}) as folder:
        (folder / "config.json").write_text("{}")
        assert not target.exists()
    assert verify(target) == []
    assert json.loads((target / MANIFEST).read_text())["name"] == "tuned-w8a8"


def test_no_space_is_told_before_the_work(
    tmp_path: Path, packaged: PackagedFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**9, 10**9, 10**6))
    with pytest.raises(WeightsError, match="no space for the weights") as caught:
        prepare(tmp_path, "w8a8")
    assert "--home" in caught.value.hint


def test_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="unknown weights 'int2'"):
        prepare(tmp_path, "int2")


def test_home_that_cannot_be_written_is_an_error(tmp_path: Path, packaged: PackagedFile) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")
    with pytest.raises(WeightsError, match="cannot write the weights"):
        prepare(tmp_path, "w8a8")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (PackagedFile("no-such-package", "x", ""), "is not installed"),
        (PackagedFile("pytest", "pytest/none.gguf", ""), "lacks pytest/none.gguf"),
        (PackagedFile("pytest", SOURCE, "00"), "is damaged or altered"),
    ],
)
def test_packaged_file_is_checked(file: PackagedFile, message: str) -> None:
    assert version("pytest")
    with pytest.raises(WeightsError, match=message) as caught:
        file.locate()
    assert "\n" not in str(caught.value)
    assert "llm pull" in caught.value.hint


def test_quantised_rows_are_within_half_a_step() -> None:
    weight = torch.randn(16, 64, generator=torch.Generator().manual_seed(0))
    weight[3] = 0.0
    rounded, scale = quantise_rows(weight)
    assert rounded.dtype == torch.int8
    assert scale.shape == (16, 1)
    assert torch.all((rounded * scale - weight).abs() <= scale / 2 + 1e-6)
    assert torch.equal(rounded.abs().amax(dim=1), torch.tensor([127] * 3 + [0] + [127] * 12, dtype=torch.int8))


def test_int8_touches_the_projections_only(tmp_path: Path) -> None:
    names = ["model.layers.0.self_attn.q_proj.weight", "model.embed_tokens.weight", "model.norm.weight"]
    save_file({name: torch.ones(4, 4) for name in names}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"hidden_size": 4}')
    write_int8(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    assert {name: str(tensor.dtype) for name, tensor in tensors.items()} == {
        names[0]: "torch.int8",
        names[0] + "_scale": "torch.float32",
        names[1]: "torch.float32",
        names[2]: "torch.float32",
    }
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["hidden_size"] == 4
    assert config["quantization_config"]["ignore"] == ["lm_head"]


def test_smoothing_changes_the_weights_but_not_the_function() -> None:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
    )
    build: Any = LlamaForCausalLM
    model = build(config).eval()
    with torch.no_grad():
        model.model.layers[0].input_layernorm.weight[5] = 40.0  # the kind of outlier that int8 cannot hold
    tokens = torch.arange(20).reshape(1, 20)
    before = model(tokens).logits.detach()
    outlier = model.model.layers[0].input_layernorm.weight[5].item()
    smooth(model, tokens)
    assert torch.allclose(model(tokens).logits, before, atol=1e-5)
    assert model.model.layers[0].input_layernorm.weight[5].item() < outlier / 3
