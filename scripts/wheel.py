"""Build the wheel, install it as a user would, and run it far away from the source.

The fresh environment holds the runtime lock and the wheel and nothing else: a dependency that
only the development tools bring, or a file that the wheel forgot, shows here.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from commands import ROOT, run, say
from environment import BIN, create
from installer import install, pip, require_consistent
from locks import LOCK

EXAMPLES = ROOT / "scripts" / "examples.py"


def package() -> None:
    """Build, install, try."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build = ("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder)
        pip(BIN / "python", *build, ROOT)
        (wheel,) = folder.glob("*.whl")
        say(f"{wheel.name}: {wheel.stat().st_size // 1024} KiB")
        create(folder / "fresh")
        # Not resolved, and yet complete: what the wheel says it needs must be what the lock pins.
        require_consistent(LOCK, install(folder / "fresh" / "bin" / "python", LOCK, wheel))
        _try(folder)


def _try(folder: Path) -> None:
    """Run the installed command from an empty home, then every example."""
    ccgpu = folder / "fresh" / "bin" / "ccgpu"
    home = folder / "home"
    home.mkdir()
    environ = {"HOME": str(home), "PATH": os.environ["PATH"], "COLUMNS": "80"}
    for argument in ("--version", "templates"):
        say(f"$ ccgpu {argument}")
        done = subprocess.run([ccgpu, argument], cwd=home, env=environ, check=False)
        if done.returncode:
            sys.exit(done.returncode)
    if EXAMPLES.exists():
        run(BIN / "python", EXAMPLES, "--ccgpu", ccgpu)
