"""Installs Azure's own CLI for the tests of `ccgpu fake serve`: `dev.py azure-cli`, once.

It comes from a lock of its own (340 MB when installed) and goes to an environment of its own: what
it pins does not fit to what ccgpu pins. It lies in `CCGPU_AZURE_CLI`, else in the user's cache
folder, and is thrown away by `rm -r`. No test downloads anything.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from commands import fail, say
from environment import AZ_LOCK, create
from installer import install, require_consistent

_MARK = "ccgpu-azure-cli"


def az_folder(environ: Mapping[str, str]) -> Path:
    """Where the environment is, whether or not it was made."""
    if given := environ.get("CCGPU_AZURE_CLI"):
        return Path(given)
    cache = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "/var/cache")) / ".cache"
    return Path(cache) / "ccgpu-tests" / "azure-cli"


def has_az(folder: Path) -> bool:
    """Whether this very lock was installed to its end."""
    mark = folder / _MARK
    return mark.is_file() and mark.read_text() == _lock_digest()


def azure_cli(_: list[str]) -> None:
    """Install it, unless it is there."""
    folder = az_folder(os.environ)
    if has_az(folder):
        say(f"{folder} is ready")
        return
    create(folder)
    require_consistent(AZ_LOCK, install(folder / "bin" / "python", AZ_LOCK))
    az = str(folder / "bin" / "az")
    if subprocess.run([az, "version"], stdout=subprocess.DEVNULL, check=False).returncode:
        fail(f"{az} does not run", f"{sys.executable} may be too new for the pinned azure-cli")
    (folder / _MARK).write_text(_lock_digest())
    say(f"{folder} is ready")


def _lock_digest() -> str:
    return hashlib.sha256(AZ_LOCK.read_bytes()).hexdigest()
