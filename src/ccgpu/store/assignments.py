"""Applies `--set os_disk.size_gib=512`: sets one value in a layer of a spec.

The value is plain or quoted text, or a list or mapping in YAML's flow style. In a mapping of free
names, such as `tags`, the rest of the path is one name, because names of tags may have dots.
"""

import re
from typing import Any

from ccgpu.errors import InvalidFile, Problem, UsageProblem
from ccgpu.store import yaml_text
from ccgpu.store.documents import FieldPath, dotted, refusal
from ccgpu.store.layers import Layer, Place


def assign(base: Layer, assignment: str) -> Layer:
    """`base` with `KEY=VALUE` applied.

    Raises:
        UsageProblem: `assignment` has no `=`.
        InvalidFile: the path or the value is invalid.
    """
    key, equals, text = assignment.partition("=")
    if not equals:
        raise UsageProblem(
            "--set needs KEY=VALUE",
            hint="for example `--set os_disk.size_gib=512`",
        )
    path = _parse_path(key.strip())
    value = _parse_value(text.strip(), path)
    values = _set_at(base.values, path, value, path)
    entries = _value_at(base.values, path[:-1])
    if value is None and _is_in_map(path) and isinstance(entries, dict) and path[-1] in entries:
        del _value_at(values, path[:-1])[path[-1]]  # null removes an entry: it has no default
    places = {inner: place for inner, place in base.places.items() if inner[: len(path)] != path}
    return Layer(values, places | {path: Place(f"--set {dotted(path)}")})


def _value_at(values: Any, path: FieldPath) -> Any:
    for step in path:
        values = values.get(step) if isinstance(values, dict) else None
    return values


def _is_in_map(path: FieldPath) -> bool:
    """Whether the path leads to an entry of a mapping of free names."""
    return 0 < _map_depth(path) < len(path)


def _map_depth(path: FieldPath) -> int:
    from ccgpu.domain.spec.structure import map_depth
    from ccgpu.domain.spec.vm import VmSpec

    return map_depth(VmSpec, path)


def _parse_path(key: str) -> FieldPath:
    parts = key.split(".")
    if not all(parts):
        raise refusal(
            "--set", f"{key[:80]!r} is not a field path, write it as in os_disk.size_gib=512"
        )
    path = tuple(int(part) if re.fullmatch("[0-9]{1,4}", part) else part for part in parts)
    depth = _map_depth(path)
    return (*path[:depth], ".".join(parts[depth:])) if 0 < depth < len(parts) else path


def _parse_value(text: str, path: FieldPath) -> Any:
    if not text.startswith(("[", "{", '"', "'")):
        return None if text in yaml_text.NULL else text
    source = f"--set {dotted(path)}"
    try:
        return yaml_text.parse(text, source)[0]
    except InvalidFile as err:  # without its line number, which belongs to no file
        inner = [".".join(filter(None, (dotted(path), p.path))) for p in err.problems]
        problems = zip(inner, err.problems, strict=True)
        raise InvalidFile(
            source, [Problem(at, p.message, source=source) for at, p in problems]
        ) from None


def _set_at(below: Any, rest: FieldPath, value: Any, path: FieldPath) -> Any:
    """A copy of `below` with `value` at `rest`, the remaining part of `path`."""
    if not rest:
        return value
    step, *deeper = rest
    if isinstance(step, int) and (below is None or isinstance(below, list)):
        return _set_in_list(below or [], step, tuple(deeper), value, path)
    if below is None or isinstance(below, dict):
        inner = (below or {}).get(str(step))
        return (below or {}) | {str(step): _set_at(inner, tuple(deeper), value, path)}
    where = dotted(path[: len(path) - len(rest)])
    if isinstance(below, list):
        raise refusal(
            f"--set {dotted(path)}", f"{where} is a list, give an index such as {where}.0"
        )
    raise refusal(f"--set {dotted(path)}", f"{where} is one value and has nothing inside to set")


def _set_in_list(
    below: list[Any], step: int, deeper: FieldPath, value: Any, path: FieldPath
) -> Any:
    if step > len(below):
        where = dotted(path[: len(path) - len(deeper) - 1])
        raise refusal(
            f"--set {dotted(path)}", f"{where} has {len(below)} entries, the next is {len(below)}"
        )
    inner = below[step] if step < len(below) else None
    return [*below[:step], _set_at(inner, deeper, value, path), *below[step + 1 :]]
