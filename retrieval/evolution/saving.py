"""A state as JSON text and back. Only the oldest snapshot and the points since are written; the rest is folded again.

Vectors are float32 bytes in base64, so what comes back is the same to the byte.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from retrieval.evolution.groups import Group
from retrieval.evolution.lifecycle import Core
from retrieval.evolution.model import EvolutionRules, Member, Point, Vectors
from retrieval.evolution.state import Entry, Past, State, refold
from retrieval.records import Polarity, ThemeEvent, ThemeEventKind

VERSION = 4


def to_json(state: State) -> str:
    """One line of JSON, the same for the same state."""
    past = state.past
    found = {
        "version": VERSION,
        "user": state.user,
        "now": state.now,
        "rules": past.rules and asdict(past.rules),
        "settled": past.settled,
        "log": [_entry(e) for e in past.log],
        "waiting": [_entry(e) for e in past.waiting],
        "core": _core(past.cores[0]),
    }
    return json.dumps(found, default=_plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def from_json(text: str) -> State:
    """The state that `to_json` wrote. Raises ValueError when it is of another version: replay the points then."""
    found = json.loads(text)
    if found.get("version") != VERSION:
        raise ValueError(f"a state of version {found.get('version')}, not {VERSION}: replay the points")
    settled = tuple((id_, _time(at), weight) for id_, at, weight in found["settled"])
    log, waiting = (tuple(_to_entry(e) for e in found[name]) for name in ("log", "waiting"))
    rules = found["rules"] and _to_rules(found["rules"])
    if rules is None:
        return State.empty(found["user"])
    return refold(found["user"], _time(found["now"]), Past(settled, log, (_to_core(found["core"]),), waiting, rules))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, np.ndarray):
        return b64encode(value.astype(np.float32).tobytes()).decode()
    raise TypeError(type(value).__name__)


def _entry(entry: Entry) -> list[object]:
    p = entry.point
    return [p.id, p.at, p.polarity, p.weight, entry.vector]


def _to_entry(row: list[Any]) -> Entry:
    return Entry(Point(row[0], _time(row[1]), Polarity(row[2]), row[3]), _vector(row[4]))


def _core(core: Core) -> dict[str, object]:
    """`asdict` would copy a hundred thousand labels one by one."""
    return {f.name: getattr(core, f.name) for f in fields(core)} | {
        "groups": [_group(g) for g in core.groups],
        "events": [asdict(e) for e in core.events],
    }


def _group(group: Group) -> dict[str, object]:
    return {f.name: getattr(group, f.name) for f in fields(group)} | {
        "window": [[m.id, m.place, m.visit, m.at, m.vector, m.sitting] for m in group.window],
        "bridges": sorted(group.bridges.items()),
    }


def _to_group(row: dict[str, Any]) -> Group:
    return Group(**row | {
        "polarity": Polarity(row["polarity"]),
        "last_at": _time(row["last_at"]),
        "total": _vector(row["total"]),
        "window": tuple(Member(m[0], m[1], m[2], _time(m[3]), _vector(m[4]), m[5]) for m in row["window"]),
        "bridges": {int(serial): seen for serial, seen in row["bridges"]},
        "was": tuple((id_, _vector(vector)) for id_, vector in row["was"]),
    })  # fmt: skip


def _to_core(row: dict[str, Any]) -> Core:
    events = [
        ThemeEvent(
            e["theme"], ThemeEventKind(e["kind"]), _time(e["at"]), tuple(e["sources"]), e["detail"], tuple(e["causes"])
        )
        for e in row["events"]
    ]
    last_at = row["last_at"] and _time(row["last_at"])
    return Core(**row | {"last_at": last_at, "groups": [_to_group(g) for g in row["groups"]], "events": events})


def _to_rules(row: dict[str, Any]) -> EvolutionRules:
    return EvolutionRules(**row | {
        "burst": timedelta(seconds=row["burst"]),
        "visit": timedelta(seconds=row["visit"]),
        "gift": timedelta(seconds=row["gift"]),
        "sitting": timedelta(seconds=row["sitting"]),
        "quiet": timedelta(seconds=row["quiet"]),
        "split_looks": tuple(row["split_looks"]),
    })  # fmt: skip


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _vector(text: str) -> Vectors:
    return np.frombuffer(b64decode(text), dtype=np.float32)
