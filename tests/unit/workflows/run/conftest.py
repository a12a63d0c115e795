"""A VM whose script answers what a test says."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from ccgpu.domain.events import Event
from ccgpu.fakearm import FakeArm
from ccgpu.scheduling.deadline import Deadline
from ccgpu.scheduling.scheduler import InlineExecutor, Scheduler
from ccgpu.workflows.guest_task import GuestTask
from ccgpu.workflows.run.guest_calls import WorkloadGuest

BOOT = "11111111-2222-4333-8444-555555555555"


@dataclass
class ScriptedChannel:
    """A channel whose commands and copies end as the test says.

    answer: the document of each request, by its action. errors: what the script prints beside it.
    """

    answer: Callable[[dict[str, Any]], dict[str, Any]]
    errors: list[bytes] = field(default_factory=list)
    log: bytes = b""
    get_: Callable[[Path], None] = lambda _: None
    asked: list[dict[str, Any]] = field(default_factory=list)

    def stream(
        self,
        argv: list[str],
        stdin: BinaryIO,
        stdout: BinaryIO,
        stderr: BinaryIO,
        *,
        timeout: float | None = None,
    ) -> int:
        assert stdin.read()
        assert timeout is None or timeout > 0
        request = json.loads(argv[-1])
        self.asked.append(request)
        stderr.writelines(self.errors)
        document = {"schema": "ccgpu.workload/1", "boot": BOOT, **self.answer(request)}
        data = json.dumps(document).encode() + b"\n"
        if request["action"] == "follow":
            stdout.write(self.log)
            stderr.write(data)
        else:
            stdout.write(data)
        return int("error" in document["schema"])

    def keep(self) -> AbstractContextManager[None]:
        return nullcontext()

    def get(self, remote: str, local: Path, *, recursive: bool = False) -> None:
        assert (remote, recursive) == ("/mnt/ccgpu/export/one", True)
        self.get_(local)


@dataclass
class ScriptedGuest:
    """A guest over a scripted channel, and the events that it has told."""

    channel: ScriptedChannel
    events: list[Event]
    guest: WorkloadGuest

    @property
    def texts(self) -> list[str]:
        """The texts of the events."""
        return [one.text for one in self.events]


@pytest.fixture
def scripted() -> Callable[..., ScriptedGuest]:
    """`scripted(answer, …)`: a guest whose script answers that."""

    def make(answer: Callable[[dict[str, Any]], dict[str, Any]], **more: Any) -> ScriptedGuest:
        scheduler = Scheduler(FakeArm().clock, InlineExecutor())
        events: list[Event] = []
        task = GuestTask("demo", scheduler, Deadline.after(scheduler.clock, 3600), events.append)
        channel = ScriptedChannel(answer, **more)
        return ScriptedGuest(channel, events, WorkloadGuest(task, channel, BOOT))  # type: ignore[arg-type]  # the part that is used

    return make


def workload(**changes: Any) -> dict[str, Any]:
    """A workload as the script tells it."""
    return {
        "name": "one",
        "state": "running",
        "exit_code": None,
        "since": 1.0,
        "started_at": 1.0,
        "restarts": 0,
        "image": "r/i:1",
        "image_digest": f"sha256:{'1' * 64}",
        "result": "success",
    } | changes
