"""A spec in which every field that was not given has the live value of the deployment.

So a default never changes or replaces a VM. A field that was given keeps its value. A live value
that no spec may have, or that contradicts a given field, is left out.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from ccgpu.domain.desired import Names
from ccgpu.domain.given import GivenFields, RememberedSpec, remember
from ccgpu.domain.live_values import Bodies, Values, live_sources, live_values
from ccgpu.domain.spec.structure import field_at, section_at
from ccgpu.domain.spec.vm import VmSpec


def with_live_values(spec: VmSpec, given: Iterable[str], names: Names, actual: Bodies) -> VmSpec:
    """`spec`, with the live value of each field that is not in `given`.

    Args:
        spec: the spec that was asked for.
        given: the fields whose values stay as they are.
        names: the ids of the deployment's resources.
        actual: the GET bodies of what exists, by `key` of their ids; with disks and network
            interfaces among them more is known.
    """
    bound = frozenset(given)
    there = live_values(spec, names, actual)
    if "regions" in bound and there.get("regions", spec.regions)[0] not in spec.regions:
        there.pop("zone", None)  # the number of a zone means nothing in another region
    found = {field: value for field, value in there.items() if field not in bound}
    filled = _valid_spec(spec, found, bound)
    sources = None if "ssh_from" in bound else live_sources(names, actual)
    inside = filled.private and filled.ssh_from == "auto"
    if sources is None or sources == ("VirtualNetwork" if inside else filled.ssh_from):
        return filled
    # A rule changed by hand may be more than a spec can express: a service tag, several networks.
    return filled.model_copy(update={"ssh_from": sources})


def _valid_spec(spec: VmSpec, found: Values, bound: frozenset[str]) -> VmSpec:
    """The spec with as many of the live values `found` as make a valid spec."""
    while True:
        try:
            return VmSpec.model_validate(_merge(spec, found, bound))
        except ValidationError as err:
            refused = {".".join(field_at(VmSpec, problem["loc"])) for problem in err.errors()}
            wrong = refused & found.keys()
            wrong = wrong or _contradicting_fields(spec, found, bound)
            if not wrong:
                return spec
            found = {field: value for field, value in found.items() if field not in wrong}


def _contradicting_fields(spec: VmSpec, found: Values, bound: frozenset[str]) -> set[str]:
    """The one live value that the given fields contradict."""
    for field in found:
        rest = {name: value for name, value in found.items() if name != field}
        try:
            VmSpec.model_validate(_merge(spec, rest, bound))
        except ValidationError:
            continue
        return {field}
    return set()


def resumable(asked: VmSpec, given: GivenFields, filled: VmSpec) -> RememberedSpec:
    """What to remember while a VM is being replaced: once it is deleted, nothing else has it."""
    own = ("ssh_from", "ssh_from_anywhere", "ttl")  # the NSG and the tags stay, so these do too
    kept = filled.model_copy(update={field: getattr(asked, field) for field in own})
    taken = live_fields(asked, kept)
    named = {f"tags.{name}" for name in kept.tags} if "tags" in taken else set()
    try:
        VmSpec.model_validate(kept.model_dump(mode="json"))
    except ValidationError:
        return remember(asked, given)
    return remember(kept, GivenFields(given.ever | taken | named))


def live_fields(asked: VmSpec, spec: VmSpec) -> frozenset[str]:
    """The fields whose values in `spec` are not those of `asked`."""
    before, after = _flat(asked), _flat(spec)
    return frozenset(field for field in before if before[field] != after[field])


def _flat(spec: VmSpec) -> Values:
    """The values of all fields that are no section, by their dotted paths."""
    return dict(_flat_items(VmSpec, spec.model_dump(mode="json"), ""))


def _flat_items(model: type[BaseModel], values: Values, above: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        section = section_at(model, name)
        if section is not None and value is not None:
            yield from _flat_items(section, value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _merge(spec: VmSpec, found: Values, bound: frozenset[str]) -> Values:
    values = _flat(spec) | found
    if "tags" in found:
        mine = {name: value for name, value in spec.tags.items() if f"tags.{name}" in bound}
        taken = {name.casefold() for name in mine}
        live = {k: v for k, v in found["tags"].items() if k.casefold() not in taken}
        values["tags"] = live | mine
    nested: Values = {}
    for field, value in values.items():
        *sections, name = field.split(".")
        inner = nested
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[name] = value
    return nested
