"""Every parser of the verifier against inputs that nobody meant: `dev.py fuzz [RUNS [PARSER]]`.

atheris mutates what the evidence builders make, guided by coverage. It is installed on demand: it
has wheels for Linux only, and nothing but this needs it.
"""

import subprocess
import sys
import time

from environment import BIN, ROOT, run

ATHERIS = "atheris==3.0.0"
_RUNS = "1000000"


def fuzz(arguments: list[str]) -> None:
    """Fuzz each parser, or the one that is named; the first finding ends it."""
    runs, *wanted = arguments or [_RUNS]
    run(BIN / "python", "-m", "pip", "-qq", "install", ATHERIS)
    for name in wanted or _inside().split():
        start = time.monotonic()
        _inside(name, runs)
        print(f"{name}: {runs} inputs, {time.monotonic() - start:.0f} s, no finding", flush=True)


def _inside(*arguments: str) -> str:
    command = [str(BIN / "python"), "tests/fuzz/run.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"error: a finding: {' '.join(arguments)}\n{done.stderr[-4000:]}")
    return done.stdout
