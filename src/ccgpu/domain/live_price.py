"""What of an existing deployment bills now, from Azure's responses. Pure."""

from collections.abc import Iterable, Mapping

from ccgpu.domain.catalog import Kind
from ccgpu.domain.price import (
    BillablePart,
    disk_part,
    nat_gateway_part,
    public_ip_part,
    vm_part,
)
from ccgpu.domain.resource import Body, ResourceId, key, location, name_of
from ccgpu.domain.vm_view import power_state, properties, vm_size


def parts_of_deployment(
    resources: Mapping[ResourceId, Kind], vm: Body | None, bodies: Mapping[ResourceId, Body]
) -> tuple[BillablePart, ...]:
    """The parts of a deployment that bill in its present state.

    A VM that is deallocated does not bill, but its disks and addresses do.

    Args:
        resources: The resources that exist.
        vm: The VM with its instance view, if there is one.
        bodies: What was read, by `key`; lists do not say the size of a disk.
    """
    where = vm or next((one for one in bodies.values() if one.get("location")), None)
    if where is None:
        return ()
    region = location(where["location"])
    parts = []
    size = None if vm is None else vm_size(vm)
    if vm is not None and size is not None and power_state(vm) != "deallocated":
        spot = properties(vm).get("priority") == "Spot"
        parts.append(vm_part(size, region, spot=spot))
    for id_, kind in resources.items():
        match kind:
            case Kind.DISK:
                parts.append(_disk(id_, region, vm, bodies.get(key(id_))))
            case Kind.PUBLIC_IP:
                parts.append(public_ip_part(region))
            case Kind.NAT:
                parts.append(nat_gateway_part(region))
            case _:
                pass  # it costs nothing by itself
    return tuple(parts)


def _disk(id_: ResourceId, region: str, vm: Body | None, disk: Body | None) -> BillablePart:
    """A disk, as its own body describes it, else as the VM's does.

    The body of a deallocated VM tells neither size nor type.
    """
    attached = next((one for one in _attached(vm) if key(_disk_id(one)) == key(id_)), {})
    kind = ((disk or {}).get("sku") or {}).get("name") or _managed(attached).get(
        "storageAccountType"
    )
    gib = properties(disk).get("diskSizeGB") or attached.get("diskSizeGB")
    return disk_part(f"disk {name_of(id_)}", region, kind, gib)


def _attached(vm: Body | None) -> Iterable[Body]:
    storage = properties(vm).get("storageProfile") or {}
    return (storage.get("osDisk") or {}, *(storage.get("dataDisks") or ()))


def _managed(attached: Body) -> Body:
    managed: Body = attached.get("managedDisk") or {}
    return managed


def _disk_id(attached: Body) -> str:
    return str(_managed(attached).get("id") or "")
