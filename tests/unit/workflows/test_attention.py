"""Whatever is waited for, a signal is heard soon: also one that another thread has received.

That one does not end the main thread's wait; nor does one that comes just before a wait begins.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from ccgpu.scheduling.clock import RealClock
from ccgpu.scheduling.scheduler import Call, Scheduler, Task

_LONG = 5.0
_SOON = 2.0


class Heard(Exception):
    """The signal."""


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    def hear(*_: object) -> None:
        raise Heard

    before = signal.signal(signal.SIGUSR1, hear)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as found:
        yield found


def _elsewhere() -> None:
    """The signal, received by this thread, which is not the main one."""
    signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)


def _raised_after(run: Callable[[], None]) -> float:
    clock = RealClock()
    before = clock.now()
    with pytest.raises(Heard):
        run()
    return clock.now() - before


def test_a_signal_interrupts_a_sleep():
    timer = threading.Timer(0.1, _elsewhere)
    timer.start()
    assert _raised_after(lambda: RealClock().sleep(_LONG)) < _SOON
    timer.join()


@pytest.mark.parametrize("also_due", [None, 60.0], ids=["nothing else", "more to come"])
def test_a_signal_interrupts_the_wait_for_a_response(also_due, pool):
    end = threading.Event()

    def hang() -> None:
        end.wait(0.2)  # until it is waited for
        _elsewhere()
        end.wait(_LONG)

    def task() -> Task[None]:
        yield Call(hang)

    def later(after: float) -> Task[None]:
        yield Call(lambda: None, after)

    schedule = Scheduler(RealClock(), pool)
    schedule.add(task())
    if also_due is not None:
        schedule.add(later(also_due))
    assert _raised_after(schedule.run) < _SOON
    end.set()


def test_a_sleep_lasts_its_full_time():
    clock = RealClock()
    before = clock.now()
    clock.sleep(0.6)
    clock.sleep(-1.0)
    assert 0.6 <= clock.now() - before < _LONG


def test_calls_not_started_when_the_pool_closes_are_never_sent(pool):
    """Of two threads one hangs, and the other one takes up one more request before all is over."""
    end, sent = threading.Event(), list[int]()

    def hang(number: int) -> None:
        sent.append(number)
        end.wait(_LONG)

    def interrupt() -> None:
        end.wait(0.2)  # until all are in the queue
        _elsewhere()

    def task(request: Callable[[], None]) -> Task[None]:
        yield Call(request)

    schedule = Scheduler(RealClock(), pool)
    schedule.add(task(partial(hang, 0)))
    schedule.add(task(interrupt))
    for one in range(1, 9):
        schedule.add(task(partial(hang, one)))
    with pytest.raises(Heard):
        schedule.run()
    end.set()
    pool.shutdown()
    assert sent == [0, 1]
