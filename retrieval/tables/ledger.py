"""What was asked of the LLM (counts and hashes, never texts) and what was shown to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import case, func, insert, select

from retrieval.records import Recommendation
from retrieval.schema import impressions, llm_calls
from retrieval.tables.database import Database, row_of, upsert
from retrieval.tables.meta import erased_among, refuse_erased


@dataclass(frozen=True, slots=True)
class LLMCall:
    """One request. `prompt` is name@version, `prompt_sha256` the hash of the rendered text; `latency_s` in seconds."""

    id: str
    at: datetime
    prompt: str
    prompt_sha256: str
    model: str
    kind: Literal["complete", "score"]
    user: str | None
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    latency_s: float
    attempts: int
    outcome: Literal["ok", "repaired", "invalid", "unavailable"]
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True)
class LLMTotals:
    """Sums over calls; `by_prompt` has the same sums for each prompt (name@version)."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    repaired: int = 0
    invalid: int = 0
    unavailable: int = 0
    latency_s: float = 0.0
    by_prompt: Mapping[str, LLMTotals] = field(default_factory=dict, hash=False)


class Ledger(Database):
    def log_llm_calls(self, calls: Sequence[LLMCall]) -> None:
        """Append. A call for a user who was erased meanwhile is kept without the user: it still cost tokens."""
        with self._write() as conn:
            erased = erased_among(conn, {call.user for call in calls if call.user is not None})
            kept = [replace(call, user=None) if call.user in erased else call for call in calls]
            upsert(conn, llm_calls, [row_of(llm_calls, call) for call in kept])

    def llm_totals(self, since: datetime | None = None) -> LLMTotals:
        query = select(llm_calls.c.prompt, *_SUMS).group_by(llm_calls.c.prompt).order_by(llm_calls.c.prompt)
        if since is not None:
            query = query.where(llm_calls.c.at >= since)
        with self._read() as conn:
            by_prompt = {row["prompt"]: _totals(row) for row in conn.execute(query).mappings()}
        sums = {name: sum(getattr(part, name) for part in by_prompt.values()) for name in _NAMES}
        return LLMTotals(**sums, by_prompt=by_prompt)

    def log_impressions(
        self, user: str, at: datetime, recommendations: Sequence[Recommendation], query: str | None = None
    ) -> list[Recommendation]:
        """Remember what was shown, where and with which propensity, for off-policy evaluation; each comes back with the id of
        its impression. Raises ErasedError."""
        rows = [row_of(impressions, shown, user=user, at=at, query=query, id=None) for shown in recommendations]
        for row in rows:
            del row["id"]  # the database counts
        with self._write() as conn:
            refuse_erased(conn, user)
            if not rows:
                return []
            made = conn.execute(insert(impressions).returning(impressions.c.id, sort_by_parameter_order=True), rows)
            return [replace(r, impression=i) for r, i in zip(recommendations, made.scalars(), strict=True)]

    def impression(self, user: str, item: str, *, before: datetime, id: int | None = None) -> int | None:  # noqa: A002
        """The latest time (or that one) that we showed the item to the user at or before a moment: then an event with it is
        partly our own doing. None where we never did."""
        mine = (impressions.c.user == user, impressions.c.item == item, impressions.c.at <= before)
        query = select(func.max(impressions.c.id)).where(*mine)
        with self._read() as conn:
            return conn.execute(query if id is None else query.where(impressions.c.id == id)).scalar()


def _outcome(word: str) -> Any:
    return func.sum(case((llm_calls.c.outcome == word, 1), else_=0)).label(word)


_SUMS = [
    func.count().label("calls"),
    *(func.sum(llm_calls.c[name]).label(name) for name in ("tokens_in", "tokens_out", "tokens_cached", "latency_s")),
    *(_outcome(word) for word in ("repaired", "invalid", "unavailable")),
]
_NAMES = [column.name for column in _SUMS]


def _totals(row: Mapping[Any, Any]) -> LLMTotals:
    return LLMTotals(**{name: row[name] for name in _NAMES})
