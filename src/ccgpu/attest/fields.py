"""Tables of named fields of binary structures, shared by parsers and evidence builders.

A table covers its structure without gap or overlap; reserved ranges are fields too.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """`size` bytes at offset `start`; a `reserved` field must be zero (AMD's MBZ)."""

    name: str
    start: int
    size: int
    reserved: bool = False

    @property
    def end(self) -> int:
        """The offset after the last byte."""
        return self.start + self.size

    def of(self, data: bytes) -> bytes:
        """The bytes of this field in `data`, which starts at offset 0 of the structure."""
        return data[self.start : self.start + self.size]


def table(fields: Sequence[Field], size: int) -> Mapping[str, Field]:
    """The fields by name. `ValueError` unless they cover `size` bytes in order, without a gap."""
    end = 0
    for field in fields:
        if field.start != end:
            raise ValueError(f"{field.name} starts at {field.start:#x}, not at {end:#x}")
        end = field.end
    if end != size:
        raise ValueError(f"the table ends at {end:#x}, not at {size:#x}")
    by_name = {field.name: field for field in fields}
    if len(by_name) != len(fields):
        raise ValueError("two fields have one name")
    return by_name


def splitter(fields: Mapping[str, Field]) -> Callable[[bytes], Mapping[str, bytes]]:
    """A function that returns the bytes of every field of a table at once, by name.

    It raises `struct.error` for data of another size than the table's.
    """
    names = tuple(fields)
    unpack = struct.Struct("".join(f"{field.size}s" for field in fields.values())).unpack
    return lambda data: dict(zip(names, unpack(data), strict=True))
