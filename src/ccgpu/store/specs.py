"""Builds specs from defaults, templates, files, `--set` and flags, each over those before it.

`build` returns a `VmSpec`, or raises an `InvalidFile` with every problem and its place.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccgpu.domain.given import RememberedSpec, RequestedSpec, field_paths
from ccgpu.errors import InvalidFile, Problem, UsageProblem
from ccgpu.store import assignments, documents, layers, spec_memory, spec_templates
from ccgpu.store.documents import Document, FieldPath, dotted
from ccgpu.store.input_files import input_name
from ccgpu.store.layers import Layer, Place
from ccgpu.store.measured_sources import place_measured
from ccgpu.store.mistaken_files import mistaken_for
from ccgpu.store.spec_reading import validate_layer
from ccgpu.store.spec_templates import Template, templates

if TYPE_CHECKING:
    from ccgpu.domain.spec.vm import VmSpec

__all__ = ["Document", "Template", "build", "check", "read", "resolve", "templates"]

STDIN = Path("-")  # as a file: standard input
Reader = Callable[[Path], Document]
Recall = Callable[[str], RememberedSpec | None]

read = documents.read

HINT = "`ccgpu schema spec` prints every field"
_NOTHING = Layer()
# A valid name for validating a spec that has none yet.
_PLACEHOLDER = "unnamed"


def build(
    name: str | None,
    *,
    file: Path | None = None,
    template: str | None = None,
    sets: Sequence[str] = (),
    flags: Mapping[str, Any] = {},
    default_name: str | None = None,
    defaults: Layer = _NOTHING,
    read_file: Reader = documents.read,
) -> "VmSpec":
    """Build the spec of a command line: flags over `--set` over file over template.

    Args:
        name: the name on the command line; a file or `--set` may give it too.
        file: the spec file.
        template: the name of a template that ships with ccgpu.
        sets: each KEY=VALUE of `--set`.
        flags: the values of the flags, as a nested mapping.
        default_name: the name if none is given.
        defaults: the user's own, below everything else.
        read_file: reads the spec file; a caller's also reads `STDIN`.
    """
    return resolve(
        name,
        file=file,
        template=template,
        sets=sets,
        flags=flags,
        default_name=default_name,
        defaults=defaults,
        read_file=read_file,
    ).spec


def resolve(
    name: str | None,
    *,
    file: Path | None = None,
    template: str | None = None,
    sets: Sequence[str] = (),
    flags: Mapping[str, Any] = {},
    default_name: str | None = None,
    recall: Recall = lambda _: None,
    defaults: Layer = _NOTHING,
    read_file: Reader = documents.read,
) -> RequestedSpec:
    """As `build`, and also return which fields were given.

    Args:
        recall: returns the spec of the last create of a name. It is the lowest layer but for
            `defaults` if there is neither file nor template.
    """
    # 1. The lowest layer: a template, a file, or the last create.
    known = name or _name_of(sets)
    memory = recall(known) if known and file is None and template is None else None
    layer = defaults
    if memory and known:
        layer = layers.overlay(layer, spec_memory.layer(memory, known))
    if template is not None:
        layer = layers.overlay(layer, _template_layer(template))
    if file is not None:
        layer = layers.overlay(layer, layers.document_layer(read_file(file)))
    # 2. `--set` and the flags.
    for assignment in sets:
        layer = assignments.assign(layer, assignment)
    layer = layers.overlay(layer, _flag_layer(flags))
    layer = place_measured(layer, file)
    if name is None and "name" not in layer.values:
        name = default_name
    # 3. Validate, and note which fields were given now or earlier.
    spec = _validate(layer, name, file)
    _require_one_reader(spec, file)
    given = spec_memory.given_fields(layer, memory, spec.name, defaults)
    named = {assigned.partition("=")[0].strip() for assigned in sets}
    named |= {dotted(path) for path, _ in field_paths(flags)}
    return RequestedSpec(spec, replace(given, by_flag=given.now & named))


def _validate(layer: Layer, name: str | None, file: Path | None) -> "VmSpec":
    problems = _name_problems(layer, name)
    effective_name = name if name is not None else layer.values.get("name")
    spec, invalid = validate_layer(_with_name(layer, name), file)
    problems += invalid
    if problems:
        raise _refusal(problems, file)
    if effective_name is None or spec is None:
        raise UsageProblem(
            "the VM has no name", hint="give NAME on the command line, or `name:` in the spec"
        )
    return spec


def _require_one_reader(spec: "VmSpec", file: Path | None) -> None:
    """Refuse a spec from standard input that has a secret which is read from there, too."""
    from_stdin = [one.name for one in spec.secrets if one.stdin]
    if file == STDIN and from_stdin:
        raise UsageProblem(
            f"the spec and its secret {from_stdin[0]} are both read from standard input",
            hint="write the spec to a file: `--file FILE`",
        )


def _name_of(sets: Sequence[str]) -> str | None:
    """The value of `--set name=…`, or None."""
    pairs = (assignment.partition("=") for assignment in sets)
    return next((value.strip() for key, _, value in pairs if key.strip() == "name"), None)


def check(path: Path, read_file: Reader = documents.read) -> list[Problem]:
    """Every problem of a spec file. The name may be missing: the command line can give it."""
    try:
        layer = layers.document_layer(read_file(path))
    except InvalidFile as err:
        return list(err.problems)
    return validate_layer(_with_name(place_measured(layer, path), None), path)[1]


def _template_layer(name: str) -> Layer:
    text = spec_templates.named(name).text
    return layers.document_layer(documents.parse(text.encode(), f"template {name}"))


def _flag_layer(flags: Mapping[str, Any]) -> Layer:
    from ccgpu.domain.spec.structure import flag_at
    from ccgpu.domain.spec.vm import VmSpec

    paths: list[FieldPath] = [path for path, _ in field_paths(flags)]
    return Layer(dict(flags), {path: Place(flag_at(VmSpec, path)) for path in paths})


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
    fields = {problem.path for problem in problems}
    hint = (file and mistaken_for("spec", input_name(file), fields)) or hint
    main = str(file) if file is not None else "the command line"
    source = sources.pop() if len(sources) == 1 else main
    return InvalidFile(source or main, problems, hint=hint)
