"""Set-up and end of the process: its streams, its signal handlers, its exit.

The first signal interrupts the command, and later ones are ignored. The journal lists every write
that was sent to Azure, so the process need not wait for a response.
"""

import gc
import os
import signal
import sys
import threading
import warnings
from types import FrameType
from typing import NoReturn

from ccgpu.cli import streams
from ccgpu.errors import Interrupted

# Maximum seconds between a signal and the exit, if the error message cannot be written, for example
# into a pipe that nobody reads. GitHub Actions sends SIGINT, 7.5 s later SIGTERM, and 2.5 s later
# SIGKILL (GitHub Docs, "Workflow cancellation reference").
_SECONDS_TO_EXIT = 6.0

# By default Python's cyclic garbage collector runs every 700 allocations. At its start a command
# allocates mostly modules, which are never freed: the default costs a quarter of `ccgpu verify`,
# which leaves 70,000 objects, and one collection of them 13 ms.
_OBJECTS_BETWEEN_COLLECTIONS = 100_000
_PR_SET_DUMPABLE = 4  # prctl(2), linux/prctl.h


def begin() -> None:
    """Replace the standard streams by ones that never raise, and install signal handlers."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    streams.begin()
    if not sys.warnoptions:  # Python's warnings are for developers
        warnings.simplefilter("ignore")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A signal that nohup or the parent ignores stays ignored.
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _interruption.interrupt)


class _Interruption:
    """Whether a signal has interrupted the command."""

    def __init__(self) -> None:
        self._has_come = False

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """The handler of signals: the first one interrupts, later ones are ignored."""
        if self._has_come:  # terminals, shells and CI runners send a signal more than once
            return
        self._has_come = True
        signal.signal(signal.SIGALRM, _exit_at_once)
        signal.setitimer(signal.ITIMER_REAL, _SECONDS_TO_EXIT)
        raise KeyboardInterrupt

    def go_on(self) -> None:
        """Let the process live on after an interrupt; the next signal interrupts again."""
        if self._has_come:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            self._has_come = False


_interruption = _Interruption()


def go_on() -> None:
    """After an interrupt, go on with what has to be done; the next signal interrupts that."""
    _interruption.go_on()


def abandon(code: int) -> None:
    """Exit at once if other threads run: Python would join them, also one whose request hangs.

    With one thread, return, so that the caller exits normally. `gc.freeze` spares Python the last
    search for reference cycles.
    """
    gc.freeze()
    if threading.active_count() == 1:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def forbid_core_dumps() -> None:
    """From now on no image of this process, or of a program that it starts, is written to a disk.

    A signal such as SIGQUIT would else leave the secrets that it holds there. The limit alone does
    not hold where a program takes the dumps (core(5)), such as systemd-coredump.
    """
    import resource  # both only where secrets are read

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def no_foreign_logs() -> None:
    """Add a null log handler: without one, Python prints the libraries' warnings on stderr."""
    import logging

    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.NullHandler())


def _exit_at_once(_number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(Interrupted.exit_code)
