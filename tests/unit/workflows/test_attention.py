"""A signal interrupts every wait soon, even one that another thread received.

Such a signal does not end the main thread's wait by itself; nor does one just before a wait begins.
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


class SignalReceived(Exception):
    """Raised by the signal handler."""


@pytest.fixture(autouse=True)
def signal_handler() -> Iterator[None]:
    def raise_received(*_: object) -> None:
        raise SignalReceived

    before = signal.signal(signal.SIGUSR1, raise_received)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as found:
        yield found


def _signal_this_thread() -> None:
    """Send the signal to this thread, which is not the main one."""
    signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)


def _seconds_until_signal(run: Callable[[], None]) -> float:
    clock = RealClock()
    before = clock.now()
    with pytest.raises(SignalReceived):
        run()
    return clock.now() - before


def test_a_signal_interrupts_a_sleep():
    timer = threading.Timer(0.1, _signal_this_thread)
    timer.start()
    assert _seconds_until_signal(lambda: RealClock().sleep(_LONG)) < _SOON
    timer.join()


@pytest.mark.parametrize("also_due", [None, 60.0], ids=["nothing else", "more to come"])
def test_a_signal_interrupts_the_wait_for_a_response(also_due, pool):
    end = threading.Event()

    def hang() -> None:
        end.wait(0.2)  # until it is waited for
        _signal_this_thread()
        end.wait(_LONG)

    def task() -> Task[None]:
        yield Call(hang)

    def later(after: float) -> Task[None]:
        yield Call(lambda: None, after)

    schedule = Scheduler(RealClock(), pool)
    schedule.add(task())
    if also_due is not None:
        schedule.add(later(also_due))
    assert _seconds_until_signal(schedule.run) < _SOON
    end.set()


def test_a_sleep_lasts_its_full_time():
    clock = RealClock()
    before = clock.now()
    clock.sleep(0.6)
    clock.sleep(-1.0)
    assert 0.6 <= clock.now() - before < _LONG


def test_calls_not_started_when_the_pool_closes_are_never_sent(pool):
    """Of two threads one hangs; the other sends one more request before the interrupt."""
    end, sent = threading.Event(), list[int]()

    def hang(number: int) -> None:
        sent.append(number)
        end.wait(_LONG)

    def interrupt() -> None:
        end.wait(0.2)  # until all are in the queue
        _signal_this_thread()

    def task(request: Callable[[], None]) -> Task[None]:
        yield Call(request)

    schedule = Scheduler(RealClock(), pool)
    schedule.add(task(partial(hang, 0)))
    schedule.add(task(interrupt))
    for one in range(1, 9):
        schedule.add(task(partial(hang, one)))
    with pytest.raises(SignalReceived):
        schedule.run()
    end.set()
    pool.shutdown()
    assert sent == [0, 1]
