"""The actions that a request needs on other resources: ARM's linked access check.

Only the body's keys decide, wherever they are; the referenced resources need not exist.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ccgpu.fakearm import kinds
from ccgpu.fakearm.call import ArmCall, group_id, resource_id
from ccgpu.fakearm.wire import Body
from ccgpu.fakearm.world import StoredResource, World

SUBNET = f"{kinds.VNET}/subnets"
_IMAGE = "Microsoft.Compute/galleries/images"


class LinkedAction(NamedTuple):
    """An action that the caller needs on another scope."""

    action: str
    scope: str


# Keys whose value references resources: {"id": …}, a list of these, or ids as keys.
_REFERENCE_ACTIONS = {
    "subnet": f"{SUBNET}/join/action",
    "networkSecurityGroup": f"{kinds.NSG}/join/action",
    "publicIPAddress": f"{kinds.PUBLIC_IP}/join/action",
    "publicIpAddresses": f"{kinds.PUBLIC_IP}/join/action",
    "natGateway": f"{kinds.NAT}/join/action",
    "networkInterfaces": f"{kinds.NIC}/join/action",
    "diskEncryptionSet": f"{kinds.DES}/read",
    "userAssignedIdentities": f"{kinds.IDENTITY}/assign/action",
}
# Keys whose value is a resource that is created with the VM.
_INLINE_ACTIONS = {
    "networkInterfaceConfigurations": (kinds.NIC, ("write", "join/action")),
    "publicIPAddressConfiguration": (kinds.PUBLIC_IP, ("write", "join/action")),
    "osDisk": (kinds.DISK, ("write",)),
    "dataDisks": (kinds.DISK, ("write",)),
}


def linked_actions(call: ArmCall) -> list[LinkedAction]:
    """The actions that the request needs besides its own, without duplicates."""
    if call.request.method in ("PUT", "PATCH"):
        return list(dict.fromkeys(_actions_in_body(call.body(), call)))
    if call.request.method == "DELETE":
        vm = call.world.find(call.request.path)
        if vm is not None and vm.kind == kinds.VM:
            return list(_cascade_deletes(call.world, vm))
    return []


def _actions_in_body(value: Any, call: ArmCall) -> Iterator[LinkedAction]:
    if isinstance(value, list):
        for one in value:
            yield from _actions_in_body(one, call)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _actions_for_key(key, part, call)
            yield from _actions_in_body(part, call)


def _actions_for_key(key: str, value: Any, call: ArmCall) -> Iterator[LinkedAction]:
    if key in _REFERENCE_ACTIONS:
        yield from (LinkedAction(_REFERENCE_ACTIONS[key], id_) for id_ in _ids(key, value))
    elif key in _INLINE_ACTIONS:
        kind, verbs = _INLINE_ACTIONS[key]
        for one in _objects_in(value):
            scope = _inline_scope(one, kind, call)
            yield from (LinkedAction(f"{kind}/{verb}", scope) for verb in verbs)
    elif key == "source" and "/galleries/" in call.request.path.lower():
        yield from (LinkedAction(f"{kinds.DISK}/read", id_) for id_ in _ids(key, value))
    elif key == "imageReference":
        for id_ in _ids(key, value):
            versioned = "/versions/" in id_.lower()
            yield LinkedAction(f"{_IMAGE}/versions/read" if versioned else f"{_IMAGE}/read", id_)


def _objects_in(value: Any) -> list[Body]:
    found = value if isinstance(value, list) else [value]
    return [one for one in found if isinstance(one, dict)]


def _ids(key: str, value: Any) -> list[str]:
    if key == "userAssignedIdentities":
        return list(value or ())
    return [str(one["id"]) for one in _objects_in(value) if one.get("id")]


def _inline_scope(inline: Body, kind: str, call: ArmCall) -> str:
    """The id that an inline resource will have; its group, if Azure chooses the name."""
    subscription, group = call.world.subscription, call.names[1]
    attached = (inline.get("managedDisk") or {}).get("id")
    if attached:
        return str(attached)
    if not inline.get("name"):
        return group_id(subscription, group)
    return resource_id(subscription, group, kind, inline["name"])


def _cascade_deletes(world: World, vm: StoredResource) -> Iterator[LinkedAction]:
    """The deletes that follow from the VM's `deleteOption`s."""
    storage = vm.properties["storageProfile"]
    disks = (storage["osDisk"], *storage["dataDisks"])
    for disk, id_ in zip(disks, vm.internal_state["disks"], strict=False):
        if disk["deleteOption"] == "Delete":
            yield LinkedAction(f"{kinds.DISK}/delete", id_)
    for one in vm.internal_state["nics"]:
        if not _deleted_with_vm(one):
            continue
        yield LinkedAction(f"{kinds.NIC}/delete", one["id"])
        for configuration in world.require(one["id"]).properties["ipConfigurations"]:
            public = configuration["properties"].get("publicIPAddress")
            if public and _deleted_with_vm(public):
                yield LinkedAction(f"{kinds.PUBLIC_IP}/delete", public["id"])


def _deleted_with_vm(named: Body) -> bool:
    return (named.get("properties") or {}).get("deleteOption") == "Delete"
