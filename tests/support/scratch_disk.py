"""A second disk of a machine: the temporary disk, and what its host sees of it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.measured_boot import MeasuredMachine

MARK = b"what-the-guest-wrote-" * 3
_SIZE = 64 * 1024 * 1024
_FILE = "/mnt/written"
_MAPPED = "/dev/mapper/ccgpu-temp"


@dataclass(frozen=True)
class ScratchDisk:
    """A disk in `file`, which is made empty."""

    file: Path

    def __post_init__(self) -> None:
        with self.file.open("wb") as stream:
            stream.truncate(_SIZE)

    @property
    def words(self) -> tuple[str, ...]:
        """QEMU's words for it."""
        drive = f"file={self.file},format=raw,if=none,id=s,cache=writethrough"
        return ("-drive", drive, "-device", "virtio-blk-pci,drive=s,serial=ccgpu-scratch")

    def signatures(self) -> str:
        """What file system or header the host recognises on it; empty: none."""
        done = subprocess.run(
            ["blkid", "-p", self.file], capture_output=True, text=True, check=False
        )
        return done.stdout

    @staticmethod
    def ask(running: "MeasuredMachine") -> dict[str, str]:
        """Write the mark, and say how the disk is mounted, and by which cipher."""
        running.text(f"sudo tee {_FILE} >/dev/null && sync", given=MARK * 2000)
        return {
            "mounted": running.text("findmnt -no SOURCE,FSTYPE /mnt").replace("  ", " "),
            "cipher": running.text(f"sudo dmsetup table {_MAPPED} | cut -d' ' -f4"),
            "written": str(len(MARK) * 2000),
            "read": running.text(f"sudo grep -ao '{MARK.decode()}' {_FILE} | tr -d '\\n' | wc -c"),
        }

    @staticmethod
    def ask_before_writing(running: "MeasuredMachine") -> dict[str, str]:
        """How often this boot finds the mark in what it decrypts, and where it is mounted."""
        return {
            "found": running.text(f"sudo grep -ac '{MARK.decode()}' {_MAPPED} || true"),
            "mounted": running.text("findmnt -no SOURCE,FSTYPE /mnt").replace("  ", " "),
        }
