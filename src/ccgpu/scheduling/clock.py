"""Time, as a thing that is handed in: nothing else in `ccgpu` reads a clock or waits.

`now` is Unix time. On the fake both back ends of a run share the simulated subscription's own
clock, which moves only when the scheduler waits.
"""

import time
from datetime import UTC, datetime
from typing import Protocol

# How long to be deaf at most: a signal that another thread receives, or that arrives just before a
# wait begins, does not end the wait; and Python runs its handler only after it (docs.python.org,
# signal, "Execution of Python signal handlers").
MAX_SIGNAL_LATENCY = 0.25


class Clock(Protocol):
    """Says what time it is, and waits."""

    def now(self) -> float:
        """Unix time in seconds; never goes back within a run."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait that long."""
        ...


class RealClock:
    """This machine's clock: a wall-clock start, counted on by the monotonic clock."""

    def __init__(self) -> None:
        self._wall = datetime.now(UTC).timestamp()  # the one place that looks
        self._start = time.monotonic()

    def now(self) -> float:
        """Unix time; a jump of the wall clock during the run does not move it."""
        return self._wall + time.monotonic() - self._start

    def sleep(self, seconds: float) -> None:
        """Wait, and listen to signals meanwhile."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, MAX_SIGNAL_LATENCY))


def rfc3339(moment: float) -> str:
    """Unix time as RFC 3339 UTC, in whole seconds."""
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
