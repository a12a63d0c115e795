"""Machines on which something was done: it is done once, and each test takes a copy."""

import shutil
from collections.abc import Callable
from pathlib import Path

from ccgpu.fakearm import FakeArm
from support.cli import Shell
from support.cloud import Machine
from support.first_creates import copy_subscription

Deed = str | Callable[[Shell], object]


class Prepared:
    """`prepared(shell, deed)`: the shell is as if the deed had been done on it.

    A deed is a command line, which must succeed, or a function. It is done on a new machine with an
    SSH key, and so must the shell be. Whoever shares its subscription sees what is in it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._done: dict[Deed, Shell] = {}

    def __call__(self, shell: Shell, deed: Deed) -> Shell:
        done = self._done.get(deed) or self._do(deed)
        for name in ("state", "home"):
            if (done.folder / name).exists():
                shutil.copytree(done.folder / name, shell.folder / name, dirs_exist_ok=True)
        copy_subscription(done.arm, shell.arm)
        return shell

    def _do(self, deed: Deed) -> Shell:
        folder = self._folder / str(len(self._done))
        folder.mkdir()
        shell = self._done[deed] = Shell(folder).with_key()
        if callable(deed):
            deed(shell)
        else:
            result = shell(deed)
            assert result.code == 0, result
        return shell


def copy_of_machine(machine: Machine, folder: Path) -> Machine:
    """A machine with that state, over a subscription of its own."""
    copy = Machine(FakeArm(), folder / machine.state.name)
    copy_subscription(machine.arm, copy.arm)
    if machine.state.exists():
        shutil.copytree(machine.state, copy.state)
    return copy
