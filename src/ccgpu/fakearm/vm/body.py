"""A VM's body: GET's response to a PUT, and the properties that a later PUT may not change.

The server's defaults are those of the recorded PUTs of a confidential and of a plain Linux VM.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any, NoReturn

from ccgpu.fakearm import compute_errors, errors
from ccgpu.fakearm.clock import arm_time
from ccgpu.fakearm.images import Image
from ccgpu.fakearm.resources.tracked import PutRequest
from ccgpu.fakearm.vm.confidential import CONFIDENTIAL
from ccgpu.fakearm.vm.rules import value_at
from ccgpu.fakearm.wire import Body
from ccgpu.fakearm.world import StoredResource, World

_COPIED = (
    "securityProfile",
    "diagnosticsProfile",
    "additionalCapabilities",
    "priority",
    "evictionPolicy",
    "billingProfile",
    "licenseType",
)
_CREATE_OPTIONS = {"fromimage": "FromImage", "empty": "Empty", "attach": "Attach"}


def build_properties(world: World, wanted: PutRequest, image: Image) -> Body:
    """The properties of a new VM. Names and ids of its disks follow when it is created."""
    given = wanted.properties
    storage = given["storageProfile"]
    answer: Body = {
        "vmId": world.new_guid(),
        "hardwareProfile": given["hardwareProfile"],
        "storageProfile": {
            "imageReference": {**storage["imageReference"], "exactVersion": image.exact},
            "osDisk": _os_disk_body(storage.get("osDisk") or {}, image),
            "dataDisks": [data_disk_body(one) for one in storage.get("dataDisks") or ()],
        },
        "osProfile": _os_profile_body(given["osProfile"], wanted.name),
        "networkProfile": {"networkInterfaces": []},
        "timeCreated": arm_time(world.now),
    }
    for key in _COPIED:
        if given.get(key) is not None:
            answer[key] = given[key]
    return answer


def _create_option(given: Body, default: str) -> str:
    option = str(given.get("createOption", default))
    return _CREATE_OPTIONS.get(option.lower(), option)


def _os_disk_body(given: Body, image: Image) -> Body:
    managed = dict(given.get("managedDisk") or {})
    if not managed.get("storageAccountType"):
        managed["storageAccountType"] = "Premium_LRS"
    size: int = given.get("diskSizeGB") or image.size_gib
    disk: Body = {
        "osType": image.os,
        "createOption": _create_option(given, "FromImage"),
        "caching": given.get("caching") or "ReadWrite",
        "managedDisk": managed,
        "deleteOption": given.get("deleteOption") or "Detach",
        "diskSizeGB": size,
    }
    for key in ("name", "writeAcceleratorEnabled"):
        if given.get(key) is not None:
            disk[key] = given[key]
    if size < image.size_gib:
        raise errors.invalid_parameter(
            "osDisk.diskSizeGB",
            f"The specified disk size {size} GB is smaller than the size of the "
            f"corresponding disk in the VM image: {image.size_gib} GB. This is not allowed. Please "
            "choose equal or greater size or do not specify an explicit size.",
        )
    return disk


def data_disk_body(given: Body) -> Body:
    """A data disk as GET returns it."""
    managed = dict(given.get("managedDisk") or {})
    if not managed.get("storageAccountType"):
        managed["storageAccountType"] = "Premium_LRS"
    return {
        **given,
        "createOption": _create_option(given, "Empty"),
        "caching": given.get("caching") or "None",
        "managedDisk": managed,
        "deleteOption": given.get("deleteOption") or "Detach",
        "toBeDetached": False,
    }


def _os_profile_body(given: Body, name: str) -> Body:
    """The OS profile without password and customData, which GET never returns."""
    patching = {"patchMode": "ImageDefault", "assessmentMode": "ImageDefault"}
    profile: Body = {
        "computerName": given.get("computerName") or name,
        "adminUsername": given["adminUsername"],
    }
    if given.get("windowsConfiguration"):
        windows = {
            "patchSettings": {**patching, "patchMode": "AutomaticByOS"},
            "enableVMAgentPlatformUpdates": False,
        }
        profile["windowsConfiguration"] = {**windows, **given["windowsConfiguration"]}
    else:
        linux = {
            "disablePasswordAuthentication": False,
            "provisionVMAgent": True,
            "patchSettings": patching,
        }
        profile["linuxConfiguration"] = {**linux, **(given.get("linuxConfiguration") or {})}
    return {
        **profile,
        "secrets": [],
        "allowExtensionOperations": given.get(
            "allowExtensionOperations",
            value_at(given, "linuxConfiguration", "provisionVMAgent") is not False,
        ),
        "requireGuestProvisionSignal": True,
    }


def write_only_hashes(wanted: PutRequest) -> Body:
    """Hashes of the values that GET never returns, to compare a later PUT with."""
    given = wanted.properties
    return {
        "customData": _hash(value_at(given, "osProfile", "customData")),
        "networkInterfaceConfigurations": _hash(
            value_at(given, "networkProfile", "networkInterfaceConfigurations")
        ),
    }


def _hash(value: Any) -> str | None:
    if value is None:
        return None
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


# Fixed after creation: azure.com FAQ on confidential VMs, and the reports of
# `PropertyChangeNotAllowed`; some paths are inferred (docs/fake-azure.md).
_FIXED_PATHS = (
    ("storageProfile", "imageReference"),
    ("storageProfile", "osDisk", "name"),
    ("storageProfile", "osDisk", "diskSizeGB"),
    ("storageProfile", "osDisk", "managedDisk", "securityProfile"),
    ("storageProfile", "osDisk", "managedDisk", "storageAccountType"),
    ("osProfile", "computerName"),
    ("osProfile", "adminUsername"),
    ("osProfile", "linuxConfiguration", "disablePasswordAuthentication"),
    ("osProfile", "linuxConfiguration", "ssh", "publicKeys"),
    ("securityProfile", "securityType"),
    ("priority",),
)
_FIXED_CONFIDENTIAL_PATHS = (
    ("hardwareProfile", "vmSize"),
    ("securityProfile", "uefiSettings"),
)


def check_unchanged(vm: StoredResource, wanted: PutRequest) -> None:
    """Refuse a PUT that changes a fixed property. It may repeat or omit it."""
    zones = wanted.body.get("zones")
    if zones is not None and zones != vm.body.get("zones"):
        raise compute_errors.property_change("zones")
    for key, was in vm.internal_state["secrets"].items():
        value = write_only_hashes(wanted)[key]
        if value is not None and value != was:
            raise compute_errors.property_change(_WRITE_ONLY[key])
    for path in _fixed_paths(vm):
        new, old = value_at(wanted.properties, *path), value_at(vm.properties, *path)
        if new is not None and not _is_unchanged(new, old):
            raise compute_errors.property_change(_error_target(path))


_WRITE_ONLY = {
    "customData": "customData",
    "networkInterfaceConfigurations": "networkProfile.networkInterfaceConfigurations",
}


def _error_target(path: tuple[str, ...]) -> str:
    """The path in the error: `imageReference`, `osDisk.name` (terraform#8796, azurerm#16323)."""
    return ".".join(path[1:] if path[0] in ("storageProfile", "osProfile") else path)


def _fixed_paths(vm: StoredResource) -> Iterator[tuple[str, ...]]:
    yield from _FIXED_PATHS
    if value_at(vm.properties, "securityProfile", "securityType") == CONFIDENTIAL:
        yield from _FIXED_CONFIDENTIAL_PATHS


_UPDATABLE = (
    *("diagnosticsProfile", "networkProfile", "instanceView", "provisioningState"),
    "userData",
)
# Compared elsewhere: write-only values by hash, data disks one by one; or changed in place.
_COMPARED_ELSEWHERE = ("adminPassword", "customData", "dataDisks", "allowExtensionOperations")


def unsupported_changes(vm: StoredResource, wanted: PutRequest) -> list[str]:
    """The properties whose change the fake does not simulate, such as the size."""
    return [
        key
        for key, value in wanted.properties.items()
        if key not in _UPDATABLE and not _is_unchanged(_comparable(value), vm.properties.get(key))
    ]


def refuse_change(name: str) -> NoReturn:
    """Raise the error for a changed property."""
    raise compute_errors.property_change(name)


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: one for key, one in value.items() if key not in _COMPARED_ELSEWHERE}
    return value


def _normalise_option(key: str, value: Any) -> Any:
    return _CREATE_OPTIONS.get(value.lower(), value) if key == "createOption" else value


def _is_unchanged(new: Any, old: Any) -> bool:
    """Whether `old` contains all of `new`. Azure may have added to it."""
    if isinstance(new, dict) and isinstance(old, dict):
        return all(
            value is None or _is_unchanged(_normalise_option(key, value), old.get(key))
            for key, value in new.items()
        )
    if isinstance(new, list) and isinstance(old, list):
        return len(new) == len(old) and all(map(_is_unchanged, new, old))
    if isinstance(new, str) and isinstance(old, str):
        return new.strip() == old.strip()
    return bool(new == old)
