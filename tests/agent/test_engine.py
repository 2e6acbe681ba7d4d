"""The life of the engine process, with a fake server of a few lines in the place of vLLM."""

from __future__ import annotations

import os
import platform
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

import agent.engine
import agent.host
import agent.vllm_command
from agent.config import BASE_MODEL, EMBEDDED_MODEL, EngineSettings, LLMSettings, Settings
from agent.daemon import Record, read_record, start_ticks, telling_line
from agent.engine import Plan, following, start, status, stop
from agent.errors import EngineError, WeightsError
from agent.vllm_command import Launch, plan_vllm

SERVER = """
import http.server, json, subprocess, sys
port, model, note = int(sys.argv[1]), sys.argv[2], sys.argv[3]
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(note, "w").write(str(child.pid))

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"data": [{"id": model}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
DIES = "import sys; print('INFO loading'); sys.exit('ValueError: no memory for the cache')"
DIES_OF_A_REQUEST = SERVER.replace(
    "self.do_GET()", "os._exit(print('RuntimeError: expect A to be bfloat16') or 1)"
).replace("import http.server,", "import os, http.server,")
SLEEPS = "import time; time.sleep(600)"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return Settings(home=tmp_path, engine=EngineSettings(port=port, start_timeout_s=20))


@pytest.fixture
def grandchild(tmp_path: Path) -> Callable[[], int]:
    return lambda: int((tmp_path / "grandchild").read_text())


@pytest.fixture
def serve(settings: Settings, tmp_path: Path) -> Iterator[Plan]:
    """A plan that runs the fake server; whatever a test leaves running is stopped."""
    arguments = [str(settings.engine.port), settings.llm.model, str(tmp_path / "grandchild")]
    yield plan_of(SERVER, *arguments)
    stop(settings)


def plan_of(*program: str) -> Plan:
    return lambda _settings, _progress: [Launch([sys.executable, "-c", *program], dict(os.environ))]


def ended(pid: int) -> bool:
    """Has it ended within two seconds? Orphans are reaped by init in its own time, so a zombie counts."""
    deadline = time.monotonic() + 2
    while start_ticks(pid) is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    return start_ticks(pid) is None


def test_start_waits_until_ready_and_records_the_process(settings: Settings, serve: Plan) -> None:
    found = start(settings, plan=serve)
    assert found.running
    assert found.ready
    assert found.base_url == f"http://127.0.0.1:{settings.engine.port}/v1"
    record = read_record(settings.home / "run" / "engine.json")
    assert record is not None
    assert (record.pid, record.port, record.model, record.weights) == (
        found.pid,
        settings.engine.port,
        EMBEDDED_MODEL,
        settings.engine.weights,
    )
    assert record.alive()


def test_who_starts_the_base_talks_to_the_base(settings: Settings, tmp_path: Path) -> None:
    address = {"base_url": f"http://127.0.0.1:{settings.engine.port}/v1"}
    settings = settings.model_copy(update={"llm": settings.llm.model_copy(update=address)})
    assert following(settings) == settings
    base = settings.model_copy(update={"llm": settings.llm.model_copy(update={"model": BASE_MODEL})})
    start(base, plan=plan_of(SERVER, str(settings.engine.port), BASE_MODEL, str(tmp_path / "grandchild")))
    assert following(settings) == base
    named = settings.model_copy(update={"llm": settings.llm.model_copy(update={"model": "Qwen/Qwen3-8B"})})
    assert following(named) == named
    stop(base)
    assert following(settings) == settings


def test_second_start_returns_the_running_engine(settings: Settings, serve: Plan) -> None:
    first = start(settings, plan=serve)
    assert start(settings, plan=plan_of(DIES)) == first


def test_start_with_other_settings_is_refused_while_running(settings: Settings, serve: Plan) -> None:
    start(settings, plan=serve)
    engine = settings.engine.model_copy(update={"weights": "float32"})
    with pytest.raises(EngineError, match="already runs with") as caught:
        start(settings.model_copy(update={"engine": engine}), plan=serve)
    assert "llm stop" in caught.value.hint


def test_stop_ends_the_whole_group_and_forgets_it(
    settings: Settings, serve: Plan, grandchild: Callable[[], int]
) -> None:
    pid = start(settings, plan=serve).pid
    assert pid is not None
    assert stop(settings)
    assert start_ticks(pid) is None
    assert start_ticks(grandchild()) is None
    assert not status(settings).running
    assert not (settings.home / "run" / "engine.json").exists()
    assert not stop(settings)


def test_stop_uses_force_when_asked_in_vain(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(agent.engine, "_GRACE_S", 0.3)
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVER
    plan = plan_of(stubborn, str(settings.engine.port), settings.llm.model, str(tmp_path / "grandchild"))
    pid = start(settings, plan=plan).pid
    assert pid is not None
    assert stop(settings)
    assert ended(pid)


def test_start_after_a_crash_sweeps_up_what_the_engine_left(
    settings: Settings, serve: Plan, grandchild: Callable[[], int]
) -> None:
    pid = start(settings, plan=serve).pid
    assert pid is not None
    orphan = grandchild()
    os.kill(pid, signal.SIGKILL)
    assert ended(pid)
    assert start_ticks(orphan) is not None
    assert start(settings, plan=serve).pid != pid
    assert start_ticks(orphan) is None


def test_port_of_another_program_is_refused(settings: Settings, serve: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent.engine, "_PROBE_TIMEOUT_S", 0.2)
    with socket.socket() as other:
        other.bind(("127.0.0.1", settings.engine.port))
        other.listen()
        with pytest.raises(EngineError, match=f"port {settings.engine.port} is taken") as caught:
            start(settings, plan=serve)
    assert "engine.port" in caught.value.hint
    assert not status(settings).running


def test_server_of_another_home_is_used_but_never_stopped(settings: Settings, serve: Plan, tmp_path: Path) -> None:
    start(settings, plan=serve)
    other = settings.model_copy(update={"home": tmp_path / "other"})
    found = start(other, plan=plan_of(DIES))
    assert found.ready
    assert not found.running
    assert not stop(other)
    assert status(settings).ready


def test_child_that_dies_is_reported_with_its_telling_line(settings: Settings) -> None:
    with pytest.raises(EngineError, match="ended while starting: ValueError: no memory for the cache") as caught:
        start(settings, plan=plan_of(DIES))
    assert "engine.log" in caught.value.hint
    assert not (settings.home / "run" / "engine.json").exists()


def test_plain_launch_follows_when_the_quick_one_dies(settings: Settings, serve: Plan) -> None:
    said: list[str] = []
    both = [*plan_of(DIES)(settings, said.append), *serve(settings, said.append)]
    assert start(settings, said.append, plan=lambda _settings, _progress: both).ready
    assert said[0] == "starting vLLM"
    assert "no memory for the cache" in said[1]


def test_missing_program_is_an_engine_error(settings: Settings) -> None:
    with pytest.raises(EngineError, match="cannot start"):
        start(settings, plan=lambda _settings, _progress: [Launch(["/nonexistent/python"], {})])


def test_timeout_ends_what_was_started(settings: Settings) -> None:
    hasty = settings.model_copy(update={"engine": settings.engine.model_copy(update={"start_timeout_s": 0.5})})
    with pytest.raises(EngineError, match="did not answer within"):
        start(hasty, plan=plan_of(SLEEPS))
    assert not (settings.home / "run" / "engine.json").exists()


def test_interrupted_start_leaves_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    pids: list[int] = []

    def interrupt(_port: int, _model: str) -> bool:
        record = read_record(settings.home / "run" / "engine.json")
        if record is None:
            return False
        pids.append(record.pid)
        raise KeyboardInterrupt

    monkeypatch.setattr(agent.engine, "_answers", interrupt)
    with pytest.raises(KeyboardInterrupt):
        start(settings, plan=plan_of(SLEEPS))
    assert len(pids) == 1
    assert ended(pids[0])
    assert not (settings.home / "run" / "engine.json").exists()


def test_recycled_pid_is_neither_trusted_nor_killed(settings: Settings, serve: Plan) -> None:
    file = settings.home / "run" / "engine.json"
    file.parent.mkdir(parents=True)
    ours = os.getpid()
    Record(ours, (start_ticks(ours) or 0) - 1, "2026-01-01T00:00:00+00:00", 1, "m", "w8a8").write(file)
    assert not status(settings).running
    assert not stop(settings)
    assert not file.exists()


@pytest.mark.parametrize("content", ["", "[]", '{"pid": 1}', "\x00"])
def test_unreadable_record_counts_as_none(settings: Settings, serve: Plan, content: str) -> None:
    file = settings.home / "run" / "engine.json"
    file.parent.mkdir(parents=True)
    file.write_text(content)
    assert not status(settings).running
    assert start(settings, plan=serve).ready


def test_telling_line_prefers_the_cause(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert telling_line(log) == "its log is empty"
    log.write_text(
        "INFO loading\n(EngineCore pid=7) ERROR 01-01 [core.py:1] ValueError: no room for the cache\n"
        "RuntimeError: Engine core initialization failed. See root cause above.\nnanobind: leaked\n"
    )
    assert telling_line(log) == "ValueError: no room for the cache"
    log.write_text("INFO loading\nKilled\n")
    assert telling_line(log) == "Killed"


def test_vllm_plan_binds_loopback_offline_on_every_core(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent.vllm_command, "prepare", lambda home, weights, *_, **__: home / weights)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {3, 1})
    quick, plain = plan_vllm(settings, lambda _line: None)
    command = " ".join(quick.command)
    assert "--host 127.0.0.1" in command
    assert f"--served-model-name {EMBEDDED_MODEL}" in command
    assert f"--model {settings.home / 'w8a8'}" in command
    assert quick.env["VLLM_CPU_OMP_THREADS_BIND"] == "1,3"
    assert quick.env["HF_HUB_OFFLINE"] == quick.env["DO_NOT_TRACK"] == quick.env["VLLM_NO_USAGE_STATS"] == "1"
    assert "--no-enable-chunked-prefill" in command  # or a seeded request ends the engine
    assert quick.env["GOMP_CPU_AFFINITY"] == "1 3"
    assert [part for part in plain.command if part != "--plain"] == quick.command
    assert "GOMP_CPU_AFFINITY" not in plain.env


@pytest.mark.parametrize(
    ("weights", "flags", "dtype"),
    [
        ("w8a8", {"avx2", "amx_int8"}, "bfloat16"),  # vLLM's kernel for matrix tiles takes no float32
        ("w8a8", {"avx2"}, "float32"),
        ("float32", {"avx2", "amx_int8"}, "float32"),
    ],
)
def test_activations_are_what_the_kernels_of_the_processor_take(
    weights: Literal["w8a8", "float32"],
    flags: set[str],
    dtype: str,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(agent.vllm_command, "prepare", lambda home, weights, *_, **__: home / weights)
    monkeypatch.setattr(agent.host, "cpu_flags", lambda: frozenset(flags))
    chosen = settings.model_copy(update={"engine": settings.engine.model_copy(update={"weights": weights})})
    command = plan_vllm(chosen, lambda _line: None)[0].command
    assert command[command.index("--dtype") + 1] == dtype


def test_an_engine_that_dies_of_its_first_request_has_not_started(settings: Settings, tmp_path: Path) -> None:
    arguments = [str(settings.engine.port), settings.llm.model, str(tmp_path / "grandchild")]
    with pytest.raises(EngineError, match="expect A to be bfloat16"):
        start(settings, plan=plan_of(DIES_OF_A_REQUEST, *arguments))
    assert not status(settings).running


def test_too_little_memory_is_told_before_the_start(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent.vllm_command, "_available_gib", lambda: 0.7)
    with pytest.raises(EngineError, match=r"not enough memory for the engine: 0\.7 GiB free") as caught:
        plan_vllm(settings, lambda _line: None)
    assert "kv_cache_gib" in caught.value.hint


def test_unfit_machine_is_told_before_the_start(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    with pytest.raises(EngineError, match="Linux only") as caught:
        plan_vllm(settings, lambda _line: None)
    assert "llm.base_url" in caught.value.hint


def test_unknown_tuned_model_is_refused(settings: Settings) -> None:
    tuned = settings.model_copy(update={"llm": LLMSettings(model=f"{EMBEDDED_MODEL}-mine")})
    with pytest.raises(WeightsError, match="no weights named") as caught:
        plan_vllm(tuned, lambda _line: None)
    assert "tune" in caught.value.hint
