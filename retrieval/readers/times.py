"""Times as logs write them: ISO 8601, epoch seconds, milliseconds or finer, dates and years; out comes aware UTC."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, time, timedelta

from retrieval.readers.source import BadRowError
from retrieval.records import utc

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST_SECONDS = 1e11  # the year 5138: a larger epoch counts milliseconds, or their thousandths
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", re.ASCII)
_COMPACT_DATE = re.compile(r"(19|20)\d{6}", re.ASCII)  # as an epoch it would be a day in the early 1970s
_YEAR = re.compile(r"[12]\d{3}(\.0)?", re.ASCII)


def moment(value: object, field: str, *, years: bool = False) -> datetime:
    """`value` as UTC; naive times are UTC. `years` also takes a bare year, as 1 January. Raises BadRowError."""
    if isinstance(value, datetime):
        return _in_utc(value, field)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadRowError(f"{field} is missing" if value is None else f"{field} is not a time")
    text = str(value).strip()[:60]  # no time is longer, and a longer number is out of range all the same
    if not text:
        raise BadRowError(f"{field} is missing")
    if years and _YEAR.fullmatch(text):
        return datetime(int(text[:4]), 1, 1, tzinfo=UTC)
    if _NUMBER.fullmatch(text) and not _COMPACT_DATE.fullmatch(text):
        return _from_epoch(float(text), field)
    return _from_iso(text, field)


def _from_epoch(seconds: float, field: str) -> datetime:
    if seconds < 0 and field == "at":
        raise BadRowError(f"at '{seconds:g}' is before 1970")
    for _ in range(3):  # milli, micro, nano
        if abs(seconds) > _LARGEST_SECONDS:
            seconds /= 1000
    if not math.isfinite(seconds) or abs(seconds) > _LARGEST_SECONDS:
        raise BadRowError(f"{field} '{seconds:g}' is not a time")
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        raise BadRowError(f"{field} '{seconds:g}' is not a time") from None


def _from_iso(text: str, field: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        printable = text.encode("ascii", "replace").decode()[:40]
        raise BadRowError(f"{field} '{printable}' is not a time: ISO 8601 or epoch seconds") from None
    return _in_utc(parsed, field)


def _in_utc(value: datetime, field: str) -> datetime:
    try:
        return utc(value)
    except OverflowError:  # the year 1 with an offset ahead of UTC
        raise BadRowError(f"{field} is not a time") from None
