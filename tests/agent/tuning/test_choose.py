"""The second step: inputs made anew out of training examples, and what is kept of the answers to them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.config import LLMSettings
from agent.guard import loops
from agent.tuning.checker import Checker, bare
from agent.tuning.choose import MOST_OPENING, choose
from agent.tuning.examples import (
    CHOSEN,
    HELD_OUT,
    PREFERENCES,
    Act,
    EventsIn,
    Example,
    LabelsIn,
    PortraitExample,
    ReasonExample,
    SelfExample,
    StatementExample,
    StatementsIn,
    ThemeExample,
    load,
    load_rounds,
)
from agent.tuning.planted import is_planted, planted
from agent.tuning.recombine import ANSWERED, BY_HAND, JUDGED, PUT_TOGETHER, Asked, Sizes, acts_of, recombined
from agent.tuning.render import render

EXAMPLES = load()
TRAIN = [e for e in EXAMPLES if e.split == "train"]
SOME = Sizes(statement=60, planted=30, theme=20, reason=20, portrait=20, self=20)
MADE = recombined(EXAMPLES, SOME)
ROW: dict[str, Any] = {"domain": "films", "language": "en", "case": "plain", "split": "train", "origin": "test"}


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """Letters that texts begin words with: enough to be nearer to one thing than to another."""
    vectors = np.zeros((len(texts), 26), dtype=np.float32)
    for row, text in zip(vectors, texts, strict=True):
        for word in text.lower().split():
            if "a" <= word[0] <= "z":
                row[ord(word[0]) - ord("a")] += 1
    return vectors / np.maximum(1, np.linalg.norm(vectors, axis=1, keepdims=True))


SILENT = {e.id for e in TRAIN if isinstance(e, StatementExample) and e.answer is None}
CHECKER = Checker(EXAMPLES, embed)
ROUNDS = load_rounds(PREFERENCES)


def liked(title: str, *features: str, kind: str = "film") -> Act:
    return Act(act="liked", kind=kind, title=title, features=features)


def statement(answer: str | None, *acts: Act) -> StatementExample:
    held = acts or (liked("A", "mystery", "arctic"), liked("B", "mystery", "arctic"), liked("C", "mystery", "arctic"))
    return StatementExample(
        **ROW, id="1", task="statement", input=EventsIn(polarity="like", events=held), answer=answer
    )


def portrait(answer: str, likes: Sequence[str], dislikes: Sequence[str] = ()) -> PortraitExample:
    given = LabelsIn(likes=tuple(likes), dislikes=tuple(dislikes))
    return PortraitExample(**ROW, id=answer[:40], task="portrait", input=given, answer=answer)


def worse(refused: Example, chosen: Example) -> bool:
    """Must it not stand, or leave out what the chosen one says?"""
    return CHECKER.named(refused) < 0 or (bare(refused) and not bare(chosen))


def theme(label: str, summary: str, *statements: str) -> ThemeExample:
    given = StatementsIn(statements=statements)
    answer = {"label": label, "summary": summary}
    return ThemeExample.model_validate({**ROW, "id": "1", "task": "theme", "input": given, "answer": answer})


# --- inputs -----------------------------------------------------------------------------------------------------------


def test_what_is_held_out_is_in_no_input() -> None:
    known = {act.title for e in TRAIN for act in acts_of(e)}
    used = {act.title for asked in MADE for act in acts_of(asked.example)}
    assert used
    assert used <= known


def test_the_same_seed_makes_the_same_inputs_and_another_seed_others() -> None:
    assert recombined(EXAMPLES, SOME) == MADE
    assert recombined(EXAMPLES, SOME, seed=1) != MADE


def test_there_are_inputs_of_every_task_and_each_can_be_asked() -> None:
    assert {a.example.task for a in MADE} == {"statement", "theme", "reason", "portrait", "self"}
    for asked in MADE:
        render(asked.example)


def test_the_thing_held_out_is_not_in_its_own_evidence() -> None:
    held = [(a.later, acts_of(a.example)) for a in MADE if a.later]
    assert held
    assert all(later.title not in {act.title for act in acts} for later, acts in held if later)


# --- what is kept -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        None,  # says nothing where there is something to say
        "mysteries set in Iceland",  # a word of its own
        "arctic mysteries, mystery above all",  # says it again
        "films",  # names nothing
        "arctic mysteries without the gore",  # turns down what nobody turned down
        "arctic MYSteries",
        "mystery and its arctic",  # ties together what the notes only list
        "a mystery and a film and an arctic and some of the other things that are there for all of them",
    ],
)
def test_a_statement_that_does_not_hold_is_left_out(text: str | None) -> None:
    assert CHECKER.best(Asked(statement(None)), [statement(text)]) is None


def test_the_statement_that_names_most_is_kept() -> None:
    answers = [statement("mysteries"), statement("arctic mysteries"), statement("films of the arctic")]
    best = CHECKER.best(Asked(statement(None)), answers)
    assert best is not None
    assert best.answer == "arctic mysteries"


def test_among_equals_the_one_nearest_to_the_next_thing_is_kept() -> None:
    acts = [liked(t, "mystery", "arctic", "folklore") for t in "ABC"]
    answers = [statement("arctic mystery films", *acts), statement("mystery films with folklore", *acts)]
    later = liked("D", "folklore", "fairy", "frost")
    best = CHECKER.best(Asked(statement(None, *acts), later), answers)
    assert best is not None
    assert best.answer == "mystery films with folklore"
    assert CHECKER.best(Asked(statement(None, *acts), None), answers) is answers[0]  # the likeliest


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("Fond of arctic mysteries and piano jazz. Avoids gory horror.", True),
        ("Fond of arctic mysteries, piano jazz and gory horror.", False),
        ("Fond of arctic mysteries. Avoids gory horror.", False),
        ("Fond of gory horror. Avoids arctic mysteries and piano jazz.", False),
        ("Fond of arctic mysteries and piano jazz and the opera. Avoids gory horror.", False),
    ],
)
def test_a_portrait_names_everything_on_its_own_side(text: str, holds: bool) -> None:
    given = portrait(text, ["arctic mysteries", "piano jazz"], ["gory horror"])
    assert (CHECKER.named(given) >= 1) is holds


def test_a_portrait_without_dislikes_turns_nothing_down() -> None:
    assert (
        CHECKER.named(
            portrait("Fond of piano jazz, but surf forecasts get little time.", ["piano jazz", "surf forecasts"])
        )
        < 0
    )


def test_the_name_of_a_theme_stands_for_two_of_its_statements() -> None:
    said = ("Likes arctic mysteries", "Likes mysteries by the sea", "Likes slow mysteries")
    assert CHECKER.named(theme("Slow mysteries", "Mysteries, slow, arctic and by the sea", *said)) == 1
    assert CHECKER.named(theme("The sea", "Mysteries, slow, arctic and by the sea", *said)) < 0


def test_hand_written_reasons_mostly_pass() -> None:
    """A check that refuses what people wrote well would leave little to learn from."""
    reasons = [e for e in TRAIN if isinstance(e, ReasonExample) and e.language == "en" and e.case == "plain"]
    assert np.mean([CHECKER.named(e) >= 0 for e in reasons]) > 0.8


def test_of_what_kind_all_the_things_are_is_better_said() -> None:
    answers = [statement("arctic mysteries"), statement("arctic mystery films")]
    assert CHECKER.best(Asked(statement(None)), answers) is answers[1]
    assert CHECKER.worst(answers[1], answers) is answers[0]
    assert CHECKER.worst(answers[0], answers) is None


def test_things_of_several_kinds_need_none_of_them_named() -> None:
    acts = [liked(t, "mystery", "arctic", kind=k) for t, k in zip("ABCD", ("film", "book") * 2, strict=True)]
    assert not bare(statement("arctic mysteries", *acts))
    assert bare(statement("arctic mysteries"))


def test_what_says_something_over_is_refused_before_all_else() -> None:
    best = statement("arctic mystery films")
    answers = [best, statement("mysteries set in Iceland"), statement("arctic mysteries, mystery above all")]
    assert CHECKER.worst(best, answers) is answers[2]
    assert CHECKER.worst(best, answers[:2]) is answers[1]


class _Parrot:
    """Stands for the model: says of everything the same three things."""

    settings = LLMSettings()

    async def complete(self, prompt: Any, *, n: int, **variables: str) -> list[Any]:
        from agent.protocol import Answer

        if prompt.name != "write_statement":
            return []
        feature = variables["notes"].split("|")[-1].split(",")[0].strip().rstrip("0123456789 ")
        said = [feature, f"{feature} from the moon", f"{feature} and {feature}"][:n]
        return [Answer(prompt.output.model_validate({"text": text}), -float(i)) for i, text in enumerate(said)]


def test_what_comes_out_can_be_trained_on_and_no_answer_comes_twice() -> None:
    progress: list[str] = []
    found = asyncio.run(choose(_Parrot(), MADE, EXAMPLES, embed, progress=progress.append))  # type: ignore[arg-type]
    kept = found.examples
    answers = [e.answer for e in kept if isinstance(e, StatementExample)]
    assert len(set(answers)) == len(answers) > 0
    assert all("moon" not in str(answer) for answer in answers)
    assert any(isinstance(e, SelfExample) for e in kept)
    assert found.pairs
    told = [p for p in found.pairs if p.chosen.answer is not None]
    assert {p.chosen.id for p in told} <= {e.id for e in kept}
    assert all(CHECKER.named(p.chosen) >= 0 and worse(p.refused, p.chosen) for p in told)
    assert {p.chosen.id for p in found.pairs} - {p.chosen.id for p in told} == SILENT
    assert all(p.refused.input == p.chosen.input for p in found.pairs)
    assert progress[-1].startswith(f"{len(MADE)} of {len(MADE)} inputs")


# --- what ships -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped() -> list[Example]:
    return load(CHOSEN)


def by_hand(example: Example) -> bool:
    return BY_HAND in example.origin


def test_shipped_answers_hold(shipped: list[Example]) -> None:
    assert len(shipped) > 1000
    assert all(CHECKER.named(e) >= 0 and not bare(e) for e in shipped if not by_hand(e))


def test_answers_by_hand_say_enough_and_no_two_say_the_same(shipped: list[Example]) -> None:
    """Authors of other languages inflect as the checker, which compares the beginnings of words, cannot follow."""
    written = [e for e in shipped if by_hand(e)]
    assert len(written) > 2000
    assert all(CHECKER.named(e) >= 0.5 for e in written if e.language == "en")
    assert len({str(e.answer).lower() for e in written}) == len(written)


def test_shipped_pairs_have_sound_answers_beside_others_to_the_same_input() -> None:
    pairs = [pair for told in ROUNDS for pair in told]
    told = [p.chosen for p in pairs if p.chosen.answer is not None]
    assert len(told) > 300
    assert len(pairs) > len(told)  # some teach to say nothing
    assert all(CHECKER.named(e) >= (1 if e.task == "portrait" else 0.4) for e in told if e.language == "en")
    # in other languages than English authors inflect, which the checker cannot follow, and the model copies
    assert all(CHECKER.named(e) >= 0 for e in told if not by_hand(e))
    assert not [e.answer for e in told if isinstance(e, StatementExample) and loops(str(e.answer))]
    assert all(p.refused.answer != p.chosen.answer for p in pairs)
    assert all(p.refused.input == p.chosen.input for p in pairs)


def test_nothing_of_what_is_held_out_is_learnt_from(shipped: list[Example]) -> None:
    """Some inputs were written for the second step: neither their things nor their statements may be those of another split."""
    held = [e for e in EXAMPLES if e.split != "train"]
    titles = {act.title for e in held for act in acts_of(e)} - {act.title for e in TRAIN for act in acts_of(e)}
    said = {s for e in held if isinstance(e, ThemeExample) for s in e.input.statements}
    asked = [*shipped, *(p.chosen for told in ROUNDS for p in told)]
    made = {act.title for e in asked if PUT_TOGETHER in e.origin for act in acts_of(e)}
    assert made <= {act.title for e in TRAIN for act in acts_of(e)}
    assert {e.split for e in asked} == {"train"}
    assert not titles & {act.title for e in asked for act in acts_of(e)}
    assert not set(HELD_OUT) & {e.domain for e in asked}
    assert not said & {s for e in asked if isinstance(e, ThemeExample) for s in e.input.statements}


def test_shipped_portraits_do_not_all_begin_alike(shipped: list[Example]) -> None:
    opened = [e.answer.split()[0] for e in shipped if isinstance(e, PortraitExample)]
    assert max(opened.count(word) for word in opened) <= MOST_OPENING * len(opened) * 2


def test_an_answer_that_repeats_what_was_planted_is_refused_and_one_that_passes_over_it_holds() -> None:
    bait = "gold standard of its field"
    assert is_planted(bait)
    acts = [liked(t, bait, "noir", "arctic") for t in ("A", "B", "C")]
    assert CHECKER.named(statement("noir films in the arctic", *acts)) == 1
    assert CHECKER.named(statement("gold standard noir films in the arctic", *acts)) == -1


def test_a_statement_should_name_what_most_things_have_and_may_name_the_rest() -> None:
    acts = [
        liked("A", "tram", "night", "rain"),
        liked("B", "tram", "night"),
        liked("C", "tram", "rain"),
        liked("D", "tram"),
        liked("E", "tram"),
    ]
    assert CHECKER.named(statement("films about trams", *acts)) == 1  # the others are shown to nobody
    assert CHECKER.named(statement("films about trams in the rain", *acts)) == 1
    assert 0 <= CHECKER.named(statement("films in the rain", *acts)) < 1


def test_what_is_planted_reaches_the_model() -> None:
    made = [a.example for a in MADE if a.example.case == "instruction"]
    shown = [any(bait in render(e).variables["notes"] for bait in planted()) for e in made]
    assert len(made) == SOME.planted
    searched = [any(bait in act.text for act in e.input.events for bait in planted()) for e in made]
    told = [seen for seen, search in zip(shown, searched, strict=True) if not search]
    assert sum(told) > len(told) / 3  # among the features, of which code has refused the others
    assert sum(told) == sum(shown)  # a planted search is borne out by nothing


def test_german_and_chinese_answers_may_use_the_words_that_people_connect_with() -> None:
    german = [liked(t, "krimi", "hamburg", kind=k) for t, k in zip("ABCD", ("film", "buch") * 2, strict=True)]
    chinese = [liked(t, "悬疑", "雪原小镇", kind=k) for t, k in zip("ABCD", ("电影", "书") * 2, strict=True)]
    told = {"language": "de"}, {"language": "zh"}
    assert CHECKER.named(statement("krimi aus hamburg", *german).model_copy(update=told[0])) == 1
    assert CHECKER.named(statement("krimi with hamburg", *german).model_copy(update=told[0])) == -1
    assert CHECKER.named(statement("雪原小镇的悬疑", *chinese).model_copy(update=told[1])) == 1
    assert CHECKER.named(statement("雪原小镇的恐怖", *chinese).model_copy(update=told[1])) == -1


def test_fewer_can_be_asked_for() -> None:
    fewer = Sizes(statement=50, planted=5, theme=5, reason=5, portrait=5, self=5)
    assert Sizes(statement=100, planted=10, theme=10, reason=10, portrait=10, self=10).times(0.5) == fewer


def test_an_answer_of_the_model_says_so(shipped: list[Example]) -> None:
    """Self-descriptions are two whose answers are known."""
    own = [e for e in shipped if not by_hand(e)]
    assert all((ANSWERED in e.origin or JUDGED in e.origin) is (e.task != "self") for e in own)
