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
from commands import ROOT, run, say
from environment import BIN, create
from installer import install, pip, require_consistent
from locks import LOCK

EXAMPLES = ROOT / "scripts" / "examples.py"


def package() -> None:
    """Build the wheel, install it, run the installed command, and let the Action do the same."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build = ("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder)
        pip(BIN / "python", *build, ROOT)
        (wheel,) = folder.glob("*.whl")
        say(f"{wheel.name}: {wheel.stat().st_size // 1024} KiB")
        create(folder / "fresh")
        # pip does not resolve dependencies here: the lock must pin all that the wheel requires.
        require_consistent(LOCK, install(folder / "fresh" / "bin" / "python", LOCK, wheel))
        _run_installed(folder)
        run_action(folder)


def _run_installed(folder: Path) -> None:
    """Run the installed command from an empty home, then every example."""
    ccgpu = folder / "fresh" / "bin" / "ccgpu"
    home = folder / "home"
    home.mkdir()
    environ = {"HOME": str(home), "PATH": os.environ["PATH"], "COLUMNS": "80"}
    for line in ("--version", "templates", "completion bash", "__complete fish templ"):
        say(f"$ ccgpu {line}")
        done = subprocess.run([ccgpu, *line.split()], cwd=home, env=environ, check=False)
        if done.returncode:
            sys.exit(done.returncode)
    if EXAMPLES.exists():
        run(BIN / "python", EXAMPLES, "--ccgpu", ccgpu)
