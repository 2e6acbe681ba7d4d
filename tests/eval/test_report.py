"""The report: what the page and the README say of results made by eval.results, and how it draws them."""

from __future__ import annotations

import json
import math
import re
from copy import deepcopy
from datetime import UTC, datetime
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval import report_tables as tables
from eval.cases import Case, Dataset, Question
from eval.plots import Dots, Lines, Mark, spread
from eval.report import BEGIN, END, drift, for_readme, include, included, load, markdown, page
from eval.report_view import Part, view
from eval.results import measure, prepare, report, to_json
from eval.runner import Row, question_key
from retrieval.readers import ReadError
from retrieval.records import Event, EventKind, Item, Refusal

AT = datetime(2026, 11, 21, tzinfo=UTC)
SKILL = {"bm25": 9, "full": 30, "pop": 15, "full-llm": 28, "random": 2, "zero_shot": 12}  # of 40 targets first


@cache
def _ranked() -> str:
    """40 users; a system puts the target of the first SKILL users on top, and that of the others last."""
    items = {f"i{n}": Item(f"i{n}", f"Film {n}", categories=("film", "xyz"[n % 3])) for n in range(12)}
    cases = [Case(f"u{n}", tuple(list(items)[: n % 7]), f"i{n % 5 + 7}", AT) for n in range(40)]
    train = {c.user: tuple(Event(i, c.user, EventKind.VIEW, AT, i) for i in items if i < c.target) for c in cases}
    asked = prepare(Dataset("films", "1f2e3d", items, train, tuple(cases)), [Question(c, tuple(items)) for c in cases])
    measured = {}
    for name, skill in SKILL.items():
        rows = [_row(question, n < skill, name) for n, question in enumerate(asked.questions)]
        measured[name] = measure(asked, rows, seed=0)
    refused = [Refusal("c.tsv", n, f"user 'u{n}' has {n} candidates: left out") for n in range(1, 9)]
    refused.append(Refusal("c.tsv", 0, "no line ends"))
    made = report(asked, measured, protocol="uniform", seed=7, date=AT, reference="full", problems=refused)
    return json.dumps(to_json(made))


def _row(question: Question, first: bool, system: str) -> Row:
    case = question.case
    scores = tuple((1.0 if first else -1.0) * (item == case.target) for item in question.candidates)
    error = "LLMTimeoutError: no answer" if system == "zero_shot" and case.user == "u39" else None
    asked_llm = system in ("full", "zero_shot")
    return Row(
        question_key(question), case.user, case.target, () if error else scores, error=error, seconds=0.25,
        llm_calls=asked_llm * 30, llm_tokens=asked_llm * 1000,
    )  # fmt: skip


def ranked(**changed: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(_ranked())
    return document | changed


RECALL = {
    "kind": "recall",
    "dataset": "films",
    "users": 610,
    "catalogue": 9742,
    "channels": {
        "theme": {"recall@50": 8.13, "recall@100": 12.0, "recall@200": 20.0, "ci95": [18.0, 22.0]},
        "union": {"recall@50": 31.0, "recall@100": 44.0, "recall@200": 59.96, "ci95": [58.0, 62.0]},
    },
    "chroma_vs_exact": {"10": 99.8},
}
COLD = {
    "kind": "coldstart",
    "dataset": "films",
    "systems": {
        "popularity": {"recall@10": 33.0, "ndcg@10": 40.0, "ci95": [38.0, 42.0], "users": 9, "others": True},
        "stranger": {"recall@10": 41.0, "ndcg@10": 52.0, "ci95": [50.0, 54.0], "users": 9, "others": False},
    },
    "curve": {
        "full": [{"events": n, "ndcg@10": 60.0 + k, "ci95": [58.0, 62.0 + k]} for k, n in enumerate([0, 1, 10, "all"])],
        "bm25": [{"events": n, "ndcg@10": 40.0, "ci95": [38.0, 42.0]} for n in (2, 1, 10)],
    },
    "template": {"version": 1, "sentences": ["I like {categories}."]},
}
LLM = {
    "kind": "llm",
    "dataset": "films",
    "variants": {
        "letters": {
            "ndcg@10": 33.0,
            "ci95": [29.0, 37.0],
            "calls": 360,
            "tokens": 14000,
            "seconds_per_user": 1.8,
            "errors": 3,
        },
        "pmi": {"ndcg@10": 45.2, "ci95": [41.0, 49.4], "calls": 2400, "tokens": 990000, "seconds_per_user": 12.04},
    },
}
ALL = [ranked(), RECALL, COLD, LLM]


@cache
def whole() -> str:
    return page(ALL)


class Read(HTMLParser):
    """Tags with their attributes, ids, and text by tag."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def part(title: str, document: dict[str, Any] | None = None) -> Part:
    return next(p for p in view(document or ranked()).parts if p.title == title)


# --- the page -------------------------------------------------------------------------------------------------------


def test_the_page_needs_nothing_from_elsewhere_and_runs_no_script() -> None:
    html = whole()
    read = Read(html)
    assert not {"script", "iframe", "object", "img", "base"} & {tag for tag, _ in read.tags}
    assert "http" not in html
    assert "@import" not in html
    assert set(re.findall(r"url\((.)", html)) <= {"#"}
    addresses = [str(a[name]) for _, a in read.tags for name in ("href", "src", "xlink:href") if a.get(name)]
    assert {address[:5] for address in addresses if not address.startswith("#")} == {"data:"}


def test_each_id_is_there_once_and_each_reference_finds_it() -> None:
    html = page([LLM, COLD, LLM])
    ids = [str(attributes["id"]) for _, attributes in Read(html).tags if "id" in attributes]
    assert {i for i in ids if ids.count(i) > 1} == set()
    assert set(re.findall(r'(?:href="#|url\(#|aria-labelledby=")([\w-]+)', html)) <= set(ids)


def test_the_same_results_give_the_same_bytes() -> None:
    assert page(deepcopy(ALL)) == whole()


def test_a_users_matplotlib_settings_do_not_change_it() -> None:
    plot = Dots((Mark("full", 75.0, (73.0, 77.0), "all"),), "ndcg@10")
    before = plot.svg("p-")
    with mpl.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.facecolor": "red"}):
        assert plot.svg("p-") == before


def test_tables_can_be_read_aloud() -> None:
    read = Read(whole())
    assert len(read.all("caption")) == len(read.all("table")) > 8
    assert {a.get("scope") for a in read.all("th")} == {"col", "row"}
    figures = read.all("figure")
    assert len(figures) == len(read.all("svg")) == 6
    assert all(a["role"] == "img" and a["aria-label"] for a in figures)


def test_hostile_names_are_shown_as_they_are() -> None:
    name = "<script>alert('$x$ & \"y\"')</script>"
    figures = ranked()["systems"]["full"]
    html = page([ranked(dataset=name, systems={name: figures}, pairs=[], slices=[], notes=[name])])
    assert "script" not in {tag for tag, _ in Read(html).tags}
    assert Read(html).texts.count(name) >= 4


def test_a_result_says_what_it_is_of() -> None:
    document = ranked(command="leitmotif eval rank films", machine="2 cores", notes=["No weight."], pairs=[], slices=[])
    said = ["films, uniform", "users", "40", "seed", "7", "21 Nov 2026", "1f2e3d"]
    texts = [text for text in Read(page([document])).texts if text]
    assert {*said, "leitmotif eval rank films", "2 cores", "No weight."} <= {*texts}


# --- a ranking ------------------------------------------------------------------------------------------------------


def test_the_best_system_is_first_and_its_figures_are_rounded() -> None:
    (table,) = part("Accuracy").tables
    assert [row.name for row in table.rows] == ["full", "full-llm", "pop", "zero_shot", "bm25", "random"]
    full = dict(zip(table.columns[1:], table.rows[0].cells, strict=True))
    figures = ranked()["systems"]["full"]
    low, high = figures["ci95"]
    assert full == {
        "sees": "all", "ndcg@10": f"{figures['ndcg@10']:.1f}", "95 % interval": f"{low:.1f} to {high:.1f}",
        "ndcg@1": "75.0", "ndcg@5": "75.0", "ndcg@20": f"{figures['ndcg@20']:.1f}", "hit@10": "75.0",
        "mrr": f"{figures['mrr']:.1f}", "users": "40", "errors": "0", "invalid": "0", "LLM calls": "1,200",
        "tokens": "40,000", "s/user": "0.25",
    }  # fmt: skip


def test_systems_that_see_other_users_are_told_from_those_that_do_not() -> None:
    groups = {row.name: row.group for row in part("Accuracy").tables[0].rows}
    assert groups == {
        "full": "all", "full-llm": "all", "pop": "all", "zero_shot": "own", "bm25": "own", "random": "own",
    }  # fmt: skip
    assert [tables.group(name) for name in ("llm_pmi", "embed_max", "zero_shot-llm", "full_default", "als")] == [
        "own", "own", "own", "all", "all",
    ]  # fmt: skip


def test_a_figure_that_is_not_there_is_a_dash_and_stands_last() -> None:
    document = ranked()
    document["systems"] = {"none": dict.fromkeys(document["systems"]["full"]), **document["systems"]}
    document["systems"]["none"]["ci95"] = [None, None]
    (table,) = part("Accuracy", document).tables
    assert table.rows[-1].name == "none"
    assert set(table.rows[-1].cells) == {"all", "–"}
    plot = part("Accuracy", document).plot
    assert isinstance(plot, Dots)
    assert "none" not in [mark.name for mark in plot.marks]


def test_the_plot_shows_each_system_with_its_figure() -> None:
    plot = part("Accuracy").plot
    assert isinstance(plot, Dots)
    assert [mark.name for mark in plot.marks] == [row.name for row in part("Accuracy").tables[0].rows]
    assert {mark.name: mark.look for mark in plot.marks if mark.look == "own"}.keys() == {"zero_shot", "bm25", "random"}
    svg = plot.svg("p-")
    figures = {mark.name: f"{mark.value:.1f}" for mark in plot.marks}
    assert [text for text in Read(svg).texts if text in figures] == list(figures)
    heights = {text: float(y) for y, text in re.findall(r'<text [^>]*?y="([\d.]+)"[^>]*>([^<]+)</text>', svg)}
    assert all(heights[name] == pytest.approx(heights[figure], abs=2) for name, figure in figures.items())


def test_errors_are_told_with_the_first_reason() -> None:
    assert view(LLM).notes == ("letters: 3 without an answer",)
    assert view(ranked()).notes == ("zero_shot: 1 without an answer, the first because of LLMTimeoutError: no answer",)


def test_pairs_say_which_differences_are_sure() -> None:
    document = ranked()
    pairs = {pair["b"]: pair for pair in document["pairs"]}
    pairs["bm25"] |= {"difference": -3.0, "ci95": [-5.0, -1.0], "p": 0.0123, "p_holm": 0.0246}
    pairs["pop"] |= {"difference": 0.04, "ci95": [-2.0, 2.0], "p": 0.9, "p_holm": 1.0}
    against = part("Against full", document)
    (table,) = against.tables
    assert [(row.name, *row.cells) for row in table.rows[:2]] == [
        ("bm25", "−3.0", "−5.0 to −1.0", "0.012", "0.025", "40"),
        ("pop", "+0.0", "−2.0 to 2.0", "0.900", "1.000", "40"),
    ]
    assert table.rows[-1].name == "random"
    assert table.rows[-1].cells[2] == "<0.001"
    assert isinstance(against.plot, Dots)
    assert [mark.look for mark in against.plot.marks[:2]] == ["sure", "open"]
    sure = [p["ci95"][0] > 0 for p in document["pairs"]]
    assert f"above 0 for {sum(sure)} of 5, and below for 1" in against.text


def test_slices_have_their_users_and_a_figure_for_every_system() -> None:
    found = part("Who it works for")
    history, popularity = found.tables
    assert history.columns == ("system", "0, 6 users", "1–4, 24 users", "5–9, 10 users")
    assert len(popularity.columns) > 2
    assert [row.name for row in history.rows] == [row.name for row in part("Accuracy").tables[0].rows]
    assert isinstance(found.plot, Lines)
    texts = Read(found.plot.svg("p-")).texts
    named = [name for name in SKILL if name in texts]
    assert sorted(named) == ["bm25", "full", "pop", "random", "zero_shot"]  # and full-llm is a grey line
    assert {"6 users", "24 users", "10 users", "Items in the history", "Training users of the target"} <= {*texts}


def test_slices_of_one_sort_alone_are_drawn_alone() -> None:
    document = ranked()
    document["slices"] = [part for part in document["slices"] if part["by"] == "history"]
    assert len(part("Who it works for", document).tables) == 1


def test_problems_of_a_kind_are_counted_together() -> None:
    (table,) = part("Problems").tables
    assert [(row.name, *row.cells) for row in table.rows] == [
        ("c.tsv", "8", "1, 2, 3, 4, 5, …", "user 'u1' has 1 candidates: left out"),
        ("c.tsv", "1", "–", "no line ends"),
    ]


def test_without_pairs_slices_and_problems_there_are_no_such_parts() -> None:
    sheet = view(ranked(pairs=[], slices=[], problems=[]))
    assert [p.title for p in sheet.parts] == ["Accuracy", "Beyond accuracy"]


# --- the other kinds ------------------------------------------------------------------------------------------------


def test_retrieval_is_a_table_of_channels() -> None:
    channels, chroma = part("Recall", RECALL).tables
    assert channels.columns == ("channel", "recall@50", "recall@100", "recall@200", "95 % interval of the last")
    assert [(row.name, row.cells[0], row.cells[2]) for row in channels.rows] == [
        ("theme", "8.1", "20.0"),
        ("union", "31.0", "60.0"),
    ]
    assert chroma.rows[0].cells == ("99.8",)


def test_cold_start_is_a_table_and_a_curve() -> None:
    strangers = part("A description alone", COLD)
    assert [(row.name, row.group, row.cells[1:3]) for row in strangers.tables[0].rows] == [
        ("stranger", "own", ("41.0", "52.0 ± 2.0")),
        ("popularity", "all", ("33.0", "40.0 ± 2.0")),
    ]
    assert "I like {categories}." in strangers.text
    (curve,) = part("From stranger to regular", COLD).tables
    assert curve.columns == ("system", "0", "1", "2", "10", "all")
    assert curve.rows[1].cells == ("–", "40.0 ± 2.0", "40.0 ± 2.0", "40.0 ± 2.0", "–")


def test_variants_of_the_llm_stand_with_their_cost() -> None:
    (table,) = part("Ways of asking", LLM).tables
    assert [(row.name, *row.cells) for row in table.rows] == [
        ("pmi", "45.2 ± 4.2", "2,400", "990,000", "12.0", "–", "–"),
        ("letters", "33.0 ± 4.0", "360", "14,000", "1.80", "3", "–"),
    ]


def test_an_unknown_kind_is_named_with_those_that_are_known() -> None:
    with pytest.raises(ReadError, match="'moods'") as caught:
        page([{"kind": "moods", "dataset": "films"}])
    assert "rank, recall, coldstart, llm" in caught.value.hint


@pytest.mark.parametrize("broken", [{"dataset": None}, {"systems": None}, {"systems": {}}, {"systems": {"full": 3}}])
def test_a_result_without_what_it_must_have_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ReadError, match="needs 'dataset' and 'systems'"):
        markdown([ranked(**broken)])


# --- files and the README -------------------------------------------------------------------------------------------


def test_files_that_are_no_results_are_named(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text(_ranked())
    assert load([tmp_path / "good.json"]) == [ranked()]
    (tmp_path / "broken.json").write_text('{"dataset": ')
    (tmp_path / "list.json").write_text("[1]")
    for name in ("broken.json", "list.json", "missing.json"):
        with pytest.raises(ReadError, match=name):
            load([tmp_path / name])


def test_the_readme_table_is_compact() -> None:
    text = markdown([ranked(command="leitmotif eval rank films", machine="2 cores"), LLM])
    figures = ranked()["systems"]["full"]
    half = (figures["ci95"][1] - figures["ci95"][0]) / 2
    assert text.splitlines()[:5] == [
        "**films, uniform**: 40 users, seed 7, 21 Nov 2026, 2 cores, `leitmotif eval rank films`",
        "",
        "| system | ndcg@10 | hit@10 | users | LLM calls | s/user |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        f"| `full` | {figures['ndcg@10']:.1f} ± {half:.1f} | 75.0 | 40 | 1,200 | 0.25 |",
    ]
    assert text.splitlines()[-5:] == [
        "",
        "| variant | ndcg@10 | LLM calls | tokens | s/user |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| `pmi` | 45.2 ± 4.2 | 2,400 | 990,000 | 12.0 |",
        "| `letters` | 33.0 ± 4.0 | 360 | 14,000 | 1.80 |",
    ]


def test_a_bar_in_a_name_does_not_end_its_cell() -> None:
    lines = markdown([{"dataset": "films", "systems": {"a|b": {"ndcg@10": 50.0}}}]).splitlines()
    assert lines == [
        "**films**",
        "",
        "| system | ndcg@10 | hit@10 | users | LLM calls | s/user |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        r"| `a\|b` | 50.0 | – | – | – | – |",
    ]


PROSE = st.text(alphabet="ab|<-! \n").filter(lambda text: BEGIN not in text and END not in text)


@given(PROSE, PROSE, PROSE)
def test_what_is_included_is_what_was_put_there(before: str, old: str, after: str) -> None:
    readme = include(f"{before}{BEGIN}{old}{END}{after}", "| a |")
    assert included(readme) == "| a |"
    assert readme.startswith(before + BEGIN)
    assert readme.endswith(END + after)
    assert include(readme, "| a |") == readme


@pytest.mark.parametrize("readme", ["", BEGIN, END, END + BEGIN, BEGIN + END + END, BEGIN + BEGIN + END])
def test_a_readme_needs_both_markers_once(readme: str) -> None:
    with pytest.raises(ReadError, match="once each"):
        include(readme, "| a |")


def test_drift_is_noticed_in_every_form() -> None:
    good = include(f"# Title\n\n{BEGIN}\n{END}\n", markdown(for_readme(ALL)))
    assert drift(good, ALL) is None
    assert drift(good.replace("75.0", "75.1"), ALL)
    assert drift(good, ALL[1:])  # a ranking is gone; the last is none, and README does not show it
    assert drift(good, [])
    assert drift("# Title", ALL)
    assert drift("# Title", []) is None


# --- drawing --------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 100), max_size=12), st.floats(0.1, 20))
def test_names_beside_lines_keep_their_order_and_do_not_overlap(heights: list[float], gap: float) -> None:
    moved = spread(sorted(heights), gap)
    assert len(moved) == len(heights)
    assert all(b - a >= gap * (1 - 1e-6) for a, b in pairwise(moved))
    assert math.fsum(moved) == pytest.approx(math.fsum(heights), abs=1e-6)


def test_names_that_are_far_apart_stay_where_they_are() -> None:
    assert spread([1.0, 5.0, 9.0], 2.0) == [1.0, 5.0, 9.0]
