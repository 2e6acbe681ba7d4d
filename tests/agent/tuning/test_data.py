"""The examples that ship: enough of them, of every kind, no two alike, and nothing of a held-out split in training."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

from agent.tuning.examples import HELD_OUT, Example, ReasonExample, SelfExample, StatementExample, load
from agent.tuning.render import render

ALIKE = 0.7  # Jaccard of the words of two examples: more is a copy with a word changed
EXAMPLES = load()


def written(example: Example) -> str:
    """Prompt and answer in one text."""
    rendered = render(example)
    return f"{rendered.messages[-1].content} {rendered.answer}"


def titles(example: Example) -> Iterator[str]:
    match example:
        case StatementExample(input=given):
            yield from (e.title for e in given.events if e.title)
        case ReasonExample(input=grounds):
            yield from (e.title for e in grounds.evidence if e.title)
            yield grounds.item.title
        case _:
            return


def said(example: Example) -> str:
    return render(example).answer if example.answer else ""


def test_there_are_enough_of_every_kind() -> None:
    assert len(EXAMPLES) >= 2500
    tasks = Counter(e.task for e in EXAMPLES)
    assert min(tasks.values()) >= 150
    assert len({e.domain for e in EXAMPLES}) >= 12
    hard = sum(e.case != "plain" for e in EXAMPLES)
    assert hard >= len(EXAMPLES) / 8
    assert {e.case for e in EXAMPLES} == {"plain", "incoherent", "one-off", "sensitive", "instruction", "against"}
    foreign = Counter(e.language for e in EXAMPLES if e.language != "en")
    assert sum(foreign.values()) >= 0.1 * len(EXAMPLES)
    assert foreign.keys() == {"de", "es", "fr", "zh"}


def test_ids_are_unique_and_each_says_where_it_comes_from() -> None:
    assert len({e.id for e in EXAMPLES}) == len(EXAMPLES)
    assert all(e.origin for e in EXAMPLES)


def test_two_domains_are_never_trained_on() -> None:
    held = [e for e in EXAMPLES if e.domain in HELD_OUT]
    assert {e.domain for e in held} == set(HELD_OUT)
    assert {e.split for e in held} == {"test"}


def test_no_item_is_in_two_splits() -> None:
    splits: dict[str, set[str]] = {}
    for example in EXAMPLES:
        for title in titles(example):
            splits.setdefault(title.casefold(), set()).add(example.split)
    assert not {title for title, found in splits.items() if len(found) > 1}


def test_no_two_answers_are_the_same() -> None:
    answers = Counter((e.task, said(e)) for e in EXAMPLES if e.answer)
    assert not {answer for answer, count in answers.items() if count > 1}


def test_no_two_examples_are_near_copies() -> None:
    vectors = CountVectorizer(binary=True, token_pattern=r"(?u)\b\w+\b").fit_transform(map(written, EXAMPLES))
    vectors = vectors.astype(np.float32)
    sizes = np.asarray(vectors.sum(axis=1)).ravel()
    shared = (vectors @ vectors.T).tocoo()
    jaccard = shared.data / (sizes[shared.row] + sizes[shared.col] - shared.data)
    abstains = np.array([not e.answer for e in EXAMPLES])
    near = (jaccard > ALIKE) & (shared.row < shared.col) & ~(abstains[shared.row] & abstains[shared.col])
    pairs = [(EXAMPLES[i].id, EXAMPLES[j].id) for i, j in zip(shared.row[near], shared.col[near], strict=True)]
    assert not pairs


@pytest.mark.parametrize("example", [e for e in EXAMPLES if isinstance(e, SelfExample)], ids=lambda e: e.id)
def test_what_is_read_from_a_self_description_is_copied(example: SelfExample) -> None:
    assert all(piece.text in example.input.text for piece in example.answer)


def test_no_way_of_putting_it_is_a_template() -> None:
    """What remains of a phrase when the words that carry meaning are left out is said in few others."""
    phrases = [e.answer for e in EXAMPLES if isinstance(e, StatementExample) and e.answer and e.language == "en"]
    frames = Counter(
        " ".join(w if w in ENGLISH_STOP_WORDS else "_" for w in re.findall(r"\w+", p.lower())) for p in phrases
    )
    told = {re.sub(r"(_ )+_", "_", f): 0 for f in frames if set(f.split()) - {"_"}}
    for frame, count in frames.items():
        if (short := re.sub(r"(_ )+_", "_", frame)) in told:
            told[short] += count
    assert max(told.values()) <= 0.1 * len(phrases)
    assert len(told) >= 0.2 * len(phrases)
