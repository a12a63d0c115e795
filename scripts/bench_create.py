"""Measures the CPU ms of a create per ARM request, with the SDK's and the fake's share.

Run by `dev.py bench` in the project's environment; prints one number.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from ccgpu.fakearm import FakeArm
from support.cloud import Machine

_ROUNDS = 8


def main() -> None:
    """The first create also loads and compiles things once: it is left out."""
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(FakeArm(), Path(folder))
        costs = [_cost(machine) for _ in range(_ROUNDS)]
    print(statistics.median(costs[1:]))


def _cost(machine: Machine) -> float:
    before = len(machine.arm.show()["requests"])
    start = time.process_time()
    machine.create()
    taken = time.process_time() - start
    requests = len(machine.arm.show()["requests"]) - before
    machine.delete()
    return taken * 1000 / requests


if __name__ == "__main__":
    main()
