"""The judge: how a statement is cut into claims, which facts carry one, and that what it cannot read is unsupported."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.claims import Judge, statement_keys
from eval.facts import Fact, Scale, facts
from retrieval.embed import HashEmbedder
from retrieval.records import Event, EventKind, Item, Polarity

START = datetime(2026, 1, 1, tzinfo=UTC)
LIKE, DISLIKE = Polarity.LIKE, Polarity.DISLIKE
ITEMS = {
    item.id: item
    for item in (
        Item("thaw", "The Long Thaw", "An inspector in a cold fjord.", ("film", "mystery"), ("slow-burn", "iceland")),
        Item("ledger", "White Ledger", "A slow winter.", ("film", "mystery"), ("slow-burn", "norway")),
        Item("coat", "A Coat", "A cold case on the coast.", ("book", "mystery"), ("iceland", "cold case")),
        Item("sea", "Deep Water", "Whales.", ("film", "documentary"), ("deep sea", "science")),
        Item("mars", "Red Horizon", "A base on Mars.", ("book", "science fiction"), ("mars",)),
        Item("gore", "Crop Mother", "Straw figures.", ("film", "horror"), ("gore", "folk horror")),
        Item("cave", "We Counted Six", "A cave.", ("film", "horror"), ("gore", "cave")),
    )
}
JUDGE = Judge(ITEMS.values())


def act(item: str | None, kind: EventKind = EventKind.LIKE, day: int = 0, **more: object) -> Event:
    return Event(f"{item}-{kind}-{day}-{more.get('text', '')}", "ann", kind, START + timedelta(day), item, **more)  # type: ignore[arg-type]


def known(*events: Event) -> tuple[Fact, ...]:
    return facts(events, ITEMS)


def cut(statement: str, polarity: Polarity | None = None) -> list[tuple[str, Polarity]]:
    return [(claim.text, claim.polarity) for claim in JUDGE.cut(statement, polarity)]


def holds(statement: str, evidence: Sequence[Fact], polarity: Polarity | None = None) -> list[bool]:
    return [JUDGE.supported(claim, evidence, evidence) for claim in JUDGE.cut(statement, polarity)]


ALL = known(*(act(item) for item in ("thaw", "ledger", "coat", "sea", "mars")))


# --- cutting ----------------------------------------------------------------------------------------------------------


def test_a_statement_falls_into_its_qualities_and_the_kind_of_thing() -> None:
    found = cut("Likes slow-burn mystery films set in Iceland")
    assert found == [("slow burn", LIKE), ("mystery films", LIKE), ("iceland", LIKE)]


def test_a_kind_joined_to_a_kind_takes_over_what_is_said_of_it() -> None:
    assert cut("Likes mystery films and books") == [("mystery films", LIKE), ("mystery books", LIKE)]


def test_features_of_the_catalogue_stay_whole() -> None:
    assert cut("Enjoys science fiction and the deep sea") == [("science fiction", LIKE), ("deep sea", LIKE)]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("The user does not like horror films", [("horror films", DISLIKE)]),
        ("Likes mystery films without gore", [("mystery films", LIKE), ("gore", DISLIKE)]),
        ("She enjoys mystery but dislikes gore", [("mystery", LIKE), ("gore", DISLIKE)]),
        ("No le gusta el gore", [("gore", DISLIKE)]),
        ("不喜欢恐怖电影", [("恐怖 films", DISLIKE)]),
    ],
)
def test_the_side_is_read_from_the_words(statement: str, expected: list[tuple[str, Polarity]]) -> None:
    assert cut(statement) == expected


def test_the_side_that_a_system_states_counts_more_than_its_words() -> None:
    assert cut("Dislikes gore", LIKE) == [("gore", LIKE)]


def test_quotes_are_one_claim_each() -> None:
    assert cut("Is looking for “sea caves” and “tide pools”") == [("sea caves", LIKE), ("tide pools", LIKE)]


@given(st.text(max_size=80))
@settings(max_examples=200)
def test_any_text_has_at_least_one_claim_and_nothing_supports_nonsense_without_evidence(text: str) -> None:
    claims = JUDGE.cut(text)
    assert claims
    assert not any(JUDGE.supported(claim, (), ()) for claim in claims)


# --- support ----------------------------------------------------------------------------------------------------------


def test_two_items_make_a_taste_and_one_does_not() -> None:
    assert holds("Likes slow-burn mystery films set in Iceland", ALL) == [True, True, True]
    assert holds("Likes mystery books", ALL) == [False]


def test_touching_one_item_often_is_still_one_item() -> None:
    often = known(
        *(act("coat", kind, day) for day, kind in enumerate([EventKind.VIEW, EventKind.CLICK, EventKind.LIKE]))
    )
    assert holds("Likes a cold case", often) == [False]


def test_the_users_own_words_are_enough() -> None:
    search = act(None, EventKind.SEARCH, text="radio telescopes")
    review = act("sea", EventKind.RATE, value=5.0, text="More whale tails, please")
    assert holds("Likes telescopes and whale tails", known(search, review)) == [True] * 3


def test_a_liked_item_may_be_called_by_its_title() -> None:
    assert holds("Likes White Ledger", ALL) == [True]
    assert holds("Likes White Ledger", known(act("ledger", EventKind.HIDE))) == [False]


def test_what_was_hidden_does_not_support_a_like_but_a_dislike() -> None:
    hidden = known(act("gore", EventKind.HIDE), act("cave", EventKind.DISLIKE))
    assert holds("Likes gore", hidden) == [False]
    assert holds("Dislikes gore", hidden) == [True]


def test_three_bad_ones_among_many_good_ones_are_no_dislike() -> None:
    mixed = known(act("thaw"), act("ledger"), act("sea"), act("gore", EventKind.HIDE), act("cave", EventKind.HIDE))
    assert holds("Dislikes films", mixed) == [False]


def test_a_change_of_taste_is_no_contradiction() -> None:
    before = [act("thaw", day=1), act("ledger", day=2)]
    after = [act("gore", EventKind.HIDE, day=30), act("cave", EventKind.HIDE, day=31)]
    assert holds("Dislikes films", known(*before, *after)) == [True]
    assert holds("Likes films", known(*before, *after)) == [False]


def test_the_kind_of_thing_must_be_right() -> None:
    assert holds("Likes mystery games", ALL) == [False]


def test_words_in_other_languages_are_met_by_their_own_stems() -> None:
    review = act("sea", EventKind.RATE, value=5.0, text="Las ballenas son increíbles")
    assert holds("Le gusta la ballena", known(review)) == [True]


def test_a_near_word_counts_with_an_embedder() -> None:
    class Near(HashEmbedder):
        def _sum(self, text: str):  # type: ignore[no-untyped-def]
            return super()._sum("iceland" if text == "reykjavik" else text)

    claim = Judge(ITEMS.values(), Near()).cut("Likes reykjavik")[0]
    assert Judge(ITEMS.values(), Near()).supported(claim, ALL, ALL)
    assert not JUDGE.supported(claim, ALL, ALL)


# --- sides ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rated", "value", "side"),
    [
        ((3.0, 3.0, 3.5), 3.5, LIKE),
        ((4.5, 5.0, 5.0), 3.0, DISLIKE),
        ((4.5, 5.0, 5.0), 4.0, LIKE),
        ((1.0, 1.5, 1.0), 1.5, DISLIKE),
        ((4.0, 4.0, 4.5), 3.5, None),
    ],
)
def test_a_rating_is_read_beside_the_users_mean(rated: tuple[float, ...], value: float, side: Polarity | None) -> None:
    assert Scale.of(rated).side(value) is side


@given(st.lists(st.floats(0.5, 5.0), min_size=1, max_size=20), st.floats(0.5, 5.0), st.floats(0.5, 5.0))
def test_a_better_rating_never_speaks_more_against_a_thing(rated: list[float], one: float, other: float) -> None:
    order = {DISLIKE: 0, None: 1, LIKE: 2}
    scale = Scale.of(rated)
    assert order[scale.side(min(one, other))] <= order[scale.side(max(one, other))]


def test_the_last_verdict_counts_and_events_of_an_item_are_one_fact() -> None:
    (fact,) = known(act("gore", EventKind.VIEW, 1), act("gore", EventKind.LIKE, 2), act("gore", EventKind.HIDE, 3))
    assert (fact.side, len(fact.events), fact.last_at - fact.first_at) == (DISLIKE, 3, timedelta(2))


def test_filling_and_order_do_not_tell_statements_apart() -> None:
    assert statement_keys("Likes films about the deep sea") == statement_keys("Enjoys deep sea films")
