"""Layers of a spec, one over the other, with the place each value came from.

Mappings merge and all else is replaced, lists too; null over a value takes it away again, back to
the default (JSON Merge Patch, RFC 7396). Laying nothing over a layer changes nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ccgpu.store.documents import Document, FieldPath


class Place(NamedTuple):
    """Where a value was given: a file with line and column, `--set …`, or a flag."""

    source: str
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """Values, and the places of those that a problem may speak of."""

    values: dict[str, Any] = field(default_factory=dict)
    places: Mapping[FieldPath, Place] = field(default_factory=dict)

    def place(self, path: FieldPath) -> Place | None:
        """The place of the value at `path`, or of the nearest thing around it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return None


def of_document(document: Document) -> Layer:
    """A file as a layer. `$schema` is for editors and means nothing here."""
    values = {key: value for key, value in document.values.items() if key != "$schema"}
    places = {path: Place(document.source, *mark) for path, mark in document.marks.items()}
    return Layer(values, places)


def overlay(base: Layer, over: Layer) -> Layer:
    """`base`, with all that `over` says instead."""
    gone = tuple(_replaced(base.values, over.values))
    kept = {
        path: place
        for path, place in base.places.items()
        if not any(path[: len(cut)] == cut for cut in gone)
    }
    return Layer(merged(base.values, over.values), kept | dict(over.places))


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` merged into it; neither is changed."""
    result = dict(base)
    for key, value in over.items():
        below = base.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            result[key] = merged(below, value)
        else:
            result[key] = value
    return result


def _replaced(
    base: Mapping[str, Any], over: Mapping[str, Any], path: FieldPath = ()
) -> Iterator[FieldPath]:
    for key, value in over.items():
        below = base.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            yield from _replaced(below, value, (*path, key))
        else:
            yield (*path, key)
