"""A small checker of request bodies against ARM's generated resource types (bicep-types-az).

A file is one list of types that refer to each other by index. Flags of a property: 1 required,
2 read-only, 8 fixed when deployed (what the URL of a PUT says). What it cannot know: numbers with
a fraction (there is no such type), and values of enumerations that are open to any string.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_REQUIRED, _READ_ONLY, _IN_URL = 1, 2, 8
_FRACTIONS = frozenset({"maxPrice"})
_PLAIN = {"StringType": str, "BooleanType": bool, "IntegerType": int, "ArrayType": list}

Type = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ResourceTypes:
    """The types of one file."""

    types: list[Type]

    @classmethod
    def read(cls, file: Path) -> "ResourceTypes":
        """The types in a file."""
        return cls(json.loads(file.read_text("utf-8")))

    def problems(self, kind: str, body: object) -> list[str]:
        """All that is wrong with the body of a PUT of this kind, each with its path."""
        return list(self._check(self._resource(kind), body, ""))

    def _resource(self, kind: str) -> Type:
        for one in self.types:
            if one["$type"] == "ResourceType" and one["name"].partition("@")[0] == kind:
                return self._at(one["body"])
        raise LookupError(f"no resource type {kind}")

    def _at(self, reference: dict[str, str]) -> Type:
        return self.types[int(reference["$ref"].removeprefix("#/"))]

    def _check(self, type_: Type, value: object, path: str) -> Iterator[str]:
        match type_["$type"]:
            case "AnyType":
                return
            case "ObjectType":
                yield from self._object(type_, value, path)
            case "UnionType":
                yield from self._union(type_, value, path)
            case "StringLiteralType":
                if value != type_["value"]:
                    yield f"{path}: {value!r} is not {type_['value']!r}"
            case name:
                yield from self._plain(name, type_, value, path)

    def _object(self, type_: Type, value: object, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{path}: {value!r} is not an object"
            return
        known, rest = type_["properties"], type_.get("additionalProperties")
        for name, inner in value.items():
            here = f"{path}.{name}".lstrip(".")
            if name in known:
                if known[name]["flags"] & _READ_ONLY:
                    yield f"{here}: is read-only"
                yield from self._check(self._at(known[name]["type"]), inner, here)
            elif rest:
                yield from self._check(self._at(rest), inner, here)
            else:
                yield f"{here}: is unknown"
        for name, one in known.items():
            needed = one["flags"] & _REQUIRED and not one["flags"] & (_READ_ONLY | _IN_URL)
            if needed and name not in value:
                yield f"{path}.{name}: is missing".lstrip(".")

    def _union(self, type_: Type, value: object, path: str) -> Iterator[str]:
        elements = [self._at(one) for one in type_["elements"]]
        if all(list(self._check(one, value, path)) for one in elements):
            words = [str(one.get("value", one["$type"])) for one in elements]
            yield f"{path}: {value!r} is none of {', '.join(words)}"

    def _plain(self, name: str, type_: Type, value: object, path: str) -> Iterator[str]:
        wanted: tuple[type, ...] = (_PLAIN[name],)
        if name == "IntegerType" and path.rpartition(".")[2] in _FRACTIONS:
            wanted = (int, float)
        if not isinstance(value, wanted) or (isinstance(value, bool) and name != "BooleanType"):
            yield f"{path}: {value!r} is not a {name.removesuffix('Type').lower()}"
        elif isinstance(value, list):
            for at, item in enumerate(value):
                yield from self._check(self._at(type_["itemType"]), item, f"{path}.{at}")
        elif isinstance(value, str):
            yield from _text(type_, value, path)
        elif isinstance(value, int | float):
            yield from _number(type_, value, path)


def _text(type_: Type, value: str, path: str) -> Iterator[str]:
    if not type_.get("minLength", 0) <= len(value) <= type_.get("maxLength", len(value)):
        yield f"{path}: has {len(value)} characters"
    if not re.search(type_.get("pattern", ""), value):
        yield f"{path}: does not match {type_['pattern']}"


def _number(type_: Type, value: float, path: str) -> Iterator[str]:
    if not type_.get("minValue", value) <= value <= type_.get("maxValue", value):
        yield f"{path}: {value} is out of range"
