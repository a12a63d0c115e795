"""The repository as the architecture tests see it: its root, its sources, what git tracks."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"


def modules() -> list[Path]:
    """Every Python file that we ship or run, tests apart."""
    return sorted([*SRC.rglob("*.py"), *(ROOT / "scripts").glob("*.py")])


def tracked_files() -> dict[str, bytes]:
    """Every file git tracks (as it lies here, links left out), by its path from the root."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("needs git, and a clone: an archive does not say what is tracked")
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    files = {name: ROOT / name for name in done.stdout.decode().split("\0") if name}
    return {
        name: file.read_bytes()
        for name, file in files.items()
        if file.is_file() and not file.is_symlink()
    }
