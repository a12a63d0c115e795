"""The pace of requests: never below what Azure's buckets allow, never above."""

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.net.pace import Pace

LEFT = "x-ms-ratelimit-remaining-subscription-"


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def request(method: str) -> Any:
    return SimpleNamespace(http_request=SimpleNamespace(method=method))


def response(**headers: str) -> Any:
    return SimpleNamespace(http_response=SimpleNamespace(headers=headers))


def send(pace: Pace, method: str, count: int) -> None:
    for _ in range(count):
        pace.on_request(request(method))


def test_the_first_requests_need_not_wait():
    pace = Pace(Time())
    assert pace.delay() == 0
    send(pace, "GET", 250 - 16)
    assert pace.delay() == 0


@pytest.mark.parametrize(
    ("method", "size", "rate"),
    [("GET", 250, 25), ("HEAD", 250, 25), ("PUT", 200, 10), ("POST", 200, 10), ("DELETE", 200, 10)],
)
def test_an_empty_bucket_delays_until_it_has_tokens_again(method, size, rate):
    time = Time()
    pace = Pace(time)
    send(pace, method, size - 16 + 5)
    assert pace.delay() == pytest.approx(5 / rate)
    time.now += 5 / rate
    assert pace.delay() == pytest.approx(0, abs=1e-9)


def test_what_azure_says_is_left_counts_if_it_is_less():
    time = Time()
    pace = Pace(time)
    pace.on_response(request("GET"), response(**{f"{LEFT}reads": "6"}))
    assert pace.delay() == pytest.approx(10 / 25)
    time.now += 60
    assert pace.delay() == 0
    pace.on_response(request("GET"), response(**{f"{LEFT}reads": "11999"}))
    send(pace, "GET", 250)
    assert pace.delay() == pytest.approx(16 / 25)


@pytest.mark.parametrize("text", ["", "-1", "many", "1.5", "\u0663"])
def test_a_header_that_is_no_number_is_ignored(text):
    pace = Pace(Time())
    pace.on_response(request("GET"), response(**{f"{LEFT}reads": text}))
    assert pace.delay() == 0


@given(
    st.lists(st.tuples(st.sampled_from(["GET", "PUT", "DELETE"]), st.floats(0, 3)), max_size=900)
)
def test_whoever_waits_as_told_never_finds_a_bucket_empty(steps):
    """The buckets of ARM, beside it."""
    time = Time()
    pace = Pace(time)
    sizes = {"GET": (250, 25), "PUT": (200, 10), "DELETE": (200, 10)}
    tokens, at = {name: float(size) for name, (size, _) in sizes.items()}, 0.0
    for method, pause in itertools.chain(steps, [("GET", 0.0)] * 300):
        time.now += pause
        time.now += pace.delay()
        for name, (size, rate) in sizes.items():
            tokens[name] = min(size, tokens[name] + (time.now - at) * rate)
        at = time.now
        tokens[method] -= 1
        assert tokens[method] >= 0
        pace.on_request(request(method))
