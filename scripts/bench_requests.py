"""Counts the requests of commands, and the virtual seconds that a silent server can hold them.

Run by `dev.py bench` in the project's environment; prints its rows. With `FILE COUNT` it only makes
a simulated subscription with so many deployments.
"""

import sys
import tempfile
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from bench_rows import Row, tell
from ccgpu.domain.time_limits import REPORT
from ccgpu.fakearm import FakeArm
from ccgpu.workflows.extend import extend
from ccgpu.workflows.list_deployments import list_deployments
from support.cli import Shell
from support.cloud import Machine, make_spec
from support.counts import sent_by, without_polls
from support.prepared import Prepared
from support.silence import Silence, silenced

_MANY = 100
_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32 --no-attest"
_REQUESTS = 12  # of each command, from the first on


def main() -> None:
    """Count."""
    with tempfile.TemporaryDirectory() as folder:
        if sys.argv[1:]:
            _fill(FakeArm(sys.argv[1]), Path(folder), int(sys.argv[2]))
            return
        tell(
            [
                *_counts(Path(folder) / "one"),
                Row("ARM requests of a list of 100 deployments", _list(Path(folder) / "many"), 10),
                Row(
                    "seconds of `--timeout 30s` on a server that is silent from any request on, "
                    "without those for undo and for naming what is left",
                    _longest_silence(Path(folder) / "silent"),
                    30,
                ),
            ]
        )


def _counts(state: Path) -> list[Row]:
    machine = Machine(FakeArm(), state)
    machine.arm.settings.set("tagless_lists", value=True)  # the case with more requests
    created = sent_by(machine.arm, machine.create)
    again = sent_by(machine.arm, machine.create)
    extended = sent_by(machine.arm, lambda: extend(machine.cloud, "demo", timedelta(hours=3)))
    creating = len(without_polls(created))
    return [
        Row("ARM requests of a create from nothing, without polls", creating, 18),
        Row("ARM requests of a create that finds nothing to do", len(again), 8),
        Row("ARM requests of extend, with the polls of the VM's update", len(extended), 12),
    ]


def _list(state: Path) -> int:
    machine = _fill(FakeArm(), state, _MANY)
    return len(sent_by(machine.arm, lambda: list_deployments(machine.cloud)))


def _longest_silence(folder: Path) -> float:
    """The most seconds, of a create that has written nothing, and of a delete."""
    folder.mkdir()
    prepared, seconds = Prepared(folder), list[float]()
    for line, deed in ((_CREATE, None), ("delete demo --yes", f"{_CREATE} --no-wait")):
        for number in range(_REQUESTS):
            shell = Shell(folder / f"{number}-of-{line.partition(' ')[0]}")
            shell.folder.mkdir()
            shell.with_key()
            if deed is not None:
                prepared(shell, deed)
                shell.arm.advance(7200)
            silence, began = Silence("silent", number), shell.arm.now()
            shell.backend = silenced(shell, silence)
            shell(f"{line} --timeout 30s")
            if not (deed is None and shell.writes()):  # else it is being undone
                seconds.append(shell.arm.now() - began - REPORT)
    return max(seconds)


def _fill(arm: FakeArm, state: Path, count: int) -> Machine:
    """A subscription with so many deployments, which are ready."""
    machine = Machine(arm, state)
    for quota in ("cores", "StandardNCCads2023Family"):
        arm.settings.set("quota", "*", quota, value=100_000)
    for number in range(count):
        machine.create(make_spec(name=f"vm{number}"), wait=False)
    arm.advance(3600)
    return machine


if __name__ == "__main__":
    main()
