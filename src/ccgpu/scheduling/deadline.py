"""The deadline of a command. Every pause ends before it, and every request by it.

A pause that would leave no time for another look is shortened, so that what happens until shortly
before the end is still seen. A request that has no answer at the end is given up
(`scheduling.scheduler`), and its time-outs never exceed what is left (`scheduling.time_left`).
"""

from dataclasses import dataclass

from ccgpu.errors import TimedOut
from ccgpu.scheduling.clock import Clock
from ccgpu.scheduling.durations import in_words

# Seconds that the last pause leaves for the request after it; of a short limit a tenth. Requests to
# Azure Resource Manager that read one resource take under a second.
LAST_LOOK = 5.0
_LAST_PART = 0.1
# Seconds. What is shorter is no pause: a clock may not show that it has passed.
_SHORTEST = 0.001


@dataclass(frozen=True, slots=True)
class Deadline:
    """The start of a command, and the end of its time limit, as Unix times of `clock`.

    allowed: the seconds of the limit. what: the work that it is for, if not the whole command.
    """

    clock: Clock
    started: float
    end: float
    allowed: float
    what: str = ""

    @classmethod
    def after(cls, clock: Clock, seconds: float) -> "Deadline":
        """A deadline that starts now and ends after `seconds`."""
        now = clock.now()
        return cls(clock, now, now + seconds, seconds)

    def extended(self, seconds: float, what: str = "") -> "Deadline":
        """The same start, with a limit of `seconds` from now on, for the work `what`."""
        return Deadline(self.clock, self.started, self.clock.now() + seconds, seconds, what)

    def within(self, seconds: float) -> "Deadline":
        """This deadline, or one after `seconds` if that is earlier."""
        return self if seconds >= self.left() else self.extended(seconds, self.what)

    def elapsed(self) -> float:
        """Seconds since the start, to the millisecond."""
        return round(self.clock.now() - self.started, 3)

    def left(self) -> float:
        """Seconds until the end; none after it."""
        return max(0.0, self.end - self.clock.now())

    def has_passed(self) -> bool:
        """Whether the end has been reached."""
        return self.clock.now() >= self.end

    def has_time(self) -> bool:
        """Whether there is time for more than the last look."""
        return self.left() > self._reserve

    @property
    def _reserve(self) -> float:
        return min(LAST_LOOK, self.allowed * _LAST_PART)

    def at_most(self, seconds: float, doing: str) -> float:
        """Return `seconds`, or what is left of the time limit; if none is, raise `TimedOut`."""
        left = min(seconds, self.left())
        if left <= 0:
            raise self.error(doing)
        return left

    def pause(self, seconds: float, doing: str, at_least: float = 0.0) -> float:
        """Return the seconds to pause: `seconds`, or less if no look were possible after them.

        at_least: what a service asks for: to come earlier would be in vain.

        Raises:
            TimedOut: There is no time for a pause, or not for one of `at_least`.
        """
        longest = self.end - self._reserve - self.clock.now()
        if longest < max(at_least, _SHORTEST):
            raise self.error(doing)
        return min(seconds, longest)

    def error(self, doing: str) -> TimedOut:
        """The error of work that has not ended in time."""
        what = f", the time for {self.what}" if self.what else ""
        return TimedOut(f"{doing}: not done within {in_words(self.allowed)}{what}")
