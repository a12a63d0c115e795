"""Builds the wheel, installs it like a user, and runs it outside of the source tree.

The fresh environment has only the packages of the runtime lock and the wheel. So a missing
dependency, or a file that is missing in the wheel, is detected here.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from action_run import run_action
from build import build_twice, commit_time
from commands import ROOT, run, say
from environment import BIN, create
from installer import install, require_consistent
from locks import LOCK

EXAMPLES = ROOT / "scripts" / "examples.py"
_LINES = ("--version", "templates", "completion bash", "__complete fish templ", "verify --example")


def package() -> None:
    """Build, install the wheel, run the installed command, and let the Action do the same."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        built = build_twice(folder, None, commit_time())
        check_installed(folder, built.wheel)
        run_action(folder)


def check_installed(folder: Path, wheel: Path) -> Path:
    """Install the wheel in a fresh environment, run it and every example; the path of `ccgpu`.

    The packages are those of the lock, by their hashes, as `pipx run` and `uvx` install what they
    are given: into an environment of its own.
    """
    create(folder / "fresh")
    # pip does not resolve dependencies here: the lock must pin all that the wheel requires.
    require_consistent(LOCK, install(folder / "fresh" / "bin" / "python", LOCK, wheel))
    return _run_installed(folder)


def _run_installed(folder: Path) -> Path:
    """Run the installed command from an empty home, then every example."""
    ccgpu = folder / "fresh" / "bin" / "ccgpu"
    home = folder / "home"
    home.mkdir()
    environ = {"HOME": str(home), "PATH": os.environ["PATH"], "COLUMNS": "80"}
    for line in _LINES:
        say(f"$ ccgpu {line}")
        done = subprocess.run([ccgpu, *line.split()], cwd=home, env=environ, check=False)
        if done.returncode:
            sys.exit(done.returncode)
    if EXAMPLES.exists():
        run(BIN / "python", EXAMPLES, "--ccgpu", ccgpu, "examples")
    return ccgpu
