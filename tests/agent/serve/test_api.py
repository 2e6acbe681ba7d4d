"""The HTTP service: every address, what it answers, how it fails, and what it tells OpenAPI. No model, no network."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator

from agent.errors import LLMUnavailableError
from agent.serve import health
from agent.serve.api import create_app
from agent.serve.problems import MEDIA_TYPE, Problem
from agent.service import Service
from retrieval.records import Item
from retrieval.store import BusyError, ConflictError, ErasedError, StoreError
from tests.fakes import NOW, FakeLLM, catalogue, make_service

ITEM = {"id": "new-1", "title": "A New Thing", "categories": ["film", "mystery"], "tags": ["arctic"]}
EVENT = {"id": "ev-1", "user": "dora", "item": "noir-film-1", "kind": "like", "at": "2026-02-01T10:00:00Z"}


@pytest.fixture
def api(service: Service) -> Iterator[TestClient]:
    app = create_app(service.settings, service, clock=lambda: NOW)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


def problem(response: Any, status: int, code: str) -> Problem:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == MEDIA_TYPE
    found = Problem.model_validate(response.json())
    assert (found.status, found.code) == (status, code)
    assert found.type == f"urn:leitmotif:{code.replace('_', '-')}"
    assert found.instance == response.request.url.path
    assert found.title
    assert found.detail
    return found


# What comes in -----------------------------------------------------------------------------------------------------


def test_items_answer_row_by_row(api: TestClient, service: Service) -> None:
    changed = {**ITEM, "title": "Another Title"}
    known = {"id": catalogue()[0].id, "title": ""}
    answer = api.post("/v1/items", json=[ITEM, ITEM, changed, known, {"id": "x", "title": "y", "colour": "red"}, 7])
    assert answer.status_code == 200
    body = answer.json()
    assert [row["outcome"] for row in body["rows"]] == [
        "accepted", "duplicate", "accepted", "refused", "refused", "refused",
    ]  # fmt: skip
    assert (body["accepted"], body["duplicate"], body["refused"]) == (2, 1, 3)
    assert "colour" in body["rows"][4]["reason"]
    stored = service.store.item("new-1")
    assert stored is not None
    assert stored.title == "Another Title"


def test_events_answer_row_by_row(api: TestClient, service: Service) -> None:
    lost = {**EVENT, "id": "ev-2", "item": "nowhere"}
    stolen = {**EVENT, "id": service.store.events("ann")[0].id}
    future = {**EVENT, "id": "ev-3", "at": "2036-01-01T00:00:00Z"}
    body = api.post("/v1/events", json=[EVENT, EVENT, lost, stolen, future, {"user": "dora"}]).json()
    assert [row["outcome"] for row in body["rows"]] == ["accepted", "duplicate", *["refused"] * 4]
    assert body["rows"][2]["reason"] == "unknown item 'nowhere'"
    assert "another event" in body["rows"][3]["reason"]
    assert body["rows"][5]["reason"].startswith("at:")
    assert api.post("/v1/events", json=[EVENT]).json()["duplicate"] == 1


def test_an_event_without_an_id_gets_one_and_is_stored_once(api: TestClient) -> None:
    row = {key: value for key, value in EVENT.items() if key != "id"}
    first, second = (api.post("/v1/events", json=[row]).json()["rows"][0] for _ in range(2))
    assert first["id"]
    assert first["id"] == second["id"]
    assert (first["outcome"], second["outcome"]) == ("accepted", "duplicate")


def test_events_of_an_erased_user_are_refused(api: TestClient) -> None:
    assert api.delete("/v1/users/cleo").status_code == 200
    row = api.post("/v1/events", json=[{**EVENT, "user": "cleo"}]).json()["rows"][0]
    assert row["outcome"] == "refused"
    assert "erased" in row["reason"]


def test_lists_and_bodies_are_bounded(api: TestClient) -> None:
    problem(api.post("/v1/items", json=[ITEM] * 1001), 422, "invalid_input")
    problem(api.post("/v1/items", content=b" " * (1 << 21)), 413, "content_too_large")
    endless = (b" " * 65536 for _ in range(32))  # no Content-Length
    problem(
        api.post("/v1/items", content=endless, headers={"content-type": "application/json"}), 413, "content_too_large"
    )
    problem(api.post("/v1/items", content=b"[", headers={"content-type": "application/json"}), 422, "invalid_input")


# What is known -----------------------------------------------------------------------------------------------------


def test_profile_is_built_and_reads_as_of(api: TestClient) -> None:
    body = api.get("/v1/users/ann/profile").json()
    assert body["user"] == "ann"
    assert body["statements"]
    assert all(s["evidence"] for s in body["statements"])
    assert "centroid" not in body["themes"][0]
    early = api.get("/v1/users/ann/profile", params={"as_of": "2026-01-03T00:00:00"}).json()
    assert early["as_of"] == "2026-01-03T00:00:00Z"
    assert early["events_seen"] < body["events_seen"]


def test_themes_are_compared_and_rolled_back(api: TestClient) -> None:
    api.get("/v1/users/ann/profile", params={"as_of": "2026-01-06T00:00:00Z"})
    api.get("/v1/users/ann/profile")
    since = {"since": "2026-01-07T00:00:00Z"}
    diff = api.get("/v1/users/ann/themes/diff", params=since).json()
    assert (diff["from_version"], diff["to_version"]) == (1, 2)
    assert all(change["text"] for change in diff["changes"])
    then = api.get("/v1/users/ann/themes", params={"as_of": "2026-01-07T00:00:00Z", "history": True}).json()
    assert then["version"] == 1
    assert [v["version"] for v in then["versions"]] == [1, 2]
    back = api.post("/v1/users/ann/rollback", json={"version": 1}).json()
    assert (back["version"], back["restores"]) == (3, 1)
    problem(api.post("/v1/users/ann/rollback", json={"version": 3}), 422, "bad_request")
    problem(api.post("/v1/users/ann/rollback", json={"version": 0}), 422, "invalid_input")
    problem(api.post("/v1/users/ann/rollback", json={"version": 8}), 404, "not_found")
    problem(api.get("/v1/users/ann/themes/diff", params={"since": "2020-01-01T00:00:00Z"}), 404, "not_found")
    problem(api.get("/v1/users/ann/themes/grouping", params={"algorithm": "tarot"}), 422, "invalid_input")


def test_an_event_is_taken_back_and_the_user_stays(api: TestClient, service: Service) -> None:
    event = service.store.events("cleo")[0].id
    assert api.get("/v1/users/cleo/profile").json()["statements"]
    assert api.delete(f"/v1/users/cleo/events/{event}").json()["rows"] == {"events": 1}
    assert api.get("/v1/users/cleo/profile").json()["statements"] == []
    problem(api.delete(f"/v1/users/cleo/events/{event}"), 404, "not_found")
    problem(api.delete("/v1/users/nobody/events/x"), 404, "not_found")


def test_themes_need_a_profile_and_tell_their_history_if_asked(api: TestClient) -> None:
    assert "leitmotif profile ann" in problem(api.get("/v1/users/ann/themes"), 404, "not_found").hint
    api.get("/v1/users/ann/profile")
    body = api.get("/v1/users/ann/themes").json()
    assert body["themes"]
    assert body["history"] == []
    steps = api.get("/v1/users/ann/themes", params={"history": True}).json()["history"]
    assert {step["kind"] for step in steps} == {"born"}


def test_why_leads_to_events_and_items(api: TestClient) -> None:
    statement = api.get("/v1/users/ann/profile").json()["statements"][0]
    body = api.get(f"/v1/users/ann/why/{statement['id']}").json()
    assert body["reason"] == statement["text"]
    assert {e["id"] for e in body["events"]} == set(statement["evidence"])
    assert body["items"]
    assert api.get("/v1/users/ann/why/noir-course-1").json()["reason"]
    problem(api.get("/v1/users/ann/why/nothing"), 404, "not_found")


def test_ids_with_slashes_blanks_and_other_scripts(api: TestClient) -> None:
    user, item = "a b/ü/王", "x/profile"
    api.post("/v1/items", json=[{**ITEM, "id": item}])
    assert api.post("/v1/events", json=[{**EVENT, "user": user, "item": item}]).json()["accepted"] == 1
    assert api.get("/v1/users/a%20b%2F%C3%BC%2F%E7%8E%8B/profile").json()["user"] == user
    assert api.get("/v1/users/a%20b%2F%C3%BC%2F%E7%8E%8B/why/x%2Fprofile").json()["target"] == item
    assert api.delete("/v1/users/a%20b%2F%C3%BC%2F%E7%8E%8B").json()["user"] == user


# What comes out ----------------------------------------------------------------------------------------------------


def test_recommendations_cite_what_the_user_did(api: TestClient, service: Service) -> None:
    body = api.get("/v1/users/ann/recommendations", params={"k": 3}).json()
    assert [r["rank"] for r in body["items"]] == [1, 2, 3]
    touched = service.store.touched_items("ann")
    assert not {r["item"] for r in body["items"]} & touched
    cited = [c for r in body["items"] for c in r["citations"]]
    assert cited
    assert all(c["text"] and {i["id"] for i in c["items"]} <= touched for c in cited)


def test_a_question_is_heard_and_explaining_can_be_left(api: TestClient, llm: FakeLLM) -> None:
    asked = {"query": "rockets to mars", "explain": "false", "k": 5}
    body = api.get("/v1/users/bob/recommendations", params=asked).json()
    assert body["query"] == "rockets to mars"
    assert any(r["item"].startswith("space") for r in body["items"])
    assert not llm.asked("explain")


def test_without_an_llm_the_answer_says_what_is_missing(api: TestClient, llm: FakeLLM) -> None:
    llm.fail()
    body = api.get("/v1/users/ann/recommendations").json()
    assert body["items"]
    assert "profile" in body["degraded"]
    gone = api.get("/v1/users/ann/profile")
    problem(gone, 503, "llm_unavailable")
    assert int(gone.headers["retry-after"]) > 0


def test_cold_start_understands_two_sentences(api: TestClient) -> None:
    text = "I love sourdough and baking. I can't stand rockets."
    body = api.post("/v1/cold-start", json={"text": text, "k": 4}).json()
    assert {s["polarity"] for s in body["statements"]} == {"like", "dislike"}
    assert len(body["items"]) == 4
    problem(api.post("/v1/cold-start", json={"text": "   "}), 422, "bad_request")
    wrong = problem(api.post("/v1/cold-start", json={"text": "jazz", "k": 0}), 422, "invalid_input")
    assert wrong.errors[0].where == "body.k"


def test_cold_start_asks_for_consent(api: TestClient) -> None:
    text = "I love jazz. I'm Muslim."
    refused = api.post("/v1/cold-start", json={"text": text}).json()
    assert [i["reason"] for i in refused["ignored"]] == ["sensitive: religion; allow_sensitive keeps it"]
    allowed = api.post("/v1/cold-start", json={"text": text, "allow_sensitive": True}).json()
    assert "Says “I'm Muslim”" in {s["text"] for s in allowed["statements"]}
    assert allowed["ignored"] == []


def edit(api: TestClient, user: str = "ann", address: str = "edits", **body: Any) -> Any:
    return api.post(f"/v1/users/{user}/{address}", json=body)


def test_an_owner_corrects_their_profile(api: TestClient) -> None:
    theme = api.get("/v1/users/ann/profile").json()["themes"][0]
    added = edit(api, kind="add", text="old radio plays").json()
    assert "Likes old radio plays" in {s["text"] for s in added["profile"]["statements"]}
    assert edit(api, kind="mute", target=theme["id"]).json()["message"] == f"muted: {theme['label']}"
    body = api.get("/v1/users/ann/edits").json()
    assert [e["kind"] for e in body["edits"]] == ["add", "mute"]
    assert body["marks"] == [{"target": theme["id"], "mark": "muted", "words": theme["label"]}]
    assert "evidence" not in body["edits"][1]
    shown = api.get("/v1/users/ann/recommendations").json()["items"]
    assert theme["id"] not in {r["theme"] for r in shown}


def test_a_preview_shows_both_lists_and_changes_nothing(api: TestClient) -> None:
    before = api.get("/v1/users/ann/profile").json()
    body = edit(api, address="edits/preview?k=3", kind="mute", target=before["themes"][0]["id"]).json()
    assert [m["after"] for m in body["moves"] if m["after"]] == [1, 2, 3]
    assert sorted(m["before"] for m in body["moves"] if m["before"]) == [1, 2, 3]
    assert "LLM" in body["note"]
    assert api.get("/v1/users/ann/profile").json() == before
    assert api.get("/v1/users/ann/edits").json()["edits"] == []


def test_edits_that_cannot_be_are_problems(api: TestClient) -> None:
    api.get("/v1/users/ann/profile")
    bobs = api.get("/v1/users/bob/profile").json()["themes"][0]["id"]
    problem(edit(api, "nobody", kind="add", text="jazz"), 404, "not_found")
    problem(edit(api, kind="mute", target=bobs), 404, "not_found")
    problem(edit(api, kind="add", text="<script>alert(1)</script>"), 422, "bad_request")
    assert "religion" in problem(edit(api, kind="add", text="I'm Muslim"), 422, "bad_request").detail
    assert edit(api, kind="add", text="I'm Muslim", allow_sensitive=True).status_code == 200
    problem(edit(api, kind="add", text="x" * 500), 422, "invalid_input")
    problem(edit(api, kind="love", target="t"), 422, "invalid_input")
    problem(edit(api, address="edits/preview?k=0", kind="add", text="jazz"), 422, "invalid_input")
    problem(api.get("/v1/users/nobody/edits"), 404, "not_found")


def test_feedback_names_its_impression(api: TestClient) -> None:
    first, second = api.get("/v1/users/ann/recommendations", params={"k": 2}).json()["items"]
    assert first["impression"] != second["impression"]
    said = {"item": first["item"], "kind": "skip", "impression": first["impression"]}
    assert api.post("/v1/users/ann/feedback", json=said).json()["event"]["context"]["impression"] == first["impression"]
    wrong = {**said, "impression": second["impression"]}
    problem(api.post("/v1/users/ann/feedback", json=wrong), 404, "not_found")
    problem(api.post("/v1/users/bob/feedback", json=said), 404, "not_found")


def test_feedback_is_stored_and_marked_as_an_echo(api: TestClient) -> None:
    first = api.get("/v1/users/ann/recommendations", params={"k": 1}).json()["items"][0]["item"]
    api.app.state.clock = lambda: NOW.replace(hour=13)  # type: ignore[attr-defined]
    body = api.post("/v1/users/ann/feedback", json={"item": first, "kind": "like"}).json()
    assert body["recommended"] is True
    assert body["event"]["kind"] == "like"
    problem(api.post("/v1/users/ann/feedback", json={"item": "nowhere", "kind": "like"}), 404, "not_found")
    problem(api.post("/v1/users/ann/feedback", json={"item": first, "kind": "view"}), 422, "invalid_input")


def test_export_and_forget(api: TestClient) -> None:
    api.get("/v1/users/ann/profile")
    tables = api.get("/v1/users/ann/export").json()["tables"]
    assert {"events", "statements"} <= {name for name, found in tables.items() if found}
    gone = api.delete("/v1/users/ann").json()
    assert gone["user"] == "ann"
    assert sum(gone["rows"].values()) > 0
    for path in ("profile", "themes", "recommendations", "export", "why/x"):
        problem(api.get(f"/v1/users/ann/{path}"), 404, "not_found")
    problem(api.delete("/v1/users/ann"), 404, "not_found")


# How it is -----------------------------------------------------------------------------------------------------------


def test_health_and_readiness(api: TestClient, service: Service, llm: FakeLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api.get("/healthz").json() == {"status": "ok"}
    service.store.ingest([Item("new-1", "A new thing")])
    stale = api.get("/readyz").json()
    assert (stale["state"], stale["index"]["state"]) == ("degraded", "degraded")
    service.prepare()
    assert "does not offer" in api.get("/readyz").json()["llm"]["detail"]
    llm.settings = service.settings.llm
    assert api.get("/readyz").json()["state"] == "ok"
    llm.fail()
    away = api.get("/readyz")
    assert away.status_code == 200
    assert (away.json()["state"], away.json()["llm"]["state"]) == ("degraded", "degraded")

    def broken() -> Any:
        raise StoreError("disk full")

    monkeypatch.setattr(service.store, "catalogue_signature", broken)
    dead = api.get("/readyz")
    assert dead.status_code == 503
    assert dead.json()["store"] == {"state": "failed", "detail": "disk full"}


def test_a_silent_llm_does_not_hold_the_probe(
    api: TestClient, llm: FakeLLM, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow() -> list[str]:
        await asyncio.sleep(60)
        return []

    monkeypatch.setattr(health, "LLM_WAIT_S", 0.05)
    monkeypatch.setattr(llm, "models", slow)
    assert "in time" in api.get("/readyz").json()["llm"]["detail"]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ConflictError("saved meanwhile"), 409, "conflict"),
        (ErasedError("user was erased"), 410, "erased"),
        (BusyError("locked"), 503, "busy"),
        (StoreError("disk full"), 500, "store"),
        (LLMUnavailableError("away"), 503, "llm_unavailable"),
    ],
)
def test_our_errors_become_problems(
    api: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(service, "themes", fails)
    response = api.get("/v1/users/ann/themes")
    found = problem(response, status, code)
    assert found.detail == str(error)
    assert found.hint
    assert ("retry-after" in response.headers) == (status == 503)


def test_a_bug_is_logged_and_not_told(
    api: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(service, "themes", fails)
    response = api.get("/v1/users/ann/themes")
    problem(response, 500, "internal")
    assert "secret" not in response.text
    assert "secret" in caplog.text


def test_unknown_addresses_and_methods(api: TestClient) -> None:
    assert "openapi" in problem(api.get("/v2/anything"), 404, "not_found").hint
    refused = api.put("/v1/items")
    problem(refused, 405, "method_not_allowed")
    assert refused.headers["allow"] == "POST"
    problem(api.get("/docs"), 404, "not_found")


def test_only_names_of_this_machine_are_answered(api: TestClient) -> None:
    problem(api.get("/healthz", headers={"host": "evil.example"}), 421, "misdirected_request")
    for host in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
        assert api.get("/healthz", headers={"host": host}).status_code == 200
    for answer in (api.get("/healthz"), api.get("/v2"), api.get("/healthz", headers={"host": "evil.example"})):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


def test_the_application_opens_and_closes_its_own_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_service(tmp_path)
    closed: list[bool] = []
    monkeypatch.setattr(Service, "open", lambda _: made)
    monkeypatch.setattr(made, "close", lambda: closed.append(True))
    with TestClient(create_app(made.settings), base_url="http://localhost") as client:
        assert client.get("/v1/users/ann/export").status_code == 200
        assert not closed
    assert closed == [True]
    made.store.close()


# What it says of itself ------------------------------------------------------------------------------------------------


def _contents(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from operation.get("requestBody", {}).get("content", {}).values()
    for response in operation["responses"].values():
        yield from response.get("content", {}).values()


def test_openapi_examples_fit_their_schemas(api: TestClient) -> None:
    spec = api.get("/openapi.json").json()
    assert "HTTPValidationError" not in spec["components"]["schemas"]
    seen = 0
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            examples = [content for content in _contents(operation) if "example" in content]
            assert any("200" in operation["responses"] for _ in examples), f"{method} {path} has no example"
            for content in examples:
                schema = {**content["schema"], "components": spec["components"]}
                Draft202012Validator(schema).validate(content["example"])
                seen += 1
    assert len(spec["paths"]) == 22
    assert seen > 30


def test_rows_are_documented_as_what_they_should_be(api: TestClient) -> None:
    spec = api.get("/openapi.json").json()
    body = spec["paths"]["/v1/items"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["items"] == {"$ref": "#/components/schemas/ItemIn"}
    assert body["maxItems"] == 1000
    assert "/v1/users/{user}/profile" in spec["paths"]


# The page ------------------------------------------------------------------------------------------------------------


def test_the_page_lists_people_and_shows_one(api: TestClient) -> None:
    listed = api.get("/")
    assert listed.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in listed.headers["content-security-policy"]
    assert 'href="/?user=ann"' in listed.text
    shown = api.get("/", params={"user": "ann"}).text
    assert "Themes over time" in shown
    assert 'aria-current="page"' in shown
    assert "out of reach" not in shown


def test_the_page_without_an_llm_says_so(api: TestClient, llm: FakeLLM) -> None:
    llm.fail()
    shown = api.get("/", params={"user": "ann"}).text
    assert "out of reach" in shown
    assert "Recommended" in shown


def test_the_page_for_nobody_and_for_an_unknown_one(api: TestClient, tmp_path: Path) -> None:
    unknown = api.get("/", params={"user": "<b>x"})
    assert unknown.status_code == 404
    assert "&lt;b&gt;x" in unknown.text
    with (
        make_service(tmp_path / "empty", records=[]) as empty,
        TestClient(create_app(empty.settings, empty), base_url="http://localhost") as client,
    ):
        assert "leitmotif ingest" in client.get("/").text
