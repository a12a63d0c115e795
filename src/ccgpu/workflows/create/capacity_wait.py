"""The pauses of a create that waits for capacity: longer each time, up to half an hour."""

from dataclasses import dataclass

from ccgpu.azure.long_running import run_task
from ccgpu.azure.run import Run
from ccgpu.scheduling.durations import in_words
from ccgpu.scheduling.scheduler import pause

_FIRST, _LONGEST = 300.0, 1800.0  # seconds; each round costs a VM that is created and deleted
_LEAST = 60.0  # seconds that must be left for another round


@dataclass(slots=True)
class CapacityWait:
    """How long a create still waits. end: by the scheduler's clock."""

    run: Run
    end: float
    next_pause: float = _FIRST

    @classmethod
    def begin(cls, run: Run, seconds: float | None) -> "CapacityWait":
        """A wait of so many seconds from now; None: of none."""
        return cls(run, run.cloud.now() + (seconds or 0.0))

    def pause(self) -> bool:
        """Pause before the next round; False, at once, if the time is over."""
        left = self.end - self.run.cloud.now()
        if left < _LEAST:
            return False
        seconds = min(self.next_pause, left)
        self.next_pause = min(2 * self.next_pause, _LONGEST)
        self.run.tell("note", f"no capacity anywhere: trying again in {in_words(seconds)}")
        run_task(self.run, pause(seconds))
        return True
