"""A command's work on one guest: what the guest is called, and the command's time and listener.

It needs no subscription: a machine that ccgpu did not create is asked in the same way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import TypeVar

from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.events import Event, EventKind, Listener, ignore_event
from ccgpu.domain.resource import ResourceId
from ccgpu.errors import GuestUnreachable, TimedOut
from ccgpu.scheduling.deadline import Deadline
from ccgpu.scheduling.scheduler import Call, Scheduler, Task

T = TypeVar("T")
_PAUSE = 5.0  # seconds between two attempts to reach a guest
_LEAST = 1.0  # seconds that an attempt has


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

    def tell(self, what: EventKind, text: str, action: str | None = None) -> None:
        """Emit an event about the guest."""
        kind = None if self.vm is None else Kind.VM
        at = self.deadline.elapsed()
        self.listen(Event(what, at, text, self.vm, kind, action, self.stage))

    def note(self, text: str) -> None:
        """Emit a note, which is about no resource."""
        self.listen(Event("note", self.deadline.elapsed(), text, stage=self.stage))

    def complete(self, request: Callable[[], T]) -> T:
        """Run one request alone, and return its answer."""
        return self.scheduler.complete(_call(request))

    def time_left(self, at_most: float, doing: str) -> float:
        """Seconds for the next step; raises `TimedOut` if none are left."""
        return self.deadline.at_most(at_most, doing)

    def pause(self, seconds: float, doing: str) -> None:
        """Wait; raises `TimedOut` if the time limit would pass meanwhile."""
        self.deadline.require(seconds, doing)
        self.scheduler.complete(_call(lambda: None, seconds))

    def reach(self, attempt: Callable[[], T]) -> T:
        """Make attempts until one ends otherwise than with a transient `GuestUnreachable`.

        An attempt runs in this thread, so that it can use the terminal. When the time limit has
        passed, the last error is raised.
        """
        until = self.now() + self.patience
        while True:
            try:
                return attempt()
            except GuestUnreachable as err:
                if not err.transient or self.now() + _PAUSE > until:
                    raise
                try:
                    self.deadline.require(_PAUSE + _LEAST, f"reaching {self.name}")
                except TimedOut:
                    raise err from None
                self.tell("wait", str(err))
                self.scheduler.complete(_call(lambda: None, _PAUSE))


def _call(request: Callable[[], T], after: float = 0.0) -> Task[T]:
    answer: T = yield Call(request, after)
    return answer
