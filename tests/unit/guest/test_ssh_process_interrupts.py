"""An interrupt while a program is started: the program is ended, and nobody waits for it."""

import os
import select
import sys
from contextlib import contextmanager
from itertools import count

import pytest

from ccgpu.guest.ssh_process import running
from ccgpu.scheduling.clock import RealClock

_SLEEP = ["sleep", "60"]


class Interrupts:
    """Raises `KeyboardInterrupt` at one line of Python that the main thread comes to."""

    def __init__(self, at: int) -> None:
        self._left = at

    @property
    def came(self) -> bool:
        return self._left < 0

    def __call__(self, _frame, event, _arg):
        if event == "line":
            self._left -= 1
            if self._left < 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self


@contextmanager
def no_program_left(seconds):
    """A stream for programs, which all must have closed at the end, soon."""
    reading, writing = os.pipe()
    try:
        yield writing
        os.close(writing)
        assert select.select([reading], [], [], seconds)[0], "a program runs on"
    finally:
        os.close(reading)


def _interrupt_start(at):
    """Whether the interrupt came before the program ran."""
    before, interrupts = sys.gettrace(), Interrupts(at)
    with no_program_left(2.0) as stream:
        try:
            sys.settrace(interrupts)
            with running(_SLEEP, stdout=stream):
                sys.settrace(None)
        except KeyboardInterrupt:
            assert interrupts.came
        finally:
            sys.settrace(before)
    return interrupts.came


def test_an_interrupt_at_any_line_of_the_start_leaves_no_program():
    lines = next(at for at in count() if not _interrupt_start(at))
    assert lines > 20


@pytest.mark.slow
def test_a_wait_that_was_interrupted_does_not_hold_up_the_end():
    """`Popen.wait` takes a lock, and an interrupt can come before the lines that release it."""
    began = RealClock().now()
    with no_program_left(2.0) as stream, running(_SLEEP, stdout=stream) as process:
        lock = vars(process)["_waitpid_lock"]
        assert lock.acquire(blocking=False)
    assert RealClock().now() - began < 3.0
    lock.release()
    process.wait(2.0)


def test_a_program_that_does_not_exist_is_an_error():
    with pytest.raises(FileNotFoundError), running(["/nowhere/ssh"]):
        pass
