"""Files that people write, as values with the place of each: YAML or JSON, small and plain.

Limits are checked here, before anything interprets a document: its size is known before it is
parsed, and whatever it contains, reading ends in a `Document` or an `InvalidFile`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ccgpu.errors import InvalidFile, Problem

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20

FieldPath = tuple[str | int, ...]


class Mark(NamedTuple):
    """A place in a document, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Document:
    """The values of a file and their places. `marks` has each key, each entry, and `()` for all."""

    source: str
    values: Mapping[str, Any]
    marks: Mapping[FieldPath, Mark]


def read(path: Path) -> Document:
    """Read a YAML or JSON file (`.json`, or a text that starts as a JSON object)."""
    return read_with_bytes(path)[1]


def read_with_bytes(path: Path) -> tuple[bytes, Document]:
    """The same, and the bytes that were read: the file might change before a second reading."""
    source = str(path)
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as err:  # ValueError: a path that no system call takes
        raise refusal(source, f"cannot be read: {reason(err)}") from err
    suffix = path.suffix.lower()
    return raw, parse(raw, source, json=_is_json(raw, suffix))


def parse(raw: bytes, source: str, *, json: bool = False) -> Document:
    """Read the bytes of a document that came from `source`."""
    from ccgpu.store import json_text, yaml_text

    text = decode_text(raw, source)
    values, marks = (json_text if json else yaml_text).parse(text, source)
    if not isinstance(values, dict):
        raise refusal(source, "is not a mapping: write fields, as in `private: true`", Mark(1, 1))
    return Document(source, values, marks)


def refusal(
    source: str, message: str, mark: Mark | None = None, path: FieldPath = ()
) -> InvalidFile:
    """An error with one reason why a document cannot be used."""
    line, column = mark or (None, None)
    return InvalidFile(source, [Problem(dotted(path), message, line, column, source)])


def dotted(path: FieldPath) -> str:
    """A field's path as users write it: `data_disks.0.size_gib`; safe to print."""
    return ".".join(_printable(str(part)[:80]) for part in path)


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)[1:-1]


def reason(err: OSError | ValueError) -> str:
    """The reason of the operating system, in its words, without the path."""
    return (err.strerror if isinstance(err, OSError) else None) or "not a usable path"


def mark_at(text: str, position: int) -> Mark:
    """The place of a character."""
    return Mark(text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position))


def _is_json(raw: bytes, suffix: str) -> bool:
    if suffix in (".yaml", ".yml"):
        return False
    return suffix == ".json" or raw.lstrip().startswith(b"{")


def decode_text(raw: bytes, source: str) -> str:
    """The bytes as text, if their size and encoding are those of a spec."""
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
