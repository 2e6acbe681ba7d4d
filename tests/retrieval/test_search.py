"""Search: the channels work together on a small catalogue."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.embed import HashEmbedder, item_text
from retrieval.exact import ExactIndex
from retrieval.fusion import FusionWeights
from retrieval.lexical import Lexical
from retrieval.records import Item, Polarity, Theme
from retrieval.search import Shares, Wants, candidates, propose, score, share_out
from retrieval.signals import CHANNELS, Signals

EMBEDDER = HashEmbedder(128)
TOPICS = {"crime": "crime heist detective", "snow": "snow mountain winter", "bread": "bread baking oven"}
ITEMS = [Item(f"{topic}{n:02}", f"{words} number{n}") for topic, words in TOPICS.items() for n in range(20)]
VECTORS = EMBEDDER.embed([item_text(item) for item in ITEMS])
INDEX = ExactIndex([item.id for item in ITEMS], VECTORS)
LEXICAL = Lexical(ITEMS)


def theme(topic: str, importance: float = 1.0, polarity: Polarity = Polarity.LIKE) -> Theme:
    vector = EMBEDDER.embed([TOPICS[topic]])[0]
    return Theme(topic, "u", topic, "", polarity, ("s",), "s", tuple(vector.tolist()), importance)


def topics(ids: list[str]) -> dict[str, int]:
    return {topic: sum(item.startswith(topic) for item in ids) for topic in TOPICS}


# --- candidates -----------------------------------------------------------------------------------------------------


def test_each_theme_gets_its_quota() -> None:
    wants = Wants(themes=[theme("crime", 3.0), theme("snow", 1.0)])
    found = candidates(wants, INDEX, LEXICAL, pool=16)
    counted = topics([c.item for c in found])
    assert len(found) == 16
    assert counted["crime"] == 12
    assert counted["snow"] == 4
    assert all(c.item.startswith(str(c.theme)) for c in found)
    assert [c.prior for c in found] == sorted((c.prior for c in found), reverse=True)


def test_the_least_theme_has_a_place_beside_other_channels() -> None:
    wants = Wants(
        themes=[theme("crime", 50.0), theme("bread", 0.1)], popularity={f"snow{n:02}": n + 1.0 for n in range(20)}
    )
    ids = propose(wants, INDEX, LEXICAL, None, 12, Shares())
    assert min(topics(ids).values()) >= 1


def test_excluded_items_stay_away_and_their_places_are_filled() -> None:
    seen = frozenset(f"crime{n:02}" for n in range(18))
    wants = Wants(themes=[theme("crime"), theme("snow")], exclude=seen, popularity={"crime00": 9.0}, fresh=["crime01"])
    found = [c.item for c in candidates(wants, INDEX, LEXICAL, pool=20)]
    assert not seen & set(found)
    assert len(found) == len(set(found)) == 20
    assert {"crime18", "crime19"} <= set(found)


def test_every_candidate_has_every_score() -> None:
    wants = Wants(
        themes=[theme("crime"), theme("bread", polarity=Polarity.DISLIKE)],
        theme_texts={"crime": "Likes a heist"},
        popularity={f"snow{n:02}": float(n) for n in range(20)},
    )
    found = candidates(wants, INDEX, LEXICAL, pool=30)
    assert all({"theme", "bm25", "popular", "dislike"} == set(c.channels) for c in found)
    assert {"crime", "snow"} <= {c.item[:-2] for c in found}


def test_a_disliked_theme_pushes_down() -> None:
    wants = Wants(themes=[theme("crime")], popularity={item.id: 1.0 for item in ITEMS})
    before = score(wants, [item.id for item in ITEMS], INDEX)
    after = score(
        replace(wants, themes=[*wants.themes, theme("snow", polarity=Polarity.DISLIKE)]), [i.id for i in ITEMS], INDEX
    )
    place = {c.item: n for n, c in enumerate(after)}
    assert all(place[c.item] >= 40 for c in before if c.item.startswith("snow"))


def test_a_query_decides_and_themes_personalise() -> None:
    wants = Wants(
        themes=[theme("crime", 9.0)],
        query="baking bread",
        query_vector=EMBEDDER.embed(["baking bread"])[0],
        popularity={f"crime{n:02}": 100.0 for n in range(20)},
    )
    found = [c.item for c in candidates(wants, INDEX, LEXICAL, pool=40)]
    assert topics(found[:10])["bread"] == 10
    assert topics(found)["crime"] > 0


def test_words_alone_are_a_query_too() -> None:
    found = candidates(Wants(query="winter number7"), INDEX, LEXICAL, pool=5)
    assert found[0].item == "snow07"


@pytest.mark.parametrize("index", [INDEX, ExactIndex()], ids=["full", "empty"])
def test_nothing_known_is_no_problem(index: ExactIndex) -> None:
    assert candidates(Wants(), index) == []
    assert candidates(Wants(themes=[theme("crime")]), ExactIndex()) == []
    fresh = candidates(Wants(fresh=["snow03", "bread01", "new"]), index, pool=2)
    assert [c.item for c in fresh] == ["snow03", "bread01"]
    popular = candidates(Wants(popularity={"snow03": 2.0, "bread01": 5.0}), index)
    assert [c.item for c in popular] == ["bread01", "snow03"]
    assert candidates(Wants(fresh=["snow03"]), index, pool=0) == []


def test_an_item_that_is_not_indexed_is_neutral_not_last() -> None:
    wants = Wants(themes=[theme("crime")])
    found = score(wants, ["crime01", "unknown", "bread01"], INDEX, LEXICAL)
    assert [c.item for c in found] == ["crime01", "unknown", "bread01"]
    assert found[1].theme is None
    assert found[1].channels == {}


def test_muted_themes_are_silent_and_medoids_replace_the_centroid() -> None:
    muted = replace(theme("crime"), active=False)
    assert candidates(Wants(themes=[muted]), INDEX) == []
    wants = Wants(themes=[theme("crime")], theme_vectors={"crime": EMBEDDER.embed([TOPICS["snow"], TOPICS["bread"]])})
    assert topics([c.item for c in candidates(wants, INDEX, pool=20)])["crime"] == 0


def test_equal_input_gives_equal_output_whatever_its_order() -> None:
    themes = [theme("crime"), theme("snow"), theme("bread")]
    popularity = {item.id: 1.0 for item in ITEMS}
    one = candidates(Wants(themes=themes, popularity=popularity), INDEX, LEXICAL, pool=15)
    two = candidates(Wants(themes=themes[::-1], popularity=dict(reversed(popularity.items()))), INDEX, LEXICAL, pool=15)
    assert [c.item for c in one] == [c.item for c in two]


# --- with a history ---------------------------------------------------------------------------------------------------

CROWD = [["crime01", "crime02", "snow05"]] * 9 + [["bread01", "bread02", "snow06"]] * 9
SIGNALS = Signals(ITEMS, VECTORS, LEXICAL, CROWD)


def test_what_others_chose_after_the_same_items_is_proposed_and_comes_first() -> None:
    wants = Wants(history=["crime01", "crime02"], exclude=frozenset({"crime01", "crime02"}))
    found = candidates(wants, INDEX, LEXICAL, SIGNALS, pool=10)
    assert found[0].item == "snow05"
    assert set(found[0].channels) == set(CHANNELS)
    assert "snow06" not in [c.item for c in found]


def test_the_weights_decide_what_a_history_says() -> None:
    ids = [item.id for item in ITEMS]
    wants = Wants(history=["crime01"])
    crowd = score(wants, ids, INDEX, LEXICAL, SIGNALS, FusionWeights({"walk": 1.0}))
    words = score(wants, ids, INDEX, LEXICAL, SIGNALS, FusionWeights({"bm25": 1.0}))
    assert {c.item for c in crowd[:3]} == {"crime01", "crime02", "snow05"}
    assert topics([c.item for c in words[:20]])["crime"] == 20


def test_nobodys_choices_and_unknown_items_are_no_history() -> None:
    alone = Signals(ITEMS, VECTORS, LEXICAL, [])
    assert candidates(Wants(history=["crime01"]), INDEX, LEXICAL, alone) == []
    assert SIGNALS.nearest(["gone"], 5) == SIGNALS.nearest([], 5) == []
    assert "taste" not in score(Wants(history=["gone"]), ["crime01"], INDEX, LEXICAL, SIGNALS)[0].channels


def test_a_query_counts_its_own_words_and_not_those_of_the_history() -> None:
    wants = Wants(query="baking bread", history=["crime01"])
    found = score(wants, [item.id for item in ITEMS], INDEX, LEXICAL, SIGNALS)
    assert topics([c.item for c in found[:20]])["bread"] == 20
    by_words = score(replace(wants, history=()), [item.id for item in ITEMS], INDEX, LEXICAL, SIGNALS)
    assert {c.item: c.channels["bm25"] for c in found} == {c.item: c.channels["bm25"] for c in by_words}


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8), min_size=1, max_size=4), st.data())
def test_places_are_shared_out_among_all_that_is_proposed(lists: list[list[str]], data: st.DataObject) -> None:
    places = [data.draw(st.integers(0, 8)) for _ in lists]
    shared = share_out(lists, places)
    proposed = {item for items in lists for item in items}
    assert len(shared) == len(set(shared)) == min(sum(places), len(proposed))
    assert set(shared) <= proposed
