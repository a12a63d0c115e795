"""Layers of a spec: values with their places, merged in order.

Mappings are merged, other values and lists are replaced. Null removes a value, so that the default
applies (JSON Merge Patch, RFC 7396).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ccgpu.store.documents import Document, FieldPath


class Place(NamedTuple):
    """The origin of a value: a file with line and column, `--set …`, or a flag."""

    source: str
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """Values of a spec, and their places for error messages."""

    values: dict[str, Any] = field(default_factory=dict)
    places: Mapping[FieldPath, Place] = field(default_factory=dict)

    def place(self, path: FieldPath) -> Place | None:
        """The place of the value at `path`, or of the nearest value around it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return None


def document_layer(document: Document) -> Layer:
    """The layer of a file, without `$schema`, which is for editors."""
    values = {key: value for key, value in document.values.items() if key != "$schema"}
    places = {path: Place(document.source, *mark) for path, mark in document.marks.items()}
    return Layer(values, places)


def overlay(base: Layer, over: Layer) -> Layer:
    """`base` with `over` merged into it, and the places of the result."""
    replaced = tuple(_replaced_paths(base.values, over.values))
    kept = {
        path: place
        for path, place in base.places.items()
        if not any(path[: len(cut)] == cut for cut in replaced)
    }
    return Layer(merge(base.values, over.values), kept | dict(over.places))


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` merged into it; neither is changed."""
    result = dict(base)
    for key, value in over.items():
        below = base.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            result[key] = merge(below, value)
        else:
            result[key] = value
    return result


def _replaced_paths(
    base: Mapping[str, Any], over: Mapping[str, Any], path: FieldPath = ()
) -> Iterator[FieldPath]:
    for key, value in over.items():
        below = base.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            yield from _replaced_paths(below, value, (*path, key))
        else:
            yield (*path, key)
