"""Reads the pixels of a PNG image, for the check of image servers (W3C PNG, third edition).

Only what such servers write is read: 8 bits a channel, grey, RGB or RGBA, not interlaced.
"""

import struct
import zlib
from dataclasses import dataclass

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # by colour type; table 11.1
MAX_SIDE = 2048


@dataclass(frozen=True, slots=True)
class Pixels:
    """width and height in pixels; rows: for each row its bytes, `channels` for each pixel."""

    width: int
    height: int
    channels: int
    rows: tuple[bytes, ...]

    def luminance(self) -> list[list[int]]:
        """The first channel of each pixel of every row: red, or grey."""
        return [list(row[:: self.channels]) for row in self.rows]


def decode(data: bytes) -> Pixels:
    """The pixels.

    Raises:
        ValueError: it is no such image, or it is larger than `MAX_SIDE`.
    """
    width, height, channels, packed = _chunks(data)
    stride = width * channels
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(packed, (stride + 1) * height)
    except zlib.error as err:
        raise ValueError("its pixels cannot be unpacked") from err
    if len(raw) != (stride + 1) * height:
        raise ValueError("it has fewer pixels than it says")
    rows: list[bytes] = []
    before = bytes(stride)
    for start in range(0, len(raw), stride + 1):
        before = _unfiltered(raw[start], raw[start + 1 : start + 1 + stride], before, channels)
        rows.append(before)
    return Pixels(width, height, channels, tuple(rows))


def _chunks(data: bytes) -> tuple[int, int, int, bytes]:
    """Width, height, channels, and the compressed pixels."""
    if not data.startswith(_SIGNATURE):
        raise ValueError("it is not PNG")
    place, header, packed = len(_SIGNATURE), b"", b""
    while place + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, place)
        kind, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + size]
        if kind == b"IHDR":
            header = body
        if kind == b"IDAT":
            packed += body
        place += 12 + size
    if len(header) != 13:
        raise ValueError("it has no header")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if depth != 8 or colour not in _CHANNELS or interlaced:
        raise ValueError("it has another format than 8 bits of grey, RGB or RGBA")
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise ValueError(f"it has {width} x {height} pixels")
    return width, height, _CHANNELS[colour], packed


def _unfiltered(kind: int, row: bytes, above: bytes, step: int) -> bytes:
    """A row without its filter (chapter 9); `step`: bytes of a pixel."""
    if kind == 0:
        return row
    if kind > 4:
        raise ValueError("a row has an unknown filter")
    done = bytearray(len(row))
    for index, value in enumerate(row):
        left = done[index - step] if index >= step else 0
        up = above[index]
        corner = above[index - step] if index >= step else 0
        done[index] = (value + _predicted(kind, left, up, corner)) & 0xFF
    return bytes(done)


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    if kind == 1:
        return left
    if kind == 2:
        return up
    if kind == 3:
        return (left + up) // 2
    guess = left + up - corner
    near = (abs(guess - left), abs(guess - up), abs(guess - corner))
    return (left, up, corner)[near.index(min(near))]
