"""What is deleted stays away: from old versions and portraits, from updates that were under way, and from theme ids."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from agent.control import Wish
from agent.protocol import ChatRequest, RawChat
from agent.service import Service
from retrieval.records import EditKind, Profile
from retrieval.store import ConflictError, ErasedError
from tests.fakes import DAY, NOW, FakeLLM, act, catalogue, make_service

WHAT = ["film-1", "film-2", "book-1", "book-2", "course-1", "course-2"]
EVENTS = [act("ann", 3 * n, f"noir-{what}") for n, what in enumerate(WHAT)]
EVENTS += [act("ann", 20 + 3 * n, f"bread-{what}") for n, what in enumerate(WHAT)]


class Interrupting(FakeLLM):
    """Does something else when it is first asked with a prompt."""

    def __init__(self, prompt: str, then: Callable[[], object]) -> None:
        super().__init__()
        self._prompt, self._then = prompt, then

    async def _chat(self, request: ChatRequest) -> RawChat:
        answer = await super()._chat(request)
        if self._prompt and self.asked(self._prompt):
            self._prompt = ""
            self._then()
        return answer


def build(service: Service, days: int = 0) -> Profile:
    return asyncio.run(service.profile("ann", now=NOW + days * DAY))


def edit(service: Service, kind: EditKind, target: str) -> None:
    asyncio.run(service.control.edit("ann", Wish(kind, target), now=NOW + DAY))


def stored(service: Service, table: str) -> str:
    return json.dumps(service.store.export_user("ann")[table])


@pytest.mark.parametrize("whole", [True, False], ids=["theme", "statement"])
def test_no_version_shows_what_was_deleted(tmp_path: Path, whole: bool) -> None:
    with make_service(tmp_path, records=[*catalogue(), *EVENTS[:-2]]) as service:
        build(service)
        service.ingest_records(EVENTS[-2:])
        profile = build(service, days=1)
        assert profile.version == 2
        theme = next(t for t in profile.themes if "bread" in t.label.lower() or "baking" in t.label.lower())
        labels = {t.label for v in (1, 2) for t in _at(service, v).themes if t.id == theme.id}
        assert any(label.lower() in _at(service, 1).portrait.lower() for label in labels)
        for target in (theme.id,) if whole else theme.statements:
            edit(service, EditKind.DELETE, target)
        for version in (1, 2, 3):
            shown = _at(service, version)
            assert theme.id not in {t.id for t in shown.themes}
            assert not [label for label in labels if label.lower() in shown.portrait.lower()]
            assert not [s for s in shown.statements if "bread" in s.evidence[0]]
        assert _at(service, 3).portrait


def _at(service: Service, version: int) -> Profile:
    found = service.store.profile_at("ann", version)
    assert found is not None
    return found


@pytest.mark.parametrize("prompt", ["write_statement", "label_theme", "write_portrait"])
def test_an_update_under_way_does_not_bring_back_a_deleted_event(tmp_path: Path, prompt: str) -> None:
    gone = EVENTS[1].id
    llm = Interrupting(prompt, lambda: service.lives("ann").withdraw("ann", [gone]))
    with make_service(tmp_path, llm, [*catalogue(), *EVENTS]) as service:
        with suppress(ConflictError):  # or it was early enough to go on without the event
            build(service)
        for table in ("statements", "theme_events", "events", "profiles"):
            assert gone not in stored(service, table)
        saved = service.store.theme_state("ann")
        assert saved is None or gone.encode() not in saved.state
        again = build(service, days=1)
        assert again.statements
        assert gone not in stored(service, "statements") + stored(service, "theme_events")


@pytest.mark.parametrize("prompt", ["write_statement", "label_theme", "write_portrait"])
def test_an_update_under_way_does_not_bring_back_an_erased_user(tmp_path: Path, prompt: str) -> None:
    llm = Interrupting(prompt, lambda: service.store.forget_user("ann", scrub=False))
    with make_service(tmp_path, llm, [*catalogue(), *EVENTS]) as service:
        with pytest.raises(ErasedError):
            build(service)
        assert not [table for table, rows in service.store.export_user("ann").items() if rows]


def test_a_theme_without_its_founding_event_gets_an_id_that_was_never_used_and_keeps_its_marks(tmp_path: Path) -> None:
    with make_service(tmp_path, records=[*catalogue(), *EVENTS]) as service:
        before = build(service)
        theme = next(t for t in before.themes if any("noir" in e for e in _evidence(before, t.statements)))
        edit(service, EditKind.MUTE, theme.id)
        service.lives("ann").withdraw("ann", [EVENTS[0].id])
        after = build(service, days=2)
        heir = next(t for t in after.themes if any("noir" in e for e in _evidence(after, t.statements)))
        assert heir.id not in {t.id for t in before.themes}
        assert {t.id for t in after.themes if t.id != heir.id} <= {t.id for t in before.themes}
        assert service.control.marks(after).silent >= set(heir.statements)


def _evidence(profile: Profile, ids: tuple[str, ...]) -> list[str]:
    return [e for s in profile.statements if s.id in ids for e in s.evidence]
