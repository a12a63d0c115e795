"""Bodies of the PUT and PATCH requests that change an existing resource.

Subnets, security rules, data disks and identities belong to ccgpu by their names or ids. A write
replaces a whole list, so its body repeats the elements that other people added. The resource's
etag (If-Match) makes the write fail if the resource has changed since it was read.
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

# Read-only fields of a network resource's GET (resource types of Microsoft.Network, flag 2):
# back-references and values that the service sets.
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
    """An element of a ccgpu resource that is not in the spec: `what` is its kind."""

    what: str
    name: str


def only_tags(reasons: tuple[Difference, ...]) -> bool:
    """Whether only tags differ, and writing the tags is enough."""
    return all(
        difference.path.startswith("tags.") and not _is_other_body(difference)
        for difference in reasons
    )


def _is_other_body(difference: Difference) -> bool:
    """Whether the hash tag differs: the VM was created with another interface.

    A missing tag proves nothing.
    """
    return difference.path == f"tags.{BODY_HASH}" and difference.found is not None


def changes_in_place(kind: Kind, difference: Difference) -> bool:
    """Whether Azure can change this field of an existing resource."""
    if kind is Kind.PUBLIC_IP:
        return difference.path == FAILED or only_tags((difference,))
    if kind is not Kind.VM:
        return difference.path != "location"
    if difference.path.startswith(f"{_DATA_DISKS}."):
        return difference.found is None  # a new disk; the size of an existing one is not changed
    return only_tags((difference,)) or difference.path.startswith(("identity", f"{_DIAGNOSTICS}."))


def never_provisioned(vm: Body) -> bool:
    """Whether this VM has never run: its provisioning failed, and it has no power state.

    Without the instance view the result is False.
    """
    view = value_at(vm, "properties.instanceView")
    if state_of(vm) != "Failed" or not isinstance(view, dict):
        return False
    codes = [str(status.get("code", "")) for status in view.get("statuses") or ()]
    failed = any(code.casefold().startswith("provisioningstate/failed") for code in codes)
    return failed and not any(code.casefold().startswith("powerstate/") for code in codes)


def recovery(vm: Body) -> Recovery | None:
    """The operation that repairs a failed VM: `start` if it is off, else `reapply`."""
    if state_of(vm) != "Failed" or never_provisioned(vm):
        return None
    codes = [
        status.get("code") for status in value_at(vm, "properties.instanceView.statuses") or ()
    ]
    off = {"PowerState/deallocated", "PowerState/deallocating", "PowerState/stopped"}
    return "start" if off & set(codes) else "reapply"


def merge(kind: Kind, wanted: Body, live: Body) -> Body:
    """The body of a PUT: the live body with the wanted fields changed."""
    body = {name: value for name, value in live.items() if name not in _READ_ONLY_AT_TOP}
    current: Body = _writable(body, _READ_ONLY | _BACK_REFERENCES.get(kind, frozenset()))
    wanted_properties, live_properties = (
        wanted.get("properties") or {},
        current.get("properties") or {},
    )
    properties = live_properties | wanted_properties
    if kind is Kind.VNET and live_properties.get("addressSpace"):  # others may have widened it
        properties["addressSpace"] = live_properties["addressSpace"]
    if list_name := _LISTS.get(kind):
        wanted_items, live_items = (
            wanted_properties.get(list_name) or [],
            live_properties.get(list_name) or [],
        )
        properties[list_name] = _merge_elements(wanted_items, live_items, tag(wanted, DEPLOYMENT))
    return current | wanted | {"properties": properties}


def _writable(value: Any, dropped: frozenset[str]) -> Any:
    if isinstance(value, list):
        return [_writable(item, dropped) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _writable(item, dropped) for name, item in value.items() if name not in dropped}


def _merge_elements(wanted: list[Body], live: list[Body], deployment: str | None) -> list[Body]:
    """The wanted elements, then the live ones of others. Others' fields of our subnet stay."""
    live_by_name = {str(element.get("name")).casefold(): element for element in live}
    names = {element["name"].casefold() for element in wanted}
    ours = [
        _merge_subnet(element, live_by_name.get(element["name"].casefold(), {}), deployment)
        if _is_subnet(element)
        else element
        for element in wanted
    ]
    return [*ours, *(element for name, element in live_by_name.items() if name not in names)]


def _is_subnet(element: Body) -> bool:
    return "addressPrefix" in element["properties"]


def _merge_subnet(wanted: Body, live: Body, deployment: str | None) -> Body:
    properties = dict(live.get("properties") or {})
    if is_own_gateway(deployment, properties.get("natGateway")):
        del properties["natGateway"]
    return wanted | {"properties": properties | wanted["properties"]}


def patch(wanted: Body, live: Body, disks: Mapping[ResourceId, Body]) -> Body:
    """The body of a PATCH of the VM, without tags: new data disks, identities, diagnostics.

    Args:
        wanted: the body of the VM's PUT.
        live: the body of the VM's GET.
        disks: the existing disk resources by `key`. A detached one is attached again.
    """
    change: Body = {}
    if new := _disks_to_add(wanted, live):
        live_disks = value_at(live, _DATA_DISKS) or []
        attached = _with_free_luns(new, live_disks, live, disks)
        change["properties"] = {"storageProfile": {"dataDisks": [*live_disks, *attached]}}
    if (
        "identity" in wanted
        and (identity := _merge_identities(wanted["identity"], live)) is not None
    ):
        change["identity"] = identity
    enabled = f"{_DIAGNOSTICS}.bootDiagnostics.enabled"
    if value_at(wanted, enabled) is not None and value_at(wanted, enabled) != value_at(
        live, enabled
    ):
        properties = change.setdefault("properties", {})
        properties["diagnosticsProfile"] = wanted["properties"]["diagnosticsProfile"]
    return change


def _disks_to_add(wanted: Body, live: Body) -> list[Body]:
    live_disks = value_at(live, _DATA_DISKS) or []
    names = {str(disk.get("name")).casefold() for disk in live_disks}
    return [
        disk for disk in value_at(wanted, _DATA_DISKS) or () if disk["name"].casefold() not in names
    ]


def _with_free_luns(
    new: list[Body], live: list[Body], vm: Body, disks: Mapping[ResourceId, Body]
) -> Iterator[Body]:
    """Each new disk at a free LUN. An existing disk resource is attached with its data."""
    taken = {one.get("lun") for one in live}
    for disk in new:
        lun = disk["lun"] if disk["lun"] not in taken else _free_lun(taken)
        taken.add(lun)
        existing = disks.get(key(_disk_id(vm, disk["name"])))
        if existing is None:
            yield disk | {"lun": lun}
        else:
            attachment = {"createOption": "Attach", "managedDisk": {"id": existing["id"]}}
            fields = ("name", "caching", "deleteOption")
            yield {"lun": lun, **{name: disk[name] for name in fields}, **attachment}


def _free_lun(taken: set[Any]) -> int:
    return next(lun for lun in range(64) if lun not in taken)


def _disk_id(vm: Body, name: str) -> ResourceId:
    _, _, subscription, _, group, *_ = str(vm["id"]).split("/")
    return resource_id(subscription, group, Kind.DISK, name)


def _merge_identities(wanted: Body, vm: Body) -> Body | None:
    """The VM's identities with the wanted ones added; None if the VM has them all."""
    live = vm.get("identity") or {}
    types = _identity_types(live) | _identity_types(wanted)
    users: Body = {id_: {} for id_ in live.get("userAssignedIdentities") or ()}
    known = {key(id_) for id_ in users}
    more: Body = {
        id_: {} for id_ in wanted.get("userAssignedIdentities") or () if key(id_) not in known
    }
    if types == _identity_types(live) and not more:
        return None
    identity: Body = {"type": ", ".join(sorted(types))}
    return identity | ({"userAssignedIdentities": users | more} if users | more else {})


def _identity_types(identity: Body) -> set[str]:
    spelled = {"systemassigned": "SystemAssigned", "userassigned": "UserAssigned"}
    listed = str(identity.get("type") or "").split(",")
    return {
        spelled[type_.strip().casefold()] for type_ in listed if type_.strip().casefold() in spelled
    }


def other_elements(kind: Kind, wanted: Body, live: Body) -> tuple[Other, ...]:
    """The elements of `live` that are not wanted and stay, in Azure's order."""
    match kind:
        case Kind.NSG:
            return tuple(
                _elements_to_keep(wanted, live, "properties.securityRules", "security rule")
            )
        case Kind.VNET:
            return foreign_in_network(live)
        case Kind.VM:
            return (
                *_elements_to_keep(wanted, live, _DATA_DISKS, "data disk"),
                *_other_identities(wanted, live),
            )
        case _:
            return ()


def foreign_in_network(vnet: Body) -> tuple[Other, ...]:
    """Subnets and peerings that other people added to the deployment's virtual network."""
    ours: Body = {"properties": {"subnets": [{"name": SUBNET}]}}
    return (
        *_elements_to_keep(ours, vnet, "properties.subnets", "subnet"),
        *_elements_to_keep(ours, vnet, "properties.virtualNetworkPeerings", "peering"),
    )


def without_own_subnet(vnet: Body) -> Body | None:
    """The body of a PUT that removes ccgpu's subnet from the network; None if it is gone."""
    body = merge(Kind.VNET, {}, vnet)
    subnets = value_at(body, "properties.subnets") or []
    left = [subnet for subnet in subnets if str(subnet.get("name")).casefold() != SUBNET]
    if len(left) == len(subnets):
        return None
    return body | {"properties": body["properties"] | {"subnets": left}}


def _elements_to_keep(wanted: Body, live: Body, path: str, what: str) -> Iterator[Other]:
    names = {element["name"].casefold() for element in value_at(wanted, path) or ()}
    for element in value_at(live, path) or ():
        if str(element.get("name")).casefold() not in names:
            yield Other(what, str(element.get("name")))


def _other_identities(wanted: Body, live: Body) -> Iterator[Other]:
    wanted_identity, live_identity = wanted.get("identity") or {}, live.get("identity") or {}
    if "SystemAssigned" in _identity_types(live_identity) - _identity_types(wanted_identity):
        yield Other("identity", "system")
    known = {key(id_) for id_ in wanted_identity.get("userAssignedIdentities") or ()}
    for id_ in live_identity.get("userAssignedIdentities") or ():
        if key(id_) not in known:
            yield Other("identity", name_of(id_))
