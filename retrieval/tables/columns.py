"""Column types that turn database values into the values of our records, the same way on SQLite and PostgreSQL.

With them a row maps to a record by name: `Event(**row)`. No mapping code has to be kept in step by hand.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, LargeBinary, MetaData, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

# PostgreSQL sorts text by locale; ids break ties in time order, so they must sort by byte everywhere.
ID = Text().with_variant(Text(collation="C"), "postgresql")


def dump_json(value: Any) -> str:
    """Canonical ASCII JSON: equal values give equal text. Raises ValueError or TypeError for what is not JSON."""
    return json.dumps(value, allow_nan=False, sort_keys=True, separators=(",", ":"))


class UtcTime(TypeDecorator[datetime]):
    """Microseconds since 1970 as an integer: exact, sortable, and without a time zone to lose."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        if value is None:
            return None
        return ((value.replace(tzinfo=UTC) if value.tzinfo is None else value) - EPOCH) // MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else EPOCH + timedelta(microseconds=value)


class Json(TypeDecorator[dict[str, Any]]):
    """A JSON object as text. Not the JSON type of the database: PostgreSQL refuses NUL in it, we must not."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:  # noqa: ARG002
        return dump_json(dict(value or {}))

    def process_result_value(self, value: str | None, dialect: Dialect) -> dict[str, Any]:  # noqa: ARG002
        return json.loads(value) if value else {}


class Strings(TypeDecorator[tuple[str, ...]]):
    """A tuple of strings as a JSON array."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:  # noqa: ARG002
        return dump_json(list(value or ()))

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...]:  # noqa: ARG002
        return tuple(json.loads(value)) if value else ()


class Floats(TypeDecorator[tuple[float, ...]]):
    """A vector as little-endian float32 bytes: a tuple of floats comes back rounded to float32."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes:  # noqa: ARG002
        return np.asarray(value, dtype="<f4").tobytes()

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> tuple[float, ...]:  # noqa: ARG002
        return tuple(np.frombuffer(value or b"", dtype="<f4").tolist())


class Word(TypeDecorator[StrEnum]):
    """One word of a closed set, kept as its text so that a database can be read without our code."""

    impl = Text
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else self.words(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:  # noqa: ARG002
        return None if value is None else self.words(value)


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)
