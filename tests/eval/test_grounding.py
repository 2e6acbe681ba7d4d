"""The figures of written statements: each moves with what it is named for, and with nothing else."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.config import Settings
from eval.authors import JUNK_KINDS, junk
from eval.cases import Case, Dataset
from eval.claims import Judge
from eval.facts import facts
from eval.grounding import Court, Figures, Person, Said, coverage, measure, recall, redundancy, specificity, staleness
from eval.labels import SAMPLE, agreement, read
from eval.profiles import Request, beside, document
from eval.report_view import view
from eval.truth import Interest, overrepresented, planted
from eval.workshop import Workshop
from retrieval.embed import HashEmbedder
from retrieval.readers import ReadError
from retrieval.records import Event, EventKind, Item, Polarity
from tests.fakes import catalogue

START = datetime(2026, 1, 1, tzinfo=UTC)
EMBEDDER = HashEmbedder(128)
ITEMS: Mapping[str, Item] = {item.id: item for item in catalogue()}
TASTES = {"ann": "noir", "bob": "jazz", "cleo": "bread", "dan": "space"}


def events(user: str, subject: str) -> tuple[Event, ...]:
    own = [item for item in ITEMS if item.startswith(subject)]
    return tuple(Event(f"{user}-{n}", user, EventKind.LIKE, START + timedelta(n), item) for n, item in enumerate(own))


TRAIN = {user: events(user, subject) for user, subject in TASTES.items()}
KAPPA, KAPPA_UNSEEN = 0.928, 0.918  # of eval/data/README.md
PEOPLE = {user: Person(facts(done, ITEMS), START + timedelta(10)) for user, done in TRAIN.items()}
TRUTH = {"ann": [Interest(("noir", "detective"))], "bob": [Interest(("jazz",))]}


def court() -> Court:
    return Court(Judge(ITEMS.values()), PEOPLE, EMBEDDER, seed=0)


def figures(**written: Sequence[Said]) -> Figures:
    return measure(court(), written, TRUTH)


def features(user: str) -> list[str]:
    """What all items of a user's subject have."""
    return sorted(frozenset.intersection(*(fact.features for fact in PEOPLE[user].facts)))


TRUE = {user: Said(f"Likes {features(user)[0]}") for user in TASTES}


def test_true_statements_are_precise_and_those_of_another_user_are_not() -> None:
    true = figures(**{user: [said] for user, said in TRUE.items()})
    false = figures(ann=[TRUE["bob"]], bob=[TRUE["ann"]])
    assert (true.precision, false.precision) == (1.0, 0.0)
    assert [(u.user, u.statement) for u in false.unsupported] == [("ann", TRUE["bob"].text), ("bob", TRUE["ann"].text)]


def test_citing_the_wrong_events_is_not_precise_though_the_history_supports_it() -> None:
    wrong = replace(TRUE["ann"], evidence=frozenset({"ann-0", "bob-1", "bob-2"}))
    found = figures(ann=[wrong])
    assert (found.precision, found.precision_history) == (0.0, 1.0)


def test_silence_has_no_precision_no_recall_and_no_coverage() -> None:
    found = figures(ann=[], bob=[])
    assert (found.precision, found.recall, found.coverage) == (None, 0.0, 0.0)


def test_recall_asks_for_a_tag_on_the_right_side() -> None:
    wanted = [Interest(("hard science fiction", "mars")), Interest(("gore",), Polarity.DISLIKE)]
    assert recall([Said("Likes films set on Mars"), Said("Likes gore")], wanted) == 0.5
    assert recall([Said("Likes science fiction"), Said("Dislikes gore")], wanted) == 0.5
    assert recall([], []) is None


def test_what_is_true_of_everybody_is_not_specific() -> None:
    assert specificity(court(), "ann", [TRUE["ann"]]) == 1.0
    assert specificity(court(), "ann", [Said("Likes books")]) == 0.0


def test_saying_it_twice_is_redundant_but_liking_and_disliking_is_not() -> None:
    twice = [Said("Likes noir films"), Said("Enjoys films noir")]
    assert redundancy(twice, EMBEDDER) == 1.0
    assert redundancy([twice[0], replace(twice[1], polarity=Polarity.DISLIKE)], EMBEDDER) == 0.0
    assert redundancy(twice[:1], EMBEDDER) is None


def test_coverage_counts_cited_and_carried_items() -> None:
    assert coverage(court(), "ann", [TRUE["ann"]]) == 1.0
    assert coverage(court(), "ann", [Said("Likes umbrellas", evidence=frozenset({"ann-0", "ann-1", "ann-2"}))]) == 0.5
    assert coverage(court(), "ann", [Said("Likes umbrellas")]) == 0.0


def test_a_statement_ages_from_its_last_support() -> None:
    early = replace(TRUE["ann"], evidence=frozenset({"ann-0", "ann-1"}))
    assert staleness(court(), "ann", [early, TRUE["ann"], Said("Likes umbrellas")]) == [9.0, 5.0]


def test_a_sentence_that_everybody_gets_is_not_unique() -> None:
    found = figures(ann=[Said("Likes books", origin="model")], bob=[Said("Likes books", origin="fallback")])
    assert (found.unique_sentences, found.model_share, found.statements_per_user) == (0.5, 0.5, 1.0)


# --- truth ------------------------------------------------------------------------------------------------------------


def test_planted_interests_count_once_they_have_begun(tmp_path: Path) -> None:
    path = tmp_path / "planted.json"
    interests = [
        {"tags": ["chess"], "polarity": "like", "started": "2026-01-05"},
        {"tags": ["gore"], "polarity": "dislike", "started": "2026-06-01"},
    ]
    path.write_text(json.dumps({"users": {"ann": {"interests": interests}}}))
    moments = {"ann": datetime(2026, 2, 1, tzinfo=UTC), "bob": datetime(2026, 2, 1, tzinfo=UTC)}
    assert planted(path, moments) == {"ann": [Interest(("chess",))]}


@pytest.mark.parametrize("text", ["", "[]", '{"users": {"ann": {}}}', '{"users": {"ann": {"interests": [{}]}}}'])
def test_a_file_that_is_not_of_planted_interests_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "planted.json"
    path.write_text(text)
    with pytest.raises(ReadError, match=r"planted\.json"):
        planted(path, {"ann": START})


def test_interests_are_what_somebody_has_more_of_than_all_others() -> None:
    found = overrepresented({user: person.facts for user, person in PEOPLE.items()})
    assert features("ann")[0] in {interest.tags[0] for interest in found["ann"]}
    assert not {i.tags for i in found["ann"]} & {i.tags for i in found["bob"]}


# --- junk -------------------------------------------------------------------------------------------------------------


def test_junk_is_made_of_the_catalogue_and_the_same_every_time() -> None:
    dataset = Dataset("small", "0", ITEMS, TRAIN, (Case("ann", (), "noir-film-1", START + timedelta(10)),))
    made = junk(dataset, 2, seed=0)
    assert made == junk(dataset, 2, seed=0) != junk(dataset, 2, seed=1)
    assert sorted(made) == sorted(f"junk-{kind}-{n}" for kind in JUNK_KINDS for n in range(2))
    for history in made.values():
        items = [event.item for event in history]
        assert len(set(items)) == len(items) <= 30
        assert set(items) <= set(ITEMS)
        assert list(history) == sorted(history, key=lambda event: event.at)
    popular = {event.item for user, history in made.items() if "popular" in user for event in history}
    assert "odd-one" not in popular  # nobody has touched it


# --- the labelled claims ----------------------------------------------------------------------------------------------


def test_the_judge_agrees_with_the_hand_labels_as_the_readme_says() -> None:
    labels = read()
    found = agreement(labels, None)
    assert (len(labels), found.unclear, found.unseen) == (200, 5, 98)
    assert found.kappa == pytest.approx(KAPPA, abs=0.0005)
    assert found.kappa_unseen == pytest.approx(KAPPA_UNSEEN, abs=0.0005)
    assert found.kappa_unseen_ci95[0] > 0.7


# --- the document -----------------------------------------------------------------------------------------------------


def test_the_document_has_every_figure_of_the_design_even_of_a_system_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mem0", None)
    shop = Workshop(Settings(home=tmp_path), START)
    shop.embedder = EMBEDDER
    cases = tuple(Case(user, (), f"{subject}-film-1", START + timedelta(10)) for user, subject in TASTES.items())
    dataset = Dataset("small", "0", ITEMS, TRAIN, cases)
    found = asyncio.run(document(Request(dataset, ("mem0",), 2, None, 0), shop, lambda *_: None))
    row = json.loads(json.dumps(found, allow_nan=False))["systems"]["mem0"]
    assert {"precision", "specificity", "redundancy", "abstention_on_junk", "counterfactual_ci95"} <= row.keys()
    assert (row["recall"], row["coverage"], row["statements_per_user"], row["users"]) == (None, None, None, 0)
    assert (row["counterfactual_effect"], row["abstention_on_junk"]) == (None, None)
    assert "not installed" in view(found | {"command": "", "machine": ""}).parts[0].tables[1].rows[0].cells[-1]


def test_planted_interests_are_found_beside_the_sample() -> None:
    assert beside(SAMPLE) == SAMPLE / "planted.json"
    assert beside(SAMPLE / "events.jsonl") == SAMPLE / "planted.json"
    assert beside(Path("/nowhere/ratings.csv")) is None
