"""The spec of the last create as the lowest layer of the next one."""

from collections.abc import Collection
from typing import Any

from ccgpu.domain.given import GivenFields, RememberedSpec, field_paths
from ccgpu.store.documents import FieldPath
from ccgpu.store.layers import Layer, Place, merge

HINT = "`ccgpu schema spec` prints every field; `--fresh` starts from the defaults"
_SOURCE = "the last create of "


def source(name: str) -> str:
    """The name of this source in error messages."""
    return f"{_SOURCE}{name}"


def is_source(text: str | None) -> bool:
    """Whether a source's name is that of the last create."""
    return text is not None and text.startswith(_SOURCE)


def layer(memory: RememberedSpec, name: str) -> Layer:
    """The layer of the fields given to the last create, and of defaults changed since then."""
    from ccgpu.domain.spec.vm import VmSpec

    defaults = dict(field_paths(VmSpec(name=name).model_dump(mode="json")))
    kept = {
        path: value
        for path, value in field_paths(memory.values)
        if ".".join(path) in memory.given or defaults.get(path) != value
    }
    values: dict[str, Any] = {}
    for path, value in kept.items():
        values = merge(values, _nested(path, value))
    return Layer(values, {path: Place(source(name)) for path in kept})


def given_fields(
    built: Layer, memory: RememberedSpec | None, name: str, defaults: Layer
) -> GivenFields:
    """Which fields of the layers were given now, and which come from `memory`.

    A value of the user's `defaults` was given by neither: it never changes an existing VM.
    """
    own = {place.source for place in defaults.places.values()}
    paths = {
        ".".join(path): path
        for path, _ in field_paths(built.values)
        if path != ("name",) and not _is_from(built, path, own)
    }
    remembered = [f for f, path in paths.items() if memory and _is_remembered(built, path, name)]
    earlier = memory.given if memory else ()
    return GivenFields(
        frozenset(paths) - frozenset(remembered),
        tuple(field for field in remembered if field in earlier),
        tuple(field for field in remembered if field not in earlier),
    )


def _is_remembered(built: Layer, path: FieldPath, name: str) -> bool:
    """Whether every part of the field's value, such as each list entry, is remembered."""
    return _is_from(built, path, {source(name)})


def _is_from(built: Layer, path: FieldPath, sources: Collection[str]) -> bool:
    """Whether every part of the field's value has one of these sources."""
    inside = [place for inner, place in built.places.items() if inner[: len(path)] == path]
    places = inside or [place for place in [built.place(path)] if place is not None]
    return bool(places) and all(place.source in sources for place in places)


def _nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    head, *rest = path
    return {head: _nested(tuple(rest), value) if rest else value}
