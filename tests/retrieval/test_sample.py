"""The sample catalogue and its people: complete, consistent and rebuilt byte for byte."""

import json
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

SAMPLE = Path(__file__).resolve().parents[2] / "retrieval" / "sample"
DOMAINS = {"film", "book", "game", "music", "article", "course", "travel"}
KINDS = {"view", "click", "purchase", "rate", "like", "dislike", "hide", "share", "search"}


def read_lines(name: str) -> list[dict[str, Any]]:
    """All rows of one of the JSON-lines files."""
    return [json.loads(line) for line in (SAMPLE / name).read_text(encoding="utf-8").splitlines()]


ITEMS = read_lines("items.jsonl")
EVENTS = read_lines("events.jsonl")
PLANTED = json.loads((SAMPLE / "planted.json").read_text(encoding="utf-8"))
PLAN = json.loads((SAMPLE / "people.json").read_text(encoding="utf-8"))


def touched(user: str) -> set[str]:
    """Every item one person has any event on."""
    return {event["item"] for event in EVENTS if event["user"] == user and event["item"]}


def test_counts() -> None:
    per_domain = Counter(item["categories"][0] for item in ITEMS)
    assert set(per_domain) == DOMAINS
    assert min(per_domain.values()) >= 36
    assert len(ITEMS) >= 252
    per_user = Counter(event["user"] for event in EVENTS)
    assert len(per_user) >= 14
    assert all(40 <= count <= 80 for count in per_user.values()), per_user
    assert sum(event["kind"] == "rate" and event["text"] is not None for event in EVENTS) >= 90
    assert sum(event["kind"] == "search" for event in EVENTS) >= 60


def test_ids_are_unique() -> None:
    assert len({item["id"] for item in ITEMS}) == len(ITEMS)
    assert len({event["id"] for event in EVENTS}) == len(EVENTS)
    interests = [i["id"] for user in PLANTED["users"].values() for i in user["interests"]]
    assert len(set(interests)) == len(interests)


def test_items_are_well_formed() -> None:
    for item in ITEMS:
        assert set(item) == {"id", "title", "text", "categories", "tags", "published_at"}
        assert item["id"].split("-")[0] == item["categories"][0]
        assert 2 <= len(item["categories"]) <= 3, item["id"]
        assert 3 <= len(item["tags"]) <= 6, item["id"]
        assert len(set(item["tags"])) == len(item["tags"]), item["id"]
        assert all(tag == tag.lower() for tag in item["tags"]), item["id"]
        datetime.strptime(item["published_at"], "%Y-%m-%dT%H:%M:%SZ")
        assert item["published_at"] < "2026-01-01"


def test_texts_are_distinct() -> None:
    texts = [item["text"] for item in ITEMS]
    assert len(set(texts)) == len(texts)
    assert len({item["title"] for item in ITEMS}) == len(ITEMS)
    openings = Counter(" ".join(text.split()[:4]) for text in texts)
    assert max(openings.values()) <= 2, openings.most_common(3)
    written = [event["text"] for event in EVENTS if event["text"]]
    assert len(set(written)) == len(written)


def test_events_are_well_formed() -> None:
    known = {item["id"] for item in ITEMS}
    for event in EVENTS:
        assert set(event) == {"id", "user", "item", "kind", "value", "at", "text", "context"}
        assert event["kind"] in KINDS
        assert (event["item"] is None) == (event["kind"] == "search"), event["id"]
        assert event["item"] is None or event["item"] in known, event["id"]
        assert (event["value"] is not None) == (event["kind"] == "rate"), event["id"]
        assert event["value"] is None or 0.5 <= event["value"] <= 5.0
        assert event["kind"] != "search" or event["text"]


def test_events_are_ordered_and_in_range() -> None:
    keys = [(event["user"], event["at"]) for event in EVENTS]
    assert keys == sorted(keys)
    for event in EVENTS:
        datetime.strptime(event["at"], "%Y-%m-%dT%H:%M:%SZ")
        assert "2026-01-01T00:00:00Z" <= event["at"] <= "2026-10-31T23:59:59Z"


def test_every_review_and_query_of_the_plan_is_used_once() -> None:
    interests = [i for person in PLAN["people"] for i in person["interests"]]
    texts = [r["text"] for i in interests for r in i["reviews"]]
    texts += [query["text"] for i in interests for query in i["queries"]]
    assert sorted(texts) == sorted(event["text"] for event in EVENTS if event["text"])


def test_subjects_span_domains() -> None:
    for name, subject in PLANTED["subjects"].items():
        assert len(subject["items"]) >= 8, name
        assert len({item.split("-")[0] for item in subject["items"]}) >= 3, name
    covered = {item for subject in PLANTED["subjects"].values() for item in subject["items"]}
    assert covered == {item["id"] for item in ITEMS}


def test_interests_leave_items_to_recommend() -> None:
    for user, planted in PLANTED["users"].items():
        seen = touched(user)
        for interest in planted["interests"]:
            assert interest["items"], interest["id"]
            assert set(interest["items"]) <= seen, interest["id"]
            left = set(PLANTED["subjects"][interest["subject"]]["items"]) - seen
            assert len(left) >= 3, (interest["id"], left)


def test_planted_dates_agree() -> None:
    for user, planted in PLANTED["users"].items():
        ids = {interest["id"] for interest in planted["interests"]}
        for interest in planted["interests"]:
            flat = [day for phase in interest["phases"] for day in phase]
            assert flat == sorted(flat), interest["id"]
            assert interest["started"] == flat[0]
            assert interest["ended"] in (None, flat[-1])
        for change in planted["changes"]:
            named = [change["interest"], change.get("by"), *change.get("into", [])]
            assert {name for name in [*named, *change.get("from", [])] if name} <= ids, user


def test_every_kind_of_change_is_planted() -> None:
    kinds = {change["kind"] for user in PLANTED["users"].values() for change in user["changes"]}
    assert kinds == {"born", "faded", "revived", "split", "merged", "contradicted", "one-off"}


def test_build_reproduces_the_files(tmp_path: Path) -> None:
    command = [sys.executable, str(SAMPLE / "build.py"), "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    for name in ("events.jsonl", "planted.json"):
        assert (tmp_path / name).read_bytes() == (SAMPLE / name).read_bytes(), name
