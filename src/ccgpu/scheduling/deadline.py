"""When a command must have ended: every pause is checked against it before it begins."""

from dataclasses import dataclass

from ccgpu.errors import TimedOut
from ccgpu.scheduling.clock import Clock


@dataclass(frozen=True, slots=True)
class Deadline:
    """The Unix times between which a command may work, on `clock`."""

    clock: Clock
    started: float
    end: float

    @classmethod
    def after(cls, clock: Clock, seconds: float) -> "Deadline":
        """One that starts now and ends after so many seconds."""
        now = clock.now()
        return cls(clock, now, now + seconds)

    def extended(self, seconds: float) -> "Deadline":
        """One that ends so many seconds from now, of the same command."""
        return Deadline(self.clock, self.started, self.clock.now() + seconds)

    def elapsed(self) -> float:
        """Seconds since the start, to the millisecond."""
        return round(self.clock.now() - self.started, 3)

    def has_passed(self) -> bool:
        """Whether there is no time left."""
        return self.clock.now() >= self.end

    def require(self, seconds: float, doing: str) -> float:
        """`seconds`, if so many are left; else raises `TimedOut`."""
        if self.clock.now() + seconds > self.end:
            allowed = (self.end - self.started) / 60
            raise TimedOut(f"{doing}: not done within {allowed:.0f} minutes")
        return seconds
