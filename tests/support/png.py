"""Makes PNG images, with the filters and the mistakes that a test wants."""

import struct
import zlib
from collections.abc import Sequence


def make_png(
    rows: Sequence[bytes],
    channels: int = 3,
    *,
    filters: Sequence[int] = (0,),
    depth: int = 8,
    colour: int | None = None,
    interlaced: int = 0,
) -> bytes:
    """A PNG of rows of bytes; row number i has the filter i of `filters`, in turn."""
    width = len(rows[0]) // channels
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels] if colour is None else colour
    header = struct.pack(">IIBBBBB", width, len(rows), depth, kind, 0, 0, interlaced)
    raw, above = b"", bytes(len(rows[0]))
    for index, row in enumerate(rows):
        filter_ = filters[index % len(filters)]
        raw += bytes([filter_]) + _filtered(filter_, row, above, channels)
        above = row
    chunks = [(b"IHDR", header), (b"tEXt", b"x\0y"), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def _filtered(kind: int, row: bytes, above: bytes, step: int) -> bytes:
    if kind == 0:
        return row
    out = bytearray()
    for i, value in enumerate(row):
        left = row[i - step] if i >= step else 0
        corner = above[i - step] if i >= step else 0
        guess = left + above[i] - corner
        paeth = min((left, above[i], corner), key=lambda one: abs(guess - one))
        out.append((value - (0, left, above[i], (left + above[i]) // 2, paeth)[kind]) & 0xFF)
    return bytes(out)
