"""README and docs/results.md show the results that are committed, and no others: `leitmotif eval report` puts them there."""

from __future__ import annotations

from pathlib import Path

from eval.report import BEGIN, END, RESULTS, drift, for_readme, include, load, markdown, tables

README = Path(__file__).parents[2] / "README.md"
RESULT = {"dataset": "films", "users": 9, "systems": {"full": {"ndcg@10": 75.0, "ci95": [73.0, 77.0], "hit@10": 93.0}}}


def test_readme_agrees_with_the_last_results() -> None:
    assert drift(README.read_text(encoding="utf-8"), load(sorted(RESULTS.glob("*.json")))) is None


def test_the_page_of_results_has_them_all() -> None:
    documents = load(sorted(RESULTS.glob("*.json")))
    assert (README.parent / "docs" / "results.md").read_text(encoding="utf-8") == tables(documents)


def test_readme_has_the_first_of_each_kind_that_it_shows() -> None:
    other = {**RESULT, "dataset": "books"}
    assert for_readme([RESULT, other]) == [RESULT]


def test_the_check_above_can_fail() -> None:
    text = README.read_text(encoding="utf-8")
    bare = text.partition(BEGIN)[0] + text.partition(END)[2] if BEGIN in text else text
    shown = include(f"{bare}\n{BEGIN}\n{END}\n", markdown([RESULT]))
    assert drift(shown, [RESULT]) is None
    assert drift(shown.replace("| 93.0 |", "| 93.1 |"), [RESULT]) == (
        "README differs from the results: leitmotif eval report --readme README.md"
    )
    assert drift(bare, [RESULT]) is not None
    assert drift(shown, []) is not None
