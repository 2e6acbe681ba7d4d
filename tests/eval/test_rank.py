"""A whole run on a small planted dataset: who wins, what leaks (nothing), and where the LLM stands."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.errors import LLMUnavailableError, UsageError
from eval import gain
from eval.candidates import uniform, validation
from eval.cases import Dataset
from eval.dataset import load
from eval.fitted import FOLDS, collect, fit, fold
from eval.material import Material, embedded
from eval.rank import SYSTEMS, Request, Run
from eval.runner import Row, source
from eval.systems import ZERO_SHOT, Fused
from retrieval.embed import HashEmbedder
from retrieval.fusion import load_weights
from retrieval.records import Polarity, Profile, Theme
from tests.eval.test_llm_systems import Choosing
from tests.fakes import FakeLLM

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GROUPS, EACH, USERS = 6, 12, 120
KINDS = ("chess", "jazz", "trains", "bread", "stars", "moss")


def write(folder: Path, swap: bool = False) -> Path:
    """People who each keep to one of six kinds of items; `swap` gives every user another target of the same catalogue."""
    rng = np.random.default_rng(3)
    folder.mkdir(exist_ok=True)
    items = [f"{n}\t{KINDS[n // EACH]} number {n}" for n in range(GROUPS * EACH)]
    (folder / "Toy.item").write_text("item_id:token\ttitle:token_seq\n" + "\n".join(items) + "\n")
    lines = ["user_id:token\titem_id_list:token_seq\titem_id:token"]
    for user in range(USERS):
        group = user % GROUPS
        *history, target = (rng.permutation(EACH)[:6] + group * EACH).tolist()
        if swap:
            target = (target + EACH) % (GROUPS * EACH)
        lines.append(f"u{user}\t{' '.join(map(str, history))}\t{target}")
    (folder / "Toy.test.inter").write_text("\n".join(lines) + "\n")
    return folder / "Toy.test.inter"


def material(path: Path, folder: Path) -> Material:
    return embedded(load(path, now=NOW), HashEmbedder(), folder)


def run(path: Path, folder: Path, llm: FakeLLM | None = None, **request: Any) -> dict[str, Any]:
    asked = Request(path, **{"llm_users": 0, **request})
    made = Run(asked, HashEmbedder(), llm or FakeLLM(), folder, NOW, lambda *_: None)
    return asyncio.run(made.document())


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("rank")
    return run(write(folder / "data"), folder / "kept")


def test_every_system_has_a_row_with_the_published_keys(document: dict[str, Any]) -> None:
    assert set(SYSTEMS) - {"llm"} == set(document["systems"])
    keys = {"ndcg@1", "ndcg@5", "ndcg@10", "ndcg@20", "hit@10", "mrr", "ci95", "invalid", "llm_calls", "llm_tokens"}
    assert all(keys | {"seconds_per_user"} <= row.keys() for row in document["systems"].values())
    assert document["users"] == USERS
    assert not any(row["errors"] for row in document["systems"].values())


def test_those_who_know_more_rank_better(document: dict[str, Any]) -> None:
    found = {name: row["ndcg@10"] for name, row in document["systems"].items()}
    assert found["full"] > found["random"] + 25
    assert found["full_default"] > found["random"] + 25
    assert found["zero_shot"] > found["random"] + 25  # the kind is in the title
    assert any(pair["b"] == "random" and pair["ci95"][0] > 0 for pair in document["pairs"])


def test_without_an_llm_the_notes_say_so(document: dict[str, Any]) -> None:
    assert any("No LLM" in note for note in document["notes"])


def test_nothing_that_is_learnt_depends_on_a_test_item(tmp_path: Path) -> None:
    before = material(write(tmp_path / "a"), tmp_path)
    after = material(write(tmp_path / "b", swap=True), tmp_path)
    assert [c.target for c in before.dataset.cases] != [c.target for c in after.dataset.cases]
    learnt = []
    for made in (before, after):
        questions = validation(made.dataset, 0, uniform(made.dataset, 0).negatives, per_user=2)
        lessons = collect(made, questions)
        learnt.append((lessons.examples.raw.tobytes(), [w.channels for w in fit(lessons, load_weights())]))
        assert made.signals.popularity() == before.signals.popularity()
    assert learnt[0] == learnt[1]


def test_nobody_is_ranked_with_weights_or_counts_of_their_own(tmp_path: Path) -> None:
    made = material(write(tmp_path / "a"), tmp_path)
    questions = validation(made.dataset, 0, uniform(made.dataset, 0).negatives)
    lessons = collect(made, questions)
    stranger = next(user for user in made.dataset.train if fold(user) == 0)
    # another history for one user: the weights of that user's fold stay, and so do all lists of the same fold
    events = made.dataset.train[stranger]
    other = tuple(replace(event, item=str((int(event.item or 0) + EACH) % (GROUPS * EACH))) for event in events)
    changed = Material(replace(made.dataset, train={**made.dataset.train, stranger: other}), made.vectors)
    again = collect(changed, questions)
    assert np.array_equal(
        lessons.examples.raw[lessons.folds == 0], again.examples.raw[again.folds == 0], equal_nan=True
    )
    assert not np.array_equal(lessons.examples.raw, again.examples.raw, equal_nan=True)
    assert len(fit(lessons, load_weights())) == FOLDS


def test_nobody_known_and_nobody_else_asked_is_no_opinion(tmp_path: Path) -> None:
    made = material(write(tmp_path / "a"), tmp_path)
    question = uniform(made.dataset, 0).questions[0]
    unknown = replace(question, case=replace(question.case, history=()))
    assert np.isnan(Fused("zero_shot", made.signals, [ZERO_SHOT]).scores(unknown)).all()
    assert np.isfinite(Fused("full_default", made.signals, [load_weights()]).scores(unknown)).all()


def test_a_second_run_asks_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "data")
    first = run(path, tmp_path / "kept", systems=("pop", "bm25"))
    monkeypatch.setattr("eval.baselines.base.Baseline.rank", None)
    second = run(path, tmp_path / "kept", systems=("pop", "bm25"))
    assert second["systems"] == first["systems"]


def test_an_unknown_system_or_protocol_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown system 'sasrec'"):
        Request(Path("x"), systems=("sasrec",))
    with pytest.raises(UsageError, match="unknown protocol"):
        Request(Path("x"), protocol="easy")


def test_an_llm_is_asked_about_a_stated_sample(tmp_path: Path) -> None:
    found = run(write(tmp_path / "data"), tmp_path / "kept", llm_users=20, systems=("llm", "zero_shot", "full"))
    assert found["systems"]["llm"]["users"] == 20
    assert found["systems"]["llm"]["llm_calls"] == 20 * 20
    assert found["systems"]["zero_shot"]["users"] == 20
    assert any("sample of 20 of the 120 users" in note for note in found["notes"])


@pytest.mark.parametrize(("knows", "earned"), [(True, True), (False, False)])
def test_an_llm_gets_a_weight_only_where_it_helps(tmp_path: Path, knows: bool, earned: bool) -> None:
    made = material(write(tmp_path / "a"), tmp_path)
    lessons = collect(made, validation(made.dataset, 0, uniform(made.dataset, 0).negatives))
    rng = np.random.default_rng(0)
    rows = []
    for _ in lessons.questions:
        scores = rng.normal(size=20)
        scores[0] += 8.0 if knows else 0.0  # the target stands first in a lesson
        rows.append(Row("", "", "", tuple(scores)))
    weights = fit(lessons, load_weights())
    verdict = gain.judge(lessons, weights, rows, seed=0)
    assert verdict.earned is earned
    assert all(w.llm > 0 for w in verdict.applied(weights)) is earned
    assert ("does not earn" in verdict.told()) is not earned


def test_a_tuned_model_is_asked_whether_items_fit_profiles_of_the_sample_alone(tmp_path: Path) -> None:
    """As the product asks it. Profiles were written before the target, but after the lessons: so they teach no weight."""
    told: list[int] = []

    async def profiles(dataset: Dataset) -> dict[str, Profile]:
        told.append(len(dataset.cases))
        liked = {case.user: KINDS[int(case.user[1:]) % GROUPS] for case in dataset.cases}
        return {
            user: Profile(user, NOW, 1, themes=(Theme(user, user, kind, "", Polarity.LIKE, (), "", (1.0,)),))
            for user, kind in liked.items()
        }

    def likely(prompt: str, option: str) -> float:
        likes, item = prompt.split("\n")[0], prompt.split("\n")[2]
        return -0.1 if (option == " yes") is (likes.removeprefix("likes: ") in item) else -3.0

    request = Request(write(tmp_path / "data"), systems=("llm", "full"), llm_users=10)
    asked = Run(request, HashEmbedder(), Choosing(likely), tmp_path / "kept", NOW, lambda *_: None, profiles)
    found = asyncio.run(asked.document())
    assert told == [10]
    assert found["systems"]["llm"]["ndcg@10"] > 70  # several of a kind fit; at random it is 20
    assert any("profiles know what came after the lessons" in note for note in found["notes"])


def test_a_crashed_answer_of_the_llm_is_left_out_of_the_verdict(tmp_path: Path) -> None:
    made = material(write(tmp_path / "a"), tmp_path)
    lessons = collect(made, validation(made.dataset, 0, uniform(made.dataset, 0).negatives))
    rows = [Row("", "", "", tuple(range(20))) for _ in lessons.questions]
    rows[0] = Row("", "", "", error="boom")
    assert gain.judge(lessons, fit(lessons, load_weights()), rows, 0).gain.users == len(rows) - 1


def test_a_whole_catalogue_is_ranked_with_and_without_retrieval_and_no_llm_is_asked(tmp_path: Path) -> None:
    llm = FakeLLM()
    path = write(tmp_path / "data")
    found = run(
        path, tmp_path / "kept", llm, protocol="everything", llm_users=20, systems=("pop", "llm", "full"), users=10
    )
    assert set(found["systems"]) == {"pop", "full", "full_retrieved"}
    assert found["systems"]["full_retrieved"]["ndcg@10"] > found["systems"]["pop"]["ndcg@10"]
    assert llm.scored == []
    assert any("The LLM was not asked" in note for note in found["notes"])


def test_an_llm_that_goes_away_between_sample_and_pilot_costs_only_its_own_rows(tmp_path: Path) -> None:
    class Going(FakeLLM):
        async def likelihood(self, pairs: Any, **rest: Any) -> list[float]:
            if len(self.scored) >= 20 * 20:
                raise LLMUnavailableError("gone")
            return await super().likelihood(pairs, **rest)

    found = run(write(tmp_path / "data"), tmp_path / "kept", Going(), llm_users=20, systems=("bm25", "llm", "full"))
    assert {"bm25", "full"} <= set(found["systems"])
    assert any("left out" in note and "gone" in note for note in found["notes"])
    assert found["systems"]["full"]["llm_calls"] == 0


def test_answers_of_older_code_are_not_reused() -> None:
    assert source("retrieval") != source("eval.baselines")
    assert source("retrieval") in Fused("a", None, [ZERO_SHOT]).key  # type: ignore[arg-type]
