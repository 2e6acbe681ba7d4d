"""The embedded LLM: vLLM on the CPU of this machine, behind http://127.0.0.1. Start it, see how it is, stop it.

    from agent.config import load_settings
    from agent.engine import start
    start(load_settings(), progress=lambda line: None)

One engine a home folder: `run/engine.json` remembers the process, `run/engine.log` is its log. Why these options and not
others: docs/decisions/0002-embedded-engine.md.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
from filelock import FileLock, Timeout

from agent.config import EMBEDDED_MODEL, Settings
from agent.daemon import Record, read_record, remember, spawn, telling_line, terminate
from agent.errors import EngineError
from agent.vllm_command import HOST, Launch, plan_vllm

_POLL_S = 0.25
_PROBE_TIMEOUT_S = 5.0
_FIRST_WORD_S = 60.0  # kernels are chosen at the first request
_GRACE_S = 15.0

Progress = Callable[[str], None]


@dataclass(frozen=True)
class EngineStatus:
    """How the engine is. `running`: our process exists; `ready`: the port answers with our model, whoever started it."""

    running: bool
    ready: bool
    port: int
    model: str
    weights: str
    base_url: str
    log: Path
    pid: int | None = None
    started_at: str | None = None


Plan = Callable[[Settings, Progress], list[Launch]]


def start(settings: Settings, progress: Progress = lambda _: None, *, plan: Plan | None = None) -> EngineStatus:
    """Start the engine unless it answers already, and wait until it writes. `plan` lists what to try (default: vLLM).

    Raises EngineError (WeightsError where it is the weights): an unfit CPU, a taken port, a child that died, no answer
    within `engine.start_timeout_s`. Whatever stops the wait, Ctrl-C included, also stops what was started.
    """
    run = _run_dir(settings)
    try:
        with FileLock(run / "engine.lock", timeout=settings.engine.start_timeout_s):
            found = status(settings)
            if found.ready:
                _refuse_mismatch(found, settings)
                return found
            _start_or_adopt(settings, progress, plan or plan_vllm)
    except Timeout as exc:
        raise EngineError("another start of the engine has not finished") from exc
    return status(settings)


def following(settings: Settings) -> Settings:
    """`settings` with the model that the engine of this home was started with, where they name no other: who has started
    `--model base` means to talk to it. Reads one small file."""
    record = read_record(_record_file(settings)) if (settings.home / "run").is_dir() else None
    ours = f"http://{HOST}:{record.port}/v1" if record else ""
    if record is None or settings.llm.model != EMBEDDED_MODEL or settings.llm.base_url != ours or not record.alive():
        return settings
    return settings.model_copy(update={"llm": settings.llm.model_copy(update={"model": record.model})})


def stop(settings: Settings) -> bool:
    """Stop the engine of this home and all its processes. False when none was running."""
    record = read_record(_record_file(settings))
    if record is None:
        return False
    stopped = terminate(record, _GRACE_S)
    if record.alive():
        raise EngineError(f"the engine (pid {record.pid}) does not end")
    _record_file(settings).unlink(missing_ok=True)
    return stopped


def status(settings: Settings) -> EngineStatus:
    """Look, touch nothing. Costs two requests on loopback."""
    record = read_record(_record_file(settings))
    if record is not None and record.alive():
        port, model, weights = record.port, record.model, record.weights
        pid, since = record.pid, record.started_at
    else:
        port, model, weights = settings.engine.port, settings.llm.model, settings.engine.weights
        pid, since = None, None
    ready = _answers(port, model)
    base_url = f"http://{HOST}:{port}/v1"
    return EngineStatus(pid is not None, ready, port, model, weights, base_url, _log_file(settings), pid, since)


def _start_or_adopt(settings: Settings, progress: Progress, plan: Plan) -> None:
    record = read_record(_record_file(settings))
    if record is not None and record.alive():
        progress("an engine of this home is already starting; waiting for it")
        died = _wait(record, settings)
    else:
        if record is not None:
            terminate(record, _GRACE_S)  # children that outlived a crashed engine
            _record_file(settings).unlink(missing_ok=True)
        _refuse_taken_port(settings.engine.port)
        _log_file(settings).write_bytes(b"")
        died = _first_that_starts(plan(settings, progress), settings, progress)
    if died:
        raise EngineError(f"the engine ended while starting: {died}", hint=f"the whole log: {_log_file(settings)}")


def _first_that_starts(launches: list[Launch], settings: Settings, progress: Progress) -> str:
    """Empty when one of them answers; otherwise why the last one ended."""
    died = ""
    for launch in launches:
        progress(f"that did not work ({died}); starting vLLM the plain way" if died else "starting vLLM")
        try:
            pid = spawn(launch.command, launch.env, _log_file(settings))
        except OSError as exc:
            raise EngineError(f"cannot start {launch.command[0]}: {exc.strerror}") from exc
        record = remember(pid, port=settings.engine.port, model=settings.llm.model, weights=settings.engine.weights)
        record.write(_record_file(settings))
        died = _wait(record, settings)
        if not died:
            break
    return died


def _wait(record: Record, settings: Settings) -> str:
    """Until it answers (empty) or has ended (why). Whatever else ends the wait, Ctrl-C included, ends the process as well."""
    ready = False
    deadline = time.monotonic() + settings.engine.start_timeout_s
    try:
        while time.monotonic() < deadline:
            if not record.alive():
                return telling_line(_log_file(settings))
            ready = _answers(record.port, record.model) and _speaks(record.port, record.model)
            if ready:
                return ""
            time.sleep(_POLL_S)
    finally:
        if not ready:
            terminate(record, _GRACE_S)
            _record_file(settings).unlink(missing_ok=True)
    raise EngineError(
        f"the engine did not answer within {settings.engine.start_timeout_s:.0f} s",
        hint=f"raise engine.start_timeout_s, or see {_log_file(settings)}",
    )


def _answers(port: int, model: str) -> bool:
    """Is the server on this port healthy, and does it serve this model?"""
    try:
        with httpx.Client(base_url=f"http://{HOST}:{port}", timeout=_PROBE_TIMEOUT_S, trust_env=False) as client:
            if client.get("/health").status_code != httpx.codes.OK:
                return False
            served = client.get("/v1/models").json()
        return model in [entry["id"] for entry in served["data"]]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return False


def _speaks(port: int, model: str) -> bool:
    """Does it write a token? An engine whose kernels do not suit the processor is healthy, and dies of its first request."""
    asked = {"model": model, "prompt": "I", "max_tokens": 1}
    try:
        address = f"http://{HOST}:{port}/v1/completions"
        return httpx.post(address, json=asked, timeout=_FIRST_WORD_S, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _refuse_mismatch(found: EngineStatus, settings: Settings) -> None:
    wanted = (settings.engine.port, settings.llm.model, settings.engine.weights)
    if found.running and (found.port, found.model, found.weights) != wanted:
        raise EngineError(
            f"the engine already runs with {found.model}, {found.weights}, port {found.port}",
            hint="run `leitmotif llm stop` first",
        )


def _refuse_taken_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as exc:
            raise EngineError(
                f"port {port} is taken by another program",
                hint="set engine.port and llm.base_url to a free port",
            ) from exc


def _run_dir(settings: Settings) -> Path:
    run = settings.home.resolve() / "run"
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise EngineError(f"cannot write {run}: {exc.strerror}", hint="choose another --home") from exc
    return run


def _record_file(settings: Settings) -> Path:
    return _run_dir(settings) / "engine.json"


def _log_file(settings: Settings) -> Path:
    return _run_dir(settings) / "engine.log"
