"""Topics: what an event is about, with the catalogue's mean taken out and kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from retrieval.embed import HashEmbedder, Vectors
from retrieval.records import EventKind, Item
from retrieval.store import Store
from retrieval.topics import Topics, topic_text
from tests.fakes import act, catalogue

EMBEDDER = HashEmbedder(128)


class Counting(HashEmbedder):
    """Remembers what it had to embed."""

    def __init__(self) -> None:
        super().__init__(128)
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.texts += texts
        return super().embed(texts)


@pytest.fixture
def store() -> Iterator[Store]:
    with Store("sqlite://") as opened:
        opened.ingest(catalogue())
        yield opened


def topics_of(store: Store, ids: list[str]) -> Vectors:
    items = store.items(ids)
    return Topics(store, EMBEDDER).of_events("ann", [act("ann", n, item) for n, item in enumerate(ids)], items)


def test_a_topic_is_the_features_not_the_title() -> None:
    item = Item("x", "The Long Thaw", "A thaw.", ("film", "mystery"), ("arctic",))
    assert topic_text(item) == "mystery, arctic"


def test_an_item_without_features_is_about_its_words() -> None:
    assert topic_text(Item("x", "The Long Thaw", "A thaw.", ("film",))) == "The Long Thaw. A thaw."
    assert topic_text(Item("x", "")) == ""


def test_topics_are_unit_vectors(store: Store) -> None:
    rows = topics_of(store, ["noir-film-1", "jazz-book-1"])
    assert np.linalg.norm(rows, axis=1) == pytest.approx([1, 1], abs=1e-5)


def test_one_subject_is_near_and_another_is_not(store: Store) -> None:
    film, book, jazz = topics_of(store, ["noir-film-1", "noir-book-2", "jazz-film-1"])
    assert film @ book > 0.5
    assert film @ jazz < 0.2


def test_random_items_have_nothing_in_common_on_average(store: Store) -> None:
    rows = topics_of(store, [item.id for item in catalogue()])
    assert abs(float((rows @ rows.T)[np.triu_indices(len(rows), 1)].mean())) < 0.1


def test_a_search_is_about_its_words(store: Store) -> None:
    search = act("ann", 1, None, EventKind.SEARCH, text="jazz piano improvisation")
    acts = [search, act("ann", 2, "jazz-film-1"), act("ann", 3, "noir-film-1")]
    rows = Topics(store, EMBEDDER).of_events("ann", acts, store.items(["jazz-film-1", "noir-film-1"]))
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.2


def test_the_words_of_a_search_are_kept_as_the_users_own(store: Store) -> None:
    search = act("ann", 1, None, EventKind.SEARCH, text="canary")
    Topics(store, EMBEDDER).of_events("ann", [search], {})
    assert store.forget_user("ann").rows["vectors"] == 1


def test_no_events_have_no_topics(store: Store) -> None:
    assert topics_of(store, []).shape == (0, 128)


def test_an_empty_catalogue_has_no_mean() -> None:
    with Store("sqlite://") as empty:
        assert not Topics(empty, EMBEDDER).mean().any()


def test_all_processes_use_the_same_mean(store: Store) -> None:
    first = Topics(store, EMBEDDER).mean()
    again = Counting()
    assert Topics(store, again).mean() == pytest.approx(first, abs=1e-5)
    assert again.texts == []


def test_a_few_new_items_do_not_move_what_was_written(store: Store) -> None:
    before = Topics(store, EMBEDDER).mean()
    store.ingest([Item("new", "x", categories=("opera",))])
    assert Topics(store, EMBEDDER).mean() == pytest.approx(before, abs=1e-5)


def test_a_catalogue_half_again_as_large_is_fitted_anew(store: Store) -> None:
    before = Topics(store, EMBEDDER).mean()
    store.ingest([Item(f"new{n}", "x", categories=("opera",)) for n in range(30)])
    assert float(np.abs(Topics(store, EMBEDDER).mean() - before).max()) > 0.01


def test_items_without_words_are_like_nothing(store: Store) -> None:
    store.ingest([Item("blank1", ""), Item("blank2", "")])
    one, other = topics_of(store, ["blank1", "blank2"])
    assert one @ other == 0
