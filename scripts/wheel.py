"""Build the wheel, install it as a user would, and run it far away from the source.

The fresh environment holds the runtime lock and the wheel and nothing else: a dependency that
only the development tools bring, or a file that the wheel forgot, shows here.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from environment import BIN, BY_HAND, FROM_LOCK, ROOT, create, run, say
from locks import LOCK

EXAMPLES = ROOT / "scripts" / "examples.py"


def package() -> None:
    """Build, install, try."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build = ("-m", "pip", "-qq", "wheel", "--no-deps", "--no-build-isolation")
        run(BIN / "python", *build, "--wheel-dir", folder, ROOT)
        (wheel,) = folder.glob("*.whl")
        say(f"{wheel.name}: {wheel.stat().st_size // 1024} KiB")
        create(folder / "fresh")
        python = folder / "fresh" / "bin" / "python"
        run(python, *FROM_LOCK, LOCK)
        run(python, *BY_HAND, wheel)
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
