"""Fuzzes the verifier with atheris: `dev.py fuzz [RUNS [NAME…]]`.

atheris mutates the output of the evidence builders, guided by coverage. There is a target for each
parser, and for each part of the evidence in a whole verdict. atheris is installed on demand: it has
wheels for Linux only, and only this script needs it.
"""

import subprocess
import sys
import time
import tomllib

from commands import ROOT
from environment import BIN
from installer import pip

_RUNS = 1_000_000
_PER_VERDICT = 100  # a verdict checks ten or more signatures, a parser none


def fuzz(arguments: list[str]) -> None:
    """Fuzz the named targets, else all, with fewer inputs for verdicts; exit on a finding."""
    runs = int(arguments[0]) if arguments else _RUNS
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    atheris = project["dependency-groups"]["fuzz"]  # one pinned package without dependencies
    pip(BIN / "python", "install", "--no-deps", "--only-binary", ":all:", *atheris)
    for name, inputs in [(name, runs) for name in arguments[1:]] or _all(runs):
        start = time.monotonic()
        _run_inside(name, str(inputs))
        print(f"{name}: {inputs} inputs, {time.monotonic() - start:.0f} s, no finding", flush=True)


def _all(runs: int) -> list[tuple[str, int]]:
    fewer = max(1, runs // _PER_VERDICT)
    names = _run_inside().split()
    return [(name, fewer if name.startswith("verdict-") else runs) for name in names]


def _run_inside(*arguments: str) -> str:
    command = [str(BIN / "python"), "tests/fuzz/run.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"error: a finding: {' '.join(arguments)}\n{done.stderr[-4000:]}")
    return done.stdout
