"""What if: the score without an act is what the ranker gives to somebody who never did it."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from agent.counterfactual import Counterfactual
from agent.recommender import Slate
from agent.service import Service
from agent.will import Marks
from retrieval.ranker import prior
from tests.fakes import NOW


def slate(service: Service, query: str | None = None) -> Slate:
    profile = asyncio.run(service.profile("ann", now=NOW))
    recommender, signals = service._up_to_date().warm(NOW)
    return recommender.slates.slate(profile, signals, k=5, query=query, now=NOW, marks=Marks())


@pytest.mark.parametrize("query", [None, "jazz piano"])
def test_the_fall_is_what_the_ranker_says_of_a_history_without_the_items(service: Service, query: str | None) -> None:
    found = slate(service, query)
    what_if, history = found.what_if, found.what_if.history
    gone = [(history[0],), (history[1], history[-1])]
    falls = what_if.falls(gone)
    before = np.array([c.prior for c in what_if.pool])
    for place, items in enumerate(gone):
        left = what_if.signals.channels([i for i in history if i not in items], [c.item for c in what_if.pool])
        names = {name for c in what_if.pool for name in c.channels}
        raw = {name: np.array([c.channels.get(name, np.nan) for c in what_if.pool]) for name in names}
        raw |= {name: values for name, values in left.items() if name != "bm25" or not query}
        assert before - falls[place] == pytest.approx(prior(raw, what_if.weights, bool(query)), abs=1e-5)


def test_what_was_never_touched_moves_nothing(service: Service) -> None:
    what_if = slate(service).what_if
    assert not what_if.falls([("odd-one",), ()]).round(9).any()


def test_an_item_falls_most_without_what_is_like_it(service: Service) -> None:
    what_if = slate(service).what_if
    falls = what_if.of_each(what_if.history)["noir-course-1"]
    assert max(falls, key=lambda item: falls[item]).startswith("noir-")
    assert set(falls) == set(what_if.history)


def test_without_the_whole_history_every_channel_of_it_is_silent(service: Service) -> None:
    what_if = slate(service).what_if
    [falls] = what_if.falls([what_if.history])
    assert np.isfinite(falls).all()
    assert falls.max() > 0


def test_of_somebody_without_a_history_nothing_can_be_taken_away(service: Service) -> None:
    what_if = slate(service).what_if
    stranger = Counterfactual(what_if.pool, (), what_if.signals, what_if.weights)
    assert not stranger.falls([("noir-film-1",)]).any()
    assert not any(stranger.of_each(["noir-film-1"]).values())


def test_an_empty_pool_has_no_scores(service: Service) -> None:
    what_if = slate(service).what_if
    assert Counterfactual((), what_if.history, what_if.signals, what_if.weights).falls([("x",)]).shape == (1, 0)
