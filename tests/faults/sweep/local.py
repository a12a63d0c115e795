"""What can go wrong on this machine: its clock jumps, its sign-in gets no token, its disk is full.

All of it is done to what a machine is handed (clock, credential) or asks of Python (files); none of
the code under test is replaced.
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
from ccgpu.fakearm import Answer, FakeArm, FakeCredential, Request
from ccgpu.scheduling.scheduler import InlineExecutor, Scheduler
from faults.sweep.effects import WITH_CLAIMS
from support.cloud import Machine, make_cloud

HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Local:
    """One thing that can go wrong here; the last fields as those of a `Kind`."""

    name: str
    where: Literal["clock", "token", "disk"]
    error: Exception | None = None
    jump: float = 0.0
    asleep: float = 0.0
    codes: frozenset[int] = frozenset({4})
    passes: bool = False
    once: bool = False
    like: str = ""


_REFUSED = ClientAuthenticationError("AADSTS700024: Client assertion is not in its valid time")
_UNREACHABLE = ServiceRequestError("Failed to establish a new connection: Connection refused")
# A jump of the wall clock does not move the program's own: these are worse than what happens.
_AHEAD = Local("clock-ahead-1h", "clock", jump=HOUR, codes=frozenset({11}), once=True)
_BEHIND = replace(_AHEAD, name="clock-behind-1h", jump=-HOUR, passes=True, like=_AHEAD.name)
# The machine is suspended: time goes on without it, and its monotonic clock does not notice.
_ASLEEP = Local(
    "suspended-30m", "clock", asleep=HOUR / 2, codes=frozenset(), passes=True, once=True
)
_NO_TOKEN = Local("token-refused", "token", _REFUSED, like="401-expired")
_NOBODY = Local("token-unreachable", "token", _UNREACHABLE, passes=True, like="reset")
_FULL = Local("disk-full", "disk", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
LOCAL = {
    one.name: one
    for one in (
        *(_AHEAD, _BEHIND, _ASLEEP, _NO_TOKEN, _FULL),
        replace(_NOBODY, codes=frozenset({4, 11})),  # each request is patient: time may be over
    )
}


@dataclass
class Nth:
    """A local fault at its step with this number, and, for ever, at all after it."""

    number: int
    kind: Local
    forever: bool
    seen: int = 0
    fired: int = 0

    def __call__(self) -> None:
        """Take a step; the one that it is met at raises."""
        at, self.seen = self.seen, self.seen + 1
        if at == self.number or (self.forever and self.fired):
            self.fired += 1
            if self.kind.error is not None:
                raise self.kind.error


@dataclass
class Ailments:
    """What ails a machine now: how far its clock is off, and what meets a wish for a token."""

    off: float = 0.0
    at_token: Nth | None = None


class SignIn:
    """A credential whose tokens, where it ails, are over at once: each request asks for one."""

    def __init__(self, arm: FakeArm, ails: Ailments) -> None:
        self._fake = FakeCredential(arm)
        self._ails = ails

    def get_token_info(
        self, *scopes: str, options: TokenRequestOptions | None = None
    ) -> AccessTokenInfo:
        """Another token; one that was asked for with claims says so at its end."""
        info = self._fake.get_token_info(*scopes)
        if self._ails.at_token is not None:
            self._ails.at_token()
            info.expires_on = 0
        if options and options.get("claims"):
            info.token += WITH_CLAIMS
        return info

    def get_token(self, *scopes: str, **_: Any) -> Any:
        """Of the older protocol; nothing of ours asks so."""
        raise NotImplementedError


class Clock:
    """The machine's clock, which may be off."""

    def __init__(self, arm: FakeArm, ails: Ailments) -> None:
        self._right = arm.clock
        self._ails = ails

    def now(self) -> float:
        """Unix time, as the machine has it."""
        return self._right.now() + self._ails.off

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self._right.sleep(seconds)


@dataclass
class Frail(Machine):
    """A machine whose clock, sign-in and disk can fail."""

    ails: Ailments = field(default_factory=Ailments)

    @property
    def cloud(self) -> AzureContext:
        """As anybody's, but for what can fail."""
        right = make_cloud(self.arm, self.state, SignIn(self.arm, self.ails))
        return replace(right, scheduler=Scheduler(Clock(self.arm, self.ails), InlineExecutor()))

    @contextmanager
    def failing(self, fault: Nth) -> Iterator[None]:
        """Let the fault be met in the block; afterwards all is well again."""
        where = fault.kind.where
        if where == "clock":
            self.arm.faults.insert(0, self._jumping(fault))
        self.ails.at_token = fault if where == "token" else None
        try:
            with _stepping(self.state.parent, fault if where == "disk" else None):
                yield
        finally:
            self.ails.off, self.ails.at_token = 0.0, None

    def _jumping(self, fault: Nth) -> Callable[[Request], Answer | None]:
        def jump(_: Request) -> None:
            before = fault.fired
            fault()
            if fault.fired > before:
                self.arm.advance(fault.kind.asleep)
                self.ails.off += fault.kind.jump - fault.kind.asleep

        return jump


# A hook of Python's cannot be taken out again: one for all trials, which mostly looks away.
_watched: list[tuple[str, Callable[[], None]]] = []


@contextmanager
def _stepping(folder: Path, step: Callable[[], None] | None) -> Iterator[None]:
    """Take a step at each change below `folder` that a full disk would not let pass."""
    if step is None:
        yield
        return
    if not _hooked:
        sys.addaudithook(_heard)
        _hooked.append(True)
    _watched[:] = [(str(folder), step)]
    try:
        yield
    finally:
        _watched.clear()


_hooked: list[bool] = []


def _heard(event: str, given: tuple[Any, ...]) -> None:
    """A file or folder is about to be made, or renamed."""
    if not _watched or event not in ("open", "os.rename", "os.mkdir"):
        return
    folder, step = _watched[0]
    makes = event != "open" or int(given[2] or 0) & os.O_CREAT
    if makes and str(given[0]).startswith(folder):
        step()


def disk_steps(act: Callable[[Machine], object], machine: Frail) -> int:
    """How many such steps `act` takes when nothing goes wrong."""
    count = Nth(-1, LOCAL["disk-full"], forever=False)
    with machine.failing(count):
        act(machine)
    return count.seen
