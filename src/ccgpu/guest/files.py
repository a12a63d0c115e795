"""The files that ccgpu installs in a VM: the tree `templates/guest/files` of the package.

A file's path in the tree is its path in the VM. The programs of ccgpu can be executed, its library
and everything else cannot.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

_TREE = ("templates", "guest", "files")
_PROGRAMS = "/usr/local/lib/ccgpu/"
_LIBRARY = f"{_PROGRAMS}lib.sh"


@dataclass(frozen=True, slots=True)
class GuestFile:
    """A file in the VM: its absolute path and its text."""

    path: str
    text: str

    @property
    def mode(self) -> str:
        """Its mode, as cloud-init takes it."""
        is_program = self.path.startswith(_PROGRAMS) and self.path != _LIBRARY
        return "0755" if is_program else "0644"


def shipped_files() -> tuple[GuestFile, ...]:
    """All files of the tree, by path."""
    root: Traversable = resources.files("ccgpu").joinpath(*_TREE)
    return tuple(sorted(_files_below(root, ""), key=lambda file: file.path))


def _files_below(folder: Traversable, path: str) -> Iterator[GuestFile]:
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        below = f"{path}/{entry.name}"
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _files_below(entry, below)
        else:
            yield GuestFile(below, entry.read_text("utf-8"))
