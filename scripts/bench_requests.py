"""Counts the requests of commands.

Run by `dev.py bench` in the project's environment; prints its rows. With `FILE COUNT` it only makes
a simulated subscription with so many deployments.
"""

import sys
import tempfile
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from bench_rows import Row, tell
from ccgpu.fakearm import FakeArm
from ccgpu.workflows.extend import extend
from ccgpu.workflows.list_deployments import list_deployments
from support.cloud import Machine, make_spec
from support.counts import sent_by, without_polls

_MANY = 100


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
