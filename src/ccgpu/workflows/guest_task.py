"""A command's work on one guest: what the guest is called, and the command's time and listener.

It needs no subscription: a machine that ccgpu did not create is asked in the same way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import TypeVar

from ccgpu.azure.run import Run
from ccgpu.domain.advice import fill_name
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.events import Event, EventKind, Listener, ignore_event
from ccgpu.domain.resource import ResourceId
from ccgpu.errors import GuestUnreachable, TimedOut
from ccgpu.scheduling.deadline import Deadline
from ccgpu.scheduling.scheduler import Call, Scheduler, Task, pause
from ccgpu.scheduling.time_left import ending_at

T = TypeVar("T")
_PAUSE = 5.0  # seconds between two attempts to reach a guest


@dataclass(frozen=True, slots=True)
class GuestTask:
    """What is done with one guest, within a deadline.

    name: what messages call the guest. vm: the ARM id that events name; None for a machine of no
    deployment. stage: the stage of a create, for its events. patience: seconds in which the guest
    has to be reached; inf for as long as the deadline allows.
    """

    name: str
    scheduler: Scheduler
    deadline: Deadline
    listen: Listener = ignore_event
    vm: ResourceId | None = None
    stage: str | None = None
    patience: float = inf

    @classmethod
    def of_deployment(cls, run: Run, names: Names) -> "GuestTask":
        """The part of a command that is about the VM of this deployment."""
        scheduler = run.cloud.scheduler
        return cls(names.deployment, scheduler, run.deadline, run.listen, names.vm, run.stage)

    def now(self) -> float:
        """The scheduler's time."""
        return self.scheduler.clock.now()

    def wall(self) -> float:
        """The same, with the time that this machine was suspended: what evidence ages by."""
        return self.scheduler.clock.wall()

    def with_name(self, hint: str | None) -> str | None:
        """A hint with the deployment's name where it says NAME, if the guest is one's VM."""
        if hint is None or self.vm is None:
            return hint
        return fill_name(hint, self.name)

    def tell(self, what: EventKind, text: str, action: str | None = None) -> None:
        """Emit an event about the guest."""
        kind = None if self.vm is None else Kind.VM
        at = self.deadline.elapsed()
        self.listen(Event(what, at, text, self.vm, kind, action, self.stage))

    def note(self, text: str) -> None:
        """Emit a note, which is about no resource."""
        self.listen(Event("note", self.deadline.elapsed(), text, stage=self.stage))

    def complete(self, request: Callable[[], T]) -> T:
        """Run one request alone, and return its answer; raises `TimedOut` if it has none."""
        return self.scheduler.complete(self._call(request))

    def time_left(self, at_most: float, doing: str) -> float:
        """Seconds for the next step; raises `TimedOut` if none are left."""
        return self.deadline.at_most(at_most, doing)

    def pause(self, seconds: float, doing: str) -> None:
        """Wait before another look; raises `TimedOut` if there is no time for one."""
        self.scheduler.complete(pause(self.deadline.pause(seconds, doing)))

    def reach(self, attempt: Callable[[], T]) -> T:
        """Make attempts until one ends otherwise than with a transient `GuestUnreachable`.

        An attempt runs in this thread, so that it can use the terminal. When the time limit has
        passed, the last error is raised.
        """
        deadline = self.deadline.within(self.patience)
        while True:
            try:
                with ending_at(deadline.clock, deadline.end):
                    return attempt()
            except GuestUnreachable as err:
                if not err.transient:
                    raise
                try:
                    seconds = deadline.pause(_PAUSE, f"reaching {self.name}")
                except TimedOut:
                    raise err from None
                self.tell("wait", str(err))
                self.scheduler.complete(pause(seconds))

    def _call(self, request: Callable[[], T]) -> Task[T]:
        doing = f"waiting for {self.name}"
        answer: T = yield Call(request, deadline=self.deadline, doing=doing)
        return answer
