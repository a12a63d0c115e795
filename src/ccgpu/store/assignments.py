"""`--set os_disk.size_gib=512`: one value, put into what the layers below say.

The value is text, or a list or mapping in YAML's flow form, or quoted. `tags` takes the rest of
the path as one name, for tag names have dots in them.
"""

import re
from typing import Any

from ccgpu.errors import InvalidFile, Problem, UsageProblem
from ccgpu.store import yaml_text
from ccgpu.store.documents import FieldPath, dotted, refused
from ccgpu.store.layers import Layer, Place


def assign(base: Layer, assignment: str) -> Layer:
    """`base` after `KEY=VALUE`, or why that cannot be done."""
    key, equals, text = assignment.partition("=")
    if not equals:
        raise UsageProblem(
            "--set needs KEY=VALUE",
            hint="for example `--set os_disk.size_gib=512`",
        )
    path = _path(key.strip())
    value = _value(text.strip(), path)
    values = _placed(base.values, path, value, path)
    if value is None and path[0] == "tags" and _has_tag(base, path):
        del values["tags"][path[1]]  # a tag has no default to go back to
    places = {at: place for at, place in base.places.items() if at[: len(path)] != path}
    return Layer(values, places | {path: Place(f"--set {dotted(path)}")})


def _has_tag(base: Layer, path: FieldPath) -> bool:
    return len(path) > 1 and path[1] in (base.values.get("tags") or ())


def _path(key: str) -> FieldPath:
    parts = key.split(".")
    if not all(parts):
        raise refused(
            "--set", f"{key[:80]!r} is not a field path, write it as in os_disk.size_gib=512"
        )
    if parts[0] == "tags" and len(parts) > 1:
        return ("tags", ".".join(parts[1:]))
    return tuple(int(part) if re.fullmatch("[0-9]{1,4}", part) else part for part in parts)


def _value(text: str, path: FieldPath) -> Any:
    if not text.startswith(("[", "{", '"', "'")):
        return None if text in yaml_text.NULL else text
    source = f"--set {dotted(path)}"
    try:
        return yaml_text.parse(text, source)[0]
    except InvalidFile as err:  # a line number would be of no file
        inner = [".".join(filter(None, (dotted(path), p.path))) for p in err.problems]
        problems = zip(inner, err.problems, strict=True)
        raise InvalidFile(
            source, [Problem(at, p.message, source=source) for at, p in problems]
        ) from None


def _placed(below: Any, rest: FieldPath, value: Any, path: FieldPath) -> Any:
    """A copy of `below` in which `value` stands at `rest`, the end of `path`."""
    if not rest:
        return value
    step, *deeper = rest
    if isinstance(step, int) and (below is None or isinstance(below, list)):
        return _in_list(below or [], step, tuple(deeper), value, path)
    if below is None or isinstance(below, dict):
        inner = (below or {}).get(str(step))
        return (below or {}) | {str(step): _placed(inner, tuple(deeper), value, path)}
    where = dotted(path[: len(path) - len(rest)])
    if isinstance(below, list):
        raise refused(
            f"--set {dotted(path)}", f"{where} is a list, give an index such as {where}.0"
        )
    raise refused(f"--set {dotted(path)}", f"{where} is one value and has nothing inside to set")


def _in_list(below: list[Any], step: int, deeper: FieldPath, value: Any, path: FieldPath) -> Any:
    if step > len(below):
        where = dotted(path[: len(path) - len(deeper) - 1])
        raise refused(
            f"--set {dotted(path)}", f"{where} has {len(below)} entries, the next is {len(below)}"
        )
    inner = below[step] if step < len(below) else None
    return [*below[:step], _placed(inner, deeper, value, path), *below[step + 1 :]]
