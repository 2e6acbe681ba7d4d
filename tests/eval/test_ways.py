"""The ways to ask, side by side: what is asked of whom, and that profiles are written only where themes are shown."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent.config import Settings
from agent.errors import LeitmotifError, UsageError
from agent.service import Service
from eval.dataset import load
from eval.ways import Ways
from eval.workshop import Workshop
from eval.written import build
from tests.eval.test_rank import NOW, write
from tests.fakes import FakeLLM


def ways(tmp_path: Path) -> Ways:
    shop = Workshop(Settings(home=tmp_path / "home"), NOW)
    shop.__dict__["llm"] = FakeLLM()  # in the place of the cached client
    return Ways(load(write(tmp_path / "data"), users=5, now=NOW), shop, 0, lambda *_: None)


def test_each_way_has_its_figures_and_costs(tmp_path: Path) -> None:
    found: dict[str, Any] = asyncio.run(ways(tmp_path).document(("llm", "llm_letters")))
    assert found["users"] == 5
    assert found["variants"]["llm"]["calls"] == 5 * 20
    assert set(found["variants"]) == {"llm", "llm_letters"}
    assert not list((tmp_path / "home" / "eval").glob("profiles-*"))


def test_an_unknown_way_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown variant 'llm_dance'"):
        asyncio.run(ways(tmp_path).document(("llm_dance",)))


def test_profiles_that_could_not_be_built_end_the_run_and_say_why(tmp_path: Path, monkeypatch: Any) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise ValueError("a template without its input")

    monkeypatch.setattr(Service, "profile", broken)
    asked = ways(tmp_path)
    with pytest.raises(LeitmotifError, match=r"5 of 5 profiles were not built: .*a template without its input"):
        asyncio.run(build(asked.shop, asked.dataset, lambda *_: None))
