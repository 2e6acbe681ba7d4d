"""Progress: a bar on a terminal, a line now and then elsewhere, and nothing on stdout."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from agent.serve import progress


def test_lines_are_sparse(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, 1.0, 11.0, 11.0, 12.0, 30.0, 30.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.progress("rows") as tick:
        for done in (1, 2000, 3000):
            tick(done, 4000)
        tick(5000, None)
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err == "rows: 2,000 of 4,000\nrows: 5,000\n"


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = io.StringIO()
    monkeypatch.setattr(progress, "Console", lambda **_: Console(file=drawn, force_terminal=True, width=80))
    with progress.progress("profiles") as tick:
        assert not drawn.getvalue(), "nothing is drawn before there is something to tell"
        tick(1, 2)
        tick(2, 2)
    assert "profiles" in drawn.getvalue()
    assert "2/2" in drawn.getvalue()
    assert capsys.readouterr().out == ""
