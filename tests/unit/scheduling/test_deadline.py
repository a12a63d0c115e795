"""The arithmetic of a deadline: nothing goes past it, and nothing that is done before is missed."""

import re
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.errors import TimedOut
from ccgpu.scheduling.deadline import LAST_LOOK, Deadline
from ccgpu.scheduling.durations import in_seconds, in_words

_EPOCH = 1_767_225_600.0


class _Clock:
    """Time that only the test moves. It is far from 0, where floats are coarse."""

    def __init__(self) -> None:
        self.time = _EPOCH

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return self.now()

    def sleep(self, seconds: float) -> None:
        self.time += seconds


_LIMITS = st.floats(1.0, 1e5)


@given(
    allowed=_LIMITS,
    ready=st.floats(0.0, 1.0),
    delays=st.lists(st.floats(0.001, 400.0), min_size=1, max_size=8),
    answer=st.floats(0.0, 1.0),
)
def test_a_poll_loop_sees_all_that_ends_in_time_and_never_exceeds_the_limit(
    allowed, ready, delays, answer
):
    """ready: when it is done, as a part of the limit. answer: what a look takes, of LAST_LOOK."""
    clock = _Clock()
    deadline = Deadline.after(clock, allowed)
    reserve = min(LAST_LOOK, allowed / 10)
    done_at = clock.now() + ready * (allowed - reserve) - 0.01
    looks, seen = 0, False
    try:
        while True:
            seen = clock.now() >= done_at
            if seen:
                break
            clock.sleep(answer * reserve)
            wanted = delays[min(looks, len(delays) - 1)] + allowed / 50
            pause = deadline.pause(wanted, "waiting")
            assert 0 < pause <= wanted
            clock.sleep(pause)
            looks += 1
    except TimedOut:
        assert not seen
        assert answer * reserve > 0.005  # only what happens during the last look is missed
        assert clock.now() >= done_at
    assert clock.now() <= deadline.end + 1e-6
    assert looks < 60


@given(allowed=_LIMITS, passed=st.floats(0.0, 2.0), seconds=st.floats(0.0, 1e6))
def test_what_is_left_is_never_negative_nor_more_than_the_limit(allowed, passed, seconds):
    clock = _Clock()
    deadline = Deadline.after(clock, allowed)
    clock.sleep(passed * allowed)
    assert 0.0 <= deadline.left() <= allowed + 1e-6  # floats
    assert deadline.has_passed() == (deadline.left() == 0.0)
    within = deadline.within(seconds)
    assert within.left() <= min(deadline.left(), seconds) + 1e-6
    assert within.started == deadline.started


def test_a_pause_that_a_service_asks_for_is_not_shortened():
    deadline = Deadline.after(_Clock(), 300.0)
    assert deadline.pause(400.0, "waiting") == 295.0
    assert deadline.pause(400.0, "waiting", at_least=295.0) == 295.0
    with pytest.raises(TimedOut, match=r"^waiting: not done within 5 minutes$"):
        deadline.pause(400.0, "waiting", at_least=296.0)


def test_undoing_has_a_limit_of_its_own_and_the_message_names_it():
    clock = _Clock()
    deadline = Deadline.after(clock, 30.0)
    clock.sleep(30.0)
    undoing = deadline.extended(1200.0, "undoing what was created")
    assert (undoing.elapsed(), undoing.left()) == (30.0, 1200.0)
    assert str(undoing.error("deleting demo")) == (
        "deleting demo: not done within 20 minutes, the time for undoing what was created"
    )


def test_a_deadline_without_an_end_limits_nothing():
    deadline = Deadline.after(_Clock(), inf)
    assert (deadline.pause(1e6, "waiting"), deadline.at_most(60.0, "waiting")) == (1e6, 60.0)
    assert not deadline.has_passed()


@given(st.floats(0.0, 1e6))
def test_no_duration_is_nothing_in_words(seconds):
    for text in (in_words(seconds), in_seconds(seconds)):
        numbers = [int(one) for one in re.findall(r"\d+", text)]
        assert numbers
        assert 0 not in numbers


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1 second"),
        (3.0, "3 seconds"),
        (29.2, "30 seconds"),
        (60.0, "1 minute"),
        (90.0, "1 minute 30 seconds"),
        (300.0, "5 minutes"),
        (1155.0, "19 minutes"),
        (7200.0, "120 minutes"),
    ],
)
def test_durations_are_told_in_whole_units(seconds, text):
    assert in_words(seconds) == text
