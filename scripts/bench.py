"""Measures what ccgpu costs: start-up, CPU of requests, requests, memory and verdicts.

Each figure is a ratio to something measured in the same run, or a count, and stands beside its
limit. The command fails if a figure is past it. Nothing is stored, and nothing here is a test.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import bench_startup
from bench_rows import Row, cpu_of, environ, read_rows, usage_of
from commands import ROOT, fail
from environment import BIN

_PYTHON, _CCGPU = str(BIN / "python"), str(BIN / "ccgpu")
_VM = ("--backend", "fake", "--region", "eastus2", "--ssh-from", "203.0.113.7/32", "--yes")
_FEW = 5
_BUNDLES = 1000
_MEBIBYTE = 1024 * 1024


def bench(words: list[str]) -> None:
    """Print the figures with their limits; fail if one is past it. `scale`: beside many VMs."""
    if words not in ([], ["scale"]):
        fail(f"bench takes no {' '.join(words)}", "leave it out, or write `scale`")
    past = 0
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for row in read_rows(_run("bench_scale.py", home)) if words else _rows(home):
            print(row, flush=True)
            past += not row.is_kept
    if past:
        fail(f"{past} of the figures are past their limits", "compare with the commit before")


def _rows(home: Path) -> Iterator[Row]:
    yield from bench_startup.rows(home)
    yield from read_rows(_run("bench_cpu.py", home))
    yield from read_rows(_run("bench_requests.py", home))
    yield from read_rows(_run("bench_polls.py", home))
    usage = usage_of([_CCGPU, "create", "bench", *_VM], home)
    # Linux counts in KiB, macOS in bytes.
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / _MEBIBYTE
    yield Row("MiB, peak memory of a create", peak, 150)
    yield from read_rows(_run("bench_verify.py", home))
    yield _each(home)
    yield from _attest(home)
    ratio = float(_run("bench_collateral.py", home))
    yield Row("collateral of one GPU ÷ two requests to the same service", ratio, 2.5)


def _each(home: Path) -> Row:
    """So many bundles in one process, beside as many processes with one each."""
    words = bench_startup.judging(home)
    bundle, folder = Path(words[1]), home / "many"
    folder.mkdir()
    for number in range(_BUNDLES):
        (folder / f"{number}.json").write_bytes(bundle.read_bytes())
    one = cpu_of([_CCGPU, *words], home)
    each = cpu_of([_CCGPU, "verify", str(folder), *words[2:], "--each"], home) / _BUNDLES
    what = f"{_BUNDLES} processes of one bundle ÷ one process of {_BUNDLES} bundles, --each"
    return Row(what, one / each, 50, least=True)


def _attest(home: Path) -> Iterator[Row]:
    """The verdict within a whole attest; the command's VM is simulated too."""
    verdict = json.loads(_run("bench_attest.py", home))
    what = "verification of a whole attest (CPU, GPU, all collateral)"
    yield Row(f"{what} ÷ its bare signature checks", verdict["ratio"], 3)
    command = [_CCGPU, "attest", "bench", "--backend", "fake"]
    whole = sorted(cpu_of(command, home) for _ in range(_FEW))[_FEW // 2]
    yield Row("its share of the CPU of ccgpu attest", verdict["seconds"] / whole, 0.1)


def _run(script: str, home: Path) -> str:
    """What a script of ours prints, in the project's environment."""
    command = [_PYTHON, str(ROOT / "scripts" / script)]
    done = subprocess.run(
        command, env=environ(home), capture_output=True, text=True, check=False, cwd=ROOT
    )
    if done.returncode:
        sys.exit(f"error: {' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    return done.stdout
