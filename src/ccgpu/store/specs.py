"""Specs out of files, templates, `--set` and flags: later ones win, and every problem has a place.

`build` gives a `VmSpec` or an `InvalidFile` that names all that is wrong, wherever it was said.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccgpu.domain.given import AskedSpec, RememberedSpec
from ccgpu.errors import InvalidFile, Problem, UsageProblem
from ccgpu.store import assignments, documents, layers, spec_memory, spec_templates
from ccgpu.store.documents import Document, FieldPath, dotted
from ccgpu.store.layers import Layer, Place
from ccgpu.store.spec_reading import validated
from ccgpu.store.spec_templates import Template, templates

if TYPE_CHECKING:
    from ccgpu.domain.spec import VmSpec

__all__ = ["Document", "Template", "asked", "build", "check", "read", "templates"]

Recall = Callable[[str], RememberedSpec | None]

read = documents.read

HINT = "`ccgpu schema spec` prints every field"
# Flags whose names are not the field's own (cli.md, "Flags of `create`").
FLAGS: Mapping[str, str] = {
    "name": "NAME",
    "regions": "--region",
    "ssh_keys": "--ssh-key",
    "data_disks": "--data-disk",
    "identities": "--identity",
    "tags": "--tag",
    "os_disk.size_gib": "--os-disk-gib",
    "os_disk.encryption": "--disk-encryption",
    "os_disk.encryption_set": "--disk-encryption-set",
    "secure_boot": "--no-secure-boot",
}


# Stands in for a name that is still to come; it is valid, so that only real problems show.
_PLACEHOLDER = "unnamed"


def build(
    name: str | None,
    *,
    file: Path | None = None,
    template: str | None = None,
    sets: Sequence[str] = (),
    flags: Mapping[str, Any] = {},
    otherwise: str | None = None,
) -> "VmSpec":
    """The spec that the command line asks for: flags over `--set` over file over template.

    `flags` is a nested mapping of fields; None in it means that the flag was not given. `otherwise`
    is the name where none is given at all.
    """
    return asked(
        name, file=file, template=template, sets=sets, flags=flags, otherwise=otherwise
    ).spec


def asked(
    name: str | None,
    *,
    file: Path | None = None,
    template: str | None = None,
    sets: Sequence[str] = (),
    flags: Mapping[str, Any] = {},
    otherwise: str | None = None,
    recall: Recall = lambda _: None,
) -> AskedSpec:
    """As `build`, and which fields somebody gave.

    `recall` gives the spec of the last create of a name: what is begun with where there is neither
    file nor template, for a file is the whole of what it asks for.
    """
    known = name or _name_of(sets)
    memory = recall(known) if known and file is None and template is None else None
    layer = spec_memory.layer(memory, known) if memory and known else Layer()
    if template is not None:
        layer = _of_template(template)
    if file is not None:
        layer = layers.overlay(layer, layers.of_document(read(file)))
    for assignment in sets:
        layer = assignments.assign(layer, assignment)
    layer = layers.overlay(layer, _of_flags(flags))
    if name is None and "name" not in layer.values:
        name = otherwise
    spec = _validated(layer, name, file)
    given = spec_memory.given_fields(layer, memory, spec.name)
    named = {one.partition("=")[0].strip() for one in sets} | set(
        map(dotted, _leaves(_given(flags)))
    )
    return AskedSpec(spec, replace(given, by_flag=given.now & named))


def _validated(layer: Layer, name: str | None, file: Path | None) -> "VmSpec":
    problems = _name_problems(layer, name)
    given = name if name is not None else layer.values.get("name")
    spec, found = validated(_with_name(layer, name), file)
    problems += found
    if problems:
        raise _refusal(problems, file)
    if given is None or spec is None:
        raise UsageProblem(
            "the VM has no name", hint="give a name: `ccgpu create NAME`, or `name:` in the spec"
        )
    return spec


def _name_of(sets: Sequence[str]) -> str | None:
    """The name that `--set name=…` gives."""
    pairs = (one.partition("=") for one in sets)
    return next((value.strip() for key, _, value in pairs if key.strip() == "name"), None)


def check(path: Path) -> list[Problem]:
    """All that is wrong with a spec file; a spec may leave its name to the command line."""
    try:
        layer = layers.of_document(read(path))
    except InvalidFile as err:
        return list(err.problems)
    return validated(_with_name(layer, None), path)[1]


def _of_template(name: str) -> Layer:
    text = spec_templates.named(name).text
    return layers.of_document(documents.parse(text.encode(), f"template {name}"))


def _of_flags(flags: Mapping[str, Any]) -> Layer:
    given = _given(flags)
    return Layer(given, {path: Place(_flag(path)) for path in _leaves(given)})


def _given(flags: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _given(value) if isinstance(value, Mapping) else value
        for key, value in flags.items()
        if value is not None
    }


def _leaves(values: Mapping[str, Any], path: FieldPath = ()) -> Iterator[FieldPath]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key)


def _flag(path: FieldPath) -> str:
    own = FLAGS.get(dotted(path)) or FLAGS.get(str(path[0]))
    return own or "--" + dotted(path).replace("_", "-").replace(".", "-")


def _name_problems(layer: Layer, name: str | None) -> list[Problem]:
    inside = layer.values.get("name")
    if name is None or inside is None or inside == name:
        return []
    source, line, column = layer.place(("name",)) or Place("NAME")
    message = f"is {inside!r} here and {name!r} on the command line: leave one of them out"
    return [Problem("name", message, line, column, source)]


def _with_name(layer: Layer, name: str | None) -> Layer:
    if name is not None:
        return Layer(layer.values | {"name": name}, {**layer.places, ("name",): Place("NAME")})
    if layer.values.get("name") is None:
        return Layer(layer.values | {"name": _PLACEHOLDER}, layer.places)
    return layer


def _refusal(problems: list[Problem], file: Path | None) -> InvalidFile:
    sources = {problem.source for problem in problems}
    hint = spec_memory.HINT if any(map(spec_memory.is_source, sources)) else HINT
    main = str(file) if file is not None else "the command line"
    source = sources.pop() if len(sources) == 1 else main
    return InvalidFile(source or main, problems, hint=hint)
