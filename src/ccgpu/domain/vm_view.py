"""Typed accessors for the GET bodies of a VM and its network interface.

Missing fields are None or empty. A VM in creation has no disks and no interfaces yet. The instance
view is present only if the request asked for it (`$expand=instanceView`).
"""

from typing import Any

from ccgpu.domain.resource import Body, ResourceId


def properties(body: Body | None) -> Body:
    """The `properties` of a resource."""
    return _object(body, "properties")


def instance_view(vm: Body | None) -> Body:
    """The VM's run-time status."""
    return _object(properties(vm), "instanceView")


def with_instance_view(vm: Body, status: Body | None) -> Body:
    """The VM with the instance view of another response, if that has one."""
    view = instance_view(status)
    return {**vm, "properties": {**properties(vm), "instanceView": view}} if view else vm


def without_instance_view(vm: Body) -> Body:
    """The VM without its run-time status, which is about to change."""
    shown = {name: value for name, value in properties(vm).items() if name != "instanceView"}
    return {**vm, "properties": shown}


def power_state(vm: Body) -> str | None:
    """The power state without its prefix: running, stopped, deallocated."""
    for status in instance_view(vm).get("statuses") or ():
        kind, _, value = (status.get("code") or "").partition("/")
        if kind == "PowerState":
            return str(value)
    return None


def agent_statuses(vm: Body) -> list[Body]:
    """The status reports of the guest's agent."""
    return _object(instance_view(vm), "vmAgent").get("statuses") or []


def has_agent(vm: Body) -> bool:
    """Whether Azure's agent was to be in the guest: without it nothing reports from inside."""
    linux = _object(_object(properties(vm), "osProfile"), "linuxConfiguration")
    return linux.get("provisionVMAgent") is not False


def tells_agent(vm: Body) -> bool:
    """Whether the instance view determines the VM's state: a running VM needs its agent's part."""
    view = instance_view(vm)
    told = "vmAgent" in view or power_state(vm) != "running" or not has_agent(vm)
    return bool(view) and told


def managed_disk_ids(vm: Body) -> list[ResourceId]:
    """The ids of the managed disks that the VM refers to, the OS disk first."""
    storage = _object(properties(vm), "storageProfile")
    disks = (_object(storage, "osDisk"), *(storage.get("dataDisks") or ()))
    ids = (_object(disk, "managedDisk").get("id") for disk in disks)
    return [ResourceId(id_) for id_ in ids if id_]


def attached_disk_ids(vm: Body) -> list[ResourceId]:
    """The ids of the data disks that stay when the VM is deleted.

    Those that ccgpu makes go with it (`deleteOption: Delete`). Azure's default, which also counts
    where the option is not shown, is that a disk stays.
    """
    disks = _object(properties(vm), "storageProfile").get("dataDisks") or ()
    kept = (one for one in disks if str(one.get("deleteOption")).casefold() != "delete")
    ids = (_object(one, "managedDisk").get("id") for one in kept)
    return [ResourceId(id_) for id_ in ids if id_]


def network_interface_ids(vm: Body) -> list[ResourceId]:
    """The ids of the network interfaces that the VM refers to."""
    references = _object(properties(vm), "networkProfile").get("networkInterfaces") or ()
    return [ResourceId(reference["id"]) for reference in references if reference.get("id")]


def ids_deleted_with(vm: Body) -> list[ResourceId]:
    """The ids of the disks and network interfaces that Azure deletes with the VM (`deleteOption`).

    The VM does not say whether the public IP of an interface is deleted, too.
    """
    storage = _object(properties(vm), "storageProfile")
    disks = (_object(storage, "osDisk"), *(storage.get("dataDisks") or ()))
    interfaces = _object(properties(vm), "networkProfile").get("networkInterfaces") or ()
    options = [(_object(one, "managedDisk").get("id"), one.get("deleteOption")) for one in disks]
    options += [(one.get("id"), properties(one).get("deleteOption")) for one in interfaces]
    return [ResourceId(id_) for id_, option in options if id_ and option == "Delete"]


def vm_size(vm: Body) -> str | None:
    """The size of the VM."""
    return _object(properties(vm), "hardwareProfile").get("vmSize")


def admin_username(vm: Body) -> str | None:
    """The name of the user that the VM was created with."""
    return _object(properties(vm), "osProfile").get("adminUsername")


def image_reference(vm: Body) -> Body:
    """The image that the VM was created from."""
    return _object(_object(properties(vm), "storageProfile"), "imageReference")


def image_text(vm: Body) -> str | None:
    """The image that the VM was created from, with the exact version if Azure tells it."""
    reference = image_reference(vm)
    return reference_text(reference, reference.get("exactVersion") or reference.get("version"))


def reference_text(reference: Body, version: Any) -> str | None:
    """An image reference with this version as text: its URN, else its id."""
    urn = [*(reference.get(part) for part in ("publisher", "offer", "sku")), version]
    if all(urn):
        return ":".join(map(str, urn))
    return reference.get("communityGalleryImageId") or reference.get("id")


def is_secure_boot_enabled(vm: Body) -> bool:
    """Whether only signed code boots."""
    settings = _object(_object(properties(vm), "securityProfile"), "uefiSettings")
    return settings.get("secureBootEnabled") is True


def ssh_public_keys(vm: Body) -> tuple[str, ...]:
    """The SSH public keys that the VM was created with."""
    linux = _object(_object(properties(vm), "osProfile"), "linuxConfiguration")
    return tuple(str(one["keyData"]) for one in _object(linux, "ssh").get("publicKeys") or ())


def user_identity_ids(vm: Body | None) -> tuple[str, ...]:
    """The ids of the user-assigned identities of the VM."""
    return tuple(_object(_object(vm, "identity"), "userAssignedIdentities"))


def ip_configurations(interface: Body | None) -> list[Body]:
    """The properties of each IP configuration of a network interface."""
    configurations = properties(interface).get("ipConfigurations") or ()
    return [properties(configuration) for configuration in configurations]


def public_ip_id(configuration: Body) -> ResourceId | None:
    """The id of the public IP address that an IP configuration refers to."""
    id_ = _object(configuration, "publicIPAddress").get("id")
    return None if id_ is None else ResourceId(id_)


def _object(body: Body | None, name: str) -> dict[str, Any]:
    """An object field; empty if the field or the body is missing or null."""
    return (body or {}).get(name) or {}
