"""The live resources of a deployment, expressed as fields of a spec."""

import ipaddress
from collections.abc import Mapping
from typing import Any

from ccgpu.domain.arm_fields import OS_DISK, SSH_SOURCE, live_fields_of
from ccgpu.domain.catalog import OWN_TAG_PREFIX, Kind
from ccgpu.domain.compare import value_at
from ccgpu.domain.desired import Names
from ccgpu.domain.live_vm import interface_of, is_private, subnet_of
from ccgpu.domain.network import SEVERAL, SUBNET
from ccgpu.domain.resource import (
    DEPLOYMENT,
    Body,
    ResourceId,
    is_same_id,
    key,
    location,
    tag,
    tags_of,
)
from ccgpu.domain.spec.fields import WIDEST_PREFIX
from ccgpu.domain.spec.vm import VmSpec

Bodies = Mapping[ResourceId, Body]
Values = dict[str, Any]

# Tags that no spec may have: ccgpu's own and Azure's (spec.fields).
_RESERVED_TAG_PREFIXES = (OWN_TAG_PREFIX, "azure", "microsoft", "windows")


def live_values(spec: VmSpec, names: Names, actual: Bodies) -> Values:
    """The live value of each spec field. Unknown fields are left out."""
    values = _network_values(names, actual) | _shared_values(spec, names, actual)
    vm = actual.get(key(names.vm))
    if vm is None or tag(vm, DEPLOYMENT) != names.deployment:
        return values
    return values | _vm_values(spec, names, vm, actual) | _interface_values(names, vm, actual)


def _shared_values(spec: VmSpec, names: Names, actual: Bodies) -> Values:
    """Region and tags, which all resources of the deployment share."""
    ids = (names.vm, *names.shared)
    ours = [body for id_ in ids if (body := _own_body(names, id_, actual)) is not None]
    if not ours:
        return {}
    region_in_use = location(ours[0]["location"])
    regions = [region_in_use, *(region for region in spec.regions if region != region_in_use)]
    return {"regions": regions, "tags": _common_tags(ours)}


def _own_body(names: Names, id_: ResourceId, actual: Bodies) -> Body | None:
    body = actual.get(key(id_))
    return body if tag(body, DEPLOYMENT) == names.deployment else None


def _common_tags(bodies: list[Body]) -> dict[str, str]:
    """The tags that every resource has. A tag on only some of them is not from the spec."""
    first, *rest = bodies
    return {
        name: value
        for name, value in tags_of(first).items()
        if not name.casefold().startswith(_RESERVED_TAG_PREFIXES)
        and all(tag(other, name.casefold()) == value for other in rest)
    }


def _vm_values(spec: VmSpec, names: Names, vm: Body, actual: Bodies) -> Values:
    values = live_fields_of(Kind.VM, _with_os_disk(names, vm, actual))
    price = values["max_price"]
    return values | {
        "max_price": (spec.max_price if price == -1 else price) if values["spot"] else None,
        "data_disks": _data_disks(names, value_at(vm, "properties.storageProfile") or {}, actual),
        "ttl": None,  # the VM's tags hold the lease instead
    }


def _with_os_disk(names: Names, vm: Body, actual: Bodies) -> Body:
    """The VM with the OS disk's size and type, which a deallocated VM's GET leaves out."""
    attached = value_at(vm, OS_DISK) or {}
    disk = _disk_values(attached, names.os_disk, actual)
    managed = (attached.get("managedDisk") or {}) | {"storageAccountType": disk.get("type")}
    os_disk = attached | {"diskSizeGB": disk.get("size_gib"), "managedDisk": managed}
    storage = (value_at(vm, "properties.storageProfile") or {}) | {"osDisk": os_disk}
    return vm | {"properties": (vm.get("properties") or {}) | {"storageProfile": storage}}


def _data_disks(names: Names, storage: Body, actual: Bodies) -> list[Values]:
    """The data disks with ccgpu's names, up to the first gap: a spec's list has no gaps."""
    attached = {
        str(attachment.get("name")).casefold(): attachment
        for attachment in storage.get("dataDisks") or ()
    }
    disks: list[Values] = []
    while attachment := attached.get(f"{names.deployment}-data{len(disks)}".casefold()):
        disk = _disk_values(attachment, names.data_disk(len(disks)), actual)
        if "size_gib" not in disk:
            break
        disks.append(disk)
    return disks


def _disk_values(attached: Body, id_: ResourceId, actual: Bodies) -> Values:
    disk_id = value_at(attached, "managedDisk.id") or id_
    resource = actual.get(key(disk_id)) or {}
    size = value_at(resource, "properties.diskSizeGB") or attached.get("diskSizeGB")
    type_ = value_at(resource, "sku.name") or value_at(attached, "managedDisk.storageAccountType")
    return {name: value for name, value in (("size_gib", size), ("type", type_)) if value}


def _network_values(names: Names, actual: Bodies) -> Values:
    """`ssh_from`, and `private`: only a private VM has a NAT gateway."""
    values: Values = {}
    if _own_body(names, names.of(Kind.VNET, "-vnet"), actual) is not None:
        nat = _own_body(names, names.of(Kind.NAT, "-nat"), actual)
        values |= {"private": nat is not None, "subnet": None}
    sources = live_sources(names, actual)
    return values if sources is None else values | _ssh_from(sources)


def live_sources(names: Names, actual: Bodies) -> str | None:
    """The networks that the rule `ssh` allows, in ARM's spelling, joined by commas."""
    nsg = _own_body(names, names.of(Kind.NSG, "-nsg"), actual)
    prefixes = value_at(nsg, f"{SSH_SOURCE}es") or ()
    return value_at(nsg, SSH_SOURCE) or SEVERAL.join(prefixes) or None


def _ssh_from(source: str) -> Values:
    if source.casefold() == "virtualnetwork":
        return {"ssh_from": "auto", "ssh_from_anywhere": False}
    try:
        wide = ipaddress.ip_network(source).prefixlen < WIDEST_PREFIX
    except ValueError:
        return {}
    return {"ssh_from": source, "ssh_from_anywhere": wide}


def _interface_values(names: Names, vm: Body, actual: Bodies) -> Values:
    """`subnet` and `private`, read from the network interface."""
    nic = interface_of(vm, actual)
    if nic is None or not value_at(nic, "properties.ipConfigurations"):
        return {}
    values: Values = {"private": is_private(nic)}
    subnet = subnet_of(nic)
    own = f"{names.of(Kind.VNET, '-vnet')}/subnets/{SUBNET}"
    return values | (
        {} if subnet is None else {"subnet": None if is_same_id(subnet, own) else subnet}
    )
