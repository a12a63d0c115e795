"""The reader of FAT16 and FAT32 file systems, as far as listing an ESP and reading its files needs.

Source: Microsoft, FAT32 File System Specification 1.03 (boot sector, FAT, directory entries, long
names); UEFI 2.10, §13.3. Lengths of chains, folders and files are bounded before they are read.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ccgpu.image.blocks import Blocks
from ccgpu.image.malformed import MalformedImage, demand

MAX_FILE = 512 * 1024 * 1024
_MAX_TABLE = 32 * 1024 * 1024  # bytes of one FAT; FAT32 of 1 GiB in clusters of 512 bytes has 8 MiB
_MAX_FOLDER = 64 * 1024
_MAX_DEPTH = 8
_MAX_ENTRIES = 1024
_ENTRY = 32
_FREE, _END = 0xE5, 0x00
_LONG_NAME, _LABEL, _FOLDER = 0x0F, 0x08, 0x10
_FAT16_FROM, _FAT32_FROM = 4085, 65525  # clusters


@dataclass(frozen=True, slots=True)
class FatFile:
    """A file or folder: its path from the root, as in EFI/BOOT/BOOTX64.EFI, and its size."""

    path: str
    size: int
    is_folder: bool
    first_cluster: int


@dataclass(frozen=True, slots=True)
class FatVolume:
    """A FAT file system. Offsets are in bytes; `table` is its first FAT.

    `root`: the first cluster of the root folder in FAT32; else None, and it has `root_size` bytes
    at `root_offset`.
    """

    blocks: Blocks
    wide: bool
    cluster_size: int
    clusters: int
    data_offset: int
    table: bytes
    root: int | None
    root_offset: int
    root_size: int

    def entries(self) -> tuple[FatFile, ...]:
        """Every file and folder, each folder before what is in it."""
        found: list[FatFile] = []
        for each in self._walk(self._root_folder(), "", 0):
            found.append(each)
            if len(found) > _MAX_ENTRIES:
                raise MalformedImage("the ESP", f"at most {_MAX_ENTRIES} files", "more")
        return tuple(found)

    def content(self, file: FatFile) -> bytes:
        """The bytes of a file."""
        if file.size > MAX_FILE:
            raise MalformedImage(f"the size of {file.path}", f"at most {MAX_FILE}", file.size)
        data = self._chain(file.first_cluster, file.size, file.path) if file.size else b""
        return data[: file.size]

    def _root_folder(self) -> bytes:
        if self.root is None:
            return self.blocks.read(self.root_offset, self.root_size)
        return self._chain(self.root, None, "the root folder")

    def _chain(self, first: int, size: int | None, what: str) -> bytes:
        """The clusters from `first` on, which must be as many as `size` needs; None: a folder."""
        most = -(-(_MAX_FOLDER if size is None else size) // self.cluster_size)
        numbers: list[int] = []
        cluster = first
        while not self._is_end(cluster):
            if not 2 <= cluster < self.clusters + 2 or len(numbers) == most:
                raise MalformedImage(
                    f"the clusters of {what}", f"at most {most}, each known", cluster
                )
            numbers.append(cluster)
            cluster = self._next(cluster)
        if size is not None:
            demand(f"the number of clusters of {what}", most, len(numbers))
        return b"".join(self._runs(numbers))

    def _runs(self, numbers: list[int]) -> Iterator[bytes]:
        """The bytes of clusters, a read for each run of neighbours."""
        at = 0
        while at < len(numbers):
            end = at + 1
            while end < len(numbers) and numbers[end] == numbers[end - 1] + 1:
                end += 1
            offset = self.data_offset + (numbers[at] - 2) * self.cluster_size
            yield self.blocks.read(offset, (end - at) * self.cluster_size)
            at = end

    def _next(self, cluster: int) -> int:
        if self.wide:
            (value,) = struct.unpack_from("<I", self.table, 4 * cluster)
            return int(value) & 0x0FFFFFFF
        (value,) = struct.unpack_from("<H", self.table, 2 * cluster)
        return int(value)

    def _is_end(self, cluster: int) -> bool:
        return cluster >= (0x0FFFFFF8 if self.wide else 0xFFF8)

    def _walk(self, folder: bytes, prefix: str, depth: int) -> Iterator[FatFile]:
        if depth > _MAX_DEPTH:
            raise MalformedImage("the folders of the ESP", f"at most {_MAX_DEPTH} deep", prefix)
        for each in _files(folder, prefix, wide=self.wide):
            yield each
            if each.is_folder:
                inside = self._chain(each.first_cluster, None, each.path)
                yield from self._walk(inside, f"{each.path}/", depth + 1)


def parse(blocks: Blocks) -> FatVolume:
    """Parse a FAT16 or FAT32 file system, or raise `MalformedImage`."""
    boot = blocks.read(0, 512)
    demand("the signature of the ESP's boot sector", "55aa", boot[510:].hex())
    sector, per_cluster, reserved, tables, root_entries, total16, _, table16 = struct.unpack_from(
        "<HBHBHHBH", boot, 11
    )
    total32, table32 = struct.unpack_from("<II", boot, 32)
    _require_power_of_two("the bytes of a sector of the ESP", sector, 512, 4096)
    _require_power_of_two("the sectors of a cluster of the ESP", per_cluster, 1, 128)
    if not reserved or tables not in (1, 2):
        raise MalformedImage(
            "the ESP's reserved sectors and FATs", "1 or more, 1 or 2", (reserved, tables)
        )
    table_size = (table16 or table32) * sector
    if not 0 < table_size <= _MAX_TABLE:
        raise MalformedImage("the size of the ESP's FAT", f"up to {_MAX_TABLE} bytes", table_size)
    root_offset = reserved * sector + tables * table_size
    data_offset = root_offset + root_entries * _ENTRY
    clusters = ((total16 or total32) * sector - data_offset) // (sector * per_cluster)
    if clusters < _FAT16_FROM:
        raise MalformedImage("the clusters of the ESP", f"{_FAT16_FROM} or more (FAT16)", clusters)
    wide = clusters >= _FAT32_FROM
    if (clusters + 2) * (4 if wide else 2) > table_size:
        raise MalformedImage("the ESP's FAT", f"an entry for {clusters} clusters", table_size)
    demand("the entries of the ESP's root folder", wide, root_entries == 0)
    return FatVolume(
        blocks=blocks,
        wide=wide,
        cluster_size=sector * per_cluster,
        clusters=clusters,
        data_offset=data_offset,
        table=_table(blocks, reserved * sector, table_size, tables),
        root=struct.unpack_from("<I", boot, 44)[0] if wide else None,
        root_offset=root_offset,
        root_size=root_entries * _ENTRY,
    )


def _table(blocks: Blocks, offset: int, size: int, tables: int) -> bytes:
    first = blocks.read(offset, size)
    if tables == 2 and blocks.read(offset + size, size) != first:
        raise MalformedImage("the second FAT of the ESP", "the same as the first", "another")
    return first


def _require_power_of_two(what: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most or value & (value - 1):
        raise MalformedImage(what, f"a power of two from {least} to {most}", value)


def _files(folder: bytes, prefix: str, *, wide: bool) -> Iterator[FatFile]:
    """What a folder has, without labels and its links to itself and its parent."""
    parts: list[bytes] = []
    for at in range(0, len(folder) - _ENTRY + 1, _ENTRY):
        entry = folder[at : at + _ENTRY]
        if entry[0] == _END:
            return
        if entry[0] == _FREE:
            parts = []
        elif entry[11] == _LONG_NAME:
            parts.insert(0, entry)
        else:
            name, parts = _long_name(parts, entry) or _short_name(entry), []
            if not entry[11] & _LABEL and name not in (".", ".."):
                yield _file(entry, prefix + name, wide=wide)


def _file(entry: bytes, path: str, *, wide: bool) -> FatFile:
    high, low, size = struct.unpack("<H4xHI", entry[20:32])
    cluster = low | (high << 16 if wide else 0)
    return FatFile(path, size, bool(entry[11] & _FOLDER), cluster)


def _short_name(entry: bytes) -> str:
    base, extension = (entry[at:end].decode("latin-1").rstrip() for at, end in ((0, 8), (8, 11)))
    return f"{base}.{extension}" if extension else base


def _long_name(parts: list[bytes], entry: bytes) -> str:
    """The long name in the entries before a short one, to which their checksum must belong."""
    checksum = 0
    for byte in entry[:11]:
        checksum = (((checksum & 1) << 7) + (checksum >> 1) + byte) & 0xFF
    if any(part[13] != checksum for part in parts):
        raise MalformedImage(
            "a long name on the ESP", f"of {_short_name(entry)}", "of another file"
        )
    raw = b"".join(part[1:11] + part[14:26] + part[28:32] for part in parts)
    return raw.decode("utf-16-le", "replace").split("\0")[0].rstrip("\uffff")
