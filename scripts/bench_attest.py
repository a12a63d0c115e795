"""Measures the verification part of `ccgpu attest` beside its own signature checks alone.

A simulated VM is attested again and again, and the CPU time of the appraisal of its evidence is
taken where the command makes it: CPU and GPU, bound, with all collateral. Before each of them the
caches are emptied, since a command meets its certificates for the first time. Run by `dev.py
bench` in the project's environment; prints the ratio, and the seconds of CPU of one appraisal.
"""

import gc
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import bench_verify
from bench_rows import cpu_in_process
from ccgpu.workflows import attest
from support.attesting import Attester
from support.cli import Shell

_ROUNDS = 30
VERDICT = "appraise"  # as `ccgpu.workflows.attest` calls it


def main() -> None:
    """Print the figures."""
    gc.set_threshold(100_000)  # as `ccgpu` runs: cli/process.py
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home
        attester = Attester(Shell(Path(home)).with_key()).make()
        verdicts: list[Callable[[], Any]] = []
        taken: list[float] = []
        bare: list[float] = []
        _time_verdicts(verdicts, taken)
        for _ in range(_ROUNDS):
            bench_verify.forget()
            done = attester()
            if done.code:
                sys.exit(f"error: {done}")
            bare.append(cpu_in_process(bench_verify.signature_checks(verdicts.pop()))())
    whole = statistics.median(taken[1:])  # the first one loads code
    print(json.dumps({"ratio": whole / statistics.median(bare[1:]), "seconds": whole}))


def _time_verdicts(verdicts: list[Callable[[], Any]], taken: list[float]) -> None:
    """From now on, add each verdict to `verdicts`, and its seconds of CPU to `taken`."""
    judge = getattr(attest, VERDICT)

    @wraps(judge)
    def timed(*given: Any) -> Any:
        verdicts.append(partial(judge, *given))
        start = time.process_time()
        try:
            return judge(*given)
        finally:
            taken.append(time.process_time() - start)

    setattr(attest, VERDICT, timed)


if __name__ == "__main__":
    main()
