"""What the readers read from: bytes at an offset, of a disk or of a part of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from ccgpu.image.malformed import MalformedImage

_PIECE = 1024 * 1024


class Blocks(Protocol):
    """Bytes that can be read at any offset. A read is exact, or `MalformedImage`."""

    @property
    def size(self) -> int:
        """How many bytes there are."""

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`."""


def require_inside(blocks: Blocks, offset: int, size: int) -> None:
    """Refuse a range that is not inside."""
    if offset < 0 or size < 0 or offset + size > blocks.size:
        raise MalformedImage(
            "a range of the image", f"within {blocks.size} bytes", f"{size} at {offset}"
        )


def pieces(blocks: Blocks, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """The bytes from `start` to `end` in order, at most 1 MiB at a time."""
    stop = blocks.size if end is None else end
    for offset in range(start, stop, _PIECE):
        yield blocks.read(offset, min(_PIECE, stop - offset))


@dataclass(frozen=True, slots=True)
class BytesBlocks:
    """Bytes in memory."""

    data: bytes

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return len(self.data)

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`."""
        require_inside(self, offset, size)
        return self.data[offset : offset + size]


@dataclass(frozen=True, slots=True)
class Window:
    """A part of other blocks, such as a partition of a disk."""

    whole: Blocks
    offset: int
    size: int

    def __post_init__(self) -> None:
        require_inside(self.whole, self.offset, self.size)

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`, which counts from the start of the part."""
        require_inside(self, offset, size)
        return self.whole.read(self.offset + offset, size)
