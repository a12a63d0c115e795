"""The tree of a root file system while it is built: files are written below it, never outside.

A package's symbolic links are followed as they would be inside the image.
"""

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ccgpu.errors import ImageNotBuilt
from ccgpu.imaging.programs import run_program

_MOST_LINKS = 40  # as Linux, path_resolution(7)


@dataclass(frozen=True, slots=True)
class RootTree:
    """The tree at `folder`. Its paths are absolute, as in the image."""

    folder: Path

    def inside(self, path: str) -> Path:
        """Where a path of the image is here; its last part is not followed."""
        here, parts, links = self.folder, [each for each in path.split("/") if each], 0
        while len(parts) > 1:
            part, *parts = parts
            if part == "..":
                here = here.parent if here != self.folder else here
            elif (here / part).is_symlink():
                links += 1
                if links > _MOST_LINKS:
                    raise ImageNotBuilt(f"{path} of the image leads through links without an end")
                target = str((here / part).readlink())
                here = self.folder if target.startswith("/") else here
                parts = [*(each for each in target.split("/") if each not in ("", ".")), *parts]
            else:
                here /= part
        return here / parts[0]

    def write(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Write a file of root; folders above it are made, and what was there is replaced."""
        file = self._cleared(path)
        file.write_bytes(data)
        file.chmod(mode)
        os.chown(file, 0, 0)

    def link(self, path: str, target: str) -> None:
        """Make a symbolic link; what was there is replaced."""
        self._cleared(path).symlink_to(target)

    def _cleared(self, path: str) -> Path:
        file = self.inside(path)
        missing = [each for each in (file.parent, *file.parent.parents) if not each.exists()]
        for folder in reversed(missing):
            folder.mkdir()
            folder.chmod(0o755)
        if file.is_symlink() or file.is_file():
            file.unlink()
        if file.exists():
            raise ImageNotBuilt(f"{path} of the image is a folder, and a file is to be there")
        return file

    def read(self, path: str) -> bytes:
        """The content of a file; a link at its end is followed inside the tree."""
        file = self.inside(path)
        for _ in range(_MOST_LINKS):
            if not file.is_symlink():
                break
            target = str(file.readlink())
            path = target if target.startswith("/") else f"{Path(path).parent}/{target}"
            file = self.inside(path)
        return file.read_bytes()

    def exists(self, path: str) -> bool:
        """Whether there is anything of this path, a broken link included."""
        return os.path.lexists(self.inside(path))

    def copy_folder(self, source: Path, path: str) -> None:
        """Copy a folder with its files to `path`, with their modes and times."""
        shutil.copytree(source, self.inside(path), symlinks=True, dirs_exist_ok=True)

    def empty(self, path: str) -> None:
        """Remove everything in a folder, if it is there."""
        folder = self.inside(path)
        for entry in [*folder.iterdir()] if folder.is_dir() and not folder.is_symlink() else []:
            _remove(entry)

    def remove(self, pattern: str) -> None:
        """Remove what matches a pattern below `/`."""
        for entry in [*self.folder.glob(pattern.lstrip("/"))]:
            _remove(entry)

    def run(self, *argv: str, given: bytes = b"") -> bytes:
        """What a program of the image prints, run inside it."""
        return run_program("chroot", self.folder, *argv, given=given)

    def names(self, patterns: Sequence[str]) -> Iterator[str]:
        """The names of what matches one of the patterns, in order."""
        found = {entry.name for each in patterns for entry in self.folder.glob(each.lstrip("/"))}
        yield from sorted(found)


def _remove(entry: Path) -> None:
    if stat.S_ISDIR(entry.lstat().st_mode):
        shutil.rmtree(entry)
    else:
        entry.unlink()
