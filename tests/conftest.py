"""For every test: no settings from outside, no stray files in the repository, and no network beyond this machine."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings

from agent.config import EMBEDDED_PORT, ENV_PREFIX
from agent.service import Service
from tests.fakes import FakeLLM, make_service

ROOT = Path(__file__).parents[1]

# Shared machines are slow at times; what a property needs is examples, not speed.
hypothesis_settings.register_profile("leitmotif", deadline=None, max_examples=50)
hypothesis_settings.load_profile("leitmotif")


@pytest.fixture(autouse=True)
def clean_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No LEITMOTIF_* variable and no leitmotif.toml reaches a test, and a relative home lands in `tmp_path`.

    PYTHONPATH, because processes that a test starts find the packages by the working directory otherwise.
    """
    for key in [k for k in os.environ if k.startswith(ENV_PREFIX)]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def no_real_model(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only servers that a test starts itself can be reached, unless it is marked `e2e`."""
    if request.node.get_closest_marker("e2e"):
        return
    connect, connect_ex, look_up = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded(sock: socket.socket, address: Any) -> None:
        _refuse_outside(sock.family, address)
        connect(sock, address)

    def guarded_ex(sock: socket.socket, address: Any) -> int:
        _refuse_outside(sock.family, address)
        return connect_ex(sock, address)

    def guarded_look_up(host: Any, *rest: Any, **named: Any) -> Any:
        if host and not _here(host.decode() if isinstance(host, bytes) else host):
            pytest.fail(f"a test looked up {host!r}; mark it e2e if it must")
        return look_up(host, *rest, **named)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_ex)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)


def _refuse_outside(family: int, address: Any) -> None:
    """`pytest.fail` and not an Exception: clients turn those into "the server is away", and the test would go on."""
    if family not in (socket.AF_INET, socket.AF_INET6):
        return
    if not _here(address[0]):
        pytest.fail(f"a test connected to {address[0]}; mark it e2e if it must")
    if address[1] == EMBEDDED_PORT:
        pytest.fail("a test connected to the port of the embedded LLM; use FakeLLM, or mark it e2e")


def _here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture
def llm() -> FakeLLM:
    """The fake LLM that `service` uses."""
    return FakeLLM()


@pytest.fixture
def service(tmp_path: Path, llm: FakeLLM) -> Iterator[Service]:
    """A service on the small catalogue and three people of tests/fakes.py, with `llm`."""
    with make_service(tmp_path, llm) as opened:
        yield opened
