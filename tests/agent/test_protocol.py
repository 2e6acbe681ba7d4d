"""What is sent and how answers are read, without a server."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import LLMSettings
from agent.errors import LLMError, LLMOutputError
from agent.protocol import RawChat, RawChoice, build_request, continuation_logprob, parse_chat, parse_choice
from prompts import library
from prompts.library import Message
from prompts.outputs import SentenceOut

WRITE = library.load("write_statement")
SETTINGS = LLMSettings(model="m")
MESSAGES = (Message("system", "Be brief."), Message("user", "jazz"))


def test_a_request_asks_for_the_schema_of_the_prompt() -> None:
    body = build_request(SETTINGS, WRITE, MESSAGES, n=3).body()
    assert body["response_format"]["type"] == "json_schema"
    assert body["response_format"]["json_schema"]["schema"] == SentenceOut.model_json_schema()
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "jazz"}]
    assert body["n"] == 3
    assert body["model"] == "m"
    assert body["max_tokens"] == WRITE.params.max_tokens
    json.dumps(body)


def test_several_answers_are_asked_for_only_where_they_can_differ() -> None:
    greedy = replace(WRITE, params=replace(WRITE.params, temperature=0.0))
    assert build_request(SETTINGS, greedy, MESSAGES, n=3).body()["n"] == 1


def test_no_request_carries_a_seed() -> None:
    assert "seed" not in build_request(SETTINGS, WRITE, MESSAGES, n=1).body()


def test_a_word_may_come_once_where_the_prompt_says_so() -> None:
    once = replace(WRITE, params=replace(WRITE.params, once=True))
    assert build_request(SETTINGS, once, MESSAGES, n=1).body()["vllm_xargs"] == {"once": 1}
    # other servers may refuse the field
    assert "vllm_xargs" not in build_request(SETTINGS, WRITE, MESSAGES, n=1).body()


def test_equal_requests_are_equal_so_that_they_can_be_looked_up() -> None:
    one, other = (build_request(SETTINGS, WRITE, MESSAGES, n=1) for _ in range(2))
    assert {one: "answer"}[other] == "answer"


def test_a_prompt_that_is_scored_cannot_be_chatted_with() -> None:
    with pytest.raises(LLMError, match="no output type"):
        build_request(SETTINGS, library.load("neutral_title"), MESSAGES, n=1)


def test_a_valid_answer_carries_its_mean_log_probability() -> None:
    choice = RawChoice('{"text":"Likes jazz"}', "stop", (("a", -1.0), ("b", -3.0)))
    answer = parse_choice(choice, SentenceOut)
    assert answer.output.text == "Likes jazz"
    assert answer.logprob == -2.0


@pytest.mark.parametrize(
    ("text", "finish", "problem"),
    [
        ('{"text":"Likes ja', "length", "cut off"),
        ('{"text":"Likes jazz"}', "length", "cut off"),  # complete by luck is still a fault
        ("", "stop", "answer"),
        ("Likes jazz", "stop", "answer"),
        ("[]", "stop", "answer"),
        ("null", "stop", "answer"),
        ('{"text":""}', "stop", "text"),
        ('{"text":"' + "x" * 161 + '"}', "stop", "text"),
        ('{"text":5}', "stop", "text"),
        ('{"text":"Likes jazz","tool":"rm"}', "stop", "tool"),
        ('{"txet":"Likes jazz"}', "stop", "text"),
    ],
)
def test_a_bad_answer_is_refused_with_the_problem(text: str, finish: str, problem: str) -> None:
    with pytest.raises(LLMOutputError, match=problem) as caught:
        parse_choice(RawChoice(text, finish), SentenceOut)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_either_valid_or_refused(text: str) -> None:
    answers, problem = parse_chat(RawChat((RawChoice(text, "stop"),)), WRITE)
    assert bool(answers) or bool(problem)


def test_valid_samples_are_kept_beside_invalid_ones() -> None:
    good = RawChoice('{"text":"Likes jazz"}', "stop")
    answers, problem = parse_chat(RawChat((RawChoice("no", "stop"), good, RawChoice("{", "stop"), good)), WRITE)
    assert [a.output.text for a in answers] == ["Likes jazz", "Likes jazz"]
    assert problem


def test_no_choices_are_no_answer() -> None:
    assert parse_chat(RawChat(()), WRITE) == ([], "no answer")


def test_only_the_continuation_is_scored() -> None:
    tokens = [("A", -9.0), (" reader", -9.0), (" The", -1.0), (" Long", -2.0), (" Thaw", -3.0)]
    assert continuation_logprob(tokens, " The Long Thaw") == -2.0


def test_a_token_across_the_border_counts_for_the_continuation() -> None:
    assert continuation_logprob([("x", -9.0), ("next: The", -1.0), (" Thaw", -3.0)], " The Thaw") == -2.0


@given(st.lists(st.tuples(st.text(min_size=1, max_size=4), st.floats(-20, 0)), min_size=1), st.text(min_size=1))
def test_a_score_lies_between_the_best_and_the_worst_token(tokens: list[tuple[str, float]], text: str) -> None:
    score = continuation_logprob(tokens, text)
    worst, best = min(p for _, p in tokens), max(p for _, p in tokens)
    assert worst - 1e-9 <= score <= best + 1e-9


def test_nothing_has_no_score() -> None:
    assert math.isnan(continuation_logprob([], " x"))
