"""The writer and reader of fixed VHDs: a disk with a footer of 512 bytes.

Source: Microsoft, Virtual Hard Disk Image Format Specification 1.0 ("Hard Disk Footer Format", and
its appendix on CHS). Azure takes disks of whole MiB only.
"""

import struct
from uuid import UUID

from ccgpu.image.blocks import Blocks, Window
from ccgpu.image.malformed import MalformedImage, demand

FOOTER = 512
MIB = 1024 * 1024
_COOKIE = b"conectix"
_NO_OFFSET = 0xFFFFFFFFFFFFFFFF
_FIELDS = struct.Struct(">8sIIQI4sI4sQQHBBII16sB")
_FIXED = 2
_HEADS = 16
_MOST_SECTORS = 65535 * 16 * 255


def footer(size: int, unique: UUID) -> bytes:
    """The footer of a fixed VHD; `size`: of the disk without it, in whole MiB. No clock is read."""
    if size <= 0 or size % MIB:
        raise MalformedImage("the size of the disk", "whole MiB", size)
    cylinders, heads, sectors = _geometry(size // 512)

    def pack(checksum: int) -> bytes:
        return _FIELDS.pack(
            _COOKIE, 2, 0x10000, _NO_OFFSET, 0, b"ccgp", 0x10000, b"Wi2k", size, size,
            cylinders, heads, sectors, _FIXED, checksum, unique.bytes, 0,
        ).ljust(FOOTER, b"\0")  # fmt: skip

    return pack(_checksum(pack(0)))


def strip(blocks: Blocks) -> Blocks:
    """The disk in a fixed VHD; blocks without a VHD's footer are a disk already."""
    if blocks.size <= FOOTER:
        return blocks
    raw = blocks.read(blocks.size - FOOTER, FOOTER)
    fields = _FIELDS.unpack_from(raw)
    if fields[0] != _COOKIE:
        return blocks
    disk = blocks.size - FOOTER
    demand("the VHD's features and version", (2, 0x10000), fields[1:3])
    demand("the type of the VHD (fixed)", _FIXED, fields[13])
    demand("the VHD's data offset", _NO_OFFSET, fields[3])
    demand("the VHD's sizes", (disk, disk), fields[8:10])
    demand("the VHD's checksum", _checksum(raw[:64] + bytes(4) + raw[68:]), fields[14])
    demand("the VHD's saved state", 0, fields[16])
    return Window(blocks, 0, disk)


def _checksum(zeroed: bytes) -> int:
    """One's complement of the sum of all bytes of a footer whose checksum is zero."""
    return ~sum(zeroed) & 0xFFFFFFFF


def _geometry(total: int) -> tuple[int, int, int]:
    """Cylinders, heads and sectors per track, by the specification's appendix."""
    total = min(total, _MOST_SECTORS)
    if total >= 65535 * _HEADS * 63:
        return total // 255 // _HEADS, _HEADS, 255
    sectors, tracks = 17, total // 17
    heads = max((tracks + 1023) // 1024, 4)
    if tracks >= heads * 1024 or heads > _HEADS:
        sectors, heads, tracks = 31, _HEADS, total // 31
    if tracks >= heads * 1024:
        sectors, heads, tracks = 63, _HEADS, total // 63
    return tracks // heads, heads, sectors
