"""Pairs of a profile and an item: balanced, apart by split, and true to the examples that they are made of."""

from __future__ import annotations

from collections import Counter

from agent.notes import item_line
from agent.tuning.examples import StatementExample, load
from agent.tuning.pairs import MOST_LIKES, made
from agent.tuning.render import render_pair

EXAMPLES = load()
PAIRS = made(EXAMPLES)
SHOWS = {
    item_line(event.kind, event.title, event.features): (example.answer, example.input.polarity == "like")
    for example in EXAMPLES
    if isinstance(example, StatementExample) and example.answer
    for event in example.input.events
    if event.title
}


def test_as_many_fit_as_do_not() -> None:
    counts = Counter((p.split, p.fits) for p in PAIRS)
    for split in ("train", "dev", "test"):
        assert counts[split, True] == counts[split, False] > 50


def test_what_fits_shows_a_taste_of_the_person() -> None:
    for pair in PAIRS[::41]:
        answer, liked = SHOWS[pair.item]
        assert (answer in pair.likes) is pair.fits
        assert pair.fits is False or liked
        assert 1 <= len(pair.likes) <= MOST_LIKES


def test_no_item_is_in_two_splits() -> None:
    splits: dict[str, set[str]] = {}
    for pair in PAIRS:
        splits.setdefault(pair.item, set()).add(pair.split)
    assert all(len(found) == 1 for found in splits.values())


def test_the_same_seed_gives_the_same_pairs() -> None:
    assert made(EXAMPLES) == PAIRS
    assert made(EXAMPLES, seed=1) != PAIRS


def test_a_pair_is_asked_in_one_token() -> None:
    rendered = render_pair(next(p for p in PAIRS if p.fits))
    text = rendered.prompt.text(**rendered.variables)
    assert text.startswith("likes: ")
    assert text.endswith("\nfits:")
    assert rendered.answer == " yes"
