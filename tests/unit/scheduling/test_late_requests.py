"""Requests end with their deadline, whatever their thread does."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ccgpu.errors import TimedOut
from ccgpu.scheduling.clock import RealClock
from ccgpu.scheduling.deadline import Deadline
from ccgpu.scheduling.scheduler import Call, InlineExecutor, Scheduler, together
from ccgpu.scheduling.time_left import seconds_left


@pytest.fixture
def release():
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def scheduler(release):
    with ThreadPoolExecutor(max_workers=2) as pool:
        yield Scheduler(RealClock(), pool)
        release.set()  # the pool waits for its threads


def _asking(request, deadline, doing="asking"):
    return (yield Call(request, deadline=deadline, doing=doing))


def test_a_request_without_an_answer_is_given_up_at_the_deadline(scheduler, release):
    deadline = Deadline.after(scheduler.clock, 0.05)
    with pytest.raises(TimedOut, match="reading demo: not done within 1 second"):
        scheduler.complete(_asking(release.wait, deadline, "reading demo"))
    assert deadline.elapsed() < 1.0
    assert not release.is_set()


def test_others_go_on_and_what_the_pool_has_not_begun_is_never_sent(scheduler, release):
    late = Deadline.after(scheduler.clock, 0.05)
    sent = []

    def failing(request, deadline):
        try:
            return (yield from _asking(request, deadline))
        except TimedOut:
            return "late"

    tasks = [
        *(failing(release.wait, late) for _ in range(2)),  # both threads
        failing(lambda: sent.append("queued"), late),
    ]
    assert scheduler.complete(together(tasks)) == ["late"] * 3
    release.set()
    fresh = Deadline.after(scheduler.clock, 60.0)
    assert scheduler.complete(_asking(lambda: "an answer", fresh)) == "an answer"
    assert sent == []


def test_after_the_deadline_no_request_is_begun():
    clock = RealClock()
    over = Deadline(clock, clock.now() - 9.0, clock.now() - 1.0, 8.0)
    sent = []
    with pytest.raises(TimedOut, match="asking: not done within 8 seconds"):
        Scheduler(clock, InlineExecutor()).complete(_asking(lambda: sent.append(1), over))
    assert sent == []


def test_a_request_knows_what_is_left_and_others_have_no_limit(scheduler):
    left = scheduler.complete(_asking(seconds_left, Deadline.after(scheduler.clock, 50.0)))
    assert 40.0 < left <= 50.0
    assert scheduler.complete(_asking(seconds_left, None)) == float("inf")
    assert seconds_left() == float("inf")
