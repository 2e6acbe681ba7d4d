"""Text that comes in: what `clean` takes out, keeps and cuts."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.readers import clean

ODD = st.text(
    st.one_of(
        st.characters(),
        st.characters(categories=["Cs", "Cf", "Cc", "Mn"]),
        st.sampled_from("\u200d\u200b\ufe0f\u0301\u0338 a=←😀👩❤ⓐ½\n\x00\ufeff\U000e0041"),
    ),
    max_size=60,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ODD, st.integers(0, 40))
def test_clean_is_idempotent_normalised_and_within_its_cap(text: str, cap: int) -> None:
    once = clean(text, cap)
    assert clean(once, cap) == once
    assert len(once) <= cap
    assert unicodedata.is_normalized("NFKC", once)
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in once)
    assert not set(once) & set("\u200b\u200c\u200e\u200f\u202a\u202e\u2066\u2069\ufeff\U000e0041")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("  The\tMatrix \r\n (1999) ", "The Matrix (1999)"),
        ("ig\u200bnore\u202e this\x00", "ignore this"),
        ("e\u200b\u0301t\ud800e\u0301", "été"),
        ("Alien³ ｆｕｌｌ", "Alien3 full"),
        ("花样年华 👩‍👩‍👧 🏳️‍🌈 ❤️", "花样年华 👩‍👩‍👧 🏳️‍🌈 ❤️"),
        ("a\u200db", "ab"),
    ],
)
def test_clean_removes_what_hides_and_keeps_what_is_seen(given: str, expected: str) -> None:
    assert clean(given, 300) == expected


def test_clean_cuts_between_words_and_text_without_blanks_at_the_cap() -> None:
    assert clean("one two three", 9) == "one two"
    assert clean("one two three", 7) == "one two"
    assert clean("花" * 10, 4) == "花" * 4
