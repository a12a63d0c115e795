"""Counts the requests of commands, and measures a create's duration in virtual time.

Run by `dev.py bench` in the project's environment; prints the figures as JSON.
"""

import json
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from ccgpu.fakearm import FakeArm
from ccgpu.workflows.extend import extend
from ccgpu.workflows.list_deployments import list_deployments
from support.cloud import Machine, make_spec
from support.counts import sent_by, without_polls
from support.latency import LatentExecutor

_LATENCY = 0.1
_MANY = 100


def main() -> None:
    """Count, and measure."""
    with tempfile.TemporaryDirectory() as folder:
        counts = _counts(Path(folder) / "one") | {"list": _list(Path(folder) / "many")}
        print(json.dumps(counts | {"overhead": _overhead(Path(folder) / "slow")}))


def _counts(state: Path) -> dict[str, int]:
    machine = Machine(FakeArm(), state)
    machine.arm.settings.set("tagless_lists", value=True)  # the case with more requests
    created = sent_by(machine.arm, machine.create)
    again = sent_by(machine.arm, machine.create)
    extended = sent_by(machine.arm, lambda: extend(machine.cloud, "demo", timedelta(hours=3)))
    return {
        "create": len(without_polls(created)),
        "nothing": len(again),
        "extend": len(extended),
    }


def _list(state: Path) -> int:
    machine = Machine(FakeArm(), state)
    for quota in ("cores", "StandardNCCads2023Family"):
        machine.arm.settings.set("quota", "*", quota, value=100_000)
    for number in range(_MANY):
        machine.create(make_spec(name=f"vm{number}"), wait=False)
    machine.arm.advance(3600)
    return len(sent_by(machine.arm, lambda: list_deployments(machine.cloud)))


def _overhead(state: Path) -> float:
    """Seconds of a create besides those in which Azure creates the VM and the guest boots."""
    arm = FakeArm()
    machine = Machine(arm, state, pool=LatentExecutor(arm, _LATENCY))
    began = arm.clock.now()
    machine.create()
    taken = arm.clock.now() - began
    for own in ("vm.create.encrypted", "vm.boot"):
        taken -= arm.settings.get("durations", own)
    return taken


if __name__ == "__main__":
    main()
