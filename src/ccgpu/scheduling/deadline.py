"""The deadline of a command. Every pause is checked against it before the pause begins."""

from dataclasses import dataclass

from ccgpu.errors import TimedOut
from ccgpu.scheduling.clock import Clock


@dataclass(frozen=True, slots=True)
class Deadline:
    """The start and the end of a command's time limit, as Unix times of `clock`."""

    clock: Clock
    started: float
    end: float

    @classmethod
    def after(cls, clock: Clock, seconds: float) -> "Deadline":
        """A deadline that starts now and ends after `seconds`."""
        now = clock.now()
        return cls(clock, now, now + seconds)

    def extended(self, seconds: float) -> "Deadline":
        """The same start, with an end `seconds` from now."""
        return Deadline(self.clock, self.started, self.clock.now() + seconds)

    def elapsed(self) -> float:
        """Seconds since the start, to the millisecond."""
        return round(self.clock.now() - self.started, 3)

    def has_passed(self) -> bool:
        """Whether the end has been reached."""
        return self.clock.now() >= self.end

    def at_most(self, seconds: float, doing: str) -> float:
        """Return `seconds`, or what is left of the time limit; if none is, raise `TimedOut`."""
        left = min(seconds, self.end - self.clock.now())
        if left <= 0:
            raise TimedOut(f"{doing}: the time limit has passed")
        return left

    def require(self, seconds: float, doing: str) -> float:
        """Return `seconds` if that much time is left; else raise `TimedOut`."""
        if self.clock.now() + seconds > self.end:
            allowed = (self.end - self.started) / 60
            raise TimedOut(f"{doing}: not done within {allowed:.0f} minutes")
        return seconds
