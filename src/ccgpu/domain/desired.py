"""The ARM resources of a spec: request bodies, deterministic names, and tags.

Pure functions: the same spec, placement and tags give the same resources. So a PUT can be repeated,
and one GET tells whether it has succeeded. Every name is derived from the deployment's name.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ccgpu.domain.catalog import Kind
from ccgpu.domain.first_boot import FirstBoot, with_first_boot
from ccgpu.domain.guest_tag import tag_text
from ccgpu.domain.measured_boot import MeasuredBoot, with_measured_boot
from ccgpu.domain.network import SUBNET, network
from ccgpu.domain.resource import (
    BODY_HASH,
    CREATED,
    DEPLOYMENT,
    EXPIRES,
    GUEST,
    RUN,
    Body,
    Resource,
    ResourceId,
    resource_id,
)

if TYPE_CHECKING:
    from azure.mgmt.compute import types as compute

    from ccgpu.domain.spec.vm import VmSpec

# The oldest Microsoft.Network version that takes inline NICs; the newest that the SDK's
# enumeration `NetworkApiVersion` names (azure-mgmt-compute 39.0.0).
INLINE_NETWORK_API = "2022-11-01"


@dataclass(frozen=True, slots=True)
class Placement:
    """The choices made before the first PUT: region, zone, and the exact image version."""

    region: str
    zone: str | None
    image: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RunTags:
    """The tags of a run: its id, its time, and the end of the lease (RFC 3339 UTC)."""

    run: str
    created: str
    expires: str | None = None

    def tags(self) -> dict[str, str]:
        """The volatile tags."""
        times = {RUN: self.run, CREATED: self.created}
        return times | ({EXPIRES: self.expires} if self.expires else {})


@dataclass(frozen=True, slots=True)
class Names:
    """The ids of a deployment's own resources."""

    subscription: str
    group: str
    deployment: str

    def of(self, kind: Kind, suffix: str = "") -> ResourceId:
        """The id of the resource of this kind; `suffix` distinguishes several of one kind."""
        return resource_id(self.subscription, self.group, kind, self.deployment + suffix)

    @property
    def vm(self) -> ResourceId:
        """The VM."""
        return self.of(Kind.VM)

    @property
    def os_disk(self) -> ResourceId:
        """The OS disk, created by the VM's PUT."""
        return self.of(Kind.DISK, "-osdisk")

    def data_disk(self, lun: int) -> ResourceId:
        """The data disk at a LUN, created by the VM's PUT."""
        return self.of(Kind.DISK, f"-data{lun}")

    @property
    def shared(self) -> dict[ResourceId, Kind]:
        """The resources of a deployment besides the VM and its dependents."""
        return {
            self.of(Kind.VNET, "-vnet"): Kind.VNET,
            self.of(Kind.NSG, "-nsg"): Kind.NSG,
            self.of(Kind.NAT, "-nat"): Kind.NAT,
            self.of(Kind.PUBLIC_IP, "-nat-ip"): Kind.PUBLIC_IP,
            self.of(Kind.GROUP): Kind.GROUP,
        }


def desired_resources(
    spec: "VmSpec",
    subscription: str,
    placement: Placement,
    run_tags: RunTags,
    first_boot: FirstBoot | MeasuredBoot | None = None,
) -> dict[ResourceId, Resource]:
    """The resources of a deployment, by id. Without `first_boot` the VM gets no data of its own."""
    names = Names(subscription, spec.group, spec.name)
    tags = spec.tags | {DEPLOYMENT: spec.name} | run_tags.tags()
    group = Resource(Kind.GROUP, names.of(Kind.GROUP), {"location": placement.region, "tags": tags})
    shared = network(spec, names.of, placement.region, tags)
    subnet = spec.subnet or f"{names.of(Kind.VNET, '-vnet')}/subnets/{SUBNET}"
    vm = _vm_resource(spec, names, placement, tags, subnet, frozenset(shared))
    if isinstance(first_boot, MeasuredBoot):
        vm = with_measured_boot(vm, first_boot)
    elif first_boot is not None:
        vm = with_first_boot(vm, spec, first_boot)
    everything = (group, *shared.values(), vm)
    return {r.id: r if r is group else _depending_on_group(r, group.id) for r in everything}


def _depending_on_group(resource: Resource, group: ResourceId) -> Resource:
    return Resource(
        resource.kind,
        resource.id,
        resource.body,
        resource.depends_on | {group},
        resource.implicitly_created,
    )


def _vm_resource(
    spec: "VmSpec",
    names: Names,
    placement: Placement,
    tags: dict[str, str],
    subnet: str,
    network_ids: frozenset[ResourceId],
) -> Resource:
    """The VM, with an inline NIC and its zone and identities; its PUT creates NIC and disks."""
    properties = _vm_properties(spec, names, placement)
    nic = _nic_configuration(spec, names.of(Kind.NSG, "-nsg"), subnet)
    body: Body = {
        "location": placement.region,
        "tags": tags | {BODY_HASH: _body_hash([nic]), GUEST: tag_text(spec)},
        "properties": properties
        | {
            "networkProfile": {
                "networkApiVersion": INLINE_NETWORK_API,
                "networkInterfaceConfigurations": [_nic_with_tags(nic, tags)],
            }
        },
    }
    if placement.zone:
        body["zones"] = [placement.zone]
    if spec.identities:
        body["identity"] = _vm_identity(spec.identities)
    disks = {names.os_disk: Kind.DISK}
    disks |= {names.data_disk(lun): Kind.DISK for lun in range(len(spec.data_disks))}
    return Resource(Kind.VM, names.vm, body, network_ids, disks)


def _vm_properties(
    spec: "VmSpec", names: Names, placement: Placement
) -> "compute.VirtualMachineProperties":
    """The properties of a confidential VM, except the network profile."""
    properties: compute.VirtualMachineProperties = {
        "hardwareProfile": {"vmSize": spec.size},
        "securityProfile": {
            "securityType": "ConfidentialVM",
            "uefiSettings": {"secureBootEnabled": spec.secure_boot, "vTpmEnabled": True},
        },
        "storageProfile": {
            "imageReference": dict(placement.image),  # type: ignore[typeddict-item]  # three shapes
            "osDisk": _os_disk(spec, names),
            "dataDisks": _data_disks(spec, names),
        },
        "osProfile": _os_profile(spec),
        # No storageUri: a managed storage account (Microsoft Learn, boot-diagnostics).
        "diagnosticsProfile": {"bootDiagnostics": {"enabled": spec.boot_diagnostics}},
    }
    if spec.spot:
        properties |= {
            "priority": "Spot",
            "evictionPolicy": "Deallocate",
            "billingProfile": {"maxPrice": -1 if spec.max_price is None else spec.max_price},
        }
    return properties


def _os_disk(spec: "VmSpec", names: Names) -> "compute.OSDisk":
    """The OS disk, with its confidential encryption."""
    security: compute.VMDiskSecurityProfile = {
        "securityEncryptionType": spec.os_disk.encryption.arm
    }
    if spec.os_disk.encryption_set:
        security["diskEncryptionSet"] = {"id": spec.os_disk.encryption_set}
    return {
        "name": names.os_disk.rsplit("/", 1)[-1],
        "createOption": "FromImage",
        "caching": "ReadWrite",
        "diskSizeGB": spec.os_disk.size_gib,
        "deleteOption": "Delete",
        "managedDisk": {  # type: ignore[typeddict-item]  # `id` is the service's to fill
            "storageAccountType": spec.os_disk.type,
            "securityProfile": security,
        },
    }


def _data_disks(spec: "VmSpec", names: Names) -> "list[compute.DataDisk]":
    return [
        {
            "lun": lun,
            "name": names.data_disk(lun).rsplit("/", 1)[-1],
            "createOption": "Empty",
            "caching": "None",
            "diskSizeGB": disk.size_gib,
            "deleteOption": "Delete",
            "managedDisk": {"storageAccountType": disk.type},  # type: ignore[typeddict-item]
        }
        for lun, disk in enumerate(spec.data_disks)
    ]


def _os_profile(spec: "VmSpec") -> "compute.OSProfile":
    """The Linux configuration: SSH keys without a password, and no automatic platform updates."""
    return {
        "computerName": spec.name,
        "adminUsername": spec.admin_user,
        # SDK, OSProfile: false only while no extension is there. It can be changed later
        # (hashicorp/terraform-provider-azurerm#7749); Run Command needs it, too.
        "allowExtensionOperations": not spec.guest.lockdown,
        "linuxConfiguration": {
            "disablePasswordAuthentication": True,
            "provisionVMAgent": True,
            # AutomaticByPlatform would let driver and kernel drift apart.
            "patchSettings": {"patchMode": "ImageDefault"},
            "ssh": {
                "publicKeys": [
                    {"path": f"/home/{spec.admin_user}/.ssh/authorized_keys", "keyData": line}
                    for line in spec.ssh_keys
                ]
            },
        },
    }


def _nic_configuration(spec: "VmSpec", nsg: ResourceId, subnet: str) -> Body:
    """The inline NIC without tags. Azure appends a suffix to both names."""
    ip: Body = {"primary": True, "subnet": {"id": subnet}, "privateIPAddressVersion": "IPv4"}
    if not spec.private:
        ip["publicIPAddressConfiguration"] = {
            "name": f"{spec.name}-ip",
            "sku": {"name": "Standard", "tier": "Regional"},
            "properties": {
                "deleteOption": "Delete",
                "publicIPAllocationMethod": "Static",
                "publicIPAddressVersion": "IPv4",
            },
        }
    return {
        "name": f"{spec.name}-nic",
        "properties": {
            "primary": True,
            "deleteOption": "Delete",
            "enableAcceleratedNetworking": False,  # not supported by the size (series page)
            "networkSecurityGroup": {"id": nsg},
            "ipConfigurations": [{"name": "primary", "properties": ip}],
        },
    }


def _nic_with_tags(nic: Body, tags: dict[str, str]) -> Body:
    """The NIC with tags on itself and its public IP, so that lists show both without the VM."""
    properties = dict(nic["properties"])
    ip = dict(properties["ipConfigurations"][0]["properties"])
    if "publicIPAddressConfiguration" in ip:
        ip["publicIPAddressConfiguration"] = ip["publicIPAddressConfiguration"] | {"tags": tags}
    properties["ipConfigurations"] = [{"name": "primary", "properties": ip}]
    return nic | {"tags": tags, "properties": properties}


def _vm_identity(identities: tuple[str, ...]) -> Body:
    users = [one for one in identities if one != "system"]
    types = ["SystemAssigned"] * ("system" in identities) + ["UserAssigned"] * bool(users)
    body: Body = {"type": ", ".join(types)}
    if users:
        body["userAssignedIdentities"] = {one: {} for one in users}
    return body


def _body_hash(write_only: list[Any]) -> str:
    """SHA-256 (hex) of the fields that no GET returns, so that a later plan detects changes."""
    text = json.dumps(write_only, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
