"""Cold start: what a stranger did later is in no description and in no count, and the curve sees so many events."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.clauses import clauses
from eval.baselines import make
from eval.cases import Case, Dataset, Question, Ranking
from eval.material import Material
from eval.results import to_json
from eval.stranger_ranks import answers
from eval.strangers import (
    CANDIDATES,
    EVENTS,
    POSITIVES,
    TEMPLATE,
    curve,
    figures,
    run,
    shortened,
    strangers,
    without_future,
)
from retrieval.embed import HashEmbedder, item_text
from retrieval.fusion import FusionWeights
from retrieval.readers import ReadError
from retrieval.records import Event, EventKind, Item
from tests.fakes import FakeLLM

START = datetime(2020, 1, 1, tzinfo=UTC)
TOPICS = ("crime", "snow", "bread")
ITEMS = {
    f"{topic}{n:02}": Item(f"{topic}{n:02}", f"The {topic} story {n}", categories=("film", topic))
    for topic in TOPICS
    for n in range(40)
}
WEIGHTS = FusionWeights()


def acts(user: str, items: Sequence[str], kind: EventKind = EventKind.LIKE) -> tuple[Event, ...]:
    return tuple(Event(f"{user}{n}", user, kind, START + timedelta(days=n), item) for n, item in enumerate(items))


def topic(name: str, start: int, stop: int) -> list[str]:
    return [f"{name}{n:02}" for n in range(start, stop)]


def made(
    train: Mapping[str, tuple[Event, ...]], targets: Mapping[str, str], items: Mapping[str, Item] = ITEMS
) -> Dataset:
    cases = []
    for user, target in targets.items():
        history = tuple(dict.fromkeys(e.item for e in train[user] if e.item))
        cases.append(Case(user, history, target, START + timedelta(days=99)))
    return Dataset("made", "d1", items, train, tuple(cases))


# Three fans of crime, one of snow, and two who cannot be strangers: too few acts, and nothing liked.
DATASET = made(
    {
        "ann": acts("ann", topic("crime", 0, 9)),
        "bob": acts("bob", topic("crime", 5, 15)),
        "cat": acts("cat", topic("crime", 10, 20)),
        "dan": acts("dan", topic("snow", 0, 9)),
        "few": acts("few", topic("bread", 0, 4)),
        "sad": acts("sad", topic("bread", 0, 12), EventKind.DISLIKE),
        "also": acts("also", ["crime30", "snow30"]),
    },
    {"ann": "crime09", "bob": "crime15", "cat": "crime20", "dan": "snow09", "few": "bread05", "sad": "bread20"},
)
EMBEDDER = HashEmbedder(64)
MATERIAL = Material(DATASET, EMBEDDER.embed([item_text(item) for item in ITEMS.values()]))
CHOSEN = strangers(DATASET, seed=0, sample=500)


def answered(llm: FakeLLM | None = None, dataset: Dataset = DATASET) -> dict[str, Any]:
    chosen = strangers(dataset, seed=0, sample=500)
    known = Material(without_future(dataset, chosen), MATERIAL.vectors)
    return asyncio.run(answers(known, chosen, EMBEDDER, llm or FakeLLM(), WEIGHTS, seed=0))


def retitled(title: str) -> Dataset:
    return replace(DATASET, items=ITEMS | {"crime00": Item("crime00", title, categories=("film", "crime"))})


@dataclass
class Recorder:
    """Scores its candidates in their order and remembers the histories that it was shown."""

    name: str = "recorder"
    key: str = "1"
    histories: list[tuple[str, ...]] = field(default_factory=list)

    async def rank(self, question: Question) -> Ranking:
        self.histories.append(question.case.history)
        if question.case.user == "few":
            raise ValueError("crash")
        return Ranking(tuple(float(candidate == question.case.target) for candidate in question.candidates))


# --- who is asked -----------------------------------------------------------------------------------------------------


def test_only_those_who_liked_enough_before_their_last_items_are_strangers() -> None:
    assert [stranger.user for stranger in CHOSEN] == ["ann", "bob", "cat", "dan"]
    assert len(strangers(DATASET, seed=0, sample=2)) == 2


def test_the_positives_are_the_last_items_and_the_negatives_were_never_touched() -> None:
    for stranger in CHOSEN:
        case = next(case for case in DATASET.cases if case.user == stranger.user)
        touched = {*case.history, case.target}
        assert stranger.positives == {*case.history[1 - POSITIVES :], case.target}
        assert len(set(stranger.candidates)) == len(stranger.candidates) == CANDIDATES
        assert set(stranger.candidates) & touched == stranger.positives


def test_positives_stand_anywhere_among_the_candidates() -> None:
    places = {stranger.candidates.index(item) for stranger in CHOSEN for item in stranger.positives}
    assert len(places) > 6


def test_a_sample_of_strangers_is_asked_the_same_as_all() -> None:
    assert set(strangers(DATASET, seed=0, sample=2)) <= set(CHOSEN)
    assert strangers(DATASET, seed=1, sample=500) != CHOSEN


# --- no leak ----------------------------------------------------------------------------------------------------------


def test_nothing_that_a_stranger_did_from_the_first_positive_on_is_counted() -> None:
    cut = without_future(DATASET, CHOSEN)
    for stranger in CHOSEN:
        assert not stranger.positives & {event.item for event in cut.train[stranger.user]}
        assert all(event.at < stranger.at for event in cut.train[stranger.user])
    assert cut.cases == ()
    # crime07 and crime08 are positives of ann and history of bob: one user has each, not two
    counts = Counter(item for items in cut.sequences().values() for item in items)
    assert (counts["crime07"], counts["crime08"], counts["crime09"]) == (1, 1, 1)
    assert cut.train["also"] == DATASET.train["also"]


def test_a_later_look_at_an_early_item_is_cut_too() -> None:
    again = (*DATASET.train["ann"], Event("late", "ann", EventKind.VIEW, START + timedelta(days=50), "crime00"))
    (ann,) = strangers(replace(DATASET, train={**DATASET.train, "ann": again}, cases=DATASET.cases[:1]), 0, 5)
    assert [event.item for event in ann.kept] == topic("crime", 0, 7)


def test_what_comes_later_changes_no_description_and_no_score() -> None:
    """The same candidates are scored alike whatever the three items are, when these are the only difference."""
    (ann,) = (s for s in CHOSEN if s.user == "ann")
    later = replace(ann, positives=frozenset(topic("bread", 0, 3)))
    known = Material(without_future(DATASET, CHOSEN), MATERIAL.vectors)
    scores = [asyncio.run(answers(known, [s], EMBEDDER, FakeLLM(), WEIGHTS, seed=0)) for s in (ann, later)]
    for name in scores[0]:
        assert np.array_equal(scores[0][name][0], scores[1][name][0])
    assert "crime" in ann.description
    assert not any(ITEMS[item].title in ann.description for item in ann.positives)


# --- the description --------------------------------------------------------------------------------------------------


def test_the_template_says_categories_and_titles_of_what_was_liked_first() -> None:
    items = [
        Item("1", "Mr. Heat (1995)", categories=("film", "crime", "drama")),
        Item("2", "Fargo", categories=("film", "crime", "comedy")),
        Item("3", "Up", categories=("film", "family", "comedy")),
    ]
    assert TEMPLATE.fill(items) == "I like crime, comedy and drama. I enjoyed Mr Heat and Fargo."
    assert TEMPLATE.fill([Item("1", "Heat")]) == "I enjoyed Heat."
    assert TEMPLATE.fill([Item("1", "?!", categories=("crime",))]) == "I like crime."
    assert TEMPLATE.fill([]) == ""


def test_what_was_disliked_is_not_described() -> None:
    events = (*acts("eve", ["snow00"], EventKind.DISLIKE), *acts("eve", topic("crime", 0, 10)))
    (eve,) = strangers(made({"eve": events}, {"eve": "crime20"}), 0, 5)
    assert "snow" not in eve.description


# --- who answers ------------------------------------------------------------------------------------------------------


def test_every_system_scores_every_candidate() -> None:
    found = answered()
    assert set(found) == {"random", "pop", "bm25", "embed", "stranger", "stranger_zero_shot"}
    for scores in found.values():
        assert [len(row) for row in scores] == [CANDIDATES] * len(CHOSEN)


def test_a_description_finds_what_it_names() -> None:
    for name, scores in answered().items():
        figure = figures(CHOSEN, scores, False, seed=0)
        if name in ("bm25", "embed", "stranger_zero_shot"):
            assert figure.ndcg_at_10 > figures(CHOSEN, answered()["random"], False, seed=0).ndcg_at_10


def test_figures_are_of_the_three_positives() -> None:
    (first, *_) = CHOSEN
    perfect = np.array([float(item in first.positives) for item in first.candidates])
    assert figures([first], [perfect], False, seed=0).ndcg_at_10 == 100
    one = np.array([float(item == min(first.positives)) - (item in first.positives) for item in first.candidates])
    assert figures([first], [one], False, seed=0).recall_at_10 == pytest.approx(100 / 3)


def test_without_an_llm_those_who_need_it_are_missing_and_nothing_is_made_up() -> None:
    unclear = retitled("The Fog while You Slept")
    (said,) = (s.description for s in strangers(unclear, 0, 500) if s.user == "ann")
    assert any(clause.polarity is None for clause in clauses(said))
    away = FakeLLM()
    away.fail()
    scores = answered(away, unclear)["stranger"]
    assert [row is None for row in scores] == [True, False, False, False]
    figure = figures(CHOSEN, scores, True, seed=0)
    assert figure.users == 3
    assert figure.note.startswith("1 description")
    assert all(row is not None for row in answered(FakeLLM(), unclear)["stranger"])


# --- the curve --------------------------------------------------------------------------------------------------------


def test_the_curve_shows_the_last_events_and_none_at_zero() -> None:
    question = Question(Case("u", ("a", "b", "c"), "d", START), ("d", "e"))
    assert shortened(question, 0).case.history == ()
    assert shortened(question, 2).case.history == ("b", "c")
    assert shortened(question, 5) == question


def test_a_system_is_asked_once_for_each_history_and_a_crash_is_no_answer(tmp_path: Path) -> None:
    recorder = Recorder()
    questions = [Question(case, (case.target, "snow39")) for case in DATASET.cases]
    found = asyncio.run(curve([recorder], questions, tmp_path, data="d1", seed=0))
    points = found["recorder"]
    assert [point.events for point in points] == [*EVENTS, "all"]
    assert {point.users for point in points} == {len(questions) - 1}
    assert {point.ndcg_at_10 for point in points} == {100.0}
    assert len([history for history in recorder.histories if not history]) == len(questions)
    lengths = {user: len(events) for user, events in DATASET.train.items()}
    expected = sum(len({min(n, lengths[case.user]) for n in (*EVENTS, 50)}) for case in DATASET.cases)
    assert len(recorder.histories) == expected


def test_the_document_has_the_promised_names(tmp_path: Path) -> None:
    systems = [make(name, DATASET, MATERIAL.index, 0) for name in ("pop", "bm25")]
    document = to_json(asyncio.run(run(MATERIAL, systems, EMBEDDER, FakeLLM(), WEIGHTS, tmp_path)))
    assert json.loads(json.dumps(document)) == document
    assert document["kind"] == "coldstart"
    assert document["users"] == 4
    assert set(document["systems"]["pop"]) == {"recall@10", "ndcg@10", "ci95", "users", "others", "note"}
    assert {name for name, row in document["systems"].items() if row["others"]} == {"pop", "stranger"}
    assert [point["events"] for point in document["curve"]["bm25"]] == [0, 1, 2, 3, 5, 10, 20, "all"]
    assert document["template"]["sentences"] == list(TEMPLATE.sentences)


def test_a_dataset_without_strangers_is_refused(tmp_path: Path) -> None:
    nobody = Material(replace(DATASET, cases=DATASET.cases[4:]), MATERIAL.vectors)
    with pytest.raises(ReadError, match="nobody"):
        asyncio.run(run(nobody, [], EMBEDDER, FakeLLM(), WEIGHTS, tmp_path))
