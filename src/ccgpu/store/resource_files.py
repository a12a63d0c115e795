"""Reads files of ARM resources, in the form of a GET or list response, as JSON or YAML.

`yaml_text` returns unquoted scalars as text. Here they become numbers in known fields, and booleans
everywhere but in tags, whose values are always text.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ccgpu.store.documents import MAX_BYTES, FieldPath, Mark, decode_text, reason, refusal
from ccgpu.store.input_files import input_name, read_head

_NUMBERS = frozenset(
    [
        "priority",
        "diskSizeGB",
        "diskSizeBytes",
        "diskIOPSReadWrite",
        "diskMBpsReadWrite",
        "lun",
        "maxShares",
        "idleTimeoutInMinutes",
        "softDeleteRetentionInDays",
        "flowTimeoutInMinutes",
        "regionalReplicaCount",
        "replicaCount",
    ]
)
_BOOLEANS = {"true": True, "false": False}


class ResourceEntry(NamedTuple):
    """A resource of a file, its path in the document, and the document's marks."""

    value: Any
    path: FieldPath
    marks: Mapping[FieldPath, Mark]

    def mark_of(self, below: FieldPath) -> Mark | None:
        """The place of a field of the resource, or of the nearest parent."""
        path = (*self.path, *below)
        for end in range(len(path), -1, -1):
            if mark := self.marks.get(path[:end]):
                return mark
        return None


def read(name: str) -> tuple[str, list[ResourceEntry]]:
    """Read all resources of a file (`-`: standard input); return its name and them."""
    source = input_name(name)
    try:
        raw = read_head(Path(name), MAX_BYTES + 1)
    except (OSError, ValueError) as err:
        raise refusal(source, f"cannot be read: {reason(err)}") from err
    return source, parse(raw, source, Path(name).suffix.lower())


def parse(raw: bytes, source: str, suffix: str = "") -> list[ResourceEntry]:
    """Parse all resources; `InvalidFile` if there are none."""
    from ccgpu.store import json_text, yaml_text

    text = decode_text(raw, source)
    json = suffix == ".json" or (
        suffix not in (".yaml", ".yml") and text.lstrip()[:1] in ("{", "[")
    )
    if json:
        documents = [json_text.parse(text, source)]
    else:
        documents = [
            (_convert_scalars(one), marks) for one, marks in yaml_text.parse_all(text, source)
        ]
    entries = [entry for value, marks in documents for entry in _entries(value, marks)]
    if not entries:
        raise refusal(source, "holds no resource", Mark(1, 1))
    return entries


def _entries(value: Any, marks: Mapping[FieldPath, Mark]) -> Iterator[ResourceEntry]:
    """The resources of a document: a list, a list response (`value`), or one resource."""
    at: FieldPath = ()
    if isinstance(value, dict) and "id" not in value and isinstance(value.get("value"), list):
        value, at = value["value"], ("value",)
    if not isinstance(value, list):
        yield ResourceEntry(value, at, marks)
        return
    for number, item in enumerate(value):
        yield ResourceEntry(item, (*at, number), marks)


def _convert_scalars(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {k: item if k == "tags" else _convert_scalars(item, k) for k, item in value.items()}
    if isinstance(value, list):
        return [_convert_scalars(item, key) for item in value]
    if not isinstance(value, str):
        return value
    if key in _NUMBERS and re.fullmatch(r"[0-9]{1,15}", value):
        return int(value)
    return _BOOLEANS.get(value, value)
