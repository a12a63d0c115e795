"""Measures how long commands go on after Azure has ended, on virtual time.

Run by `dev.py bench` in the project's environment; prints its rows. The durations of Azure's
operations differ from run to run: a single one may happen to end just before a poll.
"""

import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from bench_rows import Row, tell
from ccgpu.fakearm import FakeArm
from support.cloud import Machine
from support.latency import LatentExecutor

_LATENCY = 0.2
_RUNS = 40
# Seconds, from and to: around the simulation's medians of recorded operations.
_DURATIONS = {
    "vm.create.encrypted": (40, 1000),
    "vm.boot": (20, 120),
    "vnet": (2, 8),
    "nsg": (2, 4),
    "vm.delete": (30, 120),
    "network.delete": (4, 15),
    "group.delete": (20, 90),
}


def main() -> None:
    """Create and delete a VM again and again."""
    draw = random.Random(1)  # the same figures in each run
    created, deleted = [], []
    for _ in range(_RUNS):
        durations = {name: draw.uniform(*ends) for name, ends in _DURATIONS.items()}
        with tempfile.TemporaryDirectory() as folder:
            one = _create_and_delete(Path(folder), durations)
        created.append(one[0])
        deleted.append(one[1])
    what = f"virtual s of a {{}} over Azure's own, {_LATENCY * 1000:.0f} ms a request"
    tell(
        [
            Row(f"{what.format('create')}: median", statistics.median(created), 8),
            Row(f"{what.format('create')}: 90 %", statistics.quantiles(created, n=10)[-1], 12),
            Row(f"{what.format('delete')}: median", statistics.median(deleted), 18),
        ]
    )


def _create_and_delete(state: Path, durations: Mapping[str, float]) -> tuple[float, float]:
    """Seconds of a create and of a delete besides those that Azure takes, one after the other."""
    arm = FakeArm()
    for name, seconds in durations.items():
        arm.settings.set("durations", name, value=seconds)
    machine = Machine(arm, state, pool=LatentExecutor(arm, _LATENCY))
    own = max(durations["vnet"], durations["nsg"])
    own += durations["vm.create.encrypted"] + durations["vm.boot"]
    created = _seconds(arm, machine.create) - own
    arm.advance(3600)
    own = durations["vm.delete"] + durations["network.delete"] + durations["group.delete"]
    return created, _seconds(arm, machine.delete) - own


def _seconds(arm: FakeArm, command: Callable[[], object]) -> float:
    began = arm.clock.now()
    command()
    return arm.clock.now() - began


if __name__ == "__main__":
    main()
