"""Learning the fusion: it finds planted weights, stays at nothing without data, and what is saved ranks the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.fusion import SHIPPED, FusionWeights, load_weights
from retrieval.learn import LEAST_FOR_TREES, Examples, conditional_logit, learn, llm_weight
from retrieval.ranker import prior, zscored
from retrieval.signals import CHANNELS

NAMES = ("taste", "popular", "walk", "constant")
PLANTED = np.array([1.0, -0.5, 2.0, 0.0])


def chosen(number: int, items: int = 10, seed: int = 0) -> Examples:
    """Lists of which one item was taken by a conditional logit with PLANTED weights, put first."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=(number, items, len(NAMES)))
    raw[:, :, 1] = rng.poisson(5, (number, items))
    raw[:, :, 3] = 7.0
    taken = (zscored(NAMES, raw) @ PLANTED + rng.gumbel(size=(number, items))).argmax(axis=1)
    rows = np.arange(number)
    raw[rows, 0], raw[rows, taken] = raw[rows, taken], raw[rows, 0].copy()
    return Examples(NAMES, raw)


def test_planted_weights_are_found() -> None:
    found = learn(chosen(3000), trees=False)
    assert list(found.channels) == list(NAMES)
    assert np.array(list(found.channels.values())) == pytest.approx(PLANTED, abs=0.15)


def test_a_channel_that_tells_nothing_apart_gets_no_weight() -> None:
    examples = chosen(200)
    assert learn(examples, trees=False).channels["constant"] == pytest.approx(0.0, abs=1e-6)
    silent = Examples(NAMES, np.where(np.arange(len(NAMES)) == 2, np.nan, examples.raw))
    assert learn(silent, trees=False).channels["walk"] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("base", [FusionWeights(), FusionWeights(dict.fromkeys(NAMES, 0.4))], ids=["nothing", "base"])
def test_few_lists_move_the_weights_little_from_where_they_start(base: FusionWeights) -> None:
    centre = np.array([base.channels.get(name, 0.0) for name in NAMES])

    def moved(lists: int) -> float:
        found = learn(chosen(lists), base, trees=False).channels
        return float(np.linalg.norm([found[name] for name in NAMES] - centre))

    assert moved(3) < 0.2 * moved(3000)
    assert moved(3) < moved(30) < moved(300) < moved(3000)
    assert np.array_equal(conditional_logit(np.zeros((0, 10, len(NAMES))), centre), centre)


@pytest.mark.parametrize("ridge", [0.5, 3.0, 30.0])
def test_the_weights_maximise_the_penalised_likelihood(ridge: float) -> None:
    features, centre = zscored(NAMES, chosen(15, 4).raw), np.array([0.5, 0.0, -1.0, 0.2])

    def likelihood(weights: NDArray[np.float64]) -> float:
        odds = np.exp(features @ weights)
        return float(np.log(odds[:, 0] / odds.sum(axis=1)).sum() - ridge / 2 * ((weights - centre) ** 2).sum())

    found = conditional_logit(features, centre, ridge)
    around = found + np.random.default_rng(0).normal(scale=0.05, size=(50, len(NAMES)))
    assert likelihood(found) >= max(map(likelihood, around)) - 1e-6


def test_without_examples_the_weights_stay_what_they_were() -> None:
    base = FusionWeights({"walk": 0.3}, llm=0.4)
    assert learn(chosen(0), base) is base
    assert learn(chosen(0)) == FusionWeights()


def test_what_is_set_by_hand_is_kept() -> None:
    base = FusionWeights(llm=0.4, personal=0.9, stranger={"theme": 2.0})
    found = learn(chosen(50), base)
    assert replace(found, channels={}) == base
    assert found.trees is None


def test_trees_grow_from_lists_enough_and_only_when_asked() -> None:
    enough = chosen(LEAST_FOR_TREES, 3)
    assert learn(enough.rows(np.arange(LEAST_FOR_TREES - 1))).trees is None
    assert learn(enough, trees=False).trees is None
    assert learn(enough).trees


def test_trees_only_add_what_the_weighted_sum_leaves_to_explain() -> None:
    examples = chosen(600)
    learnt = learn(examples)
    plain = zscored(NAMES, examples.raw) @ list(learnt.channels.values())
    both = [prior(dict(zip(NAMES, one.T, strict=True)), learnt, asked=False) for one in examples.raw]
    added = np.array(both) - plain
    assert np.polyfit(plain.ravel(), added.ravel(), 1)[0] < 0.5  # grown from nothing, they would say it all again


def test_the_same_lists_give_the_same_weights_and_trees(capfd: pytest.CaptureFixture[str]) -> None:
    assert learn(chosen(LEAST_FOR_TREES, 4)) == learn(chosen(LEAST_FOR_TREES, 4))
    assert capfd.readouterr() == ("", "")


def test_examples_can_be_cut_by_lists_and_by_channels() -> None:
    examples = chosen(5)
    assert np.array_equal(examples.rows(np.array([True, False, False, True, False])).raw, examples.raw[[0, 3]])
    part = examples.without("popular", "unheard of")
    assert part.names == ("taste", "walk", "constant")
    assert np.array_equal(part.raw, examples.raw[:, :, [0, 2, 3]])
    assert len(part) == 5


@pytest.mark.parametrize(("planted", "about"), [(0.5, 0.5), (0.0, 0.0)], ids=["it helps", "it is noise"])
def test_the_llm_weighs_what_it_adds(planted: float, about: float) -> None:
    rng = np.random.default_rng(5)
    scores = zscored(("prior", "llm"), rng.normal(size=(3000, 10, 2)))
    taken = (scores @ [2.0, 2.0 * planted] + rng.gumbel(size=(3000, 10))).argmax(axis=1)
    rows = np.arange(3000)
    scores[rows, 0], scores[rows, taken] = scores[rows, taken], scores[rows, 0].copy()
    assert llm_weight(scores[:, :, 0], scores[:, :, 1]) == pytest.approx(about, abs=0.05)


def test_an_llm_that_harms_or_that_was_never_heard_weighs_nothing() -> None:
    best_first = np.tile(np.arange(10.0)[::-1], (200, 1))
    noise = np.random.default_rng(0).normal(size=(200, 10))
    assert llm_weight(best_first + noise, -best_first + noise[::-1]) == 0.0
    assert llm_weight(best_first, np.full((200, 10), np.nan)) == pytest.approx(0.0, abs=1e-9)
    assert llm_weight(np.zeros((0, 10)), np.zeros((0, 10))) == 0.0


# --- weights in a file -------------------------------------------------------------------------------------------------


def test_saved_weights_rank_the_same(tmp_path: Path) -> None:
    learnt = replace(learn(chosen(LEAST_FOR_TREES)), llm=0.25)
    learnt.save(tmp_path / "weights.json", source="a test")
    loaded = load_weights(tmp_path / "weights.json")
    assert loaded == learnt
    for one in chosen(20, seed=1).raw:
        channels = {name: one[:, place] for place, name in enumerate(NAMES)}
        assert np.array_equal(prior(channels, loaded, asked=False), prior(channels, learnt, asked=False))
    assert [path.name for path in tmp_path.iterdir()] == ["weights.json"]
    assert json.loads((tmp_path / "weights.json").read_text())["source"] == "a test"


@pytest.mark.parametrize(
    "junk",
    [
        "", "{", "[]", "5", "null", '"text"', "{}", '{"channels": {}}', '{"channels": [1], "llm": 0}',
        '{"channels": {"walk": null}, "llm": 0}', '{"channels": {"walk": "much"}, "llm": 0}',
        '{"channels": {"walk": NaN}, "llm": 0}', '{"channels": {}, "llm": 1e999}', '{"channels": {}, "llm": 0, "trees": 5}',
    ],
)  # fmt: skip
def test_a_file_that_holds_no_weights_is_refused_by_name(tmp_path: Path, junk: str) -> None:
    path = tmp_path / "weights.json"
    path.write_text(junk)
    with pytest.raises(ValueError, match=r"weights\.json holds no weights"):
        load_weights(path)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_weights(tmp_path / "weights.json")


def test_the_shipped_weights_name_channels_that_exist_and_hold_no_trees() -> None:
    shipped = load_weights(SHIPPED)
    assert shipped.channels
    assert set(shipped.channels) <= set(CHANNELS)
    assert shipped.trees is None
    assert shipped.llm >= 0
