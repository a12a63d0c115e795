"""The bytes of page blobs, sparse: a row of the state for each 64 KiB in which pages were written.

`pages.valid` has a bit for each page of 512 bytes that was written and not cleared since.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ccgpu.fakearm.store import Store
from ccgpu.fakearm.wire import FakeGap

PAGE = 512
_CHUNK = 64 * 1024
_PAGES = _CHUNK // PAGE
_PART = 1024 * 1024
_MOST_CHUNKS = 4 * 1024**3 // _CHUNK  # of one blob: 4 GiB in the state; own


def write(store: Store, content: str, start: int, data: bytes) -> None:
    """Write whole pages at `start`."""
    _require_room(store, content)
    for number, at, part in _split(start, data):
        before, valid = _row(store, content, number)
        mask = _mask(at, len(part))
        changed = before[:at] + part + before[at + len(part) :]
        _save(store, content, number, changed, valid | mask)


def clear(store: Store, content: str, start: int, end: int) -> None:
    """Clear the whole pages from `start` to before `end`, as far as they were written."""
    for (number,) in store.rows(
        "SELECT number FROM pages WHERE content = ? AND number BETWEEN ? AND ?",
        content,
        start // _CHUNK,
        (end - 1) // _CHUNK,
    ):
        base = number * _CHUNK
        at, until = max(start - base, 0), min(end - base, _CHUNK)
        before, valid = _row(store, content, number)
        changed = before[:at] + bytes(until - at) + before[until:]
        _save(store, content, number, changed, valid & ~_mask(at, until - at))


def read(store: Store, content: str, start: int, end: int) -> bytes:
    """The bytes from `start` to before `end`; zeros where nothing was written."""
    found = bytearray(end - start)
    for number, data in store.rows(
        "SELECT number, data FROM pages WHERE content = ? AND number BETWEEN ? AND ?",
        content,
        start // _CHUNK,
        (end - 1) // _CHUNK,
    ):
        base = number * _CHUNK
        first, last = max(start, base), min(end, base + _CHUNK)
        found[first - start : last - start] = data[first - base : last - base]
    return bytes(found)


def ranges(store: Store, content: str, start: int, end: int) -> list[tuple[int, int]]:
    """The written ranges in this part: of each the first byte and the last."""
    found: list[tuple[int, int]] = []
    for number, valid in store.rows(
        "SELECT number, valid FROM pages WHERE content = ? ORDER BY number", content
    ):
        bits = int(valid, 16)
        for page in range(_PAGES):
            first = number * _CHUNK + page * PAGE
            if not bits >> page & 1 or not start <= first < end:
                continue
            if found and found[-1][1] + 1 == first:
                found[-1] = (found[-1][0], first + PAGE - 1)
            else:
                found.append((first, first + PAGE - 1))
    return found


def parts(store: Store, content: str, size: int) -> Iterator[bytes]:
    """All `size` bytes, 1 MiB at a time."""
    for start in range(0, size, _PART):
        yield read(store, content, start, min(start + _PART, size))


@dataclass(frozen=True, slots=True)
class StoredDisk:
    """All `size` bytes of a disk, to be read at any offset."""

    store: Store
    content: str
    size: int

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`; zeros where nothing was written."""
        return read(self.store, self.content, offset, offset + size)


def release(store: Store, content: str) -> None:
    """Forget the bytes if no resource refers to them any more."""
    used = "SELECT 1 FROM resources WHERE json_extract(hidden, '$.content') = ?"
    if not store.row(used, content):
        store.run("DELETE FROM pages WHERE content = ?", content)


def _split(start: int, data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The data by chunk: its number, the place in it, and the bytes."""
    done = 0
    while done < len(data):
        number, at = divmod(start + done, _CHUNK)
        part = data[done : done + _CHUNK - at]
        yield number, at, part
        done += len(part)


def _mask(at: int, size: int) -> int:
    """The bits of the pages of a chunk from the byte `at` on."""
    return ((1 << size // PAGE) - 1) << at // PAGE


def _row(store: Store, content: str, number: int) -> tuple[bytes, int]:
    row = store.row(
        "SELECT data, valid FROM pages WHERE content = ? AND number = ?", content, number
    )
    return (row[0], int(row[1], 16)) if row else (bytes(_CHUNK), 0)


def _save(store: Store, content: str, number: int, data: bytes, valid: int) -> None:
    if not valid:
        store.run("DELETE FROM pages WHERE content = ? AND number = ?", content, number)
        return
    store.run(
        "INSERT OR REPLACE INTO pages VALUES (?, ?, ?, ?)", content, number, f"{valid:x}", data
    )


def _require_room(store: Store, content: str) -> None:
    count = store.row("SELECT count(*) FROM pages WHERE content = ?", content)[0]
    if count > _MOST_CHUNKS:
        raise FakeGap("more than 4 GiB in one disk")
