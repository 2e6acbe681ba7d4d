"""Evidence: what is cited is what moves the score and what the reader can see, and every claim can be looked up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import plain
from agent.explain import plain_reason
from agent.grounds import Grounds, against, claims, grounds, what_is_left
from retrieval.features import features
from retrieval.records import Event, EventKind, Item, Polarity, Profile, Statement
from tests.agent.evidence import BREAD, EVENTS, ITEMS, NEW, NOIR, said
from tests.fakes import NOW, act


def best(
    *statements: Statement,
    item: Item = NEW,
    nearness: dict[str, float] | None = None,
    falls: dict[str, float] | None = None,
) -> Grounds | None:
    return grounds(item, Profile("ann", NOW, 1, statements), nearness or {}, EVENTS, ITEMS, falls)


def found(falls: dict[str, float] | None = None) -> Grounds:
    known = best(NOIR, falls=falls)
    assert known is not None
    return known


def cited(known: Grounds) -> list[str]:
    return [item.id for _, item in known.acts]


# --- what speaks for it ---------------------------------------------------------------------------------------------


def test_the_statement_that_shares_most_speaks() -> None:
    known = best(BREAD, NOIR, nearness={BREAD.id: 0.9, NOIR.id: 0.1})
    assert known is not None
    assert known.statement == NOIR


def test_the_nearest_decides_between_equals() -> None:
    other = said("Likes mystery and crime", "noir")
    known = best(NOIR, other, nearness={NOIR.id: 0.1, other.id: 0.2})
    assert known is not None
    assert known.statement == other


def test_a_dislike_never_speaks_for_an_item() -> None:
    assert best(said("Dislikes mystery films", "noir", Polarity.DISLIKE)) is None


def test_nothing_is_called_shared_that_is_not() -> None:
    assert best(BREAD) is None
    assert best(NOIR, item=Item("bare", "Bare")) is None


def test_of_a_user_without_likes_nothing_speaks_for_an_item() -> None:
    assert best() is None


def test_what_is_shared_is_true_of_the_item_and_of_everything_that_is_cited() -> None:
    known = found()
    assert len(known.acts) == 2
    assert known.shared
    for item in (NEW, *(item for _, item in known.acts)):
        assert set(known.shared) <= set(features(item))


def test_a_citation_names_events_and_their_items() -> None:
    citation = found().citation
    assert citation.statement == NOIR.id
    assert set(citation.events) <= set(NOIR.evidence)
    assert [EVENTS[e].item for e in citation.events] == list(citation.items)


def test_a_rating_is_named_before_a_look_at_the_same_item() -> None:
    looked = [act("ann", 50, "noir-film-1", EventKind.VIEW)]
    rated = [act("ann", 40, "noir-film-1", EventKind.RATE, value=5.0)]
    events: dict[str, Event] = {e.id: e for e in [*looked, *rated]}
    both = replace(NOIR, evidence=tuple(events))
    known = grounds(NEW, Profile("ann", NOW, 1, (both,)), {}, events, ITEMS)
    assert known is not None
    assert [event.kind for event, _ in known.acts] == [EventKind.RATE]


def test_what_the_user_said_is_evidence_of_its_own() -> None:
    known = best(said("Likes mystery", ""))
    assert known is not None
    assert known.citation.events == ()
    assert "mystery" in plain_reason(known)


def test_words_of_the_user_that_lie_far_from_an_item_are_no_reason() -> None:
    vague = said("Likes gentle things", "")
    assert best(vague, nearness={vague.id: 0.1}) is None
    near = best(vague, nearness={vague.id: 0.6})
    assert near is not None
    assert plain_reason(near) == "You told us of “gentle things”; this is close to it."


# --- what moves the score -------------------------------------------------------------------------------------------


def test_the_acts_that_move_the_score_most_are_cited_first() -> None:
    falls = {"noir-film-1": 0.1, "noir-film-2": 0.3, "noir-book-1": 0.2}
    assert cited(found(falls)) == ["noir-film-2", "noir-book-1"]
    assert found(falls).fall == pytest.approx(0.5)


def test_an_act_without_which_the_score_rises_is_not_cited_beside_another() -> None:
    assert cited(found({"noir-film-1": -0.2, "noir-film-2": 0.3, "noir-book-1": -0.1})) == ["noir-film-2"]


def test_an_act_that_shares_nothing_is_not_cited_beside_one_that_does() -> None:
    both = replace(NOIR, evidence=tuple(EVENTS))
    known = best(both, falls={"bread-film-1": 9.0, "noir-film-1": 0.1})
    assert known is not None
    assert cited(known) == ["noir-film-1"]


def test_the_statement_whose_acts_move_the_score_speaks() -> None:
    late = replace(NOIR, id="late", evidence=tuple(i for i in NOIR.evidence if "book" in i))
    early = replace(NOIR, id="early", evidence=tuple(i for i in NOIR.evidence if "film" in i))
    for falls, expected in (({"noir-book-1": 0.5, "noir-film-1": 0.2}, late), ({"noir-film-2": 0.5}, early)):
        known = best(late, early, falls=falls)
        assert known is not None
        assert known.statement == expected


def test_what_moves_an_item_that_it_shares_nothing_with_is_said_to_move_it() -> None:
    known = best(BREAD, falls={"bread-film-1": 0.4, "bread-book-1": -0.1})
    assert known is not None
    assert (cited(known), known.shared) == (["bread-film-1"], ())
    assert plain_reason(known) == "You liked Crumb; that moves this up your list."


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(sorted(ITEMS)), st.floats(-1, 1)), st.sampled_from(sorted(ITEMS)))
def test_whatever_the_effects_every_claim_is_so_and_no_item_speaks_for_itself(
    falls: dict[str, float], new: str
) -> None:
    known = best(NOIR, BREAD, item=ITEMS[new], falls=falls)
    if known is not None:
        assert all(claim.holds(EVENTS, ITEMS) for claim in claims(known, known.item))
        assert what_is_left(known, EVENTS, ITEMS) is known
        assert new not in cited(known)
        assert known.shared or known.fall > 0


# --- what speaks against it -----------------------------------------------------------------------------------------

DISLIKED = said("Dislikes crime stories", "noir", Polarity.DISLIKE)


def objections(*statements: Statement, item: Item = NEW, liked: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    return [a.shared for a in against(item, Profile("ann", NOW, 1, statements), EVENTS, ITEMS, liked)]


def test_a_dislike_that_shares_something_counts_against_an_item() -> None:
    [found] = against(NEW, Profile("ann", NOW, 1, (DISLIKED, NOIR)), EVENTS, ITEMS)
    assert found.statement == DISLIKED
    assert found.shared[0] == "crime"  # what the dislike names comes first
    assert all(claim.holds(EVENTS, ITEMS) for claim in claims(found, NEW))
    text = plain.counts_against(found.acts, found.statement.facet, found.shared)
    assert text.startswith("Against it: you liked ")
    assert "which share crime" in text


def test_a_dislike_that_shares_nothing_counts_for_nothing() -> None:
    assert objections(DISLIKED, item=ITEMS["bread-course-1"]) == []


def test_what_speaks_for_an_item_counts_against_it_only_where_the_dislike_names_it() -> None:
    assert objections(DISLIKED, liked=features(NEW)) == [("crime",)]
    assert objections(replace(DISLIKED, text="Dislikes films"), liked=features(NEW)) == []


def test_what_a_user_said_against_something_counts() -> None:
    assert objections(said("Dislikes crime", "", Polarity.DISLIKE)) == [("crime",)]
