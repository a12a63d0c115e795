"""Disks that differ from a built image in one thing, as somebody would make them who changes it."""

import os
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

from ccgpu.domain.image_manifest import ImageFacts, dump, make
from ccgpu.image import gpt, pe, vhd
from ccgpu.image.measure import measure
from ccgpu.imaging import disk_parts
from ccgpu.store import image_files

_ESP = 1024 * 1024  # where the ESP begins
_FACTS = ImageFacts.model_fields


def copy_of(disk: Path, folder: Path) -> Path:
    """A disk that may be changed."""
    folder.mkdir(exist_ok=True)
    return Path(shutil.copyfile(disk, folder / "disk.vhd"))


def partitions(disk: Path) -> dict[object, gpt.GptPartition]:
    """The partitions by their kind."""
    with image_files.open_disk(disk) as blocks:
        return {each.kind: each for each in gpt.parse(vhd.strip(blocks)).partitions}


def flip(disk: Path, at: int) -> None:
    """Change one bit."""
    with disk.open("r+b") as stream:
        stream.seek(at)
        byte = stream.read(1)[0]
        stream.seek(at)
        stream.write(bytes([byte ^ 1]))


def put_on_esp(disk: Path, name: str, content: bytes) -> None:
    """Put a file on the ESP; folders above it are made."""
    source = disk.with_name("put")
    source.write_bytes(content)
    for above in reversed(Path(name).parents[:-1]):
        _mtools(disk, "mmd", "-D", "s", f"::/{above}", fails=True)  # it may be there
    _mtools(disk, "mcopy", "-o", str(source), f"::/{name}")


def change_command_line(disk: Path, change: Callable[[str], str]) -> None:
    """Change the command line in the boot program."""
    target = disk.with_name("program")
    _mtools(disk, "mcopy", f"::/{disk_parts.BOOT_FILE}", str(target))
    data = bytearray(target.read_bytes())
    image = pe.parse(bytes(data))
    number, section = next(
        (number, each) for number, each in enumerate(image.sections) if each.name == ".cmdline"
    )
    line = (image.content(".cmdline") or b"").rstrip(b"\0").decode()
    text = change(line).encode() + b"\0"
    assert len(text) <= section.raw_size
    data[section.raw_offset : section.end] = text.ljust(section.raw_size, b"\0")
    struct.pack_into("<I", data, image.table + pe.SECTION_HEADER * number + 8, len(text))
    put_on_esp(disk, disk_parts.BOOT_FILE, bytes(data))


def change_root(disk: Path, change: Callable[[Path], None]) -> None:
    """Change the root file system, and let hash tree and command line follow."""
    folder = disk.parent
    there = partitions(disk)
    root, tree = folder / "root.img", folder / "tree.img"
    at = there[gpt.ROOT]
    with disk.open("rb") as stream, root.open("wb") as out:
        stream.seek(at.offset)
        out.write(stream.read(at.size))
    change(root)
    tree.unlink(missing_ok=True)
    root_hash = disk_parts.make_hash_tree(root, tree)
    with disk.open("r+b") as stream:
        for kind, file in ((gpt.ROOT, root), (gpt.ROOT_VERITY, tree)):
            data, size = file.read_bytes(), there[kind].size
            assert len(data) <= size, (kind, len(data), size)
            stream.seek(there[kind].offset)
            stream.write(data.ljust(size, b"\0"))
    line = f"roothash={root_hash.hex()}"
    change_command_line(disk, lambda old: f"{old.rpartition('roothash=')[0]}{line}")


def rebuild_root(root: Path) -> None:
    """Unpack a root file system, put a message of ours into it, and pack it again, no larger."""
    folder = root.with_name("unpacked")
    subprocess.run(["fsck.erofs", f"--extract={folder}", root], check=True, capture_output=True)
    (folder / "etc" / "motd").write_text("another root\n")
    # Room: what is unpacked has each hard link as a file of its own.
    for name in ("usr/share/zoneinfo", "usr/lib/x86_64-linux-gnu/gconv"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for file in folder.glob("usr/bin/perl5*"):
        file.unlink()
    (folder / "usr" / "bin" / "sudo").chmod(0o4755)  # erofs-utils 1.5 sets the owner after the mode
    root.unlink()
    disk_parts.make_root_image(folder, root, 1)
    shutil.rmtree(folder)


def write_manifest(disk: Path, like: Path) -> Path:
    """The manifest of a disk, with the names and lists of another one."""
    stated = image_files.load_manifest(like).manifest
    with image_files.open_disk(disk) as blocks:
        manifest = make(measure(blocks), ImageFacts(**{n: getattr(stated, n) for n in _FACTS}))
    path = disk.with_name("image.json")
    path.write_bytes(dump(manifest))
    return path


def _mtools(disk: Path, program: str, *words: str, fails: bool = False) -> None:
    subprocess.run(
        [program, "-i", f"{disk}@@{_ESP}", *words],
        check=not fails, stdin=subprocess.DEVNULL, capture_output=True,
        env={**os.environ, "MTOOLS_SKIP_CHECK": "1"},
    )  # fmt: skip
