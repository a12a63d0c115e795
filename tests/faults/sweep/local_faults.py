"""Faults of this machine: its clock jumps, its sign-in gets no token, its disk is full.

The faults are in what a machine is handed (clock, credential) or in what it asks of Python (files).
No code under test is replaced.
"""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from azure.core.credentials import AccessTokenInfo, TokenRequestOptions
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

from ccgpu.azure.context import AzureContext
from ccgpu.fakearm import FakeArm, FakeCredential, Request, Response
from ccgpu.scheduling.scheduler import InlineExecutor, Scheduler
from faults.sweep.effects import CLAIMS_SUFFIX
from support.cloud import Machine, make_cloud

HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class LocalFault:
    """One kind of fault of this machine. The last fields are those of a `FaultKind`."""

    name: str
    where: Literal["clock", "token", "disk"]
    error: Exception | None = None
    jump: float = 0.0
    suspended: float = 0.0
    exit_codes: frozenset[int] = frozenset({4})
    transient: bool = False
    once_only: bool = False
    same_as: str = ""


_REFUSED = ClientAuthenticationError("AADSTS700024: Client assertion is not in its valid time")
_UNREACHABLE = ServiceRequestError("Failed to establish a new connection: Connection refused")
# A real jump of the wall clock leaves the monotonic clock alone; this fault moves both.
_CLOCK_AHEAD = LocalFault(
    "clock-ahead-1h", "clock", jump=HOUR, exit_codes=frozenset({11}), once_only=True
)
_CLOCK_BEHIND = replace(
    _CLOCK_AHEAD, name="clock-behind-1h", jump=-HOUR, transient=True, same_as=_CLOCK_AHEAD.name
)
# The machine is suspended: time passes, but not on its monotonic clock.
_SUSPENDED = LocalFault(
    "suspended-30m",
    "clock",
    suspended=HOUR / 2,
    exit_codes=frozenset(),
    transient=True,
    once_only=True,
)
_NO_TOKEN = LocalFault("token-refused", "token", _REFUSED, same_as="401-expired")
_NO_CONNECTION = LocalFault(
    "token-unreachable", "token", _UNREACHABLE, transient=True, same_as="reset"
)
_DISK_FULL = LocalFault("disk-full", "disk", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
LOCAL_FAULTS = {
    one.name: one
    for one in (
        *(_CLOCK_AHEAD, _CLOCK_BEHIND, _SUSPENDED, _NO_TOKEN, _DISK_FULL),
        replace(
            _NO_CONNECTION, exit_codes=frozenset({4, 11})
        ),  # patient requests may exceed the deadline
    )
}


@dataclass
class NumberedLocalFault:
    """A local fault at the step of this number and, if permanent, at all steps after it."""

    number: int
    kind: LocalFault
    forever: bool
    seen: int = 0
    fired: int = 0

    def __call__(self) -> None:
        """Take a step. The fault's own step raises."""
        at, self.seen = self.seen, self.seen + 1
        if at == self.number or (self.forever and self.fired):
            self.fired += 1
            if self.kind.error is not None:
                raise self.kind.error


@dataclass
class Conditions:
    """The current state of a machine: the offset of its clock, the fault of its sign-in."""

    clock_offset: float = 0.0
    token_fault: NumberedLocalFault | None = None


class FaultyCredential:
    """A credential whose tokens expire at once under a fault: each request gets one."""

    def __init__(self, arm: FakeArm, conditions: Conditions) -> None:
        self._fake = FakeCredential(arm)
        self._conditions = conditions

    def get_token_info(
        self, *scopes: str, options: TokenRequestOptions | None = None
    ) -> AccessTokenInfo:
        """Another token. One that was requested with claims ends with a mark."""
        info = self._fake.get_token_info(*scopes)
        if self._conditions.token_fault is not None:
            self._conditions.token_fault()
            info.expires_on = 0
        if options and options.get("claims"):
            info.token += CLAIMS_SUFFIX
        return info

    def get_token(self, *scopes: str, **_: Any) -> Any:
        """The older protocol, which our code does not use."""
        raise NotImplementedError


class FaultyClock:
    """The machine's clock, which may have an offset."""

    def __init__(self, arm: FakeArm, conditions: Conditions) -> None:
        self._right = arm.clock
        self._conditions = conditions

    def now(self) -> float:
        """The machine's Unix time."""
        return self._right.now() + self._conditions.clock_offset

    def wall(self) -> float:
        """The same: nothing is suspended."""
        return self.now()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self._right.sleep(seconds)


@dataclass
class FaultyMachine(Machine):
    """A machine whose clock, sign-in and disk can fail."""

    conditions: Conditions = field(default_factory=Conditions)

    @property
    def cloud(self) -> AzureContext:
        """The usual context, with the faulty clock and credential."""
        right = make_cloud(self.arm, self.state, FaultyCredential(self.arm, self.conditions))
        return replace(
            right, scheduler=Scheduler(FaultyClock(self.arm, self.conditions), InlineExecutor())
        )

    @contextmanager
    def failing(self, fault: NumberedLocalFault) -> Iterator[None]:
        """Apply the fault in the block; afterwards the machine is sound again."""
        where = fault.kind.where
        if where == "clock":
            self.arm.faults.insert(0, self._jumping(fault))
        self.conditions.token_fault = fault if where == "token" else None
        try:
            with _on_file_changes(self.state.parent, fault if where == "disk" else None):
                yield
        finally:
            self.conditions.clock_offset, self.conditions.token_fault = 0.0, None

    def _jumping(self, fault: NumberedLocalFault) -> Callable[[Request], Response | None]:
        def jump(_: Request) -> None:
            before = fault.fired
            fault()
            if fault.fired > before:
                self.arm.advance(fault.kind.suspended)
                self.conditions.clock_offset += fault.kind.jump - fault.kind.suspended

        return jump


# Python cannot remove an audit hook: one hook serves all trials, and is mostly idle.
_watch: list[tuple[str, Callable[[], None]]] = []


@contextmanager
def _on_file_changes(folder: Path, step: Callable[[], None] | None) -> Iterator[None]:
    """Call `step` at each change below `folder` that a full disk would prevent."""
    if step is None:
        yield
        return
    if not _hook_installed:
        sys.addaudithook(_audit)
        _hook_installed.append(True)
    _watch[:] = [(str(folder), step)]
    try:
        yield
    finally:
        _watch.clear()


_hook_installed: list[bool] = []


def _audit(event: str, given: tuple[Any, ...]) -> None:
    """Take a step before a file or folder is created or renamed."""
    if not _watch or event not in ("open", "os.rename", "os.mkdir"):
        return
    folder, step = _watch[0]
    makes = event != "open" or int(given[2] or 0) & os.O_CREAT
    if makes and str(given[0]).startswith(folder):
        step()


def count_disk_steps(act: Callable[[Machine], object], machine: FaultyMachine) -> int:
    """The number of such steps that `act` takes without a fault."""
    count = NumberedLocalFault(-1, LOCAL_FAULTS["disk-full"], forever=False)
    with machine.failing(count):
        act(machine)
    return count.seen
