"""The repository for architecture tests: its root, its sources, the tracked files."""

import ast
import gc
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"


def modules() -> list[Path]:
    """Every Python file that is shipped or run, except tests."""
    return sorted([*SRC.rglob("*.py"), *(ROOT / "scripts").glob("*.py")])


@cache
def syntax_tree(path: Path) -> ast.Module:
    """The syntax tree of a file of the repository. Many tests read it: it is parsed once.

    It lives as long as the process, so the garbage collector is told not to look at it.
    """
    gc.disable()
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    finally:
        gc.freeze()
        gc.enable()


def tracked_files() -> dict[str, bytes]:
    """Every file that git tracks, as it is on disk and without links, by path."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("needs git, and a clone: an archive does not say what is tracked")
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    files = {name: ROOT / name for name in done.stdout.decode().split("\0") if name}
    return {
        name: file.read_bytes()
        for name, file in files.items()
        if file.is_file() and not file.is_symlink()
    }
