"""The writer of initrds: cpio archives (newc) that are the same every time.

Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst. Owner 0, time 0, inodes
by order; folders above an entry must be entries, before it: sorted paths are in that order.
"""

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ccgpu.image.malformed import MalformedImage

_TRAILER = "TRAILER!!!"
_ALIGNMENT = 512
_MOST = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class CpioEntry:
    """A file, folder, link or device: its path, its mode with type bits, its content or target.

    device: major and minor number.
    """

    path: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def archive(entries: Iterable[CpioEntry]) -> bytes:
    """The archive of entries, in order of their paths."""
    ordered = sorted(entries, key=lambda each: each.path)
    _require_sound(ordered)
    body = b"".join(_records(ordered))
    return body + bytes(-len(body) % _ALIGNMENT)


def _records(ordered: list[CpioEntry]) -> Iterator[bytes]:
    for inode, entry in enumerate(ordered, 1):
        yield _record(inode, entry)
    yield _record(0, CpioEntry(_TRAILER, 0))


def _record(inode: int, entry: CpioEntry) -> bytes:
    name = entry.path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = (inode, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, *entry.device, len(name), 0)
    head = b"070701" + "".join(f"{field:08X}" for field in fields).encode() + name
    return _padded(head) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _require_sound(ordered: list[CpioEntry]) -> None:
    """Refuse a path that is absolute, climbs, or stands twice; a folder that is missing."""
    folders = {each.path for each in ordered if stat.S_ISDIR(each.mode)}
    seen: set[str] = set()
    for entry in ordered:
        parts = entry.path.split("/")
        if {"", ".", ".."} & {*parts} or "\0" in entry.path or entry.path == _TRAILER:
            raise MalformedImage("a path of the initrd", "a plain relative path", entry.path)
        if entry.path in seen:
            raise MalformedImage("a path of the initrd", "once", entry.path)
        if len(parts) > 1 and "/".join(parts[:-1]) not in folders:
            raise MalformedImage("a folder of the initrd", "/".join(parts[:-1]), "nothing")
        if len(entry.data) > _MOST or not stat.S_IFMT(entry.mode):
            raise MalformedImage("an entry of the initrd", "a file type, up to 4 GiB", entry.path)
        seen.add(entry.path)
