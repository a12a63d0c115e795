"""The virtual environment `.venv`: made when missing, refreshed when stale, left alone when fine.

Standard library only: it runs before anything is installed. Whatever is installed comes from the
hash-pinned lock; the stamp is written last, so an interrupted set-up is done again.
"""

import hashlib
import importlib.util
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / "bin"
DEV_LOCK = ROOT / "requirements-dev.lock"
_STAMP = VENV / "set-up.sha256"
_PIP = ("-m", "pip", "-qq", "--disable-pip-version-check", "--no-input", "install")
# A lock is complete: resolving could only pick what it does not pin. pip 23 does so for a package
# that another one asks for with an extra, as soon as a newer version of it is published.
FROM_LOCK = (*_PIP, "--no-deps", "--require-hashes", "--only-binary", ":all:", "-r")
BY_HAND = (*_PIP, "--no-index", "--no-deps", "--no-build-isolation")


def say(text: str) -> None:
    """One line on stderr, in order with what child processes print there."""
    print(text, file=sys.stderr, flush=True)


def fail(message: str, hint: str) -> NoReturn:
    """End with an error and the one thing to do about it."""
    sys.exit(f"error: {message}\n\nhint: {hint}")


def code_of(*command: str | Path) -> int:
    """Show and run a command at the root; its exit code."""
    shown = [str(word).removeprefix(f"{ROOT}/") for word in command]
    say(f"$ {shlex.join(shown)}")
    return subprocess.run([str(word) for word in command], cwd=ROOT, check=False).returncode


def run(*command: str | Path) -> None:
    """Show and run a command at the root; end with its exit code if it fails."""
    code = code_of(*command)
    if code:
        sys.exit(code if code > 0 else 128 - code)  # a signal, as shells count it


def ready() -> None:
    """See to it that `.venv` holds what the lock says and the package itself, editable."""
    wanted = _fingerprint()
    if _belongs_here() and _STAMP.is_file() and _STAMP.read_text() == wanted:
        return
    say("setting up .venv: about a minute, once")
    _STAMP.unlink(missing_ok=True)
    if not _belongs_here():
        create(VENV)
    python = BIN / "python"
    run(python, *FROM_LOCK, DEV_LOCK)
    run(python, *BY_HAND, "-e", ROOT)
    # pip compiles what it installs, whatever PYTHONDONTWRITEBYTECODE says; our own source is
    # only linked, and would be compiled anew on each start where that variable is set.
    run(python, "-m", "compileall", "-q", ROOT / "src")
    _STAMP.write_text(wanted)


def create(folder: Path) -> None:
    """Make an empty virtual environment in `folder`; what was there before goes."""
    if importlib.util.find_spec("ensurepip") is None:
        fail(
            f"{sys.executable} cannot make virtual environments: its `ensurepip` module is missing",
            "on Debian and Ubuntu install it with `apt install python3-venv`",
        )
    run(sys.executable, "-m", "venv", "--clear", folder)


def _belongs_here() -> bool:
    """Whether `.venv` was made at this path, by a Python of this version that still exists."""
    try:
        lines = (VENV / "pyvenv.cfg").read_text().splitlines()
    except FileNotFoundError:
        return False
    settings = dict(line.split(" = ", 1) for line in lines if " = " in line)
    return (
        (BIN / "python").exists()
        and settings.get("version") == platform.python_version()
        and settings.get("command", "").endswith(f" {VENV}")
    )


def _fingerprint() -> str:
    """Changes with all that an installed environment depends on."""
    digest = hashlib.sha256()
    for file in (DEV_LOCK, ROOT / "pyproject.toml", Path(__file__)):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
