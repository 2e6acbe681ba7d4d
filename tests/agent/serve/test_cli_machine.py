"""doctor, llm, serve and demo, with nothing started and nothing reached."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent import doctor, engine, host, weights
from agent.config import BASE_MODEL, EMBEDDED_MODEL, Settings
from agent.engine import EngineStatus
from agent.errors import EngineError, LLMUnavailableError
from agent.serve import demo, schemas
from agent.serve.commands import reports
from tests.agent.serve.conftest import Cli


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield int(server.getsockname()[1])


@pytest.fixture(autouse=True)
def quiet_port(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's address is one where nobody answers."""
    monkeypatch.setenv("LEITMOTIF_ENGINE__PORT", str(free_port))
    monkeypatch.setenv("LEITMOTIF_LLM__BASE_URL", f"http://127.0.0.1:{free_port}/v1")


def _checks(ran: Any) -> dict[str, schemas.CheckOut]:
    return {check.name: check for check in schemas.DoctorOut.model_validate(ran.json).checks}


def test_doctor_on_a_home_without_anything(run: Cli, cli_home: Path) -> None:
    ran = run("doctor", "--json")
    assert ran.code == 1
    found = _checks(ran)
    assert list(found) == ["python", "cpu", "memory", "disk", "packages", "embedder", "weights", "port", "llm", "store"]
    assert (found["llm"].status, found["llm"].hint) == ("fail", "run `leitmotif llm start`")
    assert (found["weights"].status, found["store"].status) == ("warn", "warn")
    assert all(check.hint for check in found.values() if check.status == "fail")
    assert not (cli_home / "leitmotif.db").exists()
    shown = run("doctor")
    assert shown.code == 1
    assert "run `leitmotif llm start`" in shown.out


def test_doctor_when_all_is_well(profiled: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert profiled("recommend", "ann", "-k", 1).code == 0
    monkeypatch.setattr(doctor, "llm_models", lambda settings: [settings.llm.model])
    ran = profiled("doctor", "--json")
    found = _checks(ran)
    assert found["llm"].status == "ok"
    assert found["store"].detail == "25 items, 3 users, 16 events"
    assert found["index"].status == "ok"


def test_doctor_finds_an_old_index_and_a_damaged_database(profiled: Cli, cli_home: Path, tmp_path: Path) -> None:
    assert profiled("recommend", "ann", "-k", 1).code == 0
    (tmp_path / "items.jsonl").write_text('{"id": "new", "title": "New"}\n', "utf-8")
    assert profiled("ingest", tmp_path / "items.jsonl").code == 0
    assert _checks(profiled("doctor", "--json"))["index"].status == "warn"
    (cli_home / "leitmotif.db").write_bytes(b"this is no database" * 100)
    ran = profiled("doctor", "--json")
    assert ran.code == 1
    assert _checks(ran)["store"].status == "fail"


def test_doctor_where_nothing_can_be_written(run: Cli) -> None:
    ran = run("doctor", "--json", "--home", "/proc/nowhere")
    assert (ran.code, ran.err) == (1, "")
    assert _checks(ran)["disk"].status == "fail"


def test_doctor_names_who_has_the_port(run: Cli, taken_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEITMOTIF_ENGINE__PORT", str(taken_port))
    monkeypatch.setattr(engine, "status", _status)
    found = _checks(run("doctor", "--json"))["port"]
    assert found.status == "warn", "the LLM is elsewhere"
    assert f"{taken_port} is taken by pid " in found.detail


def test_doctor_on_a_poor_machine(run: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "cpu_flags", frozenset)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(host, "memory_available", lambda: 10**9)
    monkeypatch.setattr(host, "disk_free", lambda _: 10**8)
    monkeypatch.setattr(host, "package_version", lambda _: None)
    found = _checks(run("doctor", "--json"))
    states = {name: found[name].status for name in ("cpu", "memory", "disk", "packages")}
    assert states == {"cpu": "fail", "memory": "warn", "disk": "fail", "packages": "fail"}


def test_llm_status_says_when_nobody_answers(run: Cli) -> None:
    ran = run("llm", "status", "--json")
    assert ran.code == 1
    found = schemas.LLMStatusOut.model_validate(ran.json)
    assert (found.reachable, found.running, found.embedded) == (False, False, True)
    assert "does not answer" in run("llm", "status").out


def test_llm_start_and_stop(run: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(settings: Settings, progress: Any) -> EngineStatus:
        progress("starting vLLM")
        return _status(settings)

    monkeypatch.setattr(engine, "start", start)
    monkeypatch.setattr(engine, "stop", lambda _: False)
    monkeypatch.setattr(engine, "status", _status)
    monkeypatch.setattr(doctor, "llm_models", lambda settings: [settings.llm.model])
    ran = run("llm", "--json", "start")
    assert (ran.code, ran.err, ran.json["offers_model"]) == (0, "starting vLLM\n", True)
    assert run("llm", "status").code == 0
    stopped = run("llm", "stop", "--json")
    assert (stopped.code, stopped.err) == (0, "it was not running\n")
    assert stopped.json["running"] is True


def test_llm_start_takes_the_base_on_request(run: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(engine, "start", lambda settings, _: started.append(settings.llm.model))
    monkeypatch.setattr(engine, "status", _status)
    monkeypatch.setattr(doctor, "llm_models", lambda settings: [settings.llm.model])
    for choice in ([], ["--model", "tuned"], ["--model", "base"]):
        assert run("llm", "start", *choice).code == 0
    assert started == [EMBEDDED_MODEL, EMBEDDED_MODEL, BASE_MODEL]
    assert run("llm", "start", "--model", "huge").code == 2


def test_llm_start_that_fails_is_one_error(run: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: Any) -> EngineStatus:
        raise EngineError("port 1 is taken")

    monkeypatch.setattr(engine, "start", start)
    ran = run("llm", "start", "--json")
    assert (ran.code, ran.json["error"]) == (1, "port 1 is taken")


def test_llm_pull(run: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def prepare(home: Path, kind: str, model: str, *, force: bool, progress: Any) -> Path:
        progress(f"converting {model}, force={force}")
        return tmp_path / kind

    monkeypatch.setattr(weights, "prepare", prepare)
    ran = run("llm", "pull", "--force", "--json")
    assert (ran.code, ran.err) == (0, f"converting {EMBEDDED_MODEL}, force=True\n")
    assert ran.json == {"path": str(tmp_path / "w8a8"), "weights": "w8a8"}
    assert run("llm", "pull", "--model", "base").err == f"converting {BASE_MODEL}, force=False\n"


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost"])
def test_serve_listens_on_loopback(run: Cli, free_port: int, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    called: dict[str, Any] = {}
    monkeypatch.setattr("uvicorn.run", lambda _, **options: called.update(options))
    ran = run("serve", "--host", address, "--port", free_port, "--json")
    assert (ran.code, ran.json) == (0, {"url": f"http://{address}:{free_port}"})
    assert (called["host"], called["port"]) == (address, free_port)
    assert called["log_config"]["handlers"]["access"]["stream"] == "ext://sys.stderr"


def test_serve_refuses_a_taken_port(run: Cli, taken_port: int) -> None:
    ran = run("serve", "--port", taken_port)
    assert ran.code == 2
    assert ran.err.startswith(f"error: port {taken_port} is taken by pid ")


def test_demo_prints_its_figures(run: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    excerpt = demo.Excerpt("ann", "Likes noir.", (("Likes noir", 3, "model"),), (("Kaldvik", "Noir again."),))
    shares = {"grounded_share": 1.0, "model_share": 0.5, "reasons_valid_share": 0.9}
    counts = {"users": 3, "statements": 9, "themes": 6, "recommendations": 15, "llm_tokens": 1234, "seconds": 9.5}
    told = {"refused": {"loop": 2}, "dropped": {"chance": 1}}
    stages, page = {"ingest": 0.5}, tmp_path / "page.html"

    async def pretend(settings: Settings, **_: Any) -> demo.DemoReport:
        report = {**shares, **counts, **told, "stages": stages, "page": page, "excerpts": (excerpt,)}
        return demo.DemoReport(**report)  # type: ignore[arg-type]

    monkeypatch.setattr(demo, "run", pretend)
    ran = run("demo", "--json")
    assert ran.json == {**shares, **counts, **told, "stages": stages, "page": str(page)}
    assert set(reports.DemoOut.model_fields) - {"excerpts"} == set(ran.json)
    shown = run("demo").out
    assert "Likes noir  (3 events, model)" in shown
    assert "page.html" in shown


def test_models_are_asked_for_without_patience(cli_home: Path, free_port: int) -> None:
    with pytest.raises(LLMUnavailableError):
        doctor.llm_models(Settings(home=cli_home))


def test_host_reads_this_machine(taken_port: int, free_port: int, tmp_path: Path) -> None:
    assert host.cores() >= 1
    assert host.disk_free(tmp_path / "not" / "there") > 0
    assert host.port_is_free(free_port)
    assert not host.port_is_free(taken_port)
    assert host.port_owner(taken_port).startswith("pid ")
    assert host.port_owner(free_port) == "another program"
    assert host.package_version("typer")
    assert host.package_version("no-such-package") is None


def _status(settings: Settings) -> EngineStatus:
    url = f"http://127.0.0.1:{settings.engine.port}/v1"
    return EngineStatus(
        True, False, settings.engine.port, settings.llm.model, "w8a8", url, Path("engine.log"), 7, "then"
    )
