"""Garbage collection and leases in tests: machines with their own clocks."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from ccgpu.azure.context import AzureContext
from ccgpu.domain.garbage import Collected
from ccgpu.fakearm import FakeArm, Request, Response
from ccgpu.scheduling.clock import Clock
from ccgpu.scheduling.scheduler import InlineExecutor, Scheduler
from ccgpu.workflows import extend as extending
from ccgpu.workflows import gc as collecting
from support.cloud import Machine

HOUR = 3600.0


class WrongClock:
    """A clock with an offset in seconds."""

    def __init__(self, arm: FakeArm, by: float) -> None:
        self._clock = arm.clock
        self._by = by

    def now(self) -> float:
        return self._clock.now() + self._by

    def wall(self) -> float:
        return self.now()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)


@dataclass
class SuspendedClock:
    """The clock of a machine that was suspended for so many seconds: its limits stood still."""

    clock: Clock
    slept: float = 0.0

    def now(self) -> float:
        return self.clock.now()

    def wall(self) -> float:
        return self.clock.now() + self.slept

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)


@dataclass
class OtherMachine(Machine):
    """Another machine: it has no journal, and its clock may be wrong."""

    by: float = 0.0

    @property
    def cloud(self) -> AzureContext:
        right = super().cloud
        return replace(right, scheduler=Scheduler(WrongClock(self.arm, self.by), InlineExecutor()))


def other_machine(machine: Machine, by: float = 0.0) -> OtherMachine:
    """Another user's machine over the same subscription."""
    return OtherMachine(machine.arm, machine.state.parent / "elsewhere", by=by)


def collect(machine: Machine, *, yes: bool = True, **changes: Any) -> collecting.CollectOutcome:
    """`ccgpu gc`."""
    return collecting.collect(machine.cloud, yes=yes, listen=machine.events.append, **changes)


def actions(found: collecting.CollectOutcome) -> list[tuple[str, str | None, str]]:
    """Name, reason and action of each collected deployment."""
    return [(one.name, one.why, one.action) for one in found.found]


def single_deployment(found: collecting.CollectOutcome) -> Collected:
    """The only collected deployment."""
    (one,) = found.found
    return one


def extend(machine: Machine, hours: float, name: str = "demo") -> extending.ExtendOutcome:
    """`ccgpu extend`."""
    return extending.extend(
        machine.cloud, name, timedelta(hours=hours), listen=machine.events.append
    )


@dataclass
class BeforeRequest:
    """Runs another client's action before request number `at` (from 0)."""

    arm: FakeArm
    at: int
    act: Any
    seen: int = 0
    request: Request | None = None

    def __call__(self, request: Request) -> Response | None:
        number, self.seen = self.seen, self.seen + 1
        if number == self.at:
            self.request = request
            self.arm.faults.remove(self)
            self.act()
        return None
