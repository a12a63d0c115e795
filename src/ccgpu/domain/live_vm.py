"""What is known of an existing VM from the GETs of itself, its disks and its network interface.

A deallocated VM's GET leaves out the size and the type of its disks (recorded; azure-powershell
13213 calls it intended). No GET returns how an inline interface was requested.
"""

from collections.abc import Mapping
from typing import Any

from ccgpu.domain.compare import Difference, value_at
from ccgpu.domain.resource import Body, ResourceId, is_same_id, key

PRIVATE = "networkProfile.private"
SUBNET = "networkProfile.subnet"
_CONFIGURATIONS = "properties.networkProfile.networkInterfaceConfigurations"

Bodies = Mapping[ResourceId, Body]


def with_disks(vm: Body, bodies: Bodies) -> Body:
    """The VM with the size and type of each disk as the disk resource has it."""
    storage = value_at(vm, "properties.storageProfile")
    if not isinstance(storage, dict):
        return vm
    known = storage | {
        name: _with_live_size(storage[name], bodies)
        for name in ("osDisk", "dataDisks")
        if name in storage
    }
    return vm | {"properties": vm["properties"] | {"storageProfile": known}}


def _with_live_size(disk: Any, bodies: Bodies) -> Any:
    """One disk, or a list of them."""
    if isinstance(disk, list):
        return [_with_live_size(one, bodies) for one in disk]
    there = bodies.get(key(str(value_at(disk, "managedDisk.id"))))
    if there is None:
        return disk
    size, type_ = value_at(there, "properties.diskSizeGB"), value_at(there, "sku.name")
    managed = disk["managedDisk"] | ({"storageAccountType": type_} if type_ else {})
    return disk | ({"diskSizeGB": size} if size else {}) | {"managedDisk": managed}


def interface_of(vm: Body, bodies: Bodies) -> Body | None:
    """The primary network interface, if it has been read."""
    named = value_at(vm, "properties.networkProfile.networkInterfaces") or ()
    ordered = sorted(named, key=lambda one: value_at(one, "properties.primary") is not True)
    ids = (key(str(one.get("id"))) for one in ordered)
    return next((bodies[id_] for id_ in ids if id_ in bodies), None)


def is_private(interface: Body) -> bool:
    """Whether the interface has no public address."""
    return all(value_at(one, "properties.publicIPAddress") is None for one in _addresses(interface))


def subnet_of(interface: Body) -> str | None:
    """The id of the subnet that the interface is in."""
    found = (value_at(one, "properties.subnet.id") for one in _addresses(interface))
    return next((str(id_) for id_ in found if id_), None)


def _addresses(interface: Body) -> list[Body]:
    return value_at(interface, "properties.ipConfigurations") or []


def interface_differences(wanted: Body, interface: Body) -> tuple[Difference, ...]:
    """How the interface differs from what the PUT of the VM would request: subnet, public IP."""
    asked = value_at(wanted, _CONFIGURATIONS)[0]["properties"]["ipConfigurations"][0]["properties"]
    private, subnet = "publicIPAddressConfiguration" not in asked, asked["subnet"]["id"]
    found: list[Difference] = []
    if private is not is_private(interface):
        found.append(Difference(PRIVATE, private, not private))
    there = subnet_of(interface)
    if there is not None and not is_same_id(there, subnet):
        found.append(Difference(SUBNET, subnet, there))
    return tuple(found)
