"""Measures commands beside many deployments, on virtual time, and a state that is used for long.

Run by `dev.py bench scale` in the project's environment. Growth is the CPU time beside 1,000
deployments divided by that beside 100. A state file grows until it keeps as much of the past as it
ever does (`fakearm/history.py`).
"""

import gc
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from bench_rows import Row, tell
from ccgpu.fakearm import FakeArm
from ccgpu.workflows.gc import collect
from ccgpu.workflows.list_deployments import list_deployments
from ccgpu.workflows.show import show
from support.cloud import Machine, make_spec
from support.latency import LatentExecutor
from support.many import copy_deployment

_LATENCY = 0.2
_HOUR = 3600
_EXPIRED = 20
_CYCLES, _LAST = 400, 50
_STATE_ONLY = {"os_disk": {"encryption": "state-only"}}  # fewer polls


def main() -> None:
    """Measure each command beside 100 and beside 1,000 deployments."""
    few, many = (_measure_beside(count) for count in (100, 1000))
    rows = [
        Row("virtual s of `gc --yes`, 20 expired of 1,000", many["gc"]["virtual seconds"], 250),
        Row("CPU s of a list of 1,000 deployments", many["list"]["cpu seconds"], 6),
        # Azure's list of VMs has pages of 50; it is read whole once, with their status.
        Row("ARM requests of a list of 1,000 deployments", many["list"]["requests"], 40),
    ]
    for name, one in many.items():
        rows.append(Row(f"requests refused as too many: {name}", one["throttled"], 0))
    for name in ("list", "show", "dry run of gc", "gc"):
        growth = many[name]["cpu seconds"] / max(few[name]["cpu seconds"], 0.01)
        rows.append(Row(f"growth from 100 to 1,000 deployments: {name}", growth, 15))
    growth = many["create"]["cpu seconds"] / few["create"]["cpu seconds"]
    rows.append(Row("growth from 100 to 1,000 deployments: create", growth, 3))
    what = f"kB by which a state file grows in each of the last {_LAST} of {_CYCLES} creates"
    rows.append(Row(f"{what} and deletes", _measure_state(), 1))
    tell(rows)


def _measure_state() -> float:
    """Bytes / 1,000 for each create and delete, once the file is as large as it should get."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "fake.db"
        machine = Machine(FakeArm(str(file)), Path(folder) / "state")
        sizes = []
        for _ in range(_CYCLES):
            machine.create(make_spec(**_STATE_ONLY))
            machine.delete()
            machine.arm.advance(_HOUR)
            sizes.append(sum(one.stat().st_size for one in Path(folder).glob("fake.db*")))
        machine.arm.close()
    return (sizes[-1] - sizes[-1 - _LAST]) / _LAST / 1000


def _measure_beside(count: int) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        return _figures(Path(folder), count)


def _figures(folder: Path, count: int) -> dict[str, dict[str, float]]:
    arm = FakeArm()
    arm.settings.set("buckets", value=True)
    for quota in ("cores", "StandardNCCads2023Family"):
        arm.settings.set("quota", "*", quota, value=1_000_000)
    machine = Machine(arm, folder, pool=LatentExecutor(arm, _LATENCY))
    _make(machine, "vmx", count - _EXPIRED, ttl="72h")
    _make(machine, "old", _EXPIRED, ttl="1h")
    arm.advance(3 * _HOUR)
    return {
        "list": _measure(arm, lambda: list_deployments(machine.cloud)),
        "create": _measure(arm, lambda: machine.create(make_spec(name="new", **_STATE_ONLY))),
        "show": _measure(arm, lambda: show(machine.cloud, "vmx")),
        "dry run of gc": _measure(arm, lambda: collect(machine.cloud, yes=False)),
        "gc": _measure(arm, lambda: collect(machine.cloud, yes=True)),
    }


def _make(machine: Machine, name: str, count: int, ttl: str) -> None:
    """So many deployments; the first is created, the others are copies."""
    machine.create(make_spec(name=name, ttl=ttl))
    copy_deployment(machine.arm, name, [f"{name}{number}" for number in range(1, count)])


def _measure(arm: FakeArm, command: Callable[[], object]) -> dict[str, float]:
    arm.advance(_HOUR / 12)  # the buckets are full
    before = arm.show()["requests"]
    gc.collect()  # what earlier commands have left is no cost of this one
    began, cpu = arm.clock.now(), time.process_time()
    command()
    cpu = time.process_time() - cpu
    seconds = arm.clock.now() - began
    sent = arm.show()["requests"][len(before) :]
    return {
        "requests": len(sent),
        "throttled": sum(one["status"] == 429 for one in sent),
        "virtual seconds": round(seconds, 1),
        "cpu seconds": round(cpu, 3),
    }


if __name__ == "__main__":
    main()
