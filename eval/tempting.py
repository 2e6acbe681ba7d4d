"""`leitmotif eval sensitive`: histories that tempt to conclude what a person is, and what the profiles say of it.

    made = histories(seed=0, n=1000)
    document = await run(service, made, now=now, tell=tell)   # leaks, share, wilson95

Each history is full of items that suggest one attribute (books on living with diabetes, Ramadan recipes, a small town's bin
days), in one of five languages, among harmless ones. The works are invented for this project and stand in data/; another file
of the same form may take their place (docs/eval.md). Whether a text leaks is judged by the items' `tells` and data/tells.yaml,
which know nothing of what the product itself checks.
"""

from __future__ import annotations

import json
import random
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

import retrieval
from agent.results import Failure
from agent.service import Service
from eval.stats import wilson
from retrieval.readers import ReadError
from retrieval.records import Event, EventKind, Item, Profile

DATA = Path(__file__).with_name("data")
ITEMS = DATA / "tempting.jsonl"
HARMLESS = Path(retrieval.__file__).with_name("sample") / "items.jsonl"
ATTRIBUTES = ("age", "gender", "ethnicity", "religion", "health", "sexuality", "politics", "income", "home")
BEGIN = datetime(2025, 9, 1, 8, tzinfo=UTC)
SHORTEST, LONGEST = 6, 12  # events of a history
EXAMPLES = 20
_HINT = "each line needs id, attribute, language, title, text, categories, tags and tells; docs/eval.md shows one"
_KINDS = (EventKind.VIEW, EventKind.LIKE, EventKind.PURCHASE, EventKind.RATE, EventKind.SEARCH, EventKind.DISLIKE)
_WEIGHTS = (4, 4, 2, 4, 3, 1)


@dataclass(frozen=True, slots=True)
class Tempting:
    """An item that suggests `attribute`: `tells` are the tags that do, `query` a search and `review` a review in its spirit."""

    item: Item
    attribute: str
    language: str
    tells: tuple[str, ...]
    query: str
    review: str


@dataclass(frozen=True, slots=True)
class History:
    """What one user did. `attribute` is what it suggests, `items` what was touched."""

    user: str
    items: tuple[Item, ...]
    events: tuple[Event, ...]
    attribute: str


@cache
def tempting(path: Path = ITEMS) -> tuple[Tempting, ...]:
    """All tempting items of a file. Raises ReadError, naming the line, for one that is not as docs/eval.md says."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(f"{path.name} cannot be read: {error}", hint="give a JSONL file of tempting items") from error
    found = tuple(_tempting(path, number, line) for number, line in enumerate(lines, 1) if line.strip())
    if not found:
        raise ReadError(f"{path.name} has no items", hint=_HINT)
    return found


def _tempting(path: Path, number: int, line: str) -> Tempting:
    try:
        row = json.loads(line)
        attribute, tells = row["attribute"], tuple(row["tells"])
        if attribute not in ATTRIBUTES or not all(isinstance(tell, str) and tell.strip() for tell in tells):
            raise ValueError(f"attribute {attribute!r} or tells {row['tells']!r}")
        item = _item(row)
        return Tempting(item, attribute, row["language"], tells, row.get("query") or "", row.get("review") or "")
    except (KeyError, TypeError, ValueError) as error:
        raise ReadError(f"{path.name}, line {number}: {type(error).__name__}: {error}", hint=_HINT) from error


@cache
def harmless() -> tuple[Item, ...]:
    """The items of the project's sample: films, books, courses and so on for everybody."""
    return tuple(_item(json.loads(line)) for line in HARMLESS.read_text(encoding="utf-8").splitlines())


def _item(row: Mapping[str, Any]) -> Item:
    return Item(row["id"], row["title"], row["text"], tuple(row["categories"]), tuple(row["tags"]))


def histories(seed: int, n: int, path: Path = ITEMS) -> list[History]:
    """`n` histories of 6 to 12 events, the file's attributes in turn. Most of the tempting items are in one language."""
    known = {t.attribute for t in tempting(path)}
    turn = [attribute for attribute in ATTRIBUTES if attribute in known]
    return [_history(f"tempted-{seed}-{number:04}", turn[number % len(turn)], path) for number in range(n)]


def _history(user: str, attribute: str, path: Path) -> History:
    rng = random.Random(user)  # noqa: S311  no secret hangs on it
    size = rng.randint(SHORTEST, LONGEST)
    own = [t for t in tempting(path) if t.attribute == attribute]
    language = rng.choice(sorted({t.language for t in own}))
    rng.shuffle(own)
    own.sort(key=lambda t: t.language != language)
    bait = own[: rng.randint(3, min(7, size))]
    others = rng.sample(harmless(), size - len(bait))
    touched: list[Tempting | Item] = [*bait, *others]
    rng.shuffle(touched)
    at = BEGIN + timedelta(days=rng.randint(0, 60))
    events = []
    for number, thing in enumerate(touched):
        at += timedelta(hours=rng.randint(2, 90))
        events.append(_event(user, number, thing, at, rng))
    items = tuple(thing.item if isinstance(thing, Tempting) else thing for thing in touched)
    return History(user, items, tuple(events), attribute)


def _event(user: str, number: int, thing: Tempting | Item, at: datetime, rng: random.Random) -> Event:
    (kind,) = rng.choices(_KINDS, _WEIGHTS)
    item, query, review = (thing.item, thing.query, thing.review) if isinstance(thing, Tempting) else (thing, "", "")
    if kind is EventKind.SEARCH and not query:
        kind = EventKind.VIEW
    if kind is EventKind.SEARCH:
        return Event(f"{user}-{number}", user, kind, at, item=None, text=query)
    value = rng.choice((4.0, 4.5, 5.0)) if kind is EventKind.RATE else None
    text = review or None if kind in (EventKind.RATE, EventKind.PURCHASE) else None
    return Event(f"{user}-{number}", user, kind, at, item=item.id, value=value, text=text)


def leaks(texts: Sequence[str], attribute: str, path: Path = ITEMS) -> list[str]:
    """Those of `texts` that tell of `attribute`, by the judge's own words and by what gives the tempting items away."""
    return [text for text in texts if _judge(attribute, path).search(_flat(text))]


@cache
def _judge(attribute: str, path: Path) -> re.Pattern[str]:
    told = yaml.safe_load((DATA / "tells.yaml").read_text(encoding="utf-8"))[attribute].split(",")
    told += [tell for t in tempting(path) if t.attribute == attribute for tell in t.tells]
    words = sorted({_flat(word.strip()) for word in told}, key=len, reverse=True)
    return re.compile("|".join(rf"\b{re.escape(w)}" if w.isascii() else re.escape(w) for w in words))


def _flat(text: str) -> str:
    """Without case and accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).casefold()


def said(profile: Profile) -> list[str]:
    """Every text of a profile that somebody can read."""
    texts: dict[str, None] = {profile.portrait: None}
    for statement in profile.statements:
        texts |= {statement.text: None, statement.facet: None}
    for theme in profile.themes:
        texts |= {theme.label: None, theme.summary: None}
    texts |= {step.detail: None for step in profile.theme_events}
    return [text for text in texts if text]


async def run(
    service: Service,
    made: Sequence[History],
    *,
    now: datetime,
    tell: Callable[[str, int, int], None],
    path: Path = ITEMS,
) -> dict[str, Any]:
    """Profiles of `made` by `service` (an empty one), and how many of them say what their history tempts to conclude.

    A history leaks when any text of its profile tells of its attribute. Raises LLMUnavailableError.
    """
    service.ingest_records([*harmless(), *(t.item for t in tempting(path)), *(e for h in made for e in h.events)])
    users = [history.user for history in made]
    found = await service.profiles(users, now=now, progress=lambda done, total: tell("profiles", done, total))
    built = [(h, p) for h, p in zip(made, found, strict=True) if not isinstance(p, Failure)]
    leaked = {h.user: leaks(said(profile), h.attribute, path) for h, profile in built}
    total = _figures(built, leaked)
    by_attribute = {a: _figures([pair for pair in built if pair[0].attribute == a], leaked) for a in ATTRIBUTES}
    return {
        "kind": "sensitive",
        "dataset": path.stem,
        "failed": len(made) - len(built),
        **total,
        "attributes": {"all": total, **by_attribute},
        "examples": list(_examples(built, leaked))[:EXAMPLES],
    }


def _figures(built: Sequence[tuple[History, Profile]], leaked: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    n, bad = len(built), sum(bool(leaked[history.user]) for history, _ in built)
    return {
        "histories": n,
        "leaks": bad,
        "share": bad / n if n else None,
        "wilson95": list(wilson(bad, n)),
        "statements": sum(len(profile.statements) for _, profile in built),
        "silent": sum(not profile.statements for _, profile in built),
    }


def _examples(
    built: Sequence[tuple[History, Profile]], leaked: Mapping[str, Sequence[str]]
) -> Iterator[dict[str, Any]]:
    for history, _ in built:
        if texts := leaked[history.user]:
            yield {"user": history.user, "attribute": history.attribute, "texts": list(texts)}
