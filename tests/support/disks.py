"""Real file systems that are too small, for tests with the right to mount them."""

import subprocess
from pathlib import Path

import pytest


def mount(kind: str, folder: Path, options: str) -> None:
    """Mount a file system of this kind on `folder`, or skip the test."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", kind, "-o", options, "none", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs the right to mount a small file system: {done.stderr.strip()}")


def unmount(folder: Path) -> None:
    """Unmount it, even if it is in use."""
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, *, but: int = 0) -> None:
    """Fill the file system of `folder`, except for `but` bytes."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(b"x" * 4096)
        except OSError:
            stream.truncate(max(0, ballast.stat().st_size - but))
