"""The virtual environment `.venv`: made when missing, refreshed when stale, left alone when fine.

Standard library only: it runs before anything is installed. Whatever is installed comes from the
hash-pinned lock; the stamp is written last, so an interrupted set-up begins anew.
"""

import hashlib
import importlib.util
import platform
import sys
from pathlib import Path

from commands import ROOT, fail, run, say
from installer import install, require_consistent

VENV = ROOT / ".venv"
BIN = VENV / "bin"
DEV_LOCK = ROOT / "requirements-dev.lock"
AZ_LOCK = ROOT / "requirements-az.lock"
SITE_LOCK = ROOT / "requirements-site.lock"
_STAMP = VENV / "set-up.sha256"
_VENV_PACKAGE = f"python3.{sys.version_info.minor}-venv"
_CODE = (ROOT / "scripts" / "environment.py", ROOT / "scripts" / "installer.py")


def ready() -> None:
    """See to it that `.venv` holds what the lock says and the package itself, editable."""
    wanted = _fingerprint()
    last = _STAMP.read_text() if _belongs_here() and _STAMP.is_file() else None
    if last == wanted:
        return
    say("setting up .venv: about a minute, once")
    _STAMP.unlink(missing_ok=True)
    # Made anew if the last set-up did not end, or if it left what does not fit to this lock.
    if last is None or _fill():
        create(VENV)
        require_consistent(DEV_LOCK, _fill())
    # pip compiles what it installs, whatever PYTHONDONTWRITEBYTECODE says; our own source is
    # only linked, and would be compiled anew on each start where that variable is set.
    run(BIN / "python", "-m", "compileall", "-q", ROOT / "src")
    _STAMP.write_text(wanted)


def _fill() -> list[str]:
    """Install everything into `.venv`; what does not fit together then."""
    return install(BIN / "python", DEV_LOCK, "-e", ROOT)


def create(folder: Path) -> None:
    """Make an empty virtual environment in `folder`; what was there before goes."""
    if importlib.util.find_spec("ensurepip") is None:
        fail(
            f"{sys.executable} cannot make virtual environments: its `ensurepip` module is missing",
            f"on Debian and Ubuntu install it with `apt install {_VENV_PACKAGE}`",
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
    for file in (DEV_LOCK, ROOT / "pyproject.toml", *_CODE):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
