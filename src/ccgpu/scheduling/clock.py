"""Clocks. Nothing else in `ccgpu` reads the time or sleeps; a clock is passed in as an argument.

`now` is Unix time. With `--backend fake` a command uses the simulated subscription's clock, which
advances only when the scheduler sleeps.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

# Upper bound on signal latency, in seconds. A signal does not end a wait if another thread receives
# it, or if it arrives just before the wait begins. Python runs its handler only after the wait
# (docs.python.org, signal, "Execution of Python signal handlers").
MAX_SIGNAL_LATENCY = 0.25
# The clock that goes on while the machine is suspended: clock_gettime(2) of Linux, and of macOS,
# where CLOCK_MONOTONIC does so, but Python's time.monotonic() does not.
_ALWAYS = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """Reads the time and sleeps."""

    def now(self) -> float:
        """Unix time in seconds; never goes back within a run.

        It stands still while the machine is suspended, so that limits and pauses go on afterwards.
        """
        ...

    def wall(self) -> float:
        """As `now`, but goes on while the machine is suspended: for the age of what others made."""
        ...

    def sleep(self, seconds: float) -> None:
        """Sleep that long."""
        ...


class RealClock:
    """This machine's wall clock at the start, advanced by its monotonic clocks.

    running: seconds without, always: seconds with the time that the machine was suspended.
    """

    def __init__(
        self,
        running: Callable[[], float] = time.monotonic,
        always: Callable[[], float] = lambda: time.clock_gettime(_ALWAYS),
    ) -> None:
        self._wall = datetime.now(UTC).timestamp()  # the only read of the wall clock
        self._running, self._always = running, always
        self._start, self._started = running(), always()

    def now(self) -> float:
        """Unix time; a jump of the wall clock during the run does not move it."""
        return self._wall + self._running() - self._start

    def wall(self) -> float:
        """As `now`, with the time that the machine was suspended."""
        return self._wall + self._always() - self._started

    def sleep(self, seconds: float) -> None:
        """Sleep in short steps, so that signal handlers run meanwhile."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, MAX_SIGNAL_LATENCY))


def rfc3339(moment: float) -> str:
    """Unix time as RFC 3339 UTC, in whole seconds."""
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
