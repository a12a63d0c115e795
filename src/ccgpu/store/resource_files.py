"""Files of ARM resources, as a GET or a list tells them: JSON, or YAML with one document or more.

YAML's unquoted scalars are texts to our reader; here they become numbers and truth values where a
resource has them, and nowhere else: a tag is a text, whatever it looks like.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ccgpu.store.documents import MAX_BYTES, FieldPath, Mark, decode_text, reason, refusal

STDIN = "-"
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
_TRUTH = {"true": True, "false": False}


class ResourceEntry(NamedTuple):
    """A resource of a file, where it stands, and the marks of its document."""

    value: Any
    path: FieldPath
    marks: Mapping[FieldPath, Mark]

    def mark_of(self, below: FieldPath) -> Mark | None:
        """The place of a field, or of the nearest thing around it."""
        path = (*self.path, *below)
        for end in range(len(path), -1, -1):
            if mark := self.marks.get(path[:end]):
                return mark
        return None


def read(name: str) -> tuple[str, list[ResourceEntry]]:
    """The source's name and all resources of a file, or of standard input for `-`."""
    source = "standard input" if name == STDIN else name
    try:
        if name == STDIN:
            raw = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(name).open("rb") as stream:
                raw = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as err:
        raise refusal(source, f"cannot be read: {reason(err)}") from err
    return source, parse(raw, source, Path(name).suffix.lower())


def parse(raw: bytes, source: str, suffix: str = "") -> list[ResourceEntry]:
    """All resources of the bytes; refuses what holds none."""
    from ccgpu.store import json_text, yaml_text

    text = decode_text(raw, source)
    json = suffix == ".json" or (
        suffix not in (".yaml", ".yml") and text.lstrip()[:1] in ("{", "[")
    )
    if json:
        documents = [json_text.parse(text, source)]
    else:
        documents = [(_typed(one), marks) for one, marks in yaml_text.parse_all(text, source)]
    found = [entry for value, marks in documents for entry in _entries(value, marks)]
    if not found:
        raise refusal(source, "holds no resource", Mark(1, 1))
    return found


def _entries(value: Any, marks: Mapping[FieldPath, Mark]) -> Iterator[ResourceEntry]:
    """A list, the `value` of a list's answer, or one resource."""
    at: FieldPath = ()
    if isinstance(value, dict) and "id" not in value and isinstance(value.get("value"), list):
        value, at = value["value"], ("value",)
    if not isinstance(value, list):
        yield ResourceEntry(value, at, marks)
        return
    for number, one in enumerate(value):
        yield ResourceEntry(one, (*at, number), marks)


def _typed(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {k: one if k == "tags" else _typed(one, k) for k, one in value.items()}
    if isinstance(value, list):
        return [_typed(one, key) for one in value]
    if not isinstance(value, str):
        return value
    if key in _NUMBERS and re.fullmatch(r"[0-9]{1,15}", value):
        return int(value)
    return _TRUTH.get(value, value)
