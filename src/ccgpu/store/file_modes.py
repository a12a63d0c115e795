"""Looks at ccgpu's own files and at SSH keys: who may read and write them. It changes nothing."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ccgpu.errors import StateUnusable

FOLDER, FILE = 0o700, 0o600
_GROUP_OR_OTHERS = 0o077
_WRITE = 0o022


class LooseFile(NamedTuple):
    """A file or folder that others may use: its mode, and the mode that it should have."""

    path: Path
    mode: int
    wanted: int

    @property
    def message(self) -> str:
        """What is wrong with it."""
        return f"{self.path} has mode {self.mode:04o}: others than you may use it"

    @property
    def command(self) -> str:
        """The command that mends it."""
        return f"`chmod {self.wanted:o} {self.path}`"


def require_writable(folder: Path) -> None:
    """Raise `StateUnusable` unless files can be made in `folder`, which may not exist yet."""
    at = folder
    while not os.path.lexists(at) and at != at.parent:
        at = at.parent
    if not at.is_dir():
        raise StateUnusable(f"{at} is not a folder", hint=f"move it away: `mv {at} {at}.old`")
    if not os.access(at, os.W_OK | os.X_OK):
        raise StateUnusable(
            f"{at} cannot be written by you", hint=f"`sudo chown -R $USER {at} && chmod u+rwx {at}`"
        )


def loose_files(state: Path) -> Iterator[LooseFile]:
    """What others may write in the state folder, and what they may read of the records in it."""
    if state.is_dir() and (found := _loose(state, FOLDER, _WRITE)):
        yield found
    for folder in (state / "keys", state / "journals", state / "challenges"):
        for path in [folder, *sorted(folder.rglob("*"))] if folder.is_dir() else []:
            public = path.suffix == ".pub"
            wanted = FOLDER if path.is_dir() else FILE
            if found := _loose(path, wanted, _WRITE if public else _GROUP_OR_OTHERS):
                yield found


def loose_key(private: Path) -> LooseFile | None:
    """The private key if others may use it: ssh does not use such a key."""
    return _loose(private, FILE, _GROUP_OR_OTHERS)


def _loose(path: Path, wanted: int, forbidden: int) -> LooseFile | None:
    mode = stat.S_IMODE(path.stat().st_mode)
    return LooseFile(path, mode, wanted) if mode & forbidden else None
