"""The parts of a disk: root file system, hash tree, boot program, and the disk of them.

Everything that a program would take from the clock or at random is given to it.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID, uuid5

from ccgpu.errors import ImageNotBuilt
from ccgpu.image import gpt, vhd
from ccgpu.image.gpt import GptPartition
from ccgpu.imaging.programs import run_program

_NAMES = UUID("bd2c4a0f-9d8b-4a3c-9f33-6a0a4f1f7a55")  # of ccgpu's own, for uuid5
_MIB = 1024 * 1024
_BLOCK = 4096
_LEAST_ESP = 40 * _MIB  # FAT32 has at least 65525 clusters (Microsoft, FAT specification)
_SALT = bytes(32)  # what is hashed is public, and all of it is pinned
BOOT_FOLDERS, BOOT_FILE = ("EFI", "EFI/BOOT"), "EFI/BOOT/BOOTX64.EFI"


def make_root_image(root: Path, image: Path, epoch: int) -> None:
    """A file system (erofs) of a tree; no file is younger than `epoch`."""
    words = ("-zlz4hc", "--quiet", f"-U{uuid5(_NAMES, 'root')}", image, root)
    run_program("mkfs.erofs", *words, more={"SOURCE_DATE_EPOCH": str(epoch)})
    size = image.stat().st_size
    os.truncate(image, -(-size // _BLOCK) * _BLOCK)


def make_hash_tree(image: Path, tree: Path) -> bytes:
    """The hash tree of a root file system; returns its root hash."""
    words = ("--hash=sha256", f"--salt={_SALT.hex()}", f"--uuid={uuid5(_NAMES, 'tree')}")
    printed = run_program("veritysetup", "format", *words, image, tree).decode()
    for line in printed.splitlines():
        name, _, value = line.partition(":")
        if name == "Root hash":
            return bytes.fromhex(value.strip())
    raise ImageNotBuilt("veritysetup names no root hash")


def make_esp(program: Path, image: Path, epoch: int) -> None:
    """A file system (FAT32) with the boot program and nothing else."""
    size = max(_LEAST_ESP, -(-(program.stat().st_size + 8 * _MIB) // _MIB) * _MIB)
    with image.open("xb") as stream:
        stream.truncate(size)
    run_program("mkfs.vfat", "--invariant", "-F", "32", "-n", "ESP", image)
    environ = {"SOURCE_DATE_EPOCH": str(epoch), "MTOOLS_SKIP_CHECK": "1"}
    for folder in BOOT_FOLDERS:
        run_program("mmd", "-i", image, f"::/{folder}", more=environ)
    os.utime(program, (epoch, epoch))
    run_program("mcopy", "-m", "-i", image, program, f"::/{BOOT_FILE}", more=environ)


def assemble_disk(esp: Path, root: Path, tree: Path, root_hash: bytes, disk: Path) -> None:
    """A disk (fixed VHD) with the three partitions. Its ids follow from the root hash."""
    kinds = (
        (gpt.ESP, uuid5(_NAMES, f"esp {root_hash.hex()}"), "ESP", esp),
        (gpt.ROOT, UUID(bytes=root_hash[:16]), "ccgpu-root", root),
        (gpt.ROOT_VERITY, UUID(bytes=root_hash[16:]), "ccgpu-verity", tree),
    )
    at, partitions = _MIB, list[GptPartition]()
    for kind, unique, name, file in kinds:
        size = file.stat().st_size
        partitions.append(GptPartition(kind, unique, at, size, name))
        at = -(-(at + size) // _MIB) * _MIB
    whole = at + _MIB
    unique = uuid5(_NAMES, f"disk {root_hash.hex()}")
    _write_disk(disk, whole, unique, partitions, [file for *_, file in kinds])


def publish_disk(disk: Path, target: Path) -> None:
    """Copy a whole disk to where it is to be; half a disk never has that name."""
    partial = target.with_name(f".{target.name}.new")
    try:
        shutil.copyfile(disk, partial)
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _write_disk(
    disk: Path, size: int, unique: UUID, partitions: Sequence[GptPartition], files: Sequence[Path]
) -> None:
    with disk.open("xb") as stream:
        stream.truncate(size)
        for offset, data in gpt.write(size, unique, partitions):
            stream.seek(offset)
            stream.write(data)
        for partition, file in zip(partitions, files, strict=True):
            stream.seek(partition.offset)
            with file.open("rb") as source:
                shutil.copyfileobj(source, stream, _MIB)
        stream.seek(size)
        stream.write(vhd.footer(size, unique))
        stream.flush()
        os.fsync(stream.fileno())
