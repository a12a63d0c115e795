"""Tests the set-up with the Pythons on this machine: `dev.py pythons [--others | FOLDER…]`.

Each Python has its own version of pip, with its own bugs. For each, a copy of the repository is set
up in a temporary folder with a minimal environment, and creates a VM in the simulated subscription.
The oldest and the newest are used; with `--others`, unless it is the one that runs this, which has
set up the repository itself; with FOLDERs, every Python in these folders.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from commands import ROOT, fail, say

_OLDEST = (3, 11)
_NAME = re.compile(r"python3(\.\d+)?")
_PROBE = """
import os, sys
try:
    import ensurepip
    pip = ensurepip.version()
except ImportError:
    pip = "none"
print(*sys.version_info[:3], pip, os.path.realpath(sys.executable))
"""
_PATH = "/usr/bin:/bin"
# The environment variables to keep: access to the package index, and caches.
_KEPT = re.compile(
    "HOME|TMPDIR|PIP_.*|SSL_CERT_.*|REQUESTS_CA_BUNDLE|(HTTPS?|ALL|NO)_PROXY", re.IGNORECASE
)
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", ".cov*"
)
_TIME_LIMIT = 600  # seconds for one command; a set-up takes about 25


@dataclass(frozen=True, order=True)
class Interpreter:
    """A working Python: its version, its bundled pip, and the resolved path of its file."""

    version: tuple[int, ...]
    pip: str
    file: Path

    def __str__(self) -> str:
        return f"Python {'.'.join(map(str, self.version))} with pip {self.pip} ({self.file})"


def pythons(arguments: list[str]) -> None:
    """Set up with each Python; exit with an error if one fails or there is none."""
    if arguments == ["--others"]:
        found = all_but(Path(sys.executable).resolve(), outermost(usual_folders()))
    else:
        found = interpreters(map(Path, arguments)) if arguments else outermost(usual_folders())
    if not found:
        fail("no Python 3.11 or newer found", "name the folders in which they are")
    say("\n".join(["found:", *(f"  {python}" for python in found)]))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = [problem for problem in pool.map(_report, found) if problem]
    for problem in problems:
        say(f"\n{problem}")
    if problems:
        sys.exit(f"error: the set-up failed with {len(problems)} of {len(found)} Pythons")
    say(f"the set-up succeeded with all {len(found)} Pythons")


def usual_folders() -> list[Path]:
    """The usual folders of Pythons: PATH, the system's folders, and pyenv's versions."""
    names = [*os.environ.get("PATH", "").split(":"), *_PATH.split(":"), "/usr/local/bin"]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    return [*(Path(name) for name in names if name), *pyenv.glob("versions/*/bin")]


def interpreters(folders: Iterable[Path]) -> list[Interpreter]:
    """The working and supported Pythons in `folders`, each once, the oldest first."""
    files = {file for folder in folders for file in folder.glob("python3*")}
    probed = {_probe(file) for file in files if _NAME.fullmatch(file.name)}
    return sorted(python for python in probed if python and python.version >= _OLDEST)


def outermost(folders: Iterable[Path]) -> list[Interpreter]:
    """The oldest and the newest of the `interpreters`."""
    found = interpreters(folders)
    return [*found[:1], *found[1:][-1:]]


def all_but(own: Path, found: list[Interpreter]) -> list[Interpreter]:
    """The interpreters but for that of the file `own`; it stays where there is no other one."""
    return [one for one in found if one.file != own] or found


def _probe(file: Path) -> Interpreter | None:
    """Run `file` for its version; None if it fails, like a pyenv shim without a version."""
    command = [str(file), "-I", "-c", _PROBE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        *version, pip, path = done.stdout.strip().split(" ", 4)
        return Interpreter(tuple(map(int, version)), pip, Path(path))
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None


def _report(python: Interpreter) -> str:
    """Set up with `python` and print the result; return the problem or an empty text."""
    start = time.monotonic()
    problem = _try_out(python)
    say(f"{'FAILED' if problem else 'ok'} after {time.monotonic() - start:.0f} s: {python}")
    return problem


def _try_out(python: Interpreter) -> str:
    """Set up a copy of the repository and use it; return the first problem or an empty text."""
    with tempfile.TemporaryDirectory() as name:
        clone, home = Path(name, "clone"), Path(name, "home")
        shutil.copytree(ROOT, clone, symlinks=True, ignore=_LEFT_OUT)
        home.mkdir()
        reached = {name: value for name, value in os.environ.items() if _KEPT.fullmatch(name)}
        installing = reached | {"PATH": _PATH}
        using = {"HOME": str(home), "PATH": _PATH}
        return (
            _problem(clone, installing, python.file, "scripts/dev.py", "setup")
            or _problem(clone, using, ".venv/bin/ccgpu", "--version")
            or _problem(clone, using, python.file, "scripts/dev.py", "demo")
        )


def _problem(clone: Path, environ: dict[str, str], *command: str | Path) -> str:
    """Run a command in `clone`; return its output and exit code if it fails, else empty text."""
    words = [str(word) for word in command]
    shown = shlex.join(words)
    try:
        done = subprocess.run(
            words,
            cwd=clone,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIME_LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"$ {shown}\n{error}"
    output = done.stdout.decode(errors="replace")
    return f"$ {shown}\n{output}[exit {done.returncode}]" if done.returncode else ""
