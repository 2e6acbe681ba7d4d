"""Which column of somebody's table is which field of ours: said by `--map`, or guessed from usual names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

from retrieval.readers.source import BadRowError, Numbered, ReadError

_HINT = "name the columns, as in --map user=userId,item=movieId,at=timestamp,value=rating,kind=:rate"

# Names compared without case, blanks and punctuation, the best first. From MovieLens, RecBole, Amazon Reviews 2014 to
# 2023, MIND and Goodreads. "parent_asin" before "asin": it is what Amazon's item table is keyed by.
_ITEM_ID = "itemid item movieid parentasin asin productid newsid bookid"
_EVENT_NAMES = {
    "id": "eventid id",
    "user": "userid user reviewerid customerid",
    "item": _ITEM_ID,
    "kind": "kind eventtype event action",
    "value": "value rating score stars overall",
    "at": "at timestamp time datetime date createdat unixreviewtime",
    "text": "text reviewtext review query body",
}
_ITEM_NAMES = {
    "id": f"id {_ITEM_ID}",
    "title": "title movietitle itemname name booktitle",
    "text": "text description abstract review overview summary",
    "categories": "categories category genres genre class",
    "tags": "tags keywords",
    "url": "url link",
    "image": "image imageurl",
    "published_at": "publishedat published releasedate publicationdate releaseyear year",
}


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """For each of our fields the source's column, ":text" for a constant, or None. With `user` the rows are events."""

    id: str | None = None
    user: str | None = None
    item: str | None = None
    kind: str | None = None
    value: str | None = None
    at: str | None = None
    text: str | None = None
    title: str | None = None
    categories: str | None = None
    tags: str | None = None
    url: str | None = None
    image: str | None = None
    published_at: str | None = None

    @classmethod
    def parse(cls, text: str) -> ColumnMap:
        """`text` as written after --map: "user=userId,item=movieId,kind=:rate". Raises ReadError."""
        known = [field.name for field in fields(cls)]
        found: dict[str, str] = {}
        for part in text.split(","):
            name, equals, source = (piece.strip() for piece in part.partition("="))
            if not equals or not source or name not in known or name in found:
                raise ReadError(f"column map: cannot use '{part.strip()}'", hint=f"{_HINT}; fields: {', '.join(known)}")
            found[name] = source
        return cls(**found)

    @classmethod
    def guess(cls, header: Iterable[str]) -> ColumnMap:
        """The map that the usual names suggest; fields without such a column are left out."""
        there = {_plain(name): name for name in header}
        names = _EVENT_NAMES if _first(there, _EVENT_NAMES["user"]) else _ITEM_NAMES
        return cls(**{field: _first(there, aliases) for field, aliases in names.items()})

    @property
    def is_events(self) -> bool:
        return self.user is not None

    def sources(self) -> dict[str, str]:
        """Our field -> column or ":constant", for the fields that are set. In a table of items `item` means `id`."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        if not self.is_events:
            found["id"], found["item"] = found["id"] or found["item"], None
        return {name: source for name, source in found.items() if source is not None}

    def columns(self) -> list[str]:
        """The columns that are needed of the source, each once."""
        return list(dict.fromkeys(source for source in self.sources().values() if not source.startswith(":")))

    def check(self, file: str, header: Sequence[str]) -> None:
        """Raises ReadError when a mapped column is not in the header or a field that must be there is not mapped."""
        found = self.sources()
        missing = [column for column in self.columns() if column not in header]
        if missing:
            raise ReadError(f"{file} has no column '{missing[0]}', only {', '.join(header)}"[:500], hint=_HINT)
        needed = ("user", "at") if self.is_events else ("id", "title")
        unmapped = [field for field in needed if field not in found]
        if self.is_events and not {"item", "text"} & found.keys():
            unmapped.append("item")
        if unmapped:
            what = "events" if self.is_events else "items"
            raise ReadError(f"{file}: no column for {' and '.join(unmapped)} of the {what}", hint=_HINT)

    def rename(self, rows: Iterable[Numbered]) -> Iterator[Numbered]:
        """The rows keyed by our field names."""
        constants = {field: source[1:] for field, source in self.sources().items() if source.startswith(":")}
        taken = {field: source for field, source in self.sources().items() if field not in constants}
        for line, row in rows:
            if not isinstance(row, BadRowError):
                row = constants | {field: row.get(source) for field, source in taken.items()}
            yield line, row


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _first(there: dict[str, str], aliases: str) -> str | None:
    return next((there[alias] for alias in aliases.split() if alias in there), None)
