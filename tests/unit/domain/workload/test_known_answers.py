"""Known answers of servers of text: good ones pass, nonsense and slowness do not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain.models import parse_models
from ccgpu.domain.workload.answers import CONTINUED, FACTS, known_answers, speed_floor
from ccgpu.domain.workload.known_answers import (
    GARBAGE_CAUSES,
    SLOW_CAUSES,
    CheckAnswer,
    KnownAnswers,
)
from ccgpu.store import model_table

_ZEPHYR = model_table.shipped().find("HuggingFaceH4/zephyr-7b-beta")
_QWEN = model_table.shipped().find("Qwen/Qwen3.6-35B-A3B-FP8")
_GOOD_LONG = ", 21, 22, 23, 24, 25"


def _answer(text, tokens=128, seconds=1.0, status=200):
    body = {"choices": [{"text": text}], "usage": {"completion_tokens": tokens}}
    return CheckAnswer(status, json.dumps(body).encode(), seconds)


def _good(check, long=_GOOD_LONG, **last):
    short = [_answer(f" {each.accepted[0]} and more", 6) for each in check.answers]
    return [*short, _answer(long, seconds=5.0), _answer(long, **last)]


@pytest.fixture
def check() -> KnownAnswers:
    assert _ZEPHYR is not None
    return known_answers(8000, "HuggingFaceH4/zephyr-7b-beta", _ZEPHYR, 14.5)


def test_requests_are_greedy_short_and_without_probabilities(check):
    asked = check.requests()
    assert len(asked) == len(CONTINUED) + len(FACTS) + 2
    for request in asked:
        assert request.path == "/v1/completions"
        assert request.body["temperature"] == 0
        assert "logprobs" not in request.body
        assert request.body["model"] == "HuggingFaceH4/zephyr-7b-beta"
    assert max(each.body["max_tokens"] for each in asked[:-2]) <= 12
    assert asked[-1] == asked[-2]


def test_right_answers_at_full_speed_are_good(check):
    result = check.judge(_good(check))
    assert result.is_good
    assert result.problems == ()
    assert result.causes == ()
    assert result.right == len(check.answers)
    assert result.tokens_per_second == 128.0


def test_one_wrong_answer_is_forgiven_and_two_are_not(check):
    answers = _good(check)
    answers[0] = _answer(" 11")
    assert check.judge(answers).is_good
    answers[1] = _answer("?")
    result = check.judge(answers)
    assert not result.is_good
    assert "4 of 6 known answers are right" in result.problems[0]
    assert "gave ' 11'" in result.problems[0]
    assert result.causes == GARBAGE_CAUSES


@pytest.mark.parametrize(
    ("long", "words"),
    [
        ("", "is continued with ''"),
        ("   \n", "is continued with"),
        ("的的ที่ที่的ที่的ที่的ที่", "is continued with"),
        ("!!!!!!!!!!!!!!!!!!!!!!!!!", "repeats itself"),
        ("\x00\x01\x02\x03", "is continued with"),
    ],
)
def test_nonsense_is_told(check, long, words):
    result = check.judge(_good(check, long=long))
    assert not result.is_good
    assert any(words in problem for problem in result.problems)
    assert result.causes == GARBAGE_CAUSES
    assert all(problem.isascii() for problem in result.problems)


def test_two_different_answers_to_one_prompt_are_told(check):
    answers = _good(check)
    answers[-2] = _answer(" apples and pears and plums")
    result = check.judge(answers)
    assert not result.is_good
    assert "the same prompt gave" in result.problems[0]
    assert result.causes == GARBAGE_CAUSES


def test_a_tenth_of_the_speed_fails(check):
    result = check.judge(_good(check, seconds=12.8))
    assert not result.is_good
    assert result.tokens_per_second == pytest.approx(10.0)
    assert "10.0 tokens a second, and 13.5 is the least that passes" in result.problems[0]
    assert result.causes == SLOW_CAUSES


def test_an_answer_without_a_count_has_no_speed(check):
    for usage in (None, {}, {"completion_tokens": "5"}, {"completion_tokens": 0}, [1]):
        answers = _good(check)
        body = {"choices": [{"text": _GOOD_LONG}], "usage": usage}
        answers[-1] = CheckAnswer(200, json.dumps(body).encode(), 1.0)
        result = check.judge(answers)
        assert not result.is_good
        assert "its speed is unknown" in result.problems[0]
    instant = [*_good(check)[:-1], _answer(_GOOD_LONG, seconds=0.0)]
    assert not check.judge(instant).is_good


def test_without_a_floor_speed_is_only_measured():
    check = KnownAnswers(8000, "m", CONTINUED, 3)
    result = check.judge(_good(check, seconds=1000.0))
    assert result.is_good
    assert result.tokens_per_second == pytest.approx(0.128)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (CheckAnswer(0, b"", 1.0), "could not be reached"),
        (CheckAnswer(500, b"", 1.0), "answered 500"),
        (CheckAnswer(200, b"no", 1.0), "answered 200, and no completion"),
        (CheckAnswer(200, b"[]", 1.0), "no completion"),
        (CheckAnswer(200, b'{"choices": []}', 1.0), "no completion"),
        (CheckAnswer(200, b'{"choices": [{"text": 1}]}', 1.0), "no completion"),
        (CheckAnswer(200, b"[" * 100_000, 1.0), "no completion"),
    ],
)
def test_what_is_no_answer_is_told(check, answer, words):
    answers = _good(check)
    answers[2] = answer
    result = check.judge(answers)
    assert not result.is_good
    assert words in result.problems[0]


def test_missing_answers_are_told(check):
    assert "0 of 8 requests" in check.judge([]).problems[0]
    assert not check.judge(_good(check)[:-1]).is_good
    assert not check.judge([*_good(check), _answer("x")]).is_good


@given(st.binary(max_size=60), st.integers(0, 999), st.floats(0, 10))
def test_no_bytes_of_a_server_pass_by_chance_or_break_the_check(body, status, seconds):
    check = KnownAnswers(8000, "m", CONTINUED, 3)
    answers = [CheckAnswer(status, body, seconds)] * len(check.requests())
    assert not check.judge(answers).is_good


def test_floors_come_from_published_figures_or_from_the_memory():
    assert _QWEN is not None
    published = speed_floor(_QWEN, None)
    assert (published.floor, published.published) == (14.8, 148.0)
    assert "57680" in published.basis
    unknown = speed_floor(None, 70.0)
    assert unknown.floor == 5.0
    assert "3.9 TB/s" in unknown.basis
    assert speed_floor(None, None).floor == 5.0
    assert speed_floor(None, 0.5).floor == 20.0
    assert speed_floor(None, 2000.0).floor == pytest.approx(1.95)


@pytest.mark.parametrize("entry", model_table.shipped().models, ids=lambda one: one.repository)
def test_the_floor_of_every_model_is_far_below_what_its_memory_allows(entry):
    floor = speed_floor(entry, None)
    assert 0 < floor.floor <= floor.published / 5


def test_a_small_or_unknown_model_is_not_asked_for_facts():
    assert known_answers(1024, "a/b", None, 1.0).answers == CONTINUED
    gpt2 = model_table.shipped().find("OpenAI-community/GPT2")
    assert known_answers(1024, "a/b", gpt2, 1.0).answers == CONTINUED
    with pytest.raises(ValueError, match="is not a table"):
        parse_models({"schema": "ccgpu.models/1"})
