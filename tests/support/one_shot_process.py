"""`ccgpu` as a real process on a simulated subscription, which a signal hits at a chosen step.

`python -m support.one_shot_process FOLDER SIGNAL STEP ARGUMENTS…`: FOLDER has `world` (the
subscription), `vendors.json` and `state`. A step is a point at which a process can be hit: around
each request, around each command and copy in a VM, and at each change of a file below `state`.
SIGNAL is sent at the step of that number (-1: never). The file `steps` gets their count at the end;
`witness` has what the guests saw: one JSON document a line.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from ccgpu.cli.backends import Backend, simulated_backend
from ccgpu.cli.main import main, process_runtime
from ccgpu.cli.runtime import Runtime
from ccgpu.fakearm import FakeArm
from ccgpu.fakeguest.guest import SimulatedGuest
from ccgpu.fakeguest.vendors import load_vendors
from ccgpu.guest.channel import Channel, GuestTarget

_FILE_EVENTS = {"open", "os.rename", "os.remove"}
_WITNESSED = {"ccgpu-collect": "evidence", "ccgpu-release": "release"}
_SENT = ("run", "stream", "put", "get")


@dataclass
class Steps:
    """Counts steps, and sends this process a signal at one of them."""

    folder: Path
    signal: int
    at: int
    taken: int = 0

    def take(self) -> None:
        """Take a step."""
        number, self.taken = self.taken, self.taken + 1
        if number == self.at:
            os.kill(os.getpid(), self.signal)

    def watch(self, arm: FakeArm) -> None:
        """Take a step at each request and each change of a file."""
        arm.faults.append(lambda _: self.take())
        arm.on_commit = lambda _, __: self.take()
        state = str(self.folder / "state")

        def heard(event: str, given: tuple[object, ...]) -> None:
            if event in _FILE_EVENTS and str(given[0]).startswith(state):
                self.take()

        sys.addaudithook(heard)


class WatchedChannel:
    """A channel that takes steps, and notes evidence and releases as the guest sees them."""

    def __init__(self, inner: Channel, steps: Steps, arm: FakeArm, host: str) -> None:
        self._inner, self._steps, self._arm, self._host = inner, steps, arm, host

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if name not in _SENT:
            return method

        def send(first: Any, *given: Any, **named: Any) -> Any:
            self._steps.take()
            done = method(first, *given, **named)
            self._witness(first)
            self._steps.take()
            return done

        return send

    def _witness(self, argv: Any) -> None:
        """Note what was asked of the guest, and what is true of it."""
        words = ["", "", *argv] if isinstance(argv, list | tuple) else ["", ""]
        what = _WITNESSED.get(str(words[-2]))
        if what is None or (what == "release" and '"open"' not in words[-1]):
            return
        with self._arm.machine_at(self._host) as machine:
            if machine is None:
                return
            guest = SimulatedGuest(machine)
            is_good = guest.settings["evidence"] == "good"
            seen = {"what": what, "boot": guest.boot_id, "good": is_good}
        with (self._steps.folder / "witness").open("a") as file:
            file.write(json.dumps(seen) + "\n")


def watched_runtime(folder: Path, steps: Steps) -> Runtime:
    """The process's own runtime, on the subscription in this folder."""
    arm = FakeArm(folder / "world")
    vendors = cache(lambda: load_vendors((folder / "vendors.json").read_text()))
    state = folder / "state"

    def backend() -> Backend:
        made = simulated_backend(arm, state / "journals", vendors)

        @contextmanager
        def channels(target: GuestTarget) -> Iterator[Any]:
            with made.channels(target) as channel:
                yield WatchedChannel(channel, steps, arm, target.host)

        return replace(made, channels=channels)

    made = cache(backend)
    steps.watch(arm)
    return replace(process_runtime(), state=state, backend=lambda _: made())


if __name__ == "__main__":
    own, sys.argv[1:] = sys.argv[1:4], sys.argv[4:]
    counted = Steps(Path(own[0]), int(own[1]), int(own[2]))
    try:
        main(lambda: watched_runtime(counted.folder, counted))
    finally:
        (counted.folder / "steps").write_text(str(counted.taken))
