"""Measured images out of nothing: a stub, a FAT16 or FAT32 file system, a verity tree, a disk."""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from ccgpu.domain.image_manifest import (
    ImageContainer,
    ImageFacts,
    ImageManifest,
    ImagePackage,
    make,
)
from ccgpu.domain.image_pcrs import BOOT_PROGRAM
from ccgpu.image import gpt, uki, vhd
from ccgpu.image.blocks import BytesBlocks
from ccgpu.image.measure import measure

MIB = 1024 * 1024
DISK = UUID(int=9)
SALT = b"\1" * 32
SBAT = b"sbat,1,SBAT Version,sbat,1,https://example.org\nsystemd-stub,1\n"
_SECTOR = 512


def program(sections: Mapping[str, bytes], *, signature: bytes = b"") -> bytes:
    """A PE32+ program with these sections, which does nothing."""
    headers, alignment = 1024, 512
    optional = bytearray(struct.pack("<H", 0x20B).ljust(240, b"\0"))
    struct.pack_into("<II", optional, 32, 4096, alignment)
    struct.pack_into("<I", optional, 60, headers)
    struct.pack_into("<I", optional, 64, 0xDEADBEEF)
    struct.pack_into("<I", optional, 108, 16)
    coff = struct.pack("<HHIIIHH", 0x8664, len(sections), 1234, 0, 0, len(optional), 0x22)
    table, body, at, address = b"", b"", headers, 4096
    for name, content in sections.items():
        raw = -(-len(content) // alignment) * alignment
        table += struct.pack(
            "<8sIIIIIIHHI", name.encode(), len(content), address, raw, at, 0, 0, 0, 0, 0x40000040
        )
        body += content.ljust(raw, b"\0")
        at, address = at + raw, -(-(address + max(raw, 1)) // 4096) * 4096
    if signature:
        signed = struct.pack("<IHH", 8 + len(signature), 0x200, 2) + signature
        struct.pack_into("<II", optional, 112 + 32, at, len(signed))
        body += signed
    start = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x80)
    head = start.ljust(0x80, b"\0") + b"PE\0\0" + coff + bytes(optional) + table
    return head.ljust(headers, b"\0") + body


def stub(version: int = 252, **more: bytes) -> bytes:
    """A program that says that it is systemd's stub."""
    magic = f"#### LoaderInfo: systemd-stub {version}.1-1 ####".encode()
    named = {f".{name}": content for name, content in more.items()}
    return program({".text": b"\x90" * 700, ".sbat": SBAT, ".sdmagic": magic + b"\0"} | named)


def kernel(seed: bytes = b"kernel") -> bytes:
    """A kernel, which is a program too."""
    return program({".setup": seed * 100, ".text": hashlib.sha256(seed).digest() * 60})


def fat(files: Mapping[str, bytes], *, wide: bool = True) -> bytes:
    """A FAT32 or FAT16 file system with these files and a label; folders are made."""
    made = _FatVolume(wide)
    root = made.folder(files, "")
    made.image[made.root_at : made.root_at + len(root)] = root
    for copy in range(2):
        at = (made.reserved + copy * made.table_sectors) * _SECTOR
        made.image[at : at + len(made.table)] = made.table
    return bytes(made.image)


class _FatVolume:
    """A file system in the making: clusters of one sector, handed out in order."""

    def __init__(self, wide: bool) -> None:
        clusters = 70000 if wide else 5000
        self.width, self.reserved, root_entries = (4, 32, 0) if wide else (2, 1, 512)
        self.table_sectors = -(-(clusters + 2) * self.width // _SECTOR)
        self.root_at = (self.reserved + 2 * self.table_sectors) * _SECTOR
        self.data_at = self.root_at + root_entries * 32
        total = self.data_at // _SECTOR + clusters
        self.image = bytearray(total * _SECTOR)
        struct.pack_into(
            "<HBHBHHBHHH", self.image, 11, _SECTOR, 1, self.reserved, 2, root_entries,
            0 if wide else total, 0xF8, 0 if wide else self.table_sectors, 32, 64,
        )  # fmt: skip
        self.image[510:512] = b"\x55\xaa"
        self.form, self.end = ("<I", 0x0FFFFFFF) if wide else ("<H", 0xFFFF)
        self.table = bytearray(self.table_sectors * _SECTOR)
        self.set_next(0, self.end & ~7)  # the media byte
        self.set_next(1, self.end)
        self.free = 2
        if wide:
            struct.pack_into("<II", self.image, 32, total, self.table_sectors)
            struct.pack_into("<I", self.image, 44, 2)
            self.set_next(2, self.end)
            self.free = 3

    def set_next(self, cluster: int, value: int) -> None:
        struct.pack_into(self.form, self.table, cluster * self.width, value)

    def store(self, content: bytes) -> int:
        """The first cluster of some bytes."""
        start, count = self.free, max(-(-len(content) // _SECTOR), 1)
        self.free += count
        for cluster in range(start, self.free):
            self.set_next(cluster, self.end if cluster == self.free - 1 else cluster + 1)
        at = self.data_at + (start - 2) * _SECTOR
        self.image[at : at + len(content)] = content
        return start

    def folder(self, files: Mapping[str, bytes], prefix: str) -> bytes:
        """The entries of a folder, with all below it stored."""
        below = [name[len(prefix) :] for name in files if name.startswith(prefix)]
        links = _entry(".", 16, 0, 0) + _entry("..", 16, 0, 0)
        out = links if prefix else _entry("ESP", 8, 0, 0)
        for name in sorted({each.split("/")[0] for each in below}):
            content = files.get(prefix + name)
            if content is None:
                inside = self.folder(files, f"{prefix}{name}/")
                out += _named(name, 16, self.store(inside), 0)
            else:
                out += _named(name, 32, self.store(content) if content else 0, len(content))
        return out


def _named(name: str, attributes: int, cluster: int, size: int) -> bytes:
    """The entry of a file, with a long name before it if the short one does not do."""
    base, _, extension = name.partition(".")
    if name == name.upper() and len(base) <= 8 and len(extension) <= 3:
        return _entry(name, attributes, cluster, size)
    units = name.encode("utf-16-le") + b"\0\0"
    units = units.ljust(-(-len(units) // 26) * 26, b"\xff")
    parts = [units[at : at + 26] for at in range(0, len(units), 26)]
    out, checksum = b"", 0
    for byte in b"LONGNA~1   ":
        checksum = (((checksum & 1) << 7) + (checksum >> 1) + byte) & 0xFF
    for number in range(len(parts), 0, -1):
        order = number | (0x40 if number == len(parts) else 0)
        part = parts[number - 1]
        out += (
            bytes([order])
            + part[:10]
            + bytes([15, 0, checksum])
            + part[10:22]
            + b"\0\0"
            + part[22:]
        )
    return out + _entry("LONGNA~1", attributes, cluster, size)


def _entry(name: str, attributes: int, cluster: int, size: int) -> bytes:
    base, _, extension = (name, "", "") if name in (".", "..") else name.partition(".")
    short = base.encode().ljust(8) + extension.encode().ljust(3)
    tail = struct.pack("<HHHHI", cluster >> 16, 0, 0, cluster & 0xFFFF, size)
    return short + bytes([attributes]) + bytes(8) + tail


def verity(data: bytes, salt: bytes = SALT) -> tuple[bytes, bytes]:
    """The hash partition of a root file system (whole blocks), and the root hash."""
    levels, level = [], _hashes(data, salt)
    while True:
        packed = b"".join(level)
        levels.append(packed.ljust(-(-len(packed) // 4096) * 4096, b"\0"))
        level = _hashes(levels[-1], salt)
        if len(level) == 1:
            break
    head = struct.pack(
        "<8sII16s32sIIQH6x256s", b"verity\0\0", 1, 1, UUID(int=2).bytes, b"sha256", 4096, 4096,
        len(data) // 4096, len(salt), salt,
    )  # fmt: skip
    return head.ljust(4096, b"\0") + b"".join(reversed(levels)), level[0]


def _hashes(data: bytes, salt: bytes) -> list[bytes]:
    blocks = (data[at : at + 4096] for at in range(0, len(data), 4096))
    return [hashlib.sha256(salt + block).digest() for block in blocks]


@dataclass(frozen=True)
class Parts:
    """The parts of an image; each can be replaced."""

    root: bytes = hashlib.sha256(b"root").digest() * 128 * 200
    command_line: str = "console=ttyS0 quiet roothash={}"
    initrd: bytes = b"initrd" * 50
    kernel: bytes = b"kernel"
    stub: int = 252
    more_on_esp: tuple[tuple[str, bytes], ...] = ()
    wide: bool = True

    def uki(self) -> bytes:
        """The boot program for this root."""
        line = self.command_line.replace("{}", verity(self.root)[1].hex())
        return uki.write(stub(self.stub), line, self.initrd, kernel(self.kernel))

    def raw(self) -> bytes:
        """The disk."""
        esp = fat({BOOT_PROGRAM: self.uki(), **dict(self.more_on_esp)}, wide=self.wide)
        return disk(esp, self.root, verity(self.root)[0])

    def vhd(self) -> bytes:
        """The disk as a fixed VHD."""
        raw = self.raw()
        return raw + vhd.footer(len(raw), DISK)

    def manifest(self) -> ImageManifest:
        """The manifest of the disk."""
        return make(measure(BytesBlocks(self.raw())), facts())


def facts() -> ImageFacts:
    """What a builder states."""
    return ImageFacts(
        name="tiny",
        version="1.2.3",
        lock_sha256="0" * 64,
        packages=(
            ImagePackage(name="busybox-static", version="1:1.35.0-4", architecture="amd64"),
            ImagePackage(name="tpm2-tools", version="5.4-1", architecture="amd64"),
        ),
        units=("ccgpu-ready.service",),
        containers=(ImageContainer(reference="docker.io/x/y:1", digest="sha256:" + "a" * 64),),
    )


def disk(esp: bytes, root: bytes, tree: bytes) -> bytes:
    """A disk with these three partitions."""
    parts: list[gpt.GptPartition] = []
    at, contents = MIB, []
    for kind, content in ((gpt.ESP, esp), (gpt.ROOT, root), (gpt.ROOT_VERITY, tree)):
        size = -(-len(content) // _SECTOR) * _SECTOR
        parts.append(
            gpt.GptPartition(kind, UUID(int=len(parts) + 5), at, size, f"part {len(parts)}")
        )
        contents.append((at, content))
        at = -(-(at + size) // MIB) * MIB
    out = bytearray(at + MIB)
    for offset, content in (*gpt.write(len(out), DISK, parts), *contents):
        out[offset : offset + len(content)] = content
    return bytes(out)
