"""Validates a layer of values as a `VmSpec`, and returns problems with their places.

Paths of public key files are replaced by the keys here: the model itself never reads a file.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccgpu.errors import Problem
from ccgpu.store import keyfiles
from ccgpu.store.documents import FieldPath, dotted
from ccgpu.store.layers import Layer, Place

if TYPE_CHECKING:
    from ccgpu.domain.spec.vm import VmSpec


def validate_layer(layer: Layer, file: Path | None) -> tuple["VmSpec | None", list[Problem]]:
    """The spec and no problem, or None and every problem in the order of the file."""
    from pydantic import ValidationError

    from ccgpu.domain.spec.problems import problems_in
    from ccgpu.domain.spec.vm import VmSpec

    values = _without_nulls(layer.values)
    unread = _replace_key_files(values, layer, file)
    try:
        return VmSpec.model_validate(values), []
    except ValidationError as err:
        refused = {path: message for path, message in problems_in(err) if path not in unread}
    problems = [_problem_at(layer, path, message) for path, message in (refused | unread).items()]
    return None, sorted(problems, key=lambda p: (p.line is None, p.line or 0, p.column or 0))


def _without_nulls(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` without null fields, for which the defaults apply."""
    from ccgpu.domain.spec.structure import known_fields
    from ccgpu.domain.spec.vm import VmSpec

    known = known_fields(VmSpec)

    def without_nulls(inner: Any, path: tuple[str, ...]) -> Any:
        if isinstance(inner, list):
            return [without_nulls(item, path) for item in inner]
        if not isinstance(inner, Mapping) or path not in known:
            return inner
        return {
            key: without_nulls(value, (*path, key))
            for key, value in inner.items()
            if value is not None or key not in known[path]
        }

    return dict(without_nulls(values, ()))


def _replace_key_files(
    values: dict[str, Any], layer: Layer, file: Path | None
) -> dict[FieldPath, str]:
    """Replace key files by their lines in `values`; return the entries that cannot be read."""
    entries = values.get("ssh_keys")
    if not isinstance(entries, list | tuple):
        return {}
    keys = list(entries)
    unread: dict[FieldPath, str] = {}
    for index, entry in enumerate(keys):
        path = ("ssh_keys", index)
        place = layer.place(path)
        from_file = file is not None and place is not None and place.source == str(file)
        folder = file.parent if file is not None and from_file else Path()
        if isinstance(entry, str) and keyfiles.is_path(entry):
            try:
                keys[index] = keyfiles.key_line(entry, folder)
            except ValueError as err:
                unread[path] = str(err)
    values["ssh_keys"] = keys
    return unread


def _problem_at(layer: Layer, path: FieldPath, message: str) -> Problem:
    source, line, column = layer.place(path) or Place("the command line")
    return Problem(dotted(path), message, line, column, source)
