"""Whether what is below /run stays in memory."""

from pathlib import Path
from typing import NamedTuple

IN_MEMORY = (b"tmpfs", b"ramfs")


class DiskRisk(NamedTuple):
    """Why a file could reach a disk. kind: `swap`, `disk`, or `error` if nobody can tell."""

    kind: str
    message: str


def find_disk_risk(root: Path, folder: str) -> DiskRisk | None:
    """Why a file in `folder` (absolute) could reach a disk; None if it stays in memory.

    root: the folder that stands for `/`.
    """
    try:
        swaps = (root / "proc/swaps").read_bytes().splitlines()
        lines = (root / "proc/mounts").read_bytes().splitlines()
    except OSError as err:
        return DiskRisk("error", f"/proc cannot be read: {err}")
    if len(swaps) > 1:
        return DiskRisk("swap", "swap is on: what is in memory could reach a disk")
    place, kind = find_mount(lines, folder)
    if kind not in IN_MEMORY:
        name = place.decode("utf-8", "replace")
        return DiskRisk("disk", f"{folder} is not in memory: {name} is mounted from a disk")
    return None


def find_mount(lines: list[bytes], folder: str) -> tuple[bytes, bytes]:
    """Where the file system of a folder is mounted, and its type, by the lines of /proc/mounts.

    Of several mounts that lead to the folder the last one counts: it hides those before it, if its
    place is the same or above.
    """
    found = (b"/", b"")
    wanted = folder.encode()
    for line in lines:
        words = line.split()
        if len(words) < 3:
            continue
        place, kind = words[1], words[2]
        if wanted == place or wanted.startswith(place.rstrip(b"/") + b"/"):
            found = (place, kind)
    return found
