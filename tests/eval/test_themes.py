"""Themes against planted truth: streams that are fair, figures that an oracle tops and a scrambler does not, and whole runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, v_measure_score

from agent.errors import UsageError
from eval.report import markdown
from eval.rivals import NotInstalledError
from eval.streams import films, ideal, planted, sentences
from eval.streams.files import load, save
from eval.streams.lives import SILENCE_DAYS, Words, live, told
from eval.streams.streams import OUT, Change, Stream, ends, truth_at
from eval.streams.streams import planted as themes_of
from eval.theme_metrics import Measured, agreement
from eval.theme_systems import Batch, Chronicle, ThemeRules, make
from eval.themes import Request, Run, checkpoints, figures, followed
from retrieval.embed import HashEmbedder
from retrieval.evolution import Point
from retrieval.readers import ReadError
from retrieval.records import ThemeEvent
from retrieval.records import ThemeEventKind as Kind

NOW = datetime(2026, 11, 1, tzinfo=UTC)
LETTERS = "abcdefghijkl"
TOY = Words(
    {letter: tuple(f"{letter} {letter}{n}" for n in range(8)) for letter in LETTERS},
    (("a", "b"), ("c", "d")),
    lambda a, b: tuple(f"{a} {b} {a}{n}" for n in range(8)),
    tuple(f"noise{n}" for n in range(60)),
)


@cache
def stream(seed: int = 0) -> Stream:
    return told(f"toy-{seed}", live(LETTERS, TOY.pairs, seed), TOY, HashEmbedder(64).embed, seed)


class Oracle:
    """Knows the truth of `stream`, and tells of each change when it shows. `late`: so many points later."""

    def __init__(self, stream: Stream, late: int = 0) -> None:
        self._stream, self._late = stream, late
        self._seen = 0
        self.assignment: Mapping[str, str] = {}
        self.events: Sequence[ThemeEvent] = []

    def advance(self, batch: Batch, now: datetime) -> None:
        self._seen += len(batch.points)
        truth = truth_at(self._stream, self._seen)
        ids = [point.id for point in self._stream.points]
        self.assignment = {ids[n]: theme for n, theme in enumerate(truth) if theme}
        known = self._stream.points[max(0, self._seen - 1 - self._late)].at
        self.events = [self._event(change) for change in self._stream.changes if change.at <= known]

    @staticmethod
    def _event(change: Change) -> ThemeEvent:
        if change.kind is Kind.MERGED:
            return ThemeEvent(change.themes[0], change.kind, change.at, change.themes[1:-1])
        if change.kind is Kind.SPLIT:
            return ThemeEvent(change.themes[-1], change.kind, change.at, change.themes[:1])
        return ThemeEvent(change.themes[0], change.kind, change.at)


class Scrambler(Oracle):
    """Right groups, and other names every time."""

    def advance(self, batch: Batch, now: datetime) -> None:
        super().advance(batch, now)
        self.assignment = {point: f"{theme} {self._seen}" for point, theme in self.assignment.items()}


class Alarmist(Oracle):
    """Right groups and names, and a birth at every checkpoint."""

    def advance(self, batch: Batch, now: datetime) -> None:
        super().advance(batch, now)
        if theme := next(iter(self.assignment.values()), None):
            self._told = [*getattr(self, "_told", []), ThemeEvent(theme, Kind.BORN, now)]
            self.events = [*self.events, *self._told]


def measured(system: Oracle, seed: int = 0) -> dict[str, Any]:
    return figures([followed(stream(seed), system, 1)], 0)


# --- streams --------------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_stream_and_another_seed_another() -> None:
    again = told("toy-0", live(LETTERS, TOY.pairs, 0), TOY, HashEmbedder(64).embed, 0)
    assert (again.points, again.truth, again.changes) == (stream().points, stream().truth, stream().changes)
    assert np.array_equal(again.vectors, stream().vectors)
    assert stream(1).truth != stream().truth


@given(seed=st.integers(0, 10_000))
def test_a_life_has_all_kinds_of_changes_and_each_is_shown_by_points(seed: int) -> None:
    plan = live(LETTERS, TOY.pairs, seed)
    assert {change.kind for change in plan.changes} == {Kind.BORN, Kind.FADED, Kind.MERGED, Kind.SPLIT, Kind.REVIVED}
    assert 200 <= len(plan.acts) <= 900
    for change in plan.changes:
        shown = {act.theme for act in plan.acts if act.at == change.at}
        assert shown & set(change.themes), change


@given(seed=st.integers(0, 10_000))
def test_a_theme_that_has_faded_is_silent_for_long_and_others_are_not(seed: int) -> None:
    plan = live(LETTERS, TOY.pairs, seed)
    for change in plan.changes:
        if change.kind is Kind.FADED:
            later = [act.at for act in plan.acts if act.theme == change.themes[0] and act.at > change.at]
            end = later[0] if later else plan.acts[-1].at
            assert end - change.at > timedelta(days=SILENCE_DAYS - 20)


def test_noise_is_never_enough_of_one_topic_to_be_an_interest() -> None:
    for seed in range(20):
        plan = live(LETTERS, TOY.pairs, seed)
        days: dict[tuple[str, ...], set[object]] = {}
        for act in plan.acts:
            if act.theme is None and act.topics:
                days.setdefault(act.topics, set()).add(act.at.date())
        assert all(len(found) <= 2 for found in days.values())


@pytest.mark.parametrize("words", [planted.words(), sentences.words()], ids=["planted", "sentences"])
def test_what_merges_or_splits_can_be_seen_in_the_vectors(words: Words) -> None:
    embed = HashEmbedder(256).embed
    for a, b in list(words.pairs)[:10]:
        first, second, both = (
            embed(texts).mean(axis=0) for texts in (words.topics[a], words.topics[b], words.both(a, b))
        )
        assert min(first @ both, second @ both) > first @ second


def test_too_few_topics_are_refused() -> None:
    with pytest.raises(ValueError, match="five topics beside the pairs"):
        live("abcdef", TOY.pairs, 0)
    with pytest.raises(ValueError, match="two pairs"):
        live(LETTERS, TOY.pairs[:1], 0)


def test_points_of_a_merge_belong_together_and_points_before_a_split_to_neither_part() -> None:
    merged = next(change for change in stream().changes if change.kind is Kind.MERGED)
    split = next(change for change in stream().changes if change.kind is Kind.SPLIT)
    truth = truth_at(stream(), len(stream().points))
    assert not set(merged.themes[:-1]) & set(truth)
    assert split.themes[0] not in truth
    assert OUT in truth
    assert ends(stream(), merged.themes[0]) == merged.at
    assert ends(stream(), merged.themes[-1]) is None


def test_films_are_grouped_by_their_only_genre(tmp_path: Path) -> None:
    genres = ["Action", "Comedy", "Drama", "Horror", "Western", "War", "Musical", "Romance", "Mystery"]
    kinds = [*genres, "Action|Comedy", "Drama|Horror", "Action|Comedy|Drama|War"]
    rows = [f"{n},Film {n} ({1950 + n % 60}),{kinds[n % len(kinds)]}" for n in range(20 * len(kinds))]
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n" + "\n".join(rows) + "\n")
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1,4.0,964982703\n")
    found = films.words(tmp_path, NOW)
    assert set(found.topics) == {genre.lower() for genre in genres}
    assert set(found.pairs) == {("action", "comedy"), ("drama", "horror")}
    assert all("action, comedy" in text for text in found.both("comedy", "action"))
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n1,Film (1950),Drama\n")
    with pytest.raises(UsageError, match="9 are needed"):
        films.words(tmp_path, NOW)


# --- files ----------------------------------------------------------------------------------------------------------


def test_a_stream_that_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    save([stream(0), stream(1)], path)
    first, second = load(path, HashEmbedder().embed)
    assert (first.name, first.points, first.truth, first.changes) == (
        "toy-0", stream().points, stream().truth, stream().changes,
    )  # fmt: skip
    assert np.allclose(second.vectors, stream(1).vectors, atol=1e-6)


def test_texts_are_embedded_where_there_are_no_vectors_and_lines_may_come_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    rows: list[dict[str, Any]] = [
        {"id": "2", "at": "2026-01-02", "theme": None, "text": "rain"},
        {"change": "born", "at": "2026-01-01", "themes": ["chess"]},
        {"id": "1", "at": "2026-01-01T00:00:00+00:00", "theme": "chess", "text": "rook endings", "polarity": "dislike"},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    (found,) = load(path, HashEmbedder().embed)
    assert [point.id for point in found.points] == ["1", "2"]
    assert found.truth == ("chess", None)
    assert np.allclose(found.vectors[0], HashEmbedder().embed(["rook endings"])[0])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "holds no points"),
        ("{", "line 1: not JSON"),
        ("[]", "line 1: not a JSON object"),
        ('{"id": "1", "at": "2026-01-01"}', "line 1: 'theme' is missing"),
        ('{"id": "1", "at": "soon", "theme": "a"}', "line 1: Invalid isoformat"),
        ('{"change": "grew", "at": "2026-01-01", "themes": ["a"]}', "line 1: no change is grew"),
        ('{"change": "merged", "at": "2026-01-01", "themes": ["a"]}', "line 1: no change is merged"),
        ('{"id": "1", "at": "2026-01-01", "theme": "a"}', "every point needs a vector"),
        ('{"id": "1", "at": "2026-01-01", "theme": "a", "vector": [NaN]}', "what is no number"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(line)
    with pytest.raises(ReadError, match=message):
        load(path, HashEmbedder().embed)


# --- figures --------------------------------------------------------------------------------------------------------

labels_ = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40)


@given(labels_)
def test_agreement_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    truth, said = [str(a) for a, _ in pairs], [str(b) for _, b in pairs]
    ari, nmi, v = agreement(truth, said)
    assert ari == pytest.approx(adjusted_rand_score(truth, said))
    assert v == pytest.approx(v_measure_score(truth, said), abs=1e-9)
    if len(set(truth)) > 1 and len(set(said)) > 1:
        assert nmi == pytest.approx(normalized_mutual_info_score(truth, said, average_method="geometric"), abs=1e-9)


def test_noise_in_a_theme_and_a_point_left_out_both_cost_agreement() -> None:
    truth = ["a"] * 5 + ["b"] * 5 + [None] * 3
    assert agreement(truth, truth)[0] == 1
    assert agreement(truth, ["a"] * 5 + ["b"] * 8)[0] < 1
    assert agreement(truth, ["a"] * 5 + ["b"] * 2 + [None] * 6)[0] < 1


def test_an_oracle_has_the_best_figures() -> None:
    found = measured(Oracle(stream()))
    assert (found["ari"], found["nmi"], found["v_measure"]) == pytest.approx((1, 1, 1))
    assert found["id_stability"] == found["id_stability_step"] == 1
    assert (found["delay_median"], found["missed"], found["false_alarms_per_200"]) == (0, 0, 0)


def test_an_oracle_that_is_late_has_that_delay_and_one_that_is_too_late_misses() -> None:
    assert measured(Oracle(stream(), late=7))["delay_median"] == 7
    late = measured(Oracle(stream(), late=150))
    assert late["missed"] > 0
    assert late["false_alarms_per_200"] > 0  # what comes too late is taken for nothing that happened


def test_a_delay_in_a_themes_own_points_leaves_out_those_of_others() -> None:
    found = measured(Oracle(stream(), late=7))
    assert 0 < found["own_delay_median"] < found["delay_median"]
    assert found["by_kind"]["faded"]["own_delay_median"] == 0


def test_other_names_every_day_keep_agreement_and_lose_every_id() -> None:
    found = measured(Scrambler(stream()))
    assert found["ari"] == pytest.approx(1)
    assert found["id_stability"] == found["id_stability_step"] == 0


def test_one_theme_for_everything_keeps_few_ids() -> None:
    class Lump(Oracle):
        def advance(self, batch: Batch, now: datetime) -> None:
            super().advance(batch, now)
            self.assignment = {point.id: "all" for point in self._stream.points[: self._seen]}

    found = measured(Lump(stream()))
    assert found["ari"] == 0
    assert found["id_stability"] < 0.5


def test_births_that_are_none_are_false_alarms_of_that_kind() -> None:
    found = measured(Alarmist(stream()))
    assert found["by_kind"]["born"]["false_alarms"] > 100
    assert found["by_kind"]["faded"]["false_alarms"] == 0
    assert found["false_alarms_per_200"] > 100


def test_a_change_told_as_another_kind_is_missed_and_a_false_alarm() -> None:
    class Mistaken(Oracle):
        def advance(self, batch: Batch, now: datetime) -> None:
            super().advance(batch, now)
            self.events = [replace(e, kind=Kind.BORN, sources=()) if e.kind is Kind.MERGED else e for e in self.events]

    found = measured(Mistaken(stream()))
    assert found["by_kind"]["merged"]["missed"] == 1
    assert found["by_kind"]["born"]["false_alarms"] == 1


def test_an_event_counts_from_when_it_is_told_not_from_when_it_says_it_was() -> None:
    class Backdating(Oracle):
        def advance(self, batch: Batch, now: datetime) -> None:
            super().advance(batch, now)
            if self._seen < len(self._stream.points):
                self.events = []

    assert measured(Backdating(stream()))["delay_median"] > 50


def test_without_planted_changes_nothing_is_said_of_delays_and_alarms() -> None:
    bare = replace(stream(), changes=())
    found = figures([followed(bare, Oracle(bare))], 0)
    assert np.isnan(found["delay_median"])
    assert np.isnan(found["false_alarms_per_200"])


def test_checkpoints_are_the_ends_of_days_or_every_so_many_points() -> None:
    points = tuple(Point(str(n), NOW + timedelta(hours=9 * n)) for n in range(6))  # 0, 9, 18 | 3, 12, 21 o'clock
    small = Stream("s", points, np.eye(6, dtype=np.float32), ("a",) * 6, ())
    assert checkpoints(small, None) == [3, 6]
    assert checkpoints(small, 4) == [4, 6]
    assert checkpoints(small, 6) == [6]


# --- systems --------------------------------------------------------------------------------------------------------


def test_a_chronicle_tells_what_happened_to_groups() -> None:
    chronicle, points = Chronicle(ThemeRules()), tuple(Point(f"p{n}", NOW) for n in range(8))
    chronicle.note({f"p{n}": "a" for n in range(8)}, points, NOW)
    chronicle.note({f"p{n}": "a" if n < 5 else "b" for n in range(8)}, (), NOW)
    chronicle.note({f"p{n}": "a" for n in range(8)}, (), NOW)
    chronicle.note({}, (), NOW)
    assert [(e.theme, e.kind, e.sources) for e in chronicle.events] == [
        ("a", Kind.BORN, ()), ("b", Kind.SPLIT, ("a",)), ("b", Kind.MERGED, ("a",)), ("a", Kind.FADED, ()),
    ]  # fmt: skip


def test_a_chronicle_lets_groups_fade_and_return() -> None:
    chronicle = Chronicle(ThemeRules())
    old, new = [tuple(Point(f"{n}{k}", NOW - timedelta(days=d)) for k in range(9)) for n, d in (("o", 400), ("n", 0))]
    both = {p.id: p.id[0] for p in (*old, *new)}
    chronicle.note(both, (*old, *new), NOW)
    back = Point("o9", NOW)
    chronicle.note(both | {"o9": "o"}, (back,), NOW)
    assert [(e.theme, e.kind) for e in chronicle.events[-2:]] == [("o", Kind.FADED), ("o", Kind.REVIVED)]


@pytest.mark.parametrize("name", ["leitmotif", "no_decay", "rebuild"])
def test_our_systems_follow_a_whole_stream(name: str) -> None:
    found: Measured = followed(stream(), make(name, 0))
    assert found.points == len(stream().points)
    assert found.agreement[0] > 0.2


def test_what_is_not_known_or_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="unknown system 'kmeans'"):
        make("kmeans", 0)
    for module in ("bertopic", "river", "river.cluster"):
        monkeypatch.setitem(sys.modules, module, None)
    for name in ("bertopic", "denstream"):
        with pytest.raises(NotInstalledError):
            make(name, 0)


# --- the run --------------------------------------------------------------------------------------------------------


def test_a_run_has_the_published_figures_and_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bertopic", None)
    path = tmp_path / "mine.jsonl"
    save([stream(0), stream(1)], path)
    request = Request((path,), systems=("leitmotif", "bertopic"))
    found = Run(request, HashEmbedder(), tmp_path / "kept", NOW, lambda *_: None).document()
    assert found["streams"] == 2
    keys = {"ari", "nmi", "v_measure", "id_stability", "label_stability", "delay_median", "false_alarms_per_200"}
    assert keys <= found["systems"]["leitmotif"].keys()
    assert set(found["by_stream"]) == {"toy-0", "toy-1"}
    assert "bertopic" in found["notes"][0]
    assert "pip install bertopic river" in found["notes"][0]
    assert "`leitmotif`" in markdown([found])
    json.dumps(found, allow_nan=False)


def test_streams_of_our_own_are_made_from_seeds(tmp_path: Path) -> None:
    request = Request(seeds=1, seed=5, systems=("rebuild",), every=50)
    found = Run(request, HashEmbedder(), tmp_path, NOW, lambda *_: None).document()
    assert set(found["by_stream"]) == {"planted-5", "sentences-5"}
    assert found["dataset"] == "planted, sentences"


def test_the_ideal_streams_leave_nothing_to_an_embedding(tmp_path: Path) -> None:
    made = ideal.stream(5)
    alike = made.vectors @ made.vectors.T
    plain = [row for row, theme in enumerate(made.truth) if theme and "+" not in theme]
    same = np.array([[made.truth[a] == made.truth[b] for b in plain] for a in plain])
    known = alike[np.ix_(plain, plain)]
    np.fill_diagonal(known, ideal.ALIKE)
    np.testing.assert_allclose(known, np.where(same, ideal.ALIKE, 0), atol=1e-6)
    request = Request(seeds=1, seed=5, systems=("leitmotif",), ideal=True)
    found = Run(request, HashEmbedder(), tmp_path, NOW, lambda *_: None).document()
    assert set(found["by_stream"]) == {"ideal-5"}
    assert found["systems"]["leitmotif"]["ari"] > 0.95


def test_two_streams_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        save([stream()], tmp_path / name)
    request = Request((tmp_path / "a.jsonl", tmp_path / "b.jsonl"), systems=("rebuild",))
    with pytest.raises(UsageError, match="same name"):
        Run(request, HashEmbedder(), tmp_path, NOW, lambda *_: None).document()


def test_an_unknown_system_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="unknown system"):
        Request(systems=("kmeans",))


def test_planted_themes_are_listed_by_first_appearance() -> None:
    assert set(themes_of(stream(), 10)) <= set(themes_of(stream()))
    assert themes_of(stream())[0] == next(theme for theme in stream().truth if theme)
