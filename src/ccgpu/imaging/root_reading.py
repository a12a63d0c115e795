"""Reads the lists of a root file system out of its bytes, by erofs-utils.

The files are extracted into a folder of this process's own; links in them are followed inside it.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ccgpu.domain.root_lists import RootLists, installed_packages
from ccgpu.errors import ImageNotBuilt, ImageRejected, ProgramMissing
from ccgpu.image import gpt, vhd
from ccgpu.image.blocks import Blocks, Window, pieces
from ccgpu.imaging import container_store
from ccgpu.imaging.programs import find_program, run_program
from ccgpu.imaging.root_contents import BOOT_PACKAGES, started_units
from ccgpu.imaging.tree import RootTree

_PROGRAM, _PACKAGE = "fsck.erofs", "erofs-utils"
_STATUS = "/var/lib/dpkg/status"


def require_reader() -> None:
    """Refuse to begin without the program that reads the file system.

    Raises:
        ProgramMissing: with the package to install.
    """
    if find_program(_PROGRAM) is None:
        raise ProgramMissing(
            f"to look into a disk needs {_PROGRAM}, not found on this machine",
            hint=f"`apt-get install {_PACKAGE}`; a manifest, image.json, is shown without it",
        )


def read_lists(disk: Blocks, source: str) -> RootLists:
    """What the root file system of a measured disk lists. source: the disk's name in errors.

    Raises:
        ImageRejected: the file system cannot be read, or its lists cannot.
    """
    with _extracted(disk, source) as root:
        try:
            status = root.read(_STATUS).decode()
            boot = root.read(BOOT_PACKAGES).decode() if root.exists(BOOT_PACKAGES) else ""
            return RootLists(
                (*installed_packages(status), *installed_packages(boot)),
                started_units(root),
                container_store.listed(root),
            )
        except (OSError, ValueError, ImageNotBuilt) as err:
            said = getattr(err, "strerror", None) or err
            raise ImageRejected(
                f"the lists in the root of {source} cannot be read: {said}"
            ) from err


@contextmanager
def _extracted(disk: Blocks, source: str) -> Iterator[RootTree]:
    """The files of the root file system, as long as they are looked at."""
    with tempfile.TemporaryDirectory(prefix="ccgpu-image-") as name:
        image, folder = Path(name, "root.img"), Path(name, "root")
        _copy_root(disk, image)
        try:
            run_program(_PROGRAM, f"--extract={folder}", "--no-preserve", image)
        except ImageNotBuilt as err:
            message = f"the root file system of {source} cannot be read: {err}"
            raise ImageRejected(message) from err
        image.unlink()
        yield RootTree(folder)


def _copy_root(disk: Blocks, image: Path) -> None:
    raw = vhd.strip(disk)
    (at,) = (each for each in gpt.parse(raw).partitions if each.kind == gpt.ROOT)
    with image.open("xb") as stream:
        for piece in pieces(Window(raw, at.offset, at.size)):
            stream.write(piece)
