"""Fills the fields of a spec that were not given with the deployment's live values.

So a default never changes or replaces a VM. Given fields keep their values. A live value that is
invalid in a spec, or contradicts a given field, is not used.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from ccgpu.domain.desired import Names
from ccgpu.domain.given import GivenFields, RememberedSpec, remember
from ccgpu.domain.guest_tag import PREFIX, live_guest
from ccgpu.domain.live_values import Bodies, Values, live_sources, live_values
from ccgpu.domain.resource import DEPLOYMENT, key, tag
from ccgpu.domain.spec.structure import field_at, section_at
from ccgpu.domain.spec.vm import VmSpec


def with_live_values(spec: VmSpec, given: Iterable[str], names: Names, actual: Bodies) -> VmSpec:
    """`spec`, with the live value of each field that is not in `given`.

    Args:
        spec: the requested spec.
        given: the fields whose values stay as they are.
        names: the ids of the deployment's resources.
        actual: the GET bodies of the existing resources, by `key` of their ids. Disks and network
            interfaces may be missing; then fewer live values are known.
    """
    bound = frozenset(given)
    live = live_values(spec, names, actual)
    elsewhere = live.get("regions", spec.regions)[0] not in spec.regions
    if "regions" in bound and elsewhere and not spec.any_region:
        live.pop("zone", None)  # the number of a zone means nothing in another region
    usable = {field: value for field, value in live.items() if field not in bound}
    filled = _with_live_guest(_valid_spec(spec, usable, bound), bound, names, actual)
    sources = None if "ssh_from" in bound else live_sources(names, actual)
    inside = filled.private and filled.ssh_from == "auto"
    if sources is None or sources == ("VirtualNetwork" if inside else filled.ssh_from):
        return filled
    # A rule changed by hand may be more than a spec can express: a service tag, several networks.
    return filled.model_copy(update={"ssh_from": sources})


def _with_live_guest(spec: VmSpec, bound: frozenset[str], names: Names, actual: Bodies) -> VmSpec:
    """The spec with the section `guest` of the existing VM, but for the fields in `bound`.

    It may be more than a spec can express: a driver that is not offered any more, extra parts of
    which only the hash is known. Such a VM is kept; a new one is refused (`first_boot`).
    """
    vm = actual.get(key(names.vm))
    if vm is None or tag(vm, DEPLOYMENT) != names.deployment:
        return spec
    live = {name: value for name, value in live_guest(vm).items() if PREFIX + name not in bound}
    return spec.model_copy(update={"guest": spec.guest.model_copy(update=live)})


def _valid_spec(spec: VmSpec, live: Values, bound: frozenset[str]) -> VmSpec:
    """The spec with all live values that keep it valid."""
    while True:
        try:
            return VmSpec.model_validate(_merge(spec, live, bound))
        except ValidationError as err:
            refused = {".".join(field_at(VmSpec, problem["loc"])) for problem in err.errors()}
            wrong = refused & live.keys()
            wrong = wrong or _contradicting_fields(spec, live, bound)
            if not wrong:
                return spec
            live = {field: value for field, value in live.items() if field not in wrong}


def _contradicting_fields(spec: VmSpec, live: Values, bound: frozenset[str]) -> set[str]:
    """The first field whose live value contradicts the given fields, as a set."""
    for field in live:
        rest = {name: value for name, value in live.items() if name != field}
        try:
            VmSpec.model_validate(_merge(spec, rest, bound))
        except ValidationError:
            continue
        return {field}
    return set()


def resumable(requested: VmSpec, given: GivenFields, filled: VmSpec) -> RememberedSpec:
    """The spec to remember while a VM is replaced: after its deletion Azure has no live values."""
    own = ("ssh_from", "ssh_from_anywhere", "ttl")  # the NSG and the tags stay, so these do too
    kept = filled.model_copy(update={field: getattr(requested, field) for field in own})
    from_azure = live_fields(requested, kept)
    named = {f"tags.{name}" for name in kept.tags} if "tags" in from_azure else set()
    try:
        VmSpec.model_validate(kept.model_dump(mode="json"))
    except ValidationError:
        return remember(requested, given)
    return remember(kept, GivenFields(given.ever | from_azure | named))


def live_fields(requested: VmSpec, spec: VmSpec) -> frozenset[str]:
    """The fields whose values differ between `requested` and `spec`."""
    before, after = _flat(requested), _flat(spec)
    return frozenset(field for field in before if before[field] != after[field])


def _flat(spec: VmSpec) -> Values:
    """The values of all fields except sections, by their dotted paths."""
    return dict(_flat_items(VmSpec, spec.model_dump(mode="json"), ""))


def _flat_items(model: type[BaseModel], values: Values, above: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        section = section_at(model, name)
        if section is not None and value is not None:
            yield from _flat_items(section, value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _merge(spec: VmSpec, live: Values, bound: frozenset[str]) -> Values:
    values = _flat(spec) | live
    if "tags" in live:
        given_tags = {name: value for name, value in spec.tags.items() if f"tags.{name}" in bound}
        taken = {name.casefold() for name in given_tags}
        live_tags = {k: v for k, v in live["tags"].items() if k.casefold() not in taken}
        values["tags"] = live_tags | given_tags
    nested: Values = {}
    for field, value in values.items():
        *sections, name = field.split(".")
        inner = nested
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[name] = value
    return nested
