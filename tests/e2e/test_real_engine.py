"""The real thing: the command line against the embedded vLLM, started here and stopped here. Minutes, not seconds."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest

from agent import guard
from agent.config import EMBEDDED_MODEL

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "retrieval" / "sample"
FILMS = ROOT.parent / "shared" / "data" / "ml-latest-small"
ABOUT_ME = "I love slow-burn mysteries set in cold places, can't stand gore, and I'm learning Italian"

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1500)]


@dataclass(frozen=True)
class Leitmotif:
    """The command as a user has it, in a home of its own."""

    home: Path
    port: int

    def run(self, *args: str, code: int = 0) -> str:
        """stdout of `leitmotif ARGS`; fails unless it exits with `code`, and whenever a traceback is printed."""
        done = subprocess.run(
            [sys.executable, "-m", "agent.serve.cli", *args],
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert done.returncode == code, f"{args}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        assert "Traceback" not in done.stderr
        return done.stdout

    def json(self, *args: str, code: int = 0) -> Any:
        return json.loads(self.run(*args, "--json", code=code))

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("LEITMOTIF_")}
        return {
            **kept,
            "LEITMOTIF_HOME": str(self.home),
            "LEITMOTIF_ENGINE__PORT": str(self.port),
            "LEITMOTIF_LLM__BASE_URL": f"http://127.0.0.1:{self.port}/v1",
        }


@pytest.fixture(scope="module")
def leitmotif(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leitmotif]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Leitmotif(tmp_path_factory.mktemp("home"), port)
    made.run("llm", "start")
    made.run("ingest", str(SAMPLE))
    yield made
    made.run("llm", "stop")


def _events(user: str) -> dict[str, dict[str, Any]]:
    rows = (json.loads(line) for line in (SAMPLE / "events.jsonl").read_text(encoding="utf-8").splitlines())
    return {row["id"]: row for row in rows if row["user"] == user}


def test_statements_are_written_by_the_model_and_grounded_in_the_users_own_events(leitmotif: Leitmotif) -> None:
    found = leitmotif.json("profile", "mara", "owen", "liwei")
    origins = set()
    for profile in found["profiles"]:
        own = _events(profile["user"])
        assert profile["statements"], profile["user"]
        for statement in profile["statements"]:
            origins.add(statement["origin"])
            assert statement["evidence"]
            assert set(statement["evidence"]) <= own.keys()
    assert "model" in origins
    assert not found["failures"]


def test_a_planted_interest_and_a_planted_dislike_are_found(leitmotif: Leitmotif) -> None:
    leitmotif.run("profile", "mara")
    themes = leitmotif.json("themes", "mara")["themes"]
    told = {(t["polarity"], word) for t in themes for word in t["summary"].lower().replace(",", " ").split()}
    assert ("like", "mystery") in told or ("like", "mysteries") in told
    assert any(polarity == "dislike" for polarity, _ in told)


def test_recommendations_are_new_to_the_user_and_cite_statements_that_exist(leitmotif: Leitmotif) -> None:
    statements = {s["id"] for s in leitmotif.json("profile", "mara")["profiles"][0]["statements"]}
    seen = {e["item"] for e in _events("mara").values()}
    found = leitmotif.json("recommend", "mara", "-k", "5")["items"]
    assert len(found) == 5
    for one in found:
        assert one["item"] not in seen
        assert one["reason"]
        assert one["citations"]
        assert {c["statement"] for c in one["citations"]} <= statements
        assert "llm" in one["parts"]
        assert not one["degraded"]


def test_a_question_steers_the_recommendations(leitmotif: Leitmotif) -> None:
    chess = set(json.loads((SAMPLE / "planted.json").read_text(encoding="utf-8"))["subjects"]["chess"]["items"])
    unasked = leitmotif.json("recommend", "mara", "-k", "5")["items"]
    asked = leitmotif.json("recommend", "mara", "-k", "5", "--query", "learn chess endgames")["items"]
    assert not chess & {one["item"] for one in unasked}, "the question, and nothing else, must bring chess"
    assert len(chess & {one["item"] for one in asked[:3]}) >= 2


def test_two_sentences_are_enough_for_a_stranger(leitmotif: Leitmotif) -> None:
    found = leitmotif.json("cold-start", ABOUT_ME, "-k", "8")
    said = {(s["polarity"], s["text"]) for s in found["statements"]}
    assert ("like", "Likes slow-burn mysteries set in cold places") in said
    assert any(polarity == "dislike" and "gore" in text for polarity, text in said)
    assert any("Italian" in text for _, text in said)
    assert len(found["items"]) == 8


def test_nothing_is_written_twice(leitmotif: Leitmotif) -> None:
    first = leitmotif.json("profile", "owen")["profiles"][0]
    again = leitmotif.json("profile", "owen")
    assert again["profiles"][0]["version"] == first["version"]
    assert again["seconds"] < 20  # nothing is asked of the LLM


def test_the_engine_says_no_word_twice_where_it_is_asked_not_to(leitmotif: Leitmotif) -> None:
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{leitmotif.port}/v1", api_key="none")

    def goes_on(once: int) -> str:
        prompt = "jazz records, noir films, jazz records, noir films, jazz records, noir films, jazz"
        asked = {"model": EMBEDDED_MODEL, "prompt": prompt, "max_tokens": 24, "temperature": 0}
        return str(client.completions.create(**asked, extra_body={"vllm_xargs": {"once": once}}).choices[0].text)

    assert guard.loops(goes_on(0))
    assert not guard.loops(goes_on(1).rpartition(" ")[0])  # the last word may be half a word


@pytest.mark.skipif(not FILMS.is_dir(), reason="MovieLens is not beside the checkout")
def test_real_film_ratings_give_grounded_profiles_and_unseen_films(leitmotif: Leitmotif, tmp_path: Path) -> None:
    films = Leitmotif(tmp_path, leitmotif.port)
    taken = films.json("ingest", str(FILMS))
    assert (taken["items_new"], taken["events_new"], taken["refused"]) == (9742, 100836, 0)
    users = ["1", "7", "42"]
    profiles = films.json("profile", *users)
    assert not profiles["failures"]
    assert profiles["grounded"] == profiles["statements"] > 0
    seen = {
        user: {e["item"] for e in films.json("export", user)["tables"]["events"] if e["item"]} for user in users[:1]
    }
    for one in films.json("recommend", users[0], "-k", "5")["items"]:
        assert one["item"] not in seen[users[0]]
        assert one["citations"]


def test_a_killed_engine_degrades_and_comes_back(leitmotif: Leitmotif) -> None:
    assert leitmotif.json("llm", "start")["ready"]  # a second start is no second engine
    os.killpg(leitmotif.json("llm", "status")["pid"], signal.SIGKILL)
    found = leitmotif.json("recommend", "mara", "-k", "3")["items"]
    assert len(found) == 3
    assert all(one["degraded"] and one["reason"] for one in found)
    refused = leitmotif.json("profile", "teo", code=1)
    assert "llm start" in refused["hint"]
    leitmotif.run("llm", "start")
    assert leitmotif.json("profile", "teo")["profiles"][0]["statements"]
