"""The writer and reader of partition tables (GPT).

Source: UEFI 2.10, §5.2.3 (protective MBR) and §5.3 (GPT); UAPI Group, Discoverable Partitions
Specification (types). Both copies of the table must agree: firmware may read either.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from ccgpu.image.blocks import Blocks
from ccgpu.image.malformed import MalformedImage, demand

ESP = UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
ROOT = UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709")  # x86-64
ROOT_VERITY = UUID("2c7357ed-ebd2-46d9-aec1-23d437ec2bf5")  # x86-64

SECTOR = 512
_ENTRY, _ENTRIES = 128, 128
_TABLE = _ENTRY * _ENTRIES
_TABLE_SECTORS = _TABLE // SECTOR
_FIRST_USABLE = 2 + _TABLE_SECTORS
_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")  # Table 5-5
_HEADER_SIZE = 92
_NAME_LIMIT = 36  # UTF-16 code units


@dataclass(frozen=True, slots=True)
class GptPartition:
    """A partition: its type, its own id, offset and size in bytes, its name."""

    kind: UUID
    unique: UUID
    offset: int
    size: int
    name: str


@dataclass(frozen=True, slots=True)
class PartitionTable:
    """The disk's id, and its partitions in order."""

    disk: UUID
    partitions: tuple[GptPartition, ...]


def write(
    size: int, disk: UUID, partitions: Sequence[GptPartition]
) -> tuple[tuple[int, bytes], ...]:
    """What to write at which offset of a disk of `size` bytes: protective MBR and both tables."""
    demand("the size of the disk", size - size % SECTOR, size)
    last = size // SECTOR - 1
    _require_in_order(partitions, last)
    table = b"".join(map(_entry, partitions)).ljust(_TABLE, b"\0")
    if len(table) > _TABLE:
        raise MalformedImage("the number of partitions", f"at most {_ENTRIES}", len(partitions))
    mbr = bytes(446) + struct.pack(
        "<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, min(last, 0xFFFFFFFF)
    )
    first = _header(1, last, 2, disk, table) + table
    return (
        (0, mbr.ljust(510, b"\0") + b"\x55\xaa" + first),
        (
            (last - _TABLE_SECTORS) * SECTOR,
            table + _header(last, 1, last - _TABLE_SECTORS, disk, table),
        ),
    )


def parse(blocks: Blocks) -> PartitionTable:
    """The partitions of a disk, or `MalformedImage`."""
    if blocks.size < 2 * (_FIRST_USABLE + 1) * SECTOR:
        raise MalformedImage("the size of the disk", "room for a GPT", blocks.size)
    last = blocks.size // SECTOR - 1
    demand("the signature of the MBR", "55aa", blocks.read(510, 2).hex())
    disk, table = _read_copy(blocks, 1, last, 2)
    backup_disk, backup = _read_copy(blocks, last, 1, last - _TABLE_SECTORS)
    demand("the disk's id in the backup GPT", disk.hex(), backup_disk.hex())
    if table != backup:
        raise MalformedImage("the backup GPT", "the same partitions", "others")
    entries = (table[at : at + _ENTRY] for at in range(0, _TABLE, _ENTRY))
    partitions = tuple(_partition(entry) for entry in entries if any(entry[:16]))
    _require_in_order(partitions, last)
    return PartitionTable(UUID(bytes_le=disk), partitions)


def _read_copy(blocks: Blocks, own: int, other: int, at: int) -> tuple[bytes, bytes]:
    """The disk's id and the table of one copy; its header is at the sector `own`."""
    raw = blocks.read(own * SECTOR, SECTOR)
    head = _HEADER.unpack_from(raw)
    demand("the signature of the GPT", b"EFI PART", head[0])
    demand("the GPT's revision and header size", (0x10000, _HEADER_SIZE), head[1:3])
    zeroed = raw[:16] + bytes(4) + raw[20:_HEADER_SIZE]
    demand("the checksum of the GPT's header", zlib.crc32(zeroed), head[3])
    demand("the sectors of the GPT's headers", (own, other), head[5:7])
    demand("the sector of the GPT's table", at, head[10])
    demand("the size of the GPT's table", (_ENTRIES, _ENTRY), head[11:13])
    table = blocks.read(at * SECTOR, _TABLE)
    demand("the checksum of the GPT's table", zlib.crc32(table), head[13])
    return head[9], table


def _header(own: int, other: int, at: int, disk: UUID, table: bytes) -> bytes:
    last = max(own, other)

    def pack(checksum: int) -> bytes:
        return _HEADER.pack(
            b"EFI PART", 0x10000, _HEADER_SIZE, checksum, 0, own, other, _FIRST_USABLE,
            last - _TABLE_SECTORS - 1, disk.bytes_le, at, _ENTRIES, _ENTRY, zlib.crc32(table),
        )  # fmt: skip

    return pack(zlib.crc32(pack(0))).ljust(SECTOR, b"\0")


def _entry(partition: GptPartition) -> bytes:
    name = partition.name.encode("utf-16-le")
    if len(name) > 2 * _NAME_LIMIT:
        raise MalformedImage(
            "the name of a partition", f"at most {_NAME_LIMIT} units", len(name) // 2
        )
    if partition.offset % SECTOR or partition.size % SECTOR or partition.size <= 0:
        raise MalformedImage("a partition", f"whole sectors of {SECTOR} bytes", partition.size)
    first = partition.offset // SECTOR
    end = first + partition.size // SECTOR - 1
    ids = partition.kind.bytes_le + partition.unique.bytes_le
    return ids + struct.pack("<QQQ", first, end, 0) + name.ljust(2 * _NAME_LIMIT, b"\0")


def _partition(entry: bytes) -> GptPartition:
    first, end, attributes = struct.unpack_from("<QQQ", entry, 32)
    demand("the attributes of a partition", 0, attributes)
    if end < first:
        raise MalformedImage("a partition", f"an end after sector {first}", end)
    try:
        name = entry[56:].decode("utf-16-le").rstrip("\0")
    except UnicodeDecodeError:
        raise MalformedImage("the name of a partition", "UTF-16", entry[56:].hex()) from None
    kind, unique = UUID(bytes_le=entry[:16]), UUID(bytes_le=entry[16:32])
    return GptPartition(kind, unique, first * SECTOR, (end - first + 1) * SECTOR, name)


def _require_in_order(partitions: Sequence[GptPartition], last: int) -> None:
    """Refuse partitions that overlap each other or the tables."""
    limit = (last - _TABLE_SECTORS) * SECTOR
    ends = [_FIRST_USABLE * SECTOR, *(each.offset + each.size for each in partitions)]
    for end, each in zip(ends, partitions, strict=False):
        if each.offset < end or each.offset + each.size > limit:
            raise MalformedImage(
                f"the partition {each.name!r}", f"between {end} and {limit}", each.offset
            )
