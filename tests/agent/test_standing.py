"""Why not: the answer follows from the scores alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from agent.standing import LACKS, Standing, standing
from retrieval.fusion import FusionWeights, fuse, load_weights
from retrieval.records import Candidate
from retrieval.signals import CHANNELS

WEIGHTS = FusionWeights({"walk": 1.0, "taste": 1.0, "bm25": 1.0}, dislike=4.0, dislike_margin=0.5)
ALIKE = {"walk": 1.0, "taste": 1.0, "bm25": 1.0}


def ranked(**channels: Mapping[str, float]) -> list[Candidate]:
    names = dict.fromkeys(name for raw in channels.values() for name in raw)
    columns = {n: np.array([raw.get(n, np.nan) for raw in channels.values()]) for n in names}
    priors = fuse(columns, WEIGHTS, asked=False).tolist()
    found = [Candidate(item, raw, prior) for (item, raw), prior in zip(channels.items(), priors, strict=True)]
    return sorted(found, key=lambda c: (-c.prior, c.item))


def placed(item: str, chosen: list[str], speaks: bool = True, **channels: Mapping[str, float]) -> Standing:
    return standing(item, ranked(**channels), chosen, WEIGHTS, speaks)


def test_the_channel_that_is_furthest_behind_is_named() -> None:
    low = {"walk": 0.9, "taste": 0.0, "bm25": 0.8}
    found = placed(
        "c", ["a", "b"], a=ALIKE, b={**ALIKE, "taste": 0.9}, c=low, d={"walk": 0.0, "taste": 0.5, "bm25": 0.0}
    )
    assert (found.outcome, found.channel, found.scored) == ("outranked", "taste", 4)
    assert LACKS["taste"] in found.text


def test_an_item_that_nothing_speaks_for_is_told_so() -> None:
    found = placed("c", ["a"], speaks=False, a=ALIKE, c={"walk": 0.0, "taste": 0.0, "bm25": 0.0})
    assert found.outcome == "unsupported"
    assert "nothing we know of you speaks for it" in found.text


def test_what_only_a_dislike_keeps_back_is_told_so() -> None:
    found = placed(
        "c", ["a"], a={**ALIKE, "dislike": 0.1}, b={"walk": 0.0, "taste": 0.0, "bm25": 0.0}, c={**ALIKE, "dislike": 0.9}
    )
    assert (found.outcome, found.channel) == ("disliked", "dislike")


def test_what_scores_as_high_but_was_left_out_for_variety_is_told_so() -> None:
    found = placed("b", ["a", "c"], a=ALIKE, b={**ALIKE, "taste": 0.9}, c={"walk": 0.1, "taste": 0.1, "bm25": 0.1})
    assert (found.outcome, found.rank) == ("alike", 2)


def test_what_is_recommended_is_told_so() -> None:
    assert placed("a", ["a"], a=ALIKE, b={"walk": 0.0, "taste": 0.0, "bm25": 0.0}).outcome == "recommended"


def test_where_nothing_is_recommended_there_is_nothing_to_be_behind() -> None:
    found = placed("a", [], a=ALIKE)
    assert (found.rank, found.scored, found.channel) == (1, 1, None)


@pytest.mark.parametrize("name", [*CHANNELS, *load_weights().channels, *FusionWeights().stranger, "dislike", "fresh"])
def test_every_channel_has_words(name: str) -> None:
    assert LACKS[name]
