"""The schemas: they read records, say everything but centroids, and describe themselves."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from agent.results import ColdStart
from agent.serve import edits, incoming, present, schemas
from agent.service import Service
from retrieval import records
from retrieval.records import (
    Citation,
    Event,
    EventKind,
    Horizon,
    Item,
    Origin,
    Polarity,
    Profile,
    Recommendation,
    Source,
    Statement,
    Theme,
    ThemeEvent,
    ThemeEventKind,
)

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
STATEMENT = Statement(
    "s-1", "ann", "Likes jazz", Polarity.LIKE, "jazz", ("e-1",), AT, AT, Horizon.LONG, Source.INFERRED, Origin.MODEL, 0.5,
    "write@1", "tiny", AT,
)  # fmt: skip
THEME = Theme("t-1", "ann", "Jazz", "Likes jazz", Polarity.LIKE, ("s-1",), "s-1", (0.6, 0.8), 1.0)
STEP = ThemeEvent("t-1", ThemeEventKind.BORN, AT)
PROFILE = Profile("ann", AT, 1, (STATEMENT,), (THEME,), "Mostly jazz.", theme_events=(STEP,), events_seen=1)
REC = Recommendation(
    "i-2", 1, 0.5, {"prior": 0.5}, "Jazz.", citations=(Citation("s-1", ("e-1",), ("i-1", "gone")),), theme="t-1"
)
PAIRS = [
    (schemas.ItemOut, records.Item, set()),
    (schemas.EventOut, records.Event, set()),
    (schemas.StatementOut, records.Statement, {"user", "segment"}),
    (schemas.ThemeOut, records.Theme, {"user", "centroid"}),
    (schemas.ThemeEventOut, records.ThemeEvent, set()),
    (schemas.ProfileOut, records.Profile, set()),
    (schemas.QuestionOut, records.Question, set()),
    (edits.EditOut, records.Edit, {"user", "statements", "evidence"}),
    (schemas.RefusalOut, records.Refusal, set()),
]


@pytest.mark.parametrize(("out", "record", "left_out"), PAIRS, ids=lambda part: getattr(part, "__name__", ""))
def test_nothing_of_a_record_is_forgotten(out: type[BaseModel], record: type, left_out: set[str]) -> None:
    assert {f.name for f in fields(record)} - left_out <= set(out.model_fields)


def test_a_profile_goes_out_whole_and_without_centroids() -> None:
    out = json.loads(schemas.ProfileOut.model_validate(PROFILE).model_dump_json())
    assert out["statements"][0]["evidence"] == ["e-1"]
    assert out["themes"][0]["label"] == "Jazz"
    assert out["theme_events"][0]["kind"] == "born"
    assert "centroid" not in json.dumps(out)


@pytest.mark.parametrize("at", [AT, AT.replace(tzinfo=None), AT.astimezone(timezone(timedelta(hours=5)))])
def test_times_are_iso_utc(at: datetime) -> None:
    event = schemas.EventOut.model_validate(Event("e", "ann", EventKind.VIEW, at))
    assert json.loads(event.model_dump_json())["at"] == "2026-01-01T12:00:00Z"


def test_a_recommendation_carries_titles_and_texts() -> None:
    items = {"i-1": Item("i-1", "Blue"), "i-2": Item("i-2", "Green", url="https://example.org/2")}
    out = present.recommendation(REC, items, PROFILE)
    assert (out.title, out.theme_label, out.url) == ("Green", "Jazz", "https://example.org/2")
    assert out.citations[0].text == "Likes jazz"
    assert [(ref.id, ref.title) for ref in out.citations[0].items] == [("i-1", "Blue"), ("gone", "gone")]


def test_a_recommendation_without_a_stored_profile() -> None:
    out = present.recommendation(replace(REC, degraded=("profile",)), {}, None)
    assert (out.title, out.theme, out.theme_label, out.citations[0].text) == ("i-2", "t-1", None, None)


def test_a_cold_start(service: Service) -> None:
    out = present.cold_start(service, 5, ColdStart(PROFILE, (("gore", "too short"),), (REC,)))
    assert (out.k, out.ignored[0].text, out.items[0].theme_label) == (5, "gore", "Jazz")


def test_every_schema_says_what_it_is() -> None:
    found = [m for m in vars(schemas).values() if isinstance(m, type) and issubclass(m, schemas.Out)]
    assert len(found) > 20
    assert all(m.__doc__ for m in found)
    assert all(m.model_json_schema() for m in found)


def test_schemas_are_frozen() -> None:
    with pytest.raises(ValidationError):
        schemas.ErrorOut(error="x").error = "y"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("model", "row"),
    [
        (incoming.ItemIn, {"id": "a", "title": "A", "colour": "red"}),
        (incoming.ItemIn, {"id": "", "title": "A"}),
        (incoming.ItemIn, {"id": "a" * 201, "title": "A"}),
        (incoming.ItemIn, {"id": "a", "title": "A", "tags": ["t"] * 21}),
        (incoming.EventIn, {"user": "ann", "at": "2026-01-01", "kind": "stare"}),
        (incoming.EventIn, {"user": "ann", "at": "soon"}),
        (incoming.EventIn, {"user": "ann", "at": "2026-01-01", "value": "nan"}),
        (incoming.EventIn, {"user": "ann", "at": "2026-01-01", "context": {"a": [1]}}),
    ],
)
def test_what_comes_in_is_bounded(model: type[BaseModel], row: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(row)


def test_the_sample_comes_in() -> None:
    folder = Path(__file__).parents[3] / "retrieval" / "sample"
    for name, model in (("items", incoming.ItemIn), ("events", incoming.EventIn)):
        rows = (folder / f"{name}.jsonl").read_text("utf-8").splitlines()
        assert [model.model_validate_json(row) for row in rows]
