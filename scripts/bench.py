"""Measures ccgpu's start-up time, requests, memory and verdicts, partly as ratios.

The cases take turns, so that a busy moment of the machine hits all alike; the median is compared.
`make bench` prints the limits beside the figures; nothing here is a timed test.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from commands import ROOT
from environment import BIN

_FAKE = ("--backend", "fake")
_VM = ("--region", "eastus2", "--ssh-from", "203.0.113.7/32", "--yes")
_ROUNDS = 15
_FEW = 5
_BUNDLES = 1000
_REQUESTS = (
    ("create", "a create from nothing, without polls", 24),
    ("nothing", "a create that finds nothing to do", 8),
    ("extend", "extend, with the polls of the VM's update", 12),
    ("list", "a list of 100 deployments", 10),
)


def bench(_: list[str]) -> None:
    """Print the figures, each with its limit."""
    python, ccgpu = str(BIN / "python"), str(BIN / "ccgpu")
    bare = [python, "-c", "import typer, rich.console"]
    with tempfile.TemporaryDirectory() as home:
        names = [ccgpu, "__complete", "zsh", "show", ""]
        help_, completing, base = _taking_turns([[ccgpu, "--help"], names, bare], home)
        print("ccgpu --help ÷ python -c 'import typer, rich.console'")
        print(f"  {help_ / base:.2f} (limit 1.3); {help_:.0f} ms and {base:.0f} ms")
        print("what a shell asks ccgpu at a Tab ÷ the same")
        print(f"  {completing / base:.2f} (limit 1.5); {completing:.0f} ms (limit 150)")
        inner = [python, str(ROOT / "scripts" / "bench_create.py")]
        per_request = float(_run(inner, home).stdout)
        print("CPU ms for each ARM request of create, in-memory fake")
        print(f"  {per_request:.2f} (limit 1.2)")
        _bench_requests(python, home)
        peak = _peak_mebibytes([ccgpu, "create", "bench", *_FAKE, *_VM], home)
        print("peak memory of a create")
        print(f"  {peak:.0f} MB (limit 150)")
        _bench_verify(python, ccgpu, home)
        _bench_attest(python, ccgpu, home)
        inner = [python, str(ROOT / "scripts" / "bench_collateral.py")]
        fetching = float(_run(inner, home).stdout)
        print("collateral of one GPU, local service with 100 ms of latency, two rounds")
        print(f"  {fetching:.0f} ms (limit 350)")


def _bench_requests(python: str, home: str) -> None:
    """Requests sent to the fake; and a create's time, on virtual time."""
    found = json.loads(_run([python, str(ROOT / "scripts" / "bench_requests.py")], home).stdout)
    for name, what, limit in _REQUESTS:
        print(f"ARM requests of {what}\n  {found[name]} (limit {limit})")
    print("a create's time over the VM's own, 100 ms a request, virtual time")
    print(f"  {found['overhead']:.1f} s (limit 8)")


def _bench_verify(python: str, ccgpu: str, home: str) -> None:
    """A verdict, in process and as a command, on the same evidence."""
    bundle = str(Path(home) / "bundle.json")
    inner = [python, str(ROOT / "scripts" / "bench_verify.py"), bundle]
    subprocess.run(inner, check=True)
    simulated = "simulated_roots" in json.loads(Path(bundle).read_text())
    judge = [ccgpu, "verify", bundle, "--policy", "cpu-only", "--at", "bundle"]
    bare = [python, "-c", "import cryptography.x509, pydantic, typer, rich.console"]
    whole, base = _taking_turns([[*judge, *(_FAKE if simulated else ())], bare], home)
    print("ccgpu verify BUNDLE ÷ python -c 'import cryptography.x509, pydantic, typer, …'")
    print(f"  {whole / base:.2f} (limit 2.2); {whole:.0f} ms and {base:.0f} ms")
    _bench_each(judge, Path(bundle), _FAKE if simulated else (), whole)


def _bench_attest(python: str, ccgpu: str, home: str) -> None:
    """The verdict within a whole attest, beside the command, whose VM is simulated too."""
    verdict = float(_run([python, str(ROOT / "scripts" / "bench_attest.py")], home).stdout)
    command = [ccgpu, "attest", "bench", *_FAKE]
    taken = [_measured(command, home) for _round in range(_FEW)]
    whole = statistics.median((one.ru_utime + one.ru_stime) * 1000 for one in taken)
    print("verification of a whole attest (CPU, GPU, all collateral), CPU ms")
    print(f"  {verdict:.1f} (limit 30)")
    print("its share of the CPU of ccgpu attest, simulated VM included")
    print(f"  {verdict / whole:.3f} (limit 0.1); {whole:.0f} ms")


def _bench_each(judge: list[str], bundle: Path, more: tuple[str, ...], one: float) -> None:
    """So many bundles in one process, beside as many processes with one each."""
    folder = bundle.parent / "many"
    folder.mkdir()
    for number in range(_BUNDLES):
        (folder / f"{number}.json").write_bytes(bundle.read_bytes())
    command = [str(folder) if word == str(bundle) else word for word in judge]
    start = time.perf_counter()
    _run([*command, "--each", *more], str(bundle.parent))
    each = (time.perf_counter() - start) * 1000 / _BUNDLES
    print(f"{_BUNDLES} processes of one bundle ÷ one process of {_BUNDLES} bundles, --each")
    print(f"  {one / each:.0f} (limit 50 or more); {one:.0f} ms and {each:.2f} ms a bundle")


def _taking_turns(commands: list[list[str]], home: str) -> list[float]:
    """The median wall time of each, in ms."""
    times: list[list[float]] = [[] for _ in commands]
    for _round in range(_ROUNDS):
        for taken, command in zip(times, commands, strict=True):
            start = time.perf_counter()
            _run(command, home)
            taken.append((time.perf_counter() - start) * 1000)
    return [statistics.median(taken) for taken in times]


def _run(command: list[str], home: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, env=_environ(home), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"error: {' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    return done


def _peak_mebibytes(command: list[str], home: str) -> float:
    """The largest resident set of the process, as its parent is told (Linux: in KiB)."""
    peak = _measured(command, home).ru_maxrss
    return peak / (1024 if sys.platform != "darwin" else 1024 * 1024)


def _measured(command: list[str], home: str) -> resource.struct_rusage:
    """What the process has used, as its parent is told."""
    with subprocess.Popen(
        command, env=_environ(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"error: {' '.join(command)}: exit {child.returncode}")
    return usage


def _environ(home: str) -> dict[str, str]:
    return {
        "HOME": home,
        "PATH": os.environ["PATH"],
        "XDG_STATE_HOME": str(Path(home) / "state"),
    }
