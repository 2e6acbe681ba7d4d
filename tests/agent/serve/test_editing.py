"""The forms of the page: what they do, what they only show, and who may send them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from agent.serve.api import create_app
from agent.service import Service
from tests.fakes import NOW

SAME = {"sec-fetch-site": "same-origin"}


@pytest.fixture
def browser(service: Service) -> Iterator[TestClient]:
    asyncio.run(service.profile("ann", now=NOW))
    app = create_app(service.settings, service, clock=lambda: NOW)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False, follow_redirects=False) as client:
        yield client


def send(browser: TestClient, headers: dict[str, str] = SAME, **fields: str) -> Any:
    return browser.post("/edits", data={"user": "ann", **fields}, headers=headers)


def test_every_statement_and_theme_has_buttons(browser: TestClient, service: Service) -> None:
    page = browser.get("/", params={"user": "ann"})
    profile = service.store.profile("ann")
    assert profile is not None
    targets = set(re.findall(r'name="target" value="([^"]+)"', page.text))
    assert targets == {s.id for s in profile.statements} | {t.id for t in profile.themes}
    kinds = set(re.findall(r'name="kind" value="(\w+)"', page.text))
    assert kinds == {"add", "reword", "delete", "mute", "pin", "boost"}
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert "<form" not in browser.get("/").text
    assert set(re.findall(r'<form method="post" action="([^"]+)"', page.text)) == {"/edits#hand"}


def test_a_button_does_it_and_leads_back(browser: TestClient, service: Service) -> None:
    profile = service.store.profile("ann")
    assert profile is not None
    done = send(browser, kind="mute", target=profile.themes[0].id)
    assert (done.status_code, done.headers["location"]) == (303, "/?user=ann")
    page = browser.get("/", params={"user": "ann"}).text
    assert '<span class="tag">muted</span>' in page
    assert 'value="clear">Not muted any more' in page
    assert send(browser, kind="add", text="old radio plays").status_code == 303
    assert "Likes old radio plays" in browser.get("/", params={"user": "ann"}).text


def test_a_preview_is_shown_and_can_be_done_after_it(browser: TestClient, service: Service) -> None:
    profile = service.store.profile("ann")
    assert profile is not None
    page = send(browser, kind="mute", target=profile.themes[0].id, preview="1")
    assert page.status_code == 200
    assert "nothing was stored" in page.text
    assert ">gone<" in page.text
    assert 'value="mute">Do it' in page.text
    assert service.store.edits("ann") == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "add", "text": "<script>alert(1)</script>"}, "link, markup or code"),
        ({"kind": "add", "text": "I&#39;m Muslim"}, "sensitive"),
        ({"kind": "add"}, "empty"),
        ({"kind": "mute", "target": "t-nowhere"}, "neither a statement nor a theme"),
        ({"kind": "love"}, "Input should be"),
    ],
)
def test_what_cannot_be_is_said_on_the_page(browser: TestClient, service: Service, fields: Any, said: str) -> None:
    page = send(browser, **{**fields, "text": fields.get("text", "").replace("&#39;", "'")})
    assert page.status_code == 422
    assert said in page.text.partition('id="hand"')[2]  # where the browser scrolls to
    assert "<script>alert" not in page.text
    assert service.store.edits("ann") == []


@pytest.mark.parametrize("site", [None, "cross-site", "same-site", "none"])
def test_only_the_page_itself_can_send_a_form(browser: TestClient, service: Service, site: str | None) -> None:
    refused = send(browser, {"sec-fetch-site": site} if site else {}, kind="add", text="old radio plays")
    assert refused.status_code == 403
    assert service.store.edits("ann") == []


def test_a_form_of_another_kind_or_person_is_refused(browser: TestClient) -> None:
    assert browser.post("/edits", json={"user": "ann"}, headers=SAME).status_code == 415
    assert send(browser, user="nobody", kind="add", text="jazz").status_code == 404
