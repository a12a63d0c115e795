"""A spec in which every field that nobody gave says what the deployment has already.

So a default is never a reason to change or to replace a VM. A field that was given keeps its word.
A live value that no spec may hold, or that contradicts a given field, is left out.
"""

from collections.abc import Iterable

from pydantic import ValidationError

from ccgpu.domain.desired import Names
from ccgpu.domain.given import GivenFields, RememberedSpec, remember
from ccgpu.domain.live_values import Bodies, Values, live_sources, live_values
from ccgpu.domain.spec import OsDisk, VmSpec


def with_live_values(spec: VmSpec, given: Iterable[str], names: Names, actual: Bodies) -> VmSpec:
    """`spec`, with the live value of each field that is not in `given`.

    `actual` has the GET bodies of the deployment's resources by `key` of their ids: the more of
    disks and network interfaces are among them, the more is known.
    """
    bound = frozenset(given)
    there = live_values(spec, names, actual)
    if "regions" in bound and there.get("regions", spec.regions)[0] not in spec.regions:
        there.pop("zone", None)  # the number of a zone means nothing in another region
    found = {field: value for field, value in there.items() if field not in bound}
    filled = _valid(spec, found, bound)
    sources = None if "ssh_from" in bound else live_sources(names, actual)
    inside = filled.private and filled.ssh_from == "auto"
    if sources is None or sources == ("VirtualNetwork" if inside else filled.ssh_from):
        return filled
    # What was allowed by hand may be more than a spec can say: a service tag, several networks.
    return filled.model_copy(update={"ssh_from": sources})


def _valid(spec: VmSpec, found: Values, bound: frozenset[str]) -> VmSpec:
    """The spec with as many of `found` as can be said together."""
    while True:
        try:
            return VmSpec.model_validate(_merged(spec, found, bound))
        except ValidationError as err:
            wrong = {_field(problem["loc"]) for problem in err.errors()} & found.keys()
            wrong = wrong or _contradicting(spec, found, bound)
            if not wrong:
                return spec
            found = {field: value for field, value in found.items() if field not in wrong}


def _contradicting(spec: VmSpec, found: Values, bound: frozenset[str]) -> set[str]:
    """The one live value that the given fields contradict."""
    for field in found:
        rest = {name: value for name, value in found.items() if name != field}
        try:
            VmSpec.model_validate(_merged(spec, rest, bound))
        except ValidationError:
            continue
        return {field}
    return set()


def resumable(asked: VmSpec, given: GivenFields, filled: VmSpec) -> RememberedSpec:
    """What to remember while a VM is being replaced: nothing else will know what it was like."""
    own = ("ssh_from", "ssh_from_anywhere", "ttl")  # these stay as asked: the NSG and tags stay too
    kept = filled.model_copy(update={field: getattr(asked, field) for field in own})
    taken = live_fields(asked, kept)
    named = {f"tags.{name}" for name in kept.tags} if "tags" in taken else set()
    try:
        VmSpec.model_validate(kept.model_dump(mode="json"))
    except ValidationError:
        return remember(asked, given)
    return remember(kept, GivenFields(given.ever | taken | named))


def live_fields(asked: VmSpec, spec: VmSpec) -> frozenset[str]:
    """The fields in which `spec` has live values that `asked` has otherwise."""
    before, after = _flat(asked), _flat(spec)
    return frozenset(field for field in before if before[field] != after[field])


def _flat(spec: VmSpec) -> Values:
    values = spec.model_dump(mode="json")
    disk = values.pop("os_disk")
    return values | {f"os_disk.{name}": value for name, value in disk.items()}


def _merged(spec: VmSpec, found: Values, bound: frozenset[str]) -> Values:
    values = _flat(spec) | found
    if "tags" in found:
        mine = {name: value for name, value in spec.tags.items() if f"tags.{name}" in bound}
        taken = {name.casefold() for name in mine}
        live = {k: v for k, v in found["tags"].items() if k.casefold() not in taken}
        values["tags"] = live | mine
    values["os_disk"] = {name: values.pop(f"os_disk.{name}") for name in OsDisk.model_fields}
    return values


def _field(path: tuple[str | int, ...]) -> str:
    inner = path[:2] if path[:1] == ("os_disk",) else path[:1]
    return ".".join(map(str, inner))
