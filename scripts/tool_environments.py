"""Environments for tools whose pins do not fit to ccgpu's: one for each lock, made once.

An environment lies in the folder that its variable names, else in the user's cache folder, and is
thrown away by `rm -r`. No test downloads anything: what is not there is skipped by name.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from environment import create
from installer import install, require_consistent


class ToolEnvironment(NamedTuple):
    """A virtual environment in a folder of its own."""

    lock: Path
    folder: Path
    mark: str  # the file in it that is written last

    def program(self, name: str) -> Path:
        """Where one of its programs is."""
        return self.folder / "bin" / name

    def is_ready(self) -> bool:
        """Whether this very lock was installed to its end."""
        mark = self.folder / self.mark
        return mark.is_file() and mark.read_text() == self._digest()

    def make(self) -> None:
        """Install the lock; `finish` says that all is well."""
        create(self.folder)
        require_consistent(self.lock, install(self.program("python"), self.lock))

    def finish(self) -> None:
        """Note that what the lock says is there, and runs."""
        (self.folder / self.mark).write_text(self._digest())

    def _digest(self) -> str:
        return hashlib.sha256(self.lock.read_bytes()).hexdigest()


def tool_folder(environ: Mapping[str, str], variable: str, name: str) -> Path:
    """Where a tool is, whether or not it was installed."""
    if given := environ.get(variable):
        return Path(given)
    cache = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "/var/cache")) / ".cache"
    return Path(cache) / "ccgpu-tests" / name
