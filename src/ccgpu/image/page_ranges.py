"""The parts of a disk that have to be uploaded: a new page blob reads as zeros.

Source: Microsoft Learn, "Put Page (REST API)": ranges are whole pages of 512 bytes, at most 4 MiB.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ccgpu.image.blocks import Blocks

PAGE = 512
MOST = 4 * 1024 * 1024
_UNIT = 64 * 1024  # a hole smaller than this costs less than another request


@dataclass(frozen=True, slots=True)
class PageRange:
    """Bytes from `offset` to `end`, which is not in it."""

    offset: int
    end: int

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.end - self.offset


def data_ranges(blocks: Blocks) -> Iterator[PageRange]:
    """The ranges with bytes other than zero, in order, each at most `MOST`; `MOST` is no border."""
    begin: int | None = None
    for at in range(0, blocks.size, _UNIT):
        unit = blocks.read(at, min(_UNIT, blocks.size - at))
        if unit == bytes(len(unit)):
            if begin is not None:
                yield PageRange(begin, at)
            begin = None
            continue
        if begin is None:
            begin = at
        if at + len(unit) - begin >= MOST:
            yield PageRange(begin, at + len(unit))
            begin = None
    if begin is not None:
        yield PageRange(begin, blocks.size)


def merged(ranges: Iterable[PageRange]) -> list[PageRange]:
    """The same bytes as ranges in order that neither touch nor overlap."""
    result: list[PageRange] = []
    for one in sorted(ranges, key=lambda each: each.offset):
        if result and one.offset <= result[-1].end:
            result[-1] = PageRange(result[-1].offset, max(result[-1].end, one.end))
        else:
            result.append(one)
    return result


def covers(there: Iterable[PageRange], wanted: PageRange) -> bool:
    """Whether all of `wanted` is in one of the merged ranges."""
    return any(one.offset <= wanted.offset and wanted.end <= one.end for one in there)


def ranges_outside(ranges: Iterable[PageRange], wanted: Iterable[PageRange]) -> Iterator[PageRange]:
    """The parts of merged `ranges` that are in none of `wanted`, each at most `MOST`."""
    borders = merged(wanted)
    for one in ranges:
        at = one.offset
        for inside in borders:
            if inside.end <= at or inside.offset >= one.end:
                continue
            yield from _pieces(at, inside.offset)
            at = inside.end
        yield from _pieces(at, one.end)


def _pieces(begin: int, end: int) -> Iterator[PageRange]:
    for at in range(begin, end, MOST):
        yield PageRange(at, min(at + MOST, end))
