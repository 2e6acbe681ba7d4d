"""A dataset of many short histories with titles only, cut out of one of few long histories.

    python -m eval.stand_in ml-latest-small stand-in
    leitmotif eval rank stand-in/pieces.test.inter --candidates stand-in/pieces.random

For want of an open dataset of the form that LLMRank (arXiv 2305.08845) tests on: RecBole sequence files and, for each
user, a line of candidates. A "user" here is a run of consecutive events of somebody, so several users share a person:
levels mean little, differences between systems something.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from eval.cases import distinct
from retrieval.readers import read
from retrieval.records import Event, Item

NAME = "pieces"
PIECES = 6_000
SHORTEST, LONGEST = 5, 60
MEAN_BEYOND = 5  # events of a piece beyond the shortest, on average, as in Amazon's categories after 5-core
CANDIDATES = 100
SEED = 0

Pieces = list[tuple[str, ...]]


def cut(histories: Sequence[Sequence[str]], rng: np.random.Generator, most: int = PIECES) -> Pieces:
    """Runs of consecutive items, SHORTEST to LONGEST long by a geometric law, in random order, `most` of them."""
    found: Pieces = []
    for history in histories:
        start = 0
        while start + SHORTEST <= len(history):
            length = min(SHORTEST - 1 + int(rng.geometric(1 / MEAN_BEYOND)), LONGEST)
            found.append(tuple(history[start : start + length]))
            start += length
    whole = [piece for piece in found if len(piece) >= SHORTEST]
    return [whole[place] for place in rng.permutation(len(whole))[:most]]


def write(folder: Path, titles: dict[str, str], pieces: Pieces, rng: np.random.Generator) -> None:
    """The three files: items, tested sequences, CANDIDATES random items for each that the user never touched."""
    folder.mkdir(parents=True, exist_ok=True)
    items = ["item_id:token\ttitle:token_seq"] + [f"{item}\t{title}" for item, title in titles.items()]
    tested, drawn = ["user_id:token\titem_id_list:token_seq\titem_id:token"], []
    for user, (*history, target) in enumerate(pieces):
        tested.append(f"{user}\t{' '.join(history)}\t{target}")
        free = sorted(titles.keys() - {*history, target})
        drawn.append(f"{user}\t{' '.join(rng.choice(free, CANDIDATES, replace=False))}")
    for name, lines in (("item", items), ("test.inter", tested), ("random", drawn)):
        (folder / f"{NAME}.{name}").write_text("\n".join(lines) + "\n", "utf-8")


def main(source: Path, folder: Path) -> None:
    """Reads `source` as `ingest` does, and writes the pieces to `folder`."""
    rng, events, titles = np.random.default_rng(SEED), list[Event](), dict[str, str]()
    for record in read(source, now=datetime.now(UTC), tags=False):
        if isinstance(record, Event):
            events.append(record)
        elif isinstance(record, Item):
            titles[record.id] = record.title
    by_user: dict[str, list[str]] = {}
    for event in sorted(events, key=lambda event: event.at):
        if event.item in titles:
            by_user.setdefault(event.user, []).append(event.item)
    pieces = cut([distinct(history) for history in by_user.values()], rng)
    write(folder, titles, pieces, rng)
    print(f"{len(pieces):,} histories of {len(titles):,} items: {folder / NAME}.test.inter")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
