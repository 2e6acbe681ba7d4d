"""MovieLens folders (ml-latest-small, ml-latest, 20M, 25M, 32M): movies.csv, ratings.csv and, if there, tags.csv.

Tags describe the movie here and are nobody's evidence: what somebody else wrote about a film says nothing of the user.
They carry no time either, so an evaluation that cuts at a moment reads with `tags=False`: later tags would leak.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

from retrieval.readers.rows import TITLE_CAP, WORD_CAP, prose, to_event, to_item
from retrieval.readers.source import BadRowError, Numbered, ReadError, Record, Row, convert, table
from retrieval.records import Event, Item, Refusal

FILES = ("movies.csv", "ratings.csv")
TAGS = "tags.csv"
_TAG_LIMIT = 8
_OF_THE_TAGGER = re.compile(
    r"netflix|\b(?:dvd|vhs|bd-r|clv)\b|^(?:seen|own|owned|watched|to see|watch)\b"
)  # not of the film
_NO_GENRES = "(no genres listed)"

_ARTICLES = "The|A|An|Le|La|Les|L'|Un|Une|Il|Lo|I|Gli|El|Los|Las|Der|Die|Das|Ein|Eine|Den|Det|De|Het|O|Os|As"
_TRAILING = re.compile(rf"(^|\()((?:a\.k\.a\. )?)([^()]+), ({_ARTICLES})(?=\)|: | \(|$)")
_YEAR = re.compile(r"\((\d{4})(?:[-–]\d{0,4})?\)$", re.ASCII)  # the first year of a series "(2006–2007)"


def read(path: Path, *, now: datetime, tags: bool) -> Iterator[Record]:
    """All movies, then all ratings; `tags=False` leaves the tags of movies out. The ids are those of MovieLens."""
    tagged: dict[str, Counter[str]] = {}
    if tags and (path / TAGS).is_file():
        yield from _count_tags(path / TAGS, tagged)
    yield from convert(FILES[0], _rows(path / FILES[0], "movieId", "title", "genres"), partial(_movie, tagged=tagged))
    ratings = _rows(path / FILES[1], "userId", "movieId", "rating", "timestamp")
    yield from convert(FILES[1], ratings, partial(_rating, now=now))


def _rows(path: Path, *needed: str) -> Iterator[Numbered]:
    header, rows = table(path, delimiter=",", quoted=True)
    missing = [name for name in needed if name not in header]
    if missing:
        raise ReadError(f"{path.name} has no column {missing[0]}: not MovieLens", hint="use --format csv with --map")
    return rows


def _count_tags(path: Path, tagged: dict[str, Counter[str]]) -> Iterator[Refusal]:
    """Counts into `tagged`, by movie; yields what is refused. Memory grows with the distinct tags of the movies."""
    for line, row in _rows(path, "movieId", "tag"):
        try:
            if isinstance(row, BadRowError):
                raise row
            tag = prose(row["tag"], "tag", WORD_CAP).lower()
        except BadRowError as bad:
            yield Refusal(path.name, line, str(bad))
        else:
            said = tag and not _OF_THE_TAGGER.search(tag)
            tagged.setdefault(str(row["movieId"]), Counter()).update([tag] if said else [])


def _movie(row: Row, *, tagged: Mapping[str, Counter[str]]) -> Item:
    title = prose(row["title"], "title", TITLE_CAP)
    year = _YEAR.search(title)
    genres = str(row["genres"]).lower()
    return to_item(
        {
            "id": row["movieId"],
            "title": natural_title(title),
            "categories": "film" if genres == _NO_GENRES else f"film|{genres}",
            "tags": [tag for tag, _ in tagged.get(str(row["movieId"]), Counter()).most_common(_TAG_LIMIT)],
            "published_at": year and year[1],
        }
    )


def _rating(row: Row, *, now: datetime) -> Event:
    user, movie, at = row["userId"], row["movieId"], row["timestamp"]
    event = {"id": f"ml-{user}-{movie}-{at}", "user": user, "item": movie, "kind": "rate", "value": row["rating"]}
    return to_event(event | {"at": at}, now=now)


def natural_title(title: str) -> str:
    """ "Matrix, The (1999)" as people say it: "The Matrix (1999)", original titles in brackets too."""
    return _TRAILING.sub(_article_first, title)


def _article_first(match: re.Match[str]) -> str:
    bracket, alias, rest, article = match.groups()
    return f"{bracket}{alias}{article}{'' if article.endswith(chr(39)) else ' '}{rest}"
