"""What a command sends to the simulated subscription, and which of it are polls."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ccgpu.fakearm import FakeArm, Request


@dataclass(frozen=True, slots=True)
class Sent:
    """One request. A poll asks again, after a wait, what Azure's time decides."""

    method: str
    path: str
    is_poll: bool

    def __str__(self) -> str:
        return f"{self.method:6} {self.path}{'  (poll)' if self.is_poll else ''}"


def sent_by(arm: FakeArm, command: Callable[[], object]) -> list[Sent]:
    """All that `command` sends; requests take no time, so that only waits do."""
    found: list[Sent] = []
    before = arm.clock.now()

    def note(request: Request) -> None:
        nonlocal before
        waited, before = arm.clock.now() > before, arm.clock.now()
        again = request.path in {one.path for one in found}
        again = again or "/operation" in request.path.lower()
        is_poll = request.method == "GET" and waited and again
        found.append(Sent(request.method, request.path, is_poll))

    with _noted(arm, note):
        command()
    return found


@contextmanager
def _noted(arm: FakeArm, note: Callable[[Request], None]) -> Iterator[None]:
    arm.faults.append(note)
    try:
        yield
    finally:
        arm.faults.remove(note)


def without_polls(requests: Iterable[Sent]) -> list[Sent]:
    """The requests whose number does not depend on how long Azure takes."""
    return [one for one in requests if not one.is_poll]


def printed(requests: Iterable[Sent]) -> str:
    """One a line, for the message of a failed test."""
    return "\n" + "\n".join(map(str, requests))
