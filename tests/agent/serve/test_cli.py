"""What every command answers when all is well: the exit code, one JSON document, and words for people."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from agent.serve import histories, reasons, schemas
from agent.serve.commands import reports
from retrieval.signals import CHANNELS
from tests.agent.planted import planted
from tests.agent.serve.conftest import Cli
from tests.fakes import FakeLLM


def test_ingest_counts_and_refuses(run: Cli, tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    file.write_text('{"id": "a", "title": "A"}\n{"id": "b"}\n', "utf-8")
    found = schemas.IngestOut.model_validate(run("ingest", file, "--json").json)
    assert (found.items_new, found.refused, found.store.items) == (1, 1, 1)
    assert (found.refusals[0].file, found.refusals[0].line) == ("items.jsonl", 2)
    again = run("ingest", file)
    assert again.code == 0
    assert "items.jsonl:2: title is missing" in again.out


def test_ingest_of_nothing_but_refusals_fails(run: Cli, tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    file.write_text('{"id": "b"}\n', "utf-8")
    failed = run("ingest", file)
    assert failed.code == 1
    assert "items.jsonl:1: title is missing" in failed.out


def test_ingest_maps_columns(run: Cli, tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("sku,name\na,A\n", "utf-8")
    (tmp_path / "log.csv").write_text("uid,sku,when\nann,a,2026-01-01\n", "utf-8")
    assert run("ingest", tmp_path / "items.csv", "--map", "id=sku,title=name").code == 0
    more = ("--map", "user=uid,item=sku", "--map", "at=when,kind=:purchase")
    assert run("ingest", tmp_path / "log.csv", *more, "--json").json["events_new"] == 1
    assert run("export", "ann").json["tables"]["events"][0]["kind"] == "purchase"


def test_profile_of_one_person_shows_statements_with_origin_and_evidence(filled: Cli) -> None:
    shown = filled("profile", "ann")
    assert shown.code == 0
    assert "statement" in shown.out
    assert "model" in shown.out
    found = reports.ProfilesOut.model_validate(filled("profile", "ann", "--json").json)
    assert found.statements == len(found.profiles[0].statements) > 0
    assert found.grounded == found.statements


def test_profile_of_everybody_prints_a_line_each_and_a_summary(filled: Cli) -> None:
    shown = filled("profile", "--all")
    assert shown.code == 0
    assert all(any(line.startswith(user) for line in shown.out.splitlines()) for user in ("ann", "bob", "cleo"))
    assert "100% grounded" in shown.out


def test_profile_lists_who_failed(filled: Cli) -> None:
    ran = filled("profile", "ann", "nobody")
    assert ran.code == 1
    assert "failed: nobody" in ran.out
    document = filled("profile", "ann", "nobody", "--json")
    assert document.code == 1
    assert [f["user"] for f in document.json["failures"]] == ["nobody"]


def test_profile_as_of_sees_only_the_past(filled: Cli) -> None:
    early = filled("profile", "ann", "--as-of", "2026-01-03", "--json").json["profiles"][0]
    assert (early["as_of"], early["events_seen"]) == ("2026-01-03T00:00:00Z", 1)


def test_themes_with_and_without_history(profiled: Cli) -> None:
    assert profiled("themes", "ann", "--json").json["history"] == []
    told = profiled("themes", "ann", "--history", "--json").json
    assert {step["kind"] for step in told["history"]} >= {"born"}
    assert "centroid" not in json.dumps(told)
    assert "born" in profiled("themes", "ann", "--history").out


def test_themes_can_be_compared_grouped_and_rolled_back(profiled: Cli) -> None:
    assert profiled("profile", "ann", "--as-of", "2026-01-06").code == 0
    days = ("2026-01-07", "2027-01-01")
    found = histories.DiffOut.model_validate(profiled("themes", "ann", "--diff", *days, "--json").json)
    assert (found.from_version, found.to_version) == (2, 1)
    assert found.changes
    assert found.changes[0].text in profiled("themes", "ann", "--diff", *days).out
    assert profiled("themes", "ann", "--diff", "soon", "2026-01-01").code == 2
    grouped = histories.GroupingOut.model_validate(profiled("themes", "ann", "--algorithm", "kmeans", "--json").json)
    assert {side.algorithm for side in grouped.sides} == {"kmeans"}
    assert "by kmeans" in profiled("themes", "ann", "--algorithm", "kmeans").out
    assert "ward" in profiled("themes", "ann", "--algorithm", "tarot").err
    assert profiled("rollback", "ann", "2", "--json").json["restores"] == 2
    assert "back to version 2" in profiled("themes", "ann", "--history").out
    assert profiled("rollback", "ann", "9").code == 2


def test_an_event_is_taken_back_with_what_leaned_on_it(profiled: Cli) -> None:
    [statement] = profiled("profile", "cleo", "--json").json["profiles"][0]["statements"]
    [event] = statement["evidence"]
    assert profiled("forget", "cleo", "--event", event).code == 2  # nobody is there to say yes
    assert profiled("forget", "cleo", "--event", event, "--yes", "--json").json["rows"] == {"events": 1}
    assert profiled("profile", "cleo", "--json").json["profiles"][0]["statements"] == []
    assert profiled("forget", "cleo", "--event", event, "--yes").code == 2


@pytest.mark.parametrize("more", [(), ("--no-explain",), ("--query", "a concert with piano")])
def test_recommend(profiled: Cli, more: tuple[str, ...]) -> None:
    shown = profiled("recommend", "ann", "-k", "3", *more)
    assert shown.code == 0
    found = schemas.RecommendationsOut.model_validate(profiled("recommend", "ann", "-k", 3, "--json", *more).json)
    assert [r.rank for r in found.items] == [1, 2, 3]
    assert all(r.title and r.reason for r in found.items)
    assert all(c.text and c.items for r in found.items for c in r.citations)
    assert all(r.title in shown.out for r in found.items)


def test_recommend_without_an_llm_says_what_is_missing(filled: Cli, llm: FakeLLM) -> None:
    llm.fail()
    ran = filled("recommend", "ann", "-k", 2)
    assert ran.code == 0
    assert "note: ranked without the LLM" in ran.out
    assert set(filled("recommend", "ann", "-k", 2, "--json").json["degraded"]) >= {"profile", "rerank"}


def test_cold_start_keeps_nothing(filled: Cli) -> None:
    words = "I love jazz and piano. I can't stand rockets."
    shown = filled("cold-start", words, "-k", 2)
    assert shown.code == 0
    assert "understood" in shown.out
    found = schemas.ColdStartOut.model_validate(filled("cold-start", words, "-k", 2, "--json").json)
    assert {s.polarity.value for s in found.statements} == {"like", "dislike"}
    assert len(found.items) == 2


def test_cold_start_keeps_what_is_sensitive_only_where_it_is_allowed(filled: Cli) -> None:
    words = "I love jazz and piano. I love Christian rock."
    shown = filled("cold-start", words, "-k", 2)
    assert "sensitive: religion; allow_sensitive keeps it" in " ".join(shown.out.split())
    found = schemas.ColdStartOut.model_validate(
        filled("cold-start", words, "-k", 2, "--allow-sensitive", "--json").json
    )
    assert "Likes Christian rock" in {s.text for s in found.statements}
    assert found.ignored == []


def test_why_a_statement_and_why_an_item(profiled: Cli) -> None:
    statement = profiled("themes", "ann", "--json").json["statements"][0]
    found = reasons.WhyOut.model_validate(profiled("why", "ann", statement["id"], "--json").json)
    assert [e.id for e in found.events] == statement["evidence"]
    tree = profiled("why", "ann", statement["id"])
    assert all(item.title in tree.out for item in found.items)
    assert profiled("why", "ann", "noir-course-1").code == 0


def test_feedback_marks_our_own_echo(profiled: Cli) -> None:
    item = profiled("recommend", "ann", "-k", 1, "--json").json["items"][0]["item"]
    assert profiled("feedback", "ann", item, "like", "--json").json["recommended"] is True
    assert profiled("feedback", "ann", "odd-one", "hide").out == "noted: ann hides odd-one\n"


def test_fit_learns_keeps_and_resets(run: Cli, tmp_path: Path) -> None:
    rows = [json.dumps({k: v for k, v in asdict(r).items() if v}, default=str) for r in planted()]
    (tmp_path / "all.jsonl").write_text("\n".join(rows), "utf-8")
    assert run("ingest", tmp_path / "all.jsonl").code == 0
    found = reports.FitOut.model_validate(run("fit", "--negatives", 9, "--json").json)
    assert (found.outcome, found.users, found.lists) == ("kept", 36, 108)
    assert found.check is not None
    assert found.check.ci95[0] < found.check.gain < found.check.ci95[1]
    assert set(found.channels) == set(CHANNELS)
    assert run("fit", "--reset").out == "returned to the shipped weights\n"
    assert run("fit", "--reset", "--json").json["outcome"] == "reset"


def test_fit_refuses_too_few_people(filled: Cli) -> None:
    ran = filled("fit")
    assert ran.code == 1
    assert "error: too little to learn from" in ran.err
    assert "hint: " in ran.err


def test_export_then_forget(profiled: Cli) -> None:
    before = schemas.ExportOut.model_validate(profiled("export", "ann").json)
    assert before.tables["events"]
    gone = schemas.ForgetOut.model_validate(profiled("forget", "ann", "--yes", "--json").json)
    assert gone.rows["events"] == len(before.tables["events"])
    assert profiled("export", "ann").code == 2
    assert "is erased" in profiled("forget", "bob", "--yes").out


@pytest.mark.parametrize(
    "order", [("--json", "themes", "ann"), ("themes", "--json", "ann"), ("themes", "ann", "--json")]
)
def test_json_may_stand_anywhere(profiled: Cli, order: tuple[str, ...]) -> None:
    assert profiled(*order).json["user"] == "ann"


def test_home_may_stand_before_or_after(run: Cli, tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text('{"id": "a", "title": "A"}\n', "utf-8")
    for number, order in enumerate([("--home", "{}", "ingest", "{i}"), ("ingest", "{i}", "--home", "{}")]):
        home = tmp_path / f"home-{number}"
        assert run(*(part.format(home, i=tmp_path / "items.jsonl") for part in order)).code == 0
        assert (home / "leitmotif.db").is_file()


def test_square_brackets_in_titles_are_shown_as_they_are(run: Cli, tmp_path: Path) -> None:
    items = [{"id": f"i{n}", "title": f"[bold]Title {n}[/bold] :smile:", "tags": ["x y"]} for n in range(3)]
    events = [{"id": f"e{n}", "user": "ann", "item": f"i{n}", "kind": "like", "at": "2026-01-01"} for n in range(2)]
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(r) for r in items + events), "utf-8")
    assert run("ingest", tmp_path / "rows.jsonl").code == 0
    assert "[bold]Title 2[/bold] :smile:" in run("recommend", "ann", "--query", "Title 2").out
