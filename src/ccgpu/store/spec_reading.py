"""Validates a layer of values as a `VmSpec`, and returns problems with their places.

Paths of public key files and of cloud-init files are replaced by what they hold: the model itself
never reads a file. The files of secrets are not read: their paths become absolute. The driver is
looked up in the table that ships with ccgpu.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ccgpu.errors import Problem
from ccgpu.store import cloud_init_files, driver_table, keyfiles, spec_memory
from ccgpu.store.documents import FieldPath, dotted
from ccgpu.store.layers import Layer, Place
from ccgpu.store.measured_sources import measured_problems, room_problems
from ccgpu.store.named_files import absolute

if TYPE_CHECKING:
    from ccgpu.domain.spec.vm import VmSpec


def validate_layer(layer: Layer, file: Path | None) -> tuple["VmSpec | None", list[Problem]]:
    """The spec and no problem, or None and every problem in the order of the file."""
    from pydantic import ValidationError

    from ccgpu.domain.spec.problems import problems_in
    from ccgpu.domain.spec.vm import VmSpec

    values = _without_nulls(layer.values)
    found: dict[FieldPath, str] = {}
    for named in _NAMED_FILES:
        found |= _replace_files(values, named, layer, file)
    _place_secret_files(values, layer, file)
    found |= _driver_problem(values, layer)
    found |= measured_problems(values)
    spec = None
    try:
        spec = VmSpec.model_validate(values)
    except ValidationError as err:
        found = {path: message for path, message in problems_in(err) if path not in found} | found
    if spec is not None and not found:
        found |= room_problems(spec)
    if spec is not None and not found:
        return spec, []
    problems = [_problem_at(layer, path, message) for path, message in found.items()]
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


class _NamedFiles(NamedTuple):
    """A list of the spec whose entries may be paths of files.

    is_path: whether an entry is one. read: its text, which `check` refuses with ValueError.
    """

    field: tuple[str, ...]
    is_path: Callable[[str], bool]
    read: Callable[[str, Path], str]
    check: Callable[[str], None] = lambda _: None


_NAMED_FILES = (
    _NamedFiles(("ssh_keys",), keyfiles.is_path, keyfiles.key_line),
    _NamedFiles(
        ("guest", "cloud_init"),
        cloud_init_files.is_path,
        cloud_init_files.part_text,
        cloud_init_files.check_part,
    ),
)


def _replace_files(
    values: dict[str, Any], named: _NamedFiles, layer: Layer, file: Path | None
) -> dict[FieldPath, str]:
    """Replace paths by what the files hold in `values`; return the entries that are refused."""
    *above, name = named.field
    section: Any = values
    for part in above:
        section = section.get(part) if isinstance(section, dict) else None
    entries = section.get(name) if isinstance(section, dict) else None
    if not isinstance(entries, list | tuple):
        return {}
    texts = list(entries)
    unread: dict[FieldPath, str] = {}
    for index, entry in enumerate(texts):
        path: FieldPath = (*named.field, index)
        if not isinstance(entry, str):
            continue
        try:
            folder = _folder_of(path, layer, file)
            texts[index] = named.read(entry, folder) if named.is_path(entry) else entry
            named.check(texts[index])
        except ValueError as err:
            unread[path] = str(err)
    section[name] = texts
    return unread


def _folder_of(path: FieldPath, layer: Layer, file: Path | None) -> Path:
    """What a relative path at `path` is relative to: the spec file's folder, else the current."""
    place = layer.place(path)
    from_file = file is not None and place is not None and place.source == str(file)
    return file.parent if file is not None and from_file else Path()


def _place_secret_files(values: dict[str, Any], layer: Layer, file: Path | None) -> None:
    """Make the paths of secrets' files absolute, so that they mean the same later."""
    entries = values.get("secrets")
    if not isinstance(entries, list | tuple):
        return
    placed = list(entries)
    for index, entry in enumerate(entries):
        named = entry.get("file") if isinstance(entry, Mapping) else None
        if isinstance(named, str) and named.strip():
            folder = _folder_of(("secrets", index, "file"), layer, file)
            placed[index] = {**entry, "file": absolute(named, folder)}
    values["secrets"] = placed


def _driver_problem(values: dict[str, Any], layer: Layer) -> dict[FieldPath, str]:
    """Why a driver that is given now is not offered.

    That of the last create may not be offered any more. An existing VM keeps it, and
    `workflows.create.first_boot` refuses it for a new one.
    """
    path = ("guest", "driver")
    section = values.get("guest")
    wanted = section.get("driver") if isinstance(section, dict) else None
    place = layer.place(path)
    from_memory = place is not None and spec_memory.is_source(place.source)
    if not isinstance(wanted, str | int) or isinstance(wanted, bool) or from_memory:
        return {}
    try:
        driver_table.shipped().resolve(str(wanted))
    except ValueError as err:
        return {path: str(err)}
    return {}


def _problem_at(layer: Layer, path: FieldPath, message: str) -> Problem:
    source, line, column = layer.place(path) or Place("the command line")
    return Problem(dotted(path), message, line, column, source)
