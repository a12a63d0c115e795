"""The verifier against inputs that nobody meant: `dev.py fuzz [RUNS [NAME…]]`.

atheris mutates what the evidence builders make, guided by coverage: for each parser, and for each
part of evidence in a whole verdict. It is installed on demand: it has wheels for Linux only, and
nothing but this needs it.
"""

import subprocess
import sys
import time
import tomllib

from commands import ROOT
from environment import BIN
from installer import pip

_RUNS = 1_000_000
_PER_VERDICT = 100  # a verdict makes ten signature checks and more where a parser makes none


def fuzz(arguments: list[str]) -> None:
    """Fuzz everything, with fewer inputs for verdicts, or what is named; a finding ends it."""
    runs = int(arguments[0]) if arguments else _RUNS
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    atheris = project["dependency-groups"]["fuzz"]  # one pin that depends on nothing
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
