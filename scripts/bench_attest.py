"""Measures the verification part of `ccgpu attest`: CPU in ms, the median, for `make bench`.

A simulated VM is attested again and again, and the appraisal of its evidence is timed where the
command makes it: CPU and GPU, bound, with all collateral. Before each of them the caches are
emptied, since a command meets its certificates for the first time.
"""

import gc
import os
import statistics
import sys
import tempfile
import time
from functools import wraps
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import bench_verify
from ccgpu.workflows import attest
from support.attesting import Attester
from support.cli import Shell

_ROUNDS = 30
VERDICT = "appraise"  # as `ccgpu.workflows.attest` calls it


def main() -> None:
    """Print the median."""
    gc.set_threshold(100_000)  # as `ccgpu` runs: cli/process.py
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home
        attester = Attester(Shell(Path(home)).with_key()).make()
        taken = _timed()
        for _ in range(_ROUNDS):
            bench_verify.forget()
            done = attester()
            if done.code:
                sys.exit(f"error: {done}")
    print(statistics.median(taken[1:]))  # the first one loads code


def _timed() -> list[float]:
    """From now on, the CPU time of each verdict in ms."""
    taken: list[float] = []
    judge = getattr(attest, VERDICT)

    @wraps(judge)
    def timed(*given: Any) -> Any:
        start = time.process_time()
        try:
            return judge(*given)
        finally:
            taken.append((time.process_time() - start) * 1000)

    setattr(attest, VERDICT, timed)
    return taken


if __name__ == "__main__":
    main()
