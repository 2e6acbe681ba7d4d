"""The runner: nothing is asked twice, nothing that was answered is lost, and one bad user does not end a run."""

from __future__ import annotations

import asyncio
import json
import math
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.errors import LLMOutputError, LLMUnavailableError, LLMUnsupportedError, UsageError
from eval.cases import Case, Question, Ranking
from eval.runner import PATIENCE, Row, question_key, run

AT = datetime(2026, 1, 1, tzinfo=UTC)


def question(n: int, candidates: tuple[str, ...] = ("a", "b", "c")) -> Question:
    return Question(Case(f"u{n}", ("x",), "a", AT), candidates)


QUESTIONS = [question(n) for n in range(12)]


class Counting:
    """Scores by place, and remembers whom it was asked about. `at` raises instead, for the users named there."""

    def __init__(self, name: str = "counting", key: str = "", at: dict[str, Exception] | None = None) -> None:
        self.name = name
        self.key = key or name
        self.at = at or {}
        self.asked: list[str] = []

    async def rank(self, question: Question) -> Ranking:
        user = question.case.user
        self.asked.append(user)
        if user in self.at:
            raise self.at[user]
        return Ranking(tuple(float(n) for n in range(len(question.candidates))), invalid=1, llm_calls=2, llm_tokens=30)


def ask(system: Any, folder: Path, questions: list[Question] = QUESTIONS, **named: Any) -> list[Row]:
    return asyncio.run(run([system], questions, folder, **{"data": "d", **named}))[system.name]


def users(*numbers: int) -> list[str]:
    return [f"u{n}" for n in numbers]


# --- what is kept ---------------------------------------------------------------------------------------------------


def test_a_row_is_what_the_system_answered(tmp_path: Path) -> None:
    (row,) = ask(Counting(), tmp_path, QUESTIONS[:1])
    assert replace(row, seconds=0) == Row(question_key(QUESTIONS[0]), "u0", "a", (0.0, 1.0, 2.0), 1, 2, 30)


def test_asking_twice_answers_the_same_and_asks_once(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    rows = ask(first, tmp_path)
    assert ask(second, tmp_path) == rows
    assert (first.asked, second.asked) == (users(*range(12)), [])


def test_no_opinion_and_extremes_survive_the_file(tmp_path: Path) -> None:
    class Odd(Counting):
        async def rank(self, question: Question) -> Ranking:
            return Ranking((math.nan, -math.inf, 0.1 + 0.2))

    ask(Odd(), tmp_path)
    scores = ask(Counting(key="counting"), tmp_path)[0].scores
    assert math.isnan(scores[0])
    assert scores[1:] == (-math.inf, 0.1 + 0.2)


@pytest.mark.parametrize(
    "changed",
    [
        Question(replace(QUESTIONS[1].case, history=("x", "y")), QUESTIONS[1].candidates),
        Question(replace(QUESTIONS[1].case, target="b"), QUESTIONS[1].candidates),
        Question(replace(QUESTIONS[1].case, at=datetime(2026, 1, 2, tzinfo=UTC)), QUESTIONS[1].candidates),
        Question(QUESTIONS[1].case, ("b", "a", "c")),
    ],
    ids=["history", "target", "time", "candidates"],
)
def test_only_a_question_that_changed_is_asked_again(tmp_path: Path, changed: Question) -> None:
    ask(Counting(), tmp_path)
    again = Counting()
    rows = ask(again, tmp_path, [QUESTIONS[0], changed, *QUESTIONS[2:]])
    assert again.asked == ["u1"]
    assert [row.user for row in rows] == users(*range(12))


def test_another_sample_of_users_reuses_what_it_shares(tmp_path: Path) -> None:
    ask(Counting(), tmp_path, QUESTIONS[:6])
    more = Counting()
    assert [row.user for row in ask(more, tmp_path, QUESTIONS[9:3:-1])] == users(9, 8, 7, 6, 5, 4)
    assert more.asked == users(9, 8, 7, 6)


def test_another_key_or_other_data_is_asked_anew(tmp_path: Path) -> None:
    ask(Counting(), tmp_path)
    retuned, elsewhere = Counting(key="counting k=2"), Counting()
    ask(retuned, tmp_path)
    ask(elsewhere, tmp_path, data="e")
    assert len(retuned.asked) == len(elsewhere.asked) == 12


def test_a_name_with_a_slash_stays_in_the_folder(tmp_path: Path) -> None:
    ask(Counting(name="../a b"), tmp_path / "answers")
    (file,) = (tmp_path / "answers").iterdir()
    assert file.name.startswith(".._a_b-")


def test_two_systems_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two systems of one name among bm25, bm25"):
        asyncio.run(run([Counting("bm25"), Counting("bm25", "other")], QUESTIONS, tmp_path, data="d"))


# --- interruptions --------------------------------------------------------------------------------------------------


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    class Interrupted(Counting):
        async def rank(self, question: Question) -> Ranking:
            if question.case.user == "u5":
                signal.raise_signal(signal.SIGINT)  # as Ctrl-C does; the question under way still finishes
            return await super().rank(question)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            ask(Interrupted(), tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)
    again = Counting()
    assert [row.user for row in ask(again, tmp_path)] == users(*range(12))
    assert again.asked == users(*range(6, 12))


KILLED = """
    import asyncio, os, signal, sys
    from pathlib import Path
    from datetime import UTC, datetime
    from eval.cases import Case, Question, Ranking
    from eval.runner import run

    class Killed:
        name = key = "counting"
        async def rank(self, question):
            if question.case.user == "u5":
                os.kill(os.getpid(), signal.SIGKILL)
            return Ranking((0.0, 1.0, 2.0), 1, 2, 30)

    at = datetime(2026, 1, 1, tzinfo=UTC)
    questions = [Question(Case(f"u{n}", ("x",), "a", at), ("a", "b", "c")) for n in range(12)]
    asyncio.run(run([Killed()], questions, Path(sys.argv[1]), data="d"))
"""


def test_a_killed_process_leaves_what_was_done(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), tmp_path], check=False)
    assert done.returncode == -signal.SIGKILL
    again = Counting()
    ask(again, tmp_path)
    assert again.asked == users(*range(5, 12))


@pytest.mark.parametrize("tail", ["", "\n", '{"question": "', '{"question": "12"', "\0" * 40])
def test_a_torn_last_line_is_asked_again_and_spoils_nothing(tmp_path: Path, tail: str) -> None:
    rows = ask(Counting(), tmp_path)
    (file,) = tmp_path.iterdir()
    lines = file.read_text().splitlines()
    file.write_text("\n".join(lines[:-1]) + "\n" + tail)
    second, third = Counting(), Counting()
    again = ask(second, tmp_path)
    assert ask(third, tmp_path) == again
    assert [replace(row, seconds=0) for row in again] == [replace(row, seconds=0) for row in rows]
    assert (second.asked, third.asked) == (["u11"], [])


def test_a_whole_last_row_without_its_newline_counts(tmp_path: Path) -> None:
    ask(Counting(), tmp_path, QUESTIONS[:3])
    (file,) = tmp_path.iterdir()
    file.write_text(file.read_text().removesuffix("\n"))
    again = Counting()
    ask(again, tmp_path, QUESTIONS[:4])
    assert again.asked == ["u3"]
    assert [json.loads(line)["user"] for line in file.read_text().splitlines()] == users(0, 1, 2, 3)


# --- errors ---------------------------------------------------------------------------------------------------------


def test_a_crashed_user_is_a_row_and_the_rest_goes_on(tmp_path: Path) -> None:
    rows = ask(Counting(at={"u3": KeyError("no\nsuch item")}), tmp_path)
    assert [row.user for row in rows if row.error] == ["u3"]
    assert rows[3].error == r"KeyError: 'no\nsuch item'"
    assert rows[3].scores == ()


def test_an_error_is_one_line(tmp_path: Path) -> None:
    rows = ask(Counting(at={"u0": ValueError("first\n  second"), "u1": ValueError()}), tmp_path, QUESTIONS[:2])
    assert [row.error for row in rows] == ["ValueError: first second", "ValueError"]


@pytest.mark.parametrize("scores", [(1.0, 2.0), ("high", "low", "low")])
def test_an_answer_that_is_no_score_a_candidate_is_an_error(tmp_path: Path, scores: tuple[Any, ...]) -> None:
    class Wrong(Counting):
        async def rank(self, question: Question) -> Ranking:
            return Ranking(scores)

    assert all((row.error or "").startswith("ValueError") for row in ask(Wrong(), tmp_path))


def test_errors_are_asked_again_next_time(tmp_path: Path) -> None:
    ask(Counting(at={"u3": KeyError(), "u7": KeyError()}), tmp_path)
    again = Counting(at={"u7": KeyError()})
    assert [row.user for row in ask(again, tmp_path) if row.error] == ["u7"]
    assert again.asked == ["u3", "u7"]


@pytest.mark.parametrize("error", [LLMUnavailableError("refused"), LLMUnsupportedError("cannot score")])
def test_a_system_without_an_llm_is_stopped_and_says_what_to_do(tmp_path: Path, error: Exception) -> None:
    without = Counting("llm", at=dict.fromkeys(users(*range(2, 12)), error))
    beside = Counting("bm25")
    with pytest.raises(LLMUnavailableError, match=rf"llm stopped after {PATIENCE} questions .*\({error}\)") as caught:
        asyncio.run(run([without, beside], QUESTIONS, tmp_path, data="d", concurrency=1))
    assert "leitmotif llm" in caught.value.hint
    assert "run the same command again" in caught.value.hint
    assert without.asked == users(*range(2 + PATIENCE))
    assert len(beside.asked) == 12
    back = Counting("llm")
    ask(back, tmp_path)
    assert back.asked == users(*range(2, 12))


def test_an_llm_that_comes_back_in_time_stops_nothing(tmp_path: Path) -> None:
    away = dict.fromkeys(users(0, 1, 2, 3, 5, 6, 7, 8), LLMUnavailableError("busy"))
    rows = ask(Counting(at={**away, "u9": LLMOutputError("rubbish")}), tmp_path)
    assert sum(row.error is not None for row in rows) == 9


# --- several at once ------------------------------------------------------------------------------------------------


class Waiting(Counting):
    """Waits as for a server, and counts how many are inside at once."""

    inside = most = 0

    async def rank(self, question: Question) -> Ranking:
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(0.005 if question.case.user == "u0" else 0.001)
        self.inside -= 1
        return await super().rank(question)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_several_questions_are_in_flight_and_come_back_in_order(tmp_path: Path, concurrency: int) -> None:
    system = Waiting()
    rows = ask(system, tmp_path, concurrency=concurrency)
    assert system.most == concurrency
    assert [row.user for row in rows] == users(*range(12))


@pytest.mark.parametrize("concurrency", [1, 3, 12])
def test_the_seconds_of_all_questions_are_the_time_taken(tmp_path: Path, concurrency: int) -> None:
    started = time.perf_counter()
    rows = ask(Waiting(), tmp_path, concurrency=concurrency)
    total = sum(row.seconds for row in rows)
    assert 0.005 < total < time.perf_counter() - started
    assert min(row.seconds for row in rows) > 0


def test_progress_counts_what_is_kept_first(tmp_path: Path) -> None:
    shown: list[tuple[str, int, int]] = []
    note: Callable[[str, int, int], None] = lambda *seen: shown.append(seen)  # noqa: E731
    ask(Counting(), tmp_path, QUESTIONS[:10], progress=note)
    assert shown == [("counting", n, 10) for n in range(11)]
    shown.clear()
    ask(Counting(), tmp_path, progress=note)
    assert shown == [("counting", n, 12) for n in (10, 11, 12)]
