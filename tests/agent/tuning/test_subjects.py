"""Groups of texts about one thing, for the axes of themes."""

from __future__ import annotations

from agent.tuning.examples import HELD_OUT, load
from agent.tuning.subjects import digest, groups
from retrieval.axes import learnt_from

EXAMPLES = load()


def test_the_shipped_axes_were_learnt_from_todays_examples() -> None:
    assert learnt_from() == digest(EXAMPLES), "run `python -m agent.tuning.subjects`"


def test_nothing_is_learnt_from_held_out_domains_or_splits() -> None:
    told = groups(EXAMPLES)
    assert len(told) > 500
    assert all(len(set(group)) == len(group) >= 2 for group in told)
    assert told == groups([e for e in EXAMPLES if e.split == "train" and e.domain not in HELD_OUT])
