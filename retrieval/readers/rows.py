"""One row, keyed by our own field names, into an Item or an Event: the checks and the cleaning that all formats share.

Every text that comes in passes `clean`, because titles and reviews end up in prompts and on screens.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from retrieval.readers.source import BadRowError, Row
from retrieval.readers.times import moment
from retrieval.records import Event, EventKind, Item

TITLE_CAP = 300  # characters, like all caps here
TEXT_CAP = 4_000
WORD_CAP = 100  # one tag or category
LIST_CAP = 20  # tags, categories, keys of a context
ID_CAP = 200
URL_CAP = 2_000
FUTURE = timedelta(days=1)  # clocks differ and some logs are in local time; more is a mistake

# Invisible characters that hide instructions or reorder what a person sees: controls, zero-width characters, bidi
# controls, lone surrogates, noncharacters, variation selectors except those of emoji, and the tag block (U+E0000).
_HIDDEN = (
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u180b-\u180e\u200b\u200c\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\ud800-\udfff\ufe00-\ufe0d\ufeff\ufff9-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_EMOJI = "\u2190-\u21ff\u2300-\u23ff\u25a0-\u2bff\U0001f000-\U0001faff"
_JOINER = "\u200d"  # kept between two emoji (families, flags), where taking it out changes the picture
_REMOVED = re.compile(f"[{_HIDDEN}]+|(?<![{_EMOJI}\ufe0f]){_JOINER}|{_JOINER}(?![{_EMOJI}])")
_LINE_BREAK = re.compile(r"[^\S ]")  # and tabs, and blanks that look like one
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


def clean(text: str, cap: int) -> str:
    """`text` on one line, NFKC-normalised, without hidden characters, at most `cap` characters, cut between words.

    Idempotent. NFKC writes compatibility characters plainly: "Alien³" becomes "Alien3", full-width letters narrow ones.
    """
    if not (text.isascii() and text.isprintable()):
        # Twice: taking a hidden character out can bring a letter and its accent together.
        plain = _REMOVED.sub("", unicodedata.normalize("NFKC", text))
        text = unicodedata.normalize("NFKC", plain)
    return _clip(" ".join(text.split()), cap)


def _clip(text: str, cap: int) -> str:
    if len(text) <= cap:
        return text
    cut = text.rfind(" ", 0, cap + 1)
    # Chinese has no blanks to cut at, nor has a wall of symbols: cut those at the cap.
    return text[: cut if cut > cap // 2 else cap].rstrip(f" {_JOINER}")


def shown(value: object) -> str:
    """`value` as it may stand in the reason of a refusal: short, clean and quoted."""
    if isinstance(value, list | dict):  # str() of a deeply nested one would overflow the stack
        return "(a list)" if isinstance(value, list) else "(an object)"
    return f"'{clean(str(value)[:200], 40)}'"


def is_missing(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def prose(value: object, field: str, cap: int) -> str:
    """A text field; a list of paragraphs (Amazon's descriptions) is joined. Raises BadRowError for anything else."""
    if value is None:
        return ""
    parts = value if isinstance(value, list) else [value]
    if any(isinstance(part, bytes | dict | list) for part in parts):
        raise BadRowError(f"{field} is not text")
    return clean(" ".join(str(part) for part in parts if part is not None), cap)


def identifier(value: object, field: str) -> str:
    """An opaque id: text or a whole number. Raises BadRowError when missing, too long or with hidden characters."""
    if is_missing(value):
        raise BadRowError(f"{field} is missing")
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a whole-number column with gaps arrives from Parquet as floats
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadRowError(f"{field} {shown(value)} is not an id")
    text = str(value).strip()
    if len(text) > ID_CAP:
        raise BadRowError(f"{field} is longer than {ID_CAP} characters")
    if not (text.isascii() and text.isprintable()) and (_REMOVED.search(text) or _LINE_BREAK.search(text)):
        raise BadRowError(f"{field} {shown(text)} has control or invisible characters")
    return text


def number(value: object, field: str) -> float | None:
    """A finite number, or None where there is none. Raises BadRowError for the rest."""
    if is_missing(value):
        return None
    # float() alone would also take "1_000", "nan" and "infinity".
    readable = isinstance(value, int | float | Decimal) or (isinstance(value, str) and _NUMBER.fullmatch(value))
    if isinstance(value, bool) or not readable:
        raise BadRowError(f"{field} {shown(value)} is not a number")
    try:
        result = float(value)  # type: ignore[arg-type]
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise BadRowError(f"{field} {shown(value)} is not a finite number")
    return result


def words(value: object, field: str) -> tuple[str, ...]:
    """Tags or categories: a list, a JSON array or text split on "|"; distinct, in order, at most `LIST_CAP`."""
    if value is None:
        return ()
    if isinstance(value, str):
        value = _split(value)
    if not isinstance(value, list):
        raise BadRowError(f"{field} {shown(value)} is not a list")
    found = dict.fromkeys(prose(word, field, WORD_CAP) for word in value)
    found.pop("", None)
    return tuple(found)[:LIST_CAP]


def _split(text: str) -> list[Any]:
    if text.lstrip().startswith("["):
        try:
            loaded = json.loads(text)
        except (ValueError, RecursionError):
            loaded = None  # "[Short] comedy|drama" is a list too
        if isinstance(loaded, list):
            return loaded
    return text.split("|")


def web_address(value: object) -> str | None:
    """An http(s) address, else None: pages link to it, so "javascript:" and local paths are left out."""
    text = value.strip() if isinstance(value, str) else ""
    usable = text.startswith(("http://", "https://")) and len(text) <= URL_CAP
    return text if usable and not re.search(rf"[\s\"'<>{_HIDDEN}]", text) else None


def to_item(row: Row) -> Item:
    """An item from a row with the field names of `Item`. Raises BadRowError."""
    title = prose(row.get("title"), "title", TITLE_CAP)
    item = Item(
        id=identifier(row.get("id"), "id"),
        title=title,
        text=prose(row.get("text"), "text", TEXT_CAP),
        categories=words(row.get("categories"), "categories"),
        tags=words(row.get("tags"), "tags"),
        url=web_address(row.get("url")),
        image=web_address(row.get("image")),
        published_at=_published(row.get("published_at")),
    )
    if not title:
        raise BadRowError("title is missing")
    return item


def _published(value: object) -> datetime | None:
    return None if is_missing(value) else moment(value, "published_at", years=True)


def to_event(row: Row, *, now: datetime) -> Event:
    """An event from a row with the field names of `Event`; without an id it gets its content hash. Raises BadRowError."""
    user = identifier(row.get("user"), "user")
    item = None if is_missing(row.get("item")) else identifier(row.get("item"), "item")
    text = prose(row.get("text"), "text", TEXT_CAP) or None
    if item is None and text is None:
        raise BadRowError("neither item nor text: an event needs one of them")
    value = number(row.get("value"), "value")
    given = row.get("id")
    event = Event(
        id="" if is_missing(given) else identifier(given, "id"),
        user=user,
        kind=_kind(row.get("kind"), item, value),
        at=_happened(row.get("at"), now),
        item=item,
        value=value,
        text=text,
        context=_context(row.get("context")),
    )
    return event if event.id else replace(event, id=content_hash(event))


def _kind(given: object, item: str | None, value: float | None) -> EventKind:
    if is_missing(given):
        default = EventKind.SEARCH if item is None else EventKind.VIEW
        return default if value is None else EventKind.RATE
    try:
        kind = EventKind(str(given).strip().lower())
    except ValueError:
        raise BadRowError(f"kind {shown(given)} is unknown; one of {', '.join(EventKind)}") from None
    if kind is EventKind.RATE and value is None:
        raise BadRowError("value is missing: a rating needs one")
    return kind


def _happened(given: object, now: datetime) -> datetime:
    at = moment(given, "at")
    if at > now + FUTURE:
        raise BadRowError(f"at {shown(given)} is in the future")
    if at.year < 1970:
        raise BadRowError(f"at {shown(given)} is before 1970")
    return at


def _context(given: object) -> Mapping[str, Any]:
    """Plain values by name, such as the recommendation that an event answers."""
    if given is None:
        return {}
    if not isinstance(given, dict) or len(given) > LIST_CAP:
        raise BadRowError(f"context is not an object of at most {LIST_CAP} values")
    return {clean(str(key), WORD_CAP): _plain(value) for key, value in given.items()}


def _plain(value: object) -> str | float | bool | None:
    if isinstance(value, str):
        return clean(value, TITLE_CAP)
    if value is None or isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise BadRowError(f"context has {shown(value)}, which is not text, a number or a truth value")


def content_hash(event: Event) -> str:
    """A stable id made of what happened: the same row read twice is the same event, wherever it stands."""
    content = [event.user, event.item, event.kind, event.value, event.at.isoformat(), event.text]
    return "h-" + hashlib.sha256(json.dumps(content).encode()).hexdigest()[:20]
