"""What tells by its meaning: decided by the nearest short phrase, and only where it is near."""

from __future__ import annotations

import numpy as np
import pytest

from agent import sensitive_meaning
from agent.sensitive import ATTRIBUTES, HARMLESS, attribute, contents, entries
from agent.sensitive_meaning import telling
from retrieval.embed import HashEmbedder

EMBED = HashEmbedder(256).embed


def test_a_phrase_that_tells_is_found_and_a_harmless_one_is_not() -> None:
    assert telling(["kidney disease", "jazz piano", "qwertz"], EMBED) == {"kidney disease"}


def test_nothing_is_found_among_nothing() -> None:
    assert telling([], EMBED) == frozenset()


def test_what_is_as_near_to_a_harmless_phrase_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    alike = {**dict.fromkeys(ATTRIBUTES, "kidney disease"), HARMLESS: "jazz piano, kidney disease"}
    monkeypatch.setattr(sensitive_meaning, "contents", lambda: {"alike": alike})
    assert telling(["kidney disease"], EMBED) == frozenset()


def test_a_row_of_zeros_is_near_to_nothing() -> None:
    assert telling(["", "?"], lambda texts: np.zeros((len(texts), 4), dtype=np.float32)) == frozenset()


def test_no_harmless_phrase_is_one_that_the_list_refuses() -> None:
    alike = contents()["alike"]
    assert set(alike) == {*ATTRIBUTES, HARMLESS}
    assert [phrase for phrase in entries(alike[HARMLESS]) if attribute(phrase)] == []
