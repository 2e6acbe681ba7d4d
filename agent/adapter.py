"""Which adapter ships: its folder, and the digest of its weights."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

ADAPTER = Path(__file__).with_name("tuning") / "adapter"


@cache
def shipped() -> str:
    """The SHA-256 of the weights, as the manifest has it (64 hexadecimal digits); what is served is checked against it."""
    manifest = json.loads((ADAPTER / "manifest.json").read_text("utf-8"))
    return str(manifest["files"]["adapter_model.safetensors"])
