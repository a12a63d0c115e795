"""How long a user waits for what needs no network: wall time of whole processes.

The cases take turns, so that a busy moment of the machine hits all alike; the smallest time says
what the program costs, the median what it feels like here.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from environment import BIN

_FAKE = ("--backend", "fake")
_VM = ("--region", "eastus2", "--ssh-from", "203.0.113.7/32", "--yes")
_ROUNDS = 7


def bench(_: list[str]) -> None:
    """Print a row for each case."""
    python, ccgpu = str(BIN / "python"), str(BIN / "ccgpu")
    cases = {
        "python -c pass": [python, "-c", "pass"],
        "ccgpu --version": [ccgpu, "--version"],
        "ccgpu --help": [ccgpu, "--help"],
        "ccgpu create (simulated)": [ccgpu, "create", "bench", *_FAKE, *_VM],
        "ccgpu list (simulated)": [ccgpu, "list", *_FAKE],
        "ccgpu delete (simulated)": [ccgpu, "delete", "bench", *_FAKE, "--yes"],
    }
    times: dict[str, list[float]] = {name: [] for name in cases}
    with tempfile.TemporaryDirectory() as home:
        for _round in range(_ROUNDS):
            for name, command in cases.items():
                times[name].append(_milliseconds(command, home))
    print(f"{'ms, of ' + str(_ROUNDS):<26}{'min':>7}{'median':>8}")
    for name, taken in times.items():
        print(f"{name:<26}{min(taken):>7.0f}{statistics.median(taken):>8.0f}")


def _milliseconds(command: list[str], home: str) -> float:
    environ = {
        "HOME": home,
        "PATH": os.environ["PATH"],
        "XDG_STATE_HOME": str(Path(home) / "state"),
    }
    start = time.perf_counter()
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    taken = (time.perf_counter() - start) * 1000
    if done.returncode:
        sys.exit(f"error: {' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    return taken
