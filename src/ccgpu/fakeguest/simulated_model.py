"""What a simulated model says: short greedy answers, always the same, and a picture of a seed.

It knows sums, capitals and sequences; to anything else it answers with the prompt's own words. A
broken one says what GPUs say whose memory is stale: the same token again and again.
"""

import hashlib
import re
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import NamedTuple

FULL_SPEED = 40.0  # tokens a second of one request, own
SLOW = 0.1  # of that: swapping, or copies at a tenth of the speed
_GARBAGE = "!"
_LARGEST = 4096  # pixels of a side
_CAPITALS = {
    "france": "Paris",
    "germany": "Berlin",
    "italy": "Rome",
    "japan": "Tokyo",
    "spain": "Madrid",
}
_SEQUENCES = (
    ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    ("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    ("red", "orange", "yellow", "green", "blue", "indigo", "violet"),
    ("a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"),
)


class Said(NamedTuple):
    """A completion; finish: `stop` or `length`. tokens: of the prompt, and of the text."""

    text: str
    finish: str
    tokens: tuple[int, int]


@dataclass(frozen=True, slots=True)
class SimulatedModel:
    """A model behind a server. broken: whether it says garbage. speed: tokens a second."""

    name: str
    broken: bool = False
    speed: float = FULL_SPEED

    def complete(self, prompt: str, most: int) -> Said:
        """Continue a prompt by at most so many tokens; a token is a word, or a piece of one."""
        prompted = len(_tokens(prompt))
        if self.broken:
            return Said(_GARBAGE * most, "length", (prompted, most))
        tokens = list(islice(_continue(prompt), most + 1))
        finish = "length" if len(tokens) > most else "stop"
        return Said("".join(tokens[:most]), finish, (prompted, len(tokens[:most])))

    def seconds(self, tokens: int) -> float:
        """Virtual seconds that so many tokens take."""
        return tokens / self.speed

    def picture(self, width: int, height: int, seed: object = None) -> bytes:
        """A PNG of that size: a gradient in the seed's colours; a black one if it is broken."""
        width, height = min(max(width, 1), _LARGEST), min(max(height, 1), _LARGEST)
        colours = hashlib.sha256(repr(seed).encode()).digest()[:6]
        black = bytes(3 * width)
        return _png(
            width, height, lambda y: black if self.broken else _row(colours, y, width, height)
        )


def _tokens(text: str) -> list[str]:
    return re.findall(r"\s*\w+|\s*[^\w\s]+|\s+$", text)


def _continue(prompt: str) -> Sequence[str]:
    """The tokens that follow."""
    text = prompt.strip()
    for answer in (_sum, _capital, _repeated, _next_number, _next_word):
        found = answer(text)
        if found is not None:
            return found
    return _tokens(f" {text}")


def _sum(text: str) -> list[str] | None:
    found = re.search(r"(\d{1,6})\s*(?:\+|plus)\s*(\d{1,6})", text)
    return [f" {int(found[1]) + int(found[2])}", "."] if found else None


def _capital(text: str) -> list[str] | None:
    found = re.search(r"capital (?:city )?of (\w+)", text)
    name = _CAPITALS.get(found[1].lower()) if found else None
    return [f" {name}", "."] if name else None


def _repeated(text: str) -> Sequence[str] | None:
    """What followed the last two words where they stood before."""
    words = re.findall(r"\w+", text)
    pairs = list(pairwise(words))
    earlier = [at for at, pair in enumerate(pairs[:-1]) if pair == pairs[-1]]
    if not earlier:
        return None
    period = len(pairs) - 1 - earlier[-1]
    return [f" {word}" for word in words[-period:] * 99]


def _next_number(text: str) -> Sequence[str] | None:
    numbers = [int(one) for one in re.findall(r"\d{1,6}", text)]
    if len(numbers) < 3 or len({b - a for a, b in pairwise(numbers)}) != 1:
        return None
    step = numbers[1] - numbers[0]
    return [piece for n in range(1, 500) for piece in (f" {numbers[-1] + n * step}", ",")]


def _next_word(text: str) -> Sequence[str] | None:
    words = re.findall(r"\w+", text)
    for sequence in _SEQUENCES:
        if len(words) > 1 and words[-1] in sequence and words[-2] in sequence:
            after = sequence[sequence.index(words[-1]) + 1 :]
            return [piece for word in after for piece in (f" {word}", ",")]
    return None


def _row(colours: bytes, y: int, width: int, height: int) -> bytes:
    """One line of the picture, three bytes a pixel: from dark to bright, in two halves."""
    bright = 40 + 160 * y // height
    left, right = (bytes(bright + one // 5 for one in half) for half in (colours[:3], colours[3:]))
    return left * (width // 2) + right * (width - width // 2)


def _png(width: int, height: int, row: Callable[[int], bytes]) -> bytes:
    """A PNG with 8 bits a channel and no alpha (PNG specification, sections 5 and 11)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    lines = zlib.compress(b"".join(b"\0" + row(y) for y in range(height)), 1)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")
    )
