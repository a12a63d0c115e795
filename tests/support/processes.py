"""Commands in forked processes that are killed at a chosen step.

A step is a point at which a process can die: before a request is sent, after it was carried out and
before its response, and around each change of a file in the state folder.
"""

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

from ccgpu.fakearm import FakeArm
from support.cloud import Machine

Command = Callable[[Machine], object]
_FILE_EVENTS = {"open", "os.rename", "os.remove"}


def start_command(
    command: Command, world: Path, state: Path, kill_at: int | None = None, *, quiet: bool = False
) -> int:
    """Fork a child that runs `command`; it is killed at its step number `kill_at` (from 0).

    A `quiet` child prints no traceback.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the test runner has threads
        child = os.fork()
    if child == 0:
        _run(command, world, state, kill_at, quiet)
    return child


def wait_for_exit(child: int) -> int:
    """The child's exit status; negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def count_steps(command: Command, world: Path, state: Path) -> int:
    """The number of steps of `command` without a kill."""
    read, write = os.pipe()

    def counted(machine: Machine) -> None:
        steps = _Steps(None)
        steps.watch(machine, state)
        command(machine)
        os.write(write, str(steps.taken).encode())

    assert wait_for_exit(start_command(counted, world, state)) == 0
    os.close(write)
    with os.fdopen(read) as answer:
        return int(answer.read())


def _run(command: Command, world: Path, state: Path, kill_at: int | None, quiet: bool) -> None:
    """The child's whole life. It never returns to the test runner."""
    status = 1
    try:
        machine = Machine(FakeArm(world), state)
        if kill_at is not None:
            _Steps(kill_at).watch(machine, state)
        command(machine)
        status = 0
    except BaseException:  # noqa: BLE001  # a child must not return into pytest
        if not quiet:
            traceback.print_exc()
            sys.stderr.flush()
    os._exit(status)


class _Steps:
    """Counts steps, and kills the process at one of them."""

    def __init__(self, kill_at: int | None) -> None:
        self.taken = 0
        self._kill_at = kill_at

    def watch(self, machine: Machine, state: Path) -> None:
        """Take a step twice at each request, and at each change of a file below `state`."""
        machine.arm.faults.append(lambda _: self.take())
        machine.arm.on_commit = lambda _, __: self.take()
        folder = str(state)

        def heard(event: str, given: tuple[object, ...]) -> None:
            if event in _FILE_EVENTS and str(given[0]).startswith(folder):
                self.take()

        sys.addaudithook(heard)

    def take(self) -> None:
        if self.taken == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.taken += 1
