"""The judge reads a reason as a stranger would, and believes nothing that the data does not say."""

from __future__ import annotations

import pytest

from eval.reason_judge import judge
from retrieval.records import Event, EventKind, Item
from tests.fakes import act

HEAT = Item("heat", "Heat and Dust (1983)", categories=("film", "crime", "sword and sorcery"), tags=("slow-burn",))
NEW = Item("new", "New", categories=("film", "crime", "sword and sorcery", "drama"))
LEDGER = Item("ledger", "Ledger", categories=("film", "crime"))
RATED = (act("ann", 1, "heat", EventKind.RATE, value=4.5), HEAT)
LIKED = (act("ann", 2, "ledger"), LEDGER)


def counted(reason: str, *cited: tuple[Event, Item], fall: float = 0.0, people: int = 0) -> tuple[int, int]:
    verdict = judge(reason, NEW, cited, fall=fall, people=people)
    return verdict.made, verdict.supported


def test_a_true_reason_is_supported_in_every_claim() -> None:
    assert counted("You rated Heat and Dust (1983) 4.5 and liked Ledger; this shares crime.", RATED, LIKED) == (3, 3)
    assert counted("You rated Heat and Dust (1983) 4.5; this shares crime and sword and sorcery.", RATED) == (3, 3)
    assert counted("You liked Ledger; this is a crime drama.", LIKED) == (3, 3)


@pytest.mark.parametrize(
    ("reason", "made", "supported"),
    [
        ("You rated Heat and Dust (1983) 5; this shares crime.", 2, 1),  # not so many stars
        ("You liked Heat and Dust (1983); this shares crime.", 2, 1),  # not liked but rated
        ("You rated Heat and Dust (1983) 4.5 and Alien 4; this shares crime.", 3, 2),  # of Alien nothing is known
        ("You rated Heat and Dust (1983) 4.5; this shares drama.", 2, 1),  # only the new item is a drama
        ("You rated Heat and Dust (1983) 4.5; this shares slow-burn.", 2, 1),  # only the old one is slow-burn
        ("You rated Heat and Dust (1983) 4.5; this shares crime and penguins.", 3, 2),
        ("You rated Heat and Dust (1983) 4.5; this is a crime film set in Iceland.", 4, 3),
        ("You will love it.", 1, 0),
    ],
)
def test_what_is_not_so_is_a_claim_without_support(reason: str, made: int, supported: int) -> None:
    assert counted(reason, RATED) == (made, supported)


def test_a_feature_must_be_that_of_everything_that_is_cited() -> None:
    assert counted(
        "You rated Heat and Dust (1983) 4.5 and liked Ledger; this shares sword and sorcery.", RATED, LIKED
    ) == (
        3,
        2,
    )


def test_another_says_what_is_cited_is_such_a_thing_too() -> None:
    ask = "You liked Ledger; this is another {}."
    assert counted(ask.format("crime film, this time a drama"), LIKED) == (5, 5)
    assert counted(ask.format("crime drama"), LIKED) == (4, 3)  # Ledger is none
    assert counted("You said that you like crime; this is more crime.") == (3, 1)


def test_what_is_cited_must_be_told() -> None:
    assert counted("You liked Ledger; this shares crime.", RATED, LIKED) == (3, 2)


@pytest.mark.parametrize(("fall", "supported"), [(0.2, 2), (0.0, 1), (-0.2, 1)])
def test_that_the_score_would_be_lower_is_looked_up(fall: float, supported: int) -> None:
    assert counted("You liked Ledger; that moves this up your list.", LIKED, fall=fall) == (2, supported)


@pytest.mark.parametrize(("people", "supported"), [(12, 1), (11, 0)])
def test_how_many_chose_an_item_is_counted(people: int, supported: int) -> None:
    assert counted("Chosen by 12 people; nothing we know of you says more.", people=people) == (1, supported)


@pytest.mark.parametrize(("disliked", "supported"), [("slow-burn", 2), ("crime", 1), ("penguin", 1)])
def test_what_is_called_none_of_the_disliked_must_be_none_of_it(disliked: str, supported: int) -> None:
    reason = f"Chosen by 3 people, and it is none of what you dislike: {disliked} films."
    verdict = judge(reason, NEW, [RATED], fall=0.0, people=3)
    assert (verdict.made, verdict.supported, verdict.speaks) == (2, supported, False)
