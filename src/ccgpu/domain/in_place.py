"""Bodies that change a resource in place and leave other people's parts of it as they are.

Subnets, security rules, data disks and identities are ours by their names or ids. A write replaces
a whole list, so it includes the elements of others as they were read. The resource's etag keeps it
from undoing a write that came in between.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from ccgpu.domain.catalog import Kind
from ccgpu.domain.compare import Difference, is_own_gateway, value_at
from ccgpu.domain.network import SUBNET
from ccgpu.domain.resource import (
    BODY_HASH,
    DEPLOYMENT,
    Body,
    ResourceId,
    key,
    name_of,
    resource_id,
    state_of,
    tag,
)

_DATA_DISKS = "properties.storageProfile.dataDisks"
_DIAGNOSTICS = "properties.diagnosticsProfile"
FAILED = "properties.provisioningState"

# Fields of a network resource's GET that cannot be written (resource types of Microsoft.Network,
# flag 2; back-references and what the service counts).
_READ_ONLY = frozenset({"etag", "provisioningState", "resourceGuid", "defaultSecurityRules"})
_READ_ONLY_AT_TOP = frozenset({"id", "name", "type", "systemData", "managedBy"})
_BACK_REFERENCES = {
    Kind.NSG: frozenset({"networkInterfaces", "subnets", "flowLogs"}),
    Kind.VNET: frozenset({"ipConfigurations", "ipConfigurationProfiles", "privateEndpoints"}),
    Kind.NAT: frozenset({"subnets"}),
}
_LISTS = {Kind.NSG: "securityRules", Kind.VNET: "subnets"}

Recovery = Literal["start", "reapply"]


class Other(NamedTuple):
    """An element of a resource of ours that is not in the spec, mostly somebody else's."""

    what: str
    name: str


def only_tags(reasons: tuple[Difference, ...]) -> bool:
    """Whether only tags differ, and they can be written by themselves."""
    return all(one.path.startswith("tags.") and not _is_other_body(one) for one in reasons)


def _is_other_body(one: Difference) -> bool:
    """Whether the tag shows that the VM was created with another interface; a lost tag does not."""
    return one.path == f"tags.{BODY_HASH}" and one.found is not None


def changes_in_place(kind: Kind, one: Difference) -> bool:
    """Whether Azure can change this field of an existing resource."""
    if kind is Kind.PUBLIC_IP:
        return one.path == FAILED or only_tags((one,))
    if kind is not Kind.VM:
        return one.path != "location"
    if one.path.startswith(f"{_DATA_DISKS}."):
        return one.found is None  # a new disk; one of another size is another disk
    return only_tags((one,)) or one.path.startswith(("identity", f"{_DIAGNOSTICS}."))


def never_provisioned(vm: Body) -> bool:
    """Whether Azure says that this VM has never run: it failed, and has no power state.

    Without the instance view that is unknown, and the result is False.
    """
    view = value_at(vm, "properties.instanceView")
    if state_of(vm) != "Failed" or not isinstance(view, dict):
        return False
    codes = [str(one.get("code", "")) for one in view.get("statuses") or ()]
    failed = any(code.casefold().startswith("provisioningstate/failed") for code in codes)
    return failed and not any(code.casefold().startswith("powerstate/") for code in codes)


def recovery(vm: Body) -> Recovery | None:
    """What repairs a failed VM: a start if it is off, else a reapply of its state."""
    if state_of(vm) != "Failed" or never_provisioned(vm):
        return None
    codes = [one.get("code") for one in value_at(vm, "properties.instanceView.statuses") or ()]
    off = {"PowerState/deallocated", "PowerState/deallocating", "PowerState/stopped"}
    return "start" if off & set(codes) else "reapply"


def merge(kind: Kind, wanted: Body, found: Body) -> Body:
    """The body of a PUT over `found`: all that it has, with the wanted fields changed."""
    body = {name: value for name, value in found.items() if name not in _READ_ONLY_AT_TOP}
    there: Body = _writable(body, _READ_ONLY | _BACK_REFERENCES.get(kind, frozenset()))
    mine, live = wanted.get("properties") or {}, there.get("properties") or {}
    properties = live | mine
    if kind is Kind.VNET and live.get("addressSpace"):  # others may have widened it
        properties["addressSpace"] = live["addressSpace"]
    if listed := _LISTS.get(kind):
        ours, theirs = mine.get(listed) or [], live.get(listed) or []
        properties[listed] = _elements(ours, theirs, tag(wanted, DEPLOYMENT))
    return there | wanted | {"properties": properties}


def _writable(value: Any, dropped: frozenset[str]) -> Any:
    if isinstance(value, list):
        return [_writable(one, dropped) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: _writable(one, dropped) for name, one in value.items() if name not in dropped}


def _elements(mine: list[Body], live: list[Body], deployment: str | None) -> list[Body]:
    """Ours as wanted, the others unchanged. What others added to our subnet stays too."""
    there = {str(one.get("name")).casefold(): one for one in live}
    names = {one["name"].casefold() for one in mine}
    ours = [
        _subnet(one, there.get(one["name"].casefold(), {}), deployment) if _is_subnet(one) else one
        for one in mine
    ]
    return [*ours, *(one for name, one in there.items() if name not in names)]


def _is_subnet(element: Body) -> bool:
    return "addressPrefix" in element["properties"]


def _subnet(mine: Body, live: Body, deployment: str | None) -> Body:
    properties = dict(live.get("properties") or {})
    if is_own_gateway(deployment, properties.get("natGateway")):
        del properties["natGateway"]
    return mine | {"properties": properties | mine["properties"]}


def patch(wanted: Body, found: Body, disks: Mapping[ResourceId, Body]) -> Body:
    """The body of a PATCH of the VM, besides tags, for what can be changed.

    `disks`: the disk resources that exist, by `key`; one that no VM uses is attached again.
    """
    change: Body = {}
    if new := _new_disks(wanted, found):
        live = value_at(found, _DATA_DISKS) or []
        attached = _attach(new, live, found, disks)
        change["properties"] = {"storageProfile": {"dataDisks": [*live, *attached]}}
    if "identity" in wanted and (identity := _identity(wanted["identity"], found)) is not None:
        change["identity"] = identity
    enabled = f"{_DIAGNOSTICS}.bootDiagnostics.enabled"
    if value_at(wanted, enabled) is not None and value_at(wanted, enabled) != value_at(
        found, enabled
    ):
        properties = change.setdefault("properties", {})
        properties["diagnosticsProfile"] = wanted["properties"]["diagnosticsProfile"]
    return change


def _new_disks(wanted: Body, found: Body) -> list[Body]:
    live = value_at(found, _DATA_DISKS) or []
    names = {str(one.get("name")).casefold() for one in live}
    return [
        one for one in value_at(wanted, _DATA_DISKS) or () if one["name"].casefold() not in names
    ]


def _attach(
    new: list[Body], live: list[Body], vm: Body, disks: Mapping[ResourceId, Body]
) -> Iterator[Body]:
    """Each new disk at a free LUN; a disk that exists is attached with its data."""
    taken = {one.get("lun") for one in live}
    for disk in new:
        lun = disk["lun"] if disk["lun"] not in taken else _free_lun(taken)
        taken.add(lun)
        there = disks.get(key(_disk_id(vm, disk["name"])))
        if there is None:
            yield disk | {"lun": lun}
        else:
            again = {"createOption": "Attach", "managedDisk": {"id": there["id"]}}
            fields = ("name", "caching", "deleteOption")
            yield {"lun": lun, **{name: disk[name] for name in fields}, **again}


def _free_lun(taken: set[Any]) -> int:
    return next(lun for lun in range(64) if lun not in taken)


def _disk_id(vm: Body, name: str) -> ResourceId:
    _, _, subscription, _, group, *_ = str(vm["id"]).split("/")
    return resource_id(subscription, group, Kind.DISK, name)


def _identity(wanted: Body, vm: Body) -> Body | None:
    """The identities of the VM with ours added; None if it has them."""
    live = vm.get("identity") or {}
    types = _types(live) | _types(wanted)
    users: Body = {id_: {} for id_ in live.get("userAssignedIdentities") or ()}
    known = {key(id_) for id_ in users}
    more: Body = {
        id_: {} for id_ in wanted.get("userAssignedIdentities") or () if key(id_) not in known
    }
    if types == _types(live) and not more:
        return None
    identity: Body = {"type": ", ".join(sorted(types))}
    return identity | ({"userAssignedIdentities": users | more} if users | more else {})


def _types(identity: Body) -> set[str]:
    spelled = {"systemassigned": "SystemAssigned", "userassigned": "UserAssigned"}
    given = str(identity.get("type") or "").split(",")
    return {spelled[one.strip().casefold()] for one in given if one.strip().casefold() in spelled}


def other_elements(kind: Kind, wanted: Body, found: Body) -> tuple[Other, ...]:
    """The elements of `found` that are not wanted and stay, in Azure's order."""
    match kind:
        case Kind.NSG:
            return tuple(_not_wanted(wanted, found, "properties.securityRules", "security rule"))
        case Kind.VNET:
            return foreign_in_network(found)
        case Kind.VM:
            return (
                *_not_wanted(wanted, found, _DATA_DISKS, "data disk"),
                *_other_identities(wanted, found),
            )
        case _:
            return ()


def foreign_in_network(vnet: Body) -> tuple[Other, ...]:
    """Subnets and peerings of other people in a network of ours."""
    ours: Body = {"properties": {"subnets": [{"name": SUBNET}]}}
    return (
        *_not_wanted(ours, vnet, "properties.subnets", "subnet"),
        *_not_wanted(ours, vnet, "properties.virtualNetworkPeerings", "peering"),
    )


def without_own_subnet(vnet: Body) -> Body | None:
    """The body of a PUT that removes our subnet from a network that stays; None if it is gone."""
    body = merge(Kind.VNET, {}, vnet)
    subnets = value_at(body, "properties.subnets") or []
    left = [one for one in subnets if str(one.get("name")).casefold() != SUBNET]
    if len(left) == len(subnets):
        return None
    return body | {"properties": body["properties"] | {"subnets": left}}


def _not_wanted(wanted: Body, found: Body, path: str, what: str) -> Iterator[Other]:
    names = {one["name"].casefold() for one in value_at(wanted, path) or ()}
    for one in value_at(found, path) or ():
        if str(one.get("name")).casefold() not in names:
            yield Other(what, str(one.get("name")))


def _other_identities(wanted: Body, found: Body) -> Iterator[Other]:
    mine, live = wanted.get("identity") or {}, found.get("identity") or {}
    if "SystemAssigned" in _types(live) - _types(mine):
        yield Other("identity", "system")
    known = {key(id_) for id_ in mine.get("userAssignedIdentities") or ()}
    for id_ in live.get("userAssignedIdentities") or ():
        if key(id_) not in known:
            yield Other("identity", name_of(id_))
