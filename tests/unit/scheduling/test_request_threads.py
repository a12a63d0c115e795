"""The pool of the real back end: a request that is given up keeps no other from being sent."""

import threading
from queue import Queue

import pytest

from ccgpu.errors import TimedOut
from ccgpu.scheduling.clock import RealClock
from ccgpu.scheduling.deadline import Deadline
from ccgpu.scheduling.request_threads import AT_ONCE, RequestThreads
from ccgpu.scheduling.scheduler import Call, Scheduler, together

_LONG = 60.0  # seconds; no test waits so long


@pytest.fixture
def release():
    event = threading.Event()
    yield event
    event.set()


def _asking(request, deadline):
    return (yield Call(request, deadline=deadline))


def test_an_undo_sends_its_requests_after_all_others_were_given_up(release):
    scheduler = Scheduler(RealClock(), RequestThreads())
    late = Deadline.after(scheduler.clock, 0.05)
    with pytest.raises(TimedOut):
        scheduler.complete(together(_asking(release.wait, late) for _ in range(AT_ONCE)))
    undo = late.extended(_LONG, "undoing")
    answers = together(_asking(lambda n=n: n, undo) for n in range(AT_ONCE))
    assert scheduler.complete(answers) == list(range(AT_ONCE))
    assert undo.elapsed() < _LONG / 2
    assert not release.is_set()


def test_no_more_requests_than_that_are_made_at_once(release):
    pool, begun = RequestThreads(2), Queue[int]()

    def request(number):
        begun.put(number)
        return release.wait(_LONG)

    answers = [pool.submit(request, number) for number in range(6)]
    assert {begun.get(timeout=_LONG), begun.get(timeout=_LONG)} == {0, 1}
    assert answers.pop(3).cancel()  # before it begins
    assert begun.empty()
    release.set()
    assert [one.result(_LONG) for one in answers] == [True] * 5
    assert {begun.get(timeout=_LONG) for _ in range(3)} == {2, 4, 5}


def test_one_that_is_given_up_makes_room_for_one_only(release):
    pool, begun = RequestThreads(1), [threading.Event() for _ in range(3)]
    answers = [pool.submit(lambda one=one: (one.set(), release.wait(_LONG))) for one in begun]
    assert not answers[0].cancel()
    assert not answers[0].cancel()
    assert begun[1].wait(_LONG)
    assert not begun[2].wait(0.05)


def test_an_error_is_the_answer_and_threads_do_not_keep_the_process():
    def request():
        raise ValueError(threading.current_thread().daemon)

    with pytest.raises(ValueError, match="True"):
        RequestThreads().submit(request).result(_LONG)
