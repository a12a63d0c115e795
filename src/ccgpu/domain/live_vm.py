"""An existing VM, completed from the GETs of its disks and its network interface.

A deallocated VM's GET leaves out the size and the type of its disks (recorded; azure-powershell
issue 13213 calls that intended). No GET of a VM returns its inline interface configuration.
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
    """The VM with each disk's size and type from the disk resource."""
    storage = value_at(vm, "properties.storageProfile")
    if not isinstance(storage, dict):
        return vm
    completed = storage | {
        name: _with_live_size(storage[name], bodies)
        for name in ("osDisk", "dataDisks")
        if name in storage
    }
    return vm | {"properties": vm["properties"] | {"storageProfile": completed}}


def _with_live_size(disk: Any, bodies: Bodies) -> Any:
    """A VM's disk, or list of disks, with size and type from the disk resources."""
    if isinstance(disk, list):
        return [_with_live_size(item, bodies) for item in disk]
    resource = bodies.get(key(str(value_at(disk, "managedDisk.id"))))
    if resource is None:
        return disk
    size, type_ = value_at(resource, "properties.diskSizeGB"), value_at(resource, "sku.name")
    managed = disk["managedDisk"] | ({"storageAccountType": type_} if type_ else {})
    return disk | ({"diskSizeGB": size} if size else {}) | {"managedDisk": managed}


def interface_of(vm: Body, bodies: Bodies) -> Body | None:
    """The VM's primary network interface; None if its GET is not in `bodies`."""
    references = value_at(vm, "properties.networkProfile.networkInterfaces") or ()
    ordered = sorted(
        references, key=lambda reference: value_at(reference, "properties.primary") is not True
    )
    ids = (key(str(reference.get("id"))) for reference in ordered)
    return next((bodies[id_] for id_ in ids if id_ in bodies), None)


def is_private(interface: Body) -> bool:
    """Whether the interface has no public address."""
    return all(
        value_at(address, "properties.publicIPAddress") is None
        for address in _ip_configurations(interface)
    )


def subnet_of(interface: Body) -> str | None:
    """The id of the subnet that the interface is in."""
    subnets = (
        value_at(address, "properties.subnet.id") for address in _ip_configurations(interface)
    )
    return next((str(id_) for id_ in subnets if id_), None)


def _ip_configurations(interface: Body) -> list[Body]:
    return value_at(interface, "properties.ipConfigurations") or []


def interface_differences(wanted: Body, interface: Body) -> tuple[Difference, ...]:
    """Where the interface differs from the inline configuration of the VM's PUT.

    Subnet and public IP address are compared.
    """
    requested = value_at(wanted, _CONFIGURATIONS)[0]["properties"]["ipConfigurations"][0][
        "properties"
    ]
    private, subnet = "publicIPAddressConfiguration" not in requested, requested["subnet"]["id"]
    changes: list[Difference] = []
    if private is not is_private(interface):
        changes.append(Difference(PRIVATE, private, not private))
    live_subnet = subnet_of(interface)
    if live_subnet is not None and not is_same_id(live_subnet, subnet):
        changes.append(Difference(SUBNET, subnet, live_subnet))
    return tuple(changes)
