"""Reads YAML and JSON files as plain values with their line and column.

Size and encoding are checked before the document is parsed. For any content, reading returns a
`Document` or raises `InvalidFile`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ccgpu.errors import InvalidFile, Problem
from ccgpu.store.input_files import input_name, read_head

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20

FieldPath = tuple[str | int, ...]


class Mark(NamedTuple):
    """Line and column in a document, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Document:
    """The values of a file. `marks` has the place of each field and list entry; `()`: the root."""

    source: str
    values: Mapping[str, Any]
    marks: Mapping[FieldPath, Mark]


def read(path: Path) -> Document:
    """Read a YAML or JSON file (`.json`, or a text that starts as a JSON object), or `-`."""
    return read_with_bytes(path)[1]


def read_with_bytes(path: Path) -> tuple[bytes, Document]:
    """As `read`, with the bytes that were parsed: a second read might return others."""
    source = input_name(path)
    try:
        raw = read_head(path, MAX_BYTES + 1)
    except (OSError, ValueError) as err:  # ValueError: a path that no system call takes
        raise refusal(source, f"cannot be read: {reason(err)}") from err
    suffix = path.suffix.lower()
    return raw, parse(raw, source, json=_is_json(raw, suffix))


def parse(raw: bytes, source: str, *, json: bool = False) -> Document:
    """Parse the bytes of a document; `source` is its name in errors."""
    from ccgpu.store import json_text, yaml_text

    text = decode_text(raw, source)
    values, marks = (json_text if json else yaml_text).parse(text, source)
    if not isinstance(values, dict):
        raise refusal(source, "is not a mapping: write fields, as in `private: true`", Mark(1, 1))
    return Document(source, values, marks)


def refusal(
    source: str, message: str, mark: Mark | None = None, path: FieldPath = ()
) -> InvalidFile:
    """An `InvalidFile` error with one problem."""
    line, column = mark or (None, None)
    return InvalidFile(source, [Problem(dotted(path), message, line, column, source)])


def dotted(path: FieldPath) -> str:
    """A field's path as users write it: `data_disks.0.size_gib`; safe to print."""
    return ".".join(_printable(str(part)[:80]) for part in path)


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)[1:-1]


def reason(err: OSError | ValueError) -> str:
    """The operating system's message, without the path."""
    return (err.strerror if isinstance(err, OSError) else None) or "not a usable path"


def mark_at(text: str, position: int) -> Mark:
    """Line and column of the character at `position`."""
    return Mark(text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position))


def _is_json(raw: bytes, suffix: str) -> bool:
    if suffix in (".yaml", ".yml"):
        return False
    return suffix == ".json" or raw.lstrip().startswith(b"{")


def decode_text(raw: bytes, source: str) -> str:
    """Decode UTF-8 text.

    Raises:
        InvalidFile: the text is too large, not UTF-8, or has a NUL byte.
    """
    if len(raw) > MAX_BYTES:
        raise refusal(source, f"is larger than {MAX_BYTES // 1024} KiB, too much to be a spec")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        mark = Mark(raw.count(b"\n", 0, err.start) + 1, 1)
        raise refusal(source, "is not UTF-8 text", mark) from None
    if "\0" in text:
        raise refusal(source, "holds a NUL byte", mark_at(text, text.index("\0")))
    return text
