"""The spec of the last create as the lowest layer of the next one, and what is left of it."""

from collections.abc import Mapping
from typing import Any

from ccgpu.domain.given import GivenFields, RememberedSpec, leaves
from ccgpu.store.documents import FieldPath
from ccgpu.store.layers import Layer, Place, merged

HINT = "`ccgpu schema spec` prints every field; `--fresh` starts from the defaults"


_SOURCE = "the last create of "


def source(name: str) -> str:
    """Where a remembered value comes from, in words."""
    return f"{_SOURCE}{name}"


def is_source(text: str | None) -> bool:
    """Whether this names the last create."""
    return text is not None and text.startswith(_SOURCE)


def layer(memory: RememberedSpec, name: str) -> Layer:
    """What was given then, and what was a default then and is none now."""
    from ccgpu.domain.spec import VmSpec

    defaults = dict(leaves(VmSpec(name=name).model_dump(mode="json")))
    kept = {
        field: value
        for field, value in leaves(memory.values)
        if field in memory.given or defaults.get(field) != value
    }
    values: dict[str, Any] = {}
    for field, value in kept.items():
        values = merged(values, _nested(_path(field), value))
    return Layer(values, {_path(field): Place(source(name)) for field in kept})


def given_fields(built: Layer, memory: RememberedSpec | None, name: str) -> GivenFields:
    """Which fields of the layers were given now, and which come from `memory`."""
    named = [field for field, _ in leaves(built.values) if field != "name"]
    remembered = [field for field in named if memory and _is_remembered(built, field, name)]
    earlier = memory.given if memory else ()
    return GivenFields(
        frozenset(named) - frozenset(remembered),
        tuple(field for field in remembered if field in earlier),
        tuple(field for field in remembered if field not in earlier),
    )


def _is_remembered(built: Layer, field: str, name: str) -> bool:
    """Whether all of the field's value comes from memory: an entry of a list may not."""
    path = _path(field)
    places = [place for at, place in built.places.items() if at[: len(path)] == path]
    places = places or [place for place in [built.place(path)] if place is not None]
    return bool(places) and all(place.source == source(name) for place in places)


def _path(field: str) -> FieldPath:
    section, dot, rest = field.partition(".")
    return (section, rest) if dot else (section,)


def _nested(path: FieldPath, value: Any) -> Mapping[str, Any]:
    head, *rest = path
    return {str(head): _nested(tuple(rest), value) if rest else value}
