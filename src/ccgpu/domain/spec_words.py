"""Differences in the words of the spec: `os_disk.size_gib: 256 → 512`, not ARM's paths and hashes.

What no field of a spec stands for is told in plain words made of ARM's.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ccgpu.domain import live_vm
from ccgpu.domain.catalog import Kind
from ccgpu.domain.compare import Difference, at
from ccgpu.domain.in_place import FAILED
from ccgpu.domain.network import SUBNET
from ccgpu.domain.resource import BODY_HASH, EXPIRES, name_of

Value = Any  # as JSON has it


@dataclass(frozen=True, slots=True)
class SpecChange:
    """One field of the spec: what is there, and what is wanted (None: nothing)."""

    field: str
    current: Value
    new: Value

    def __str__(self) -> str:
        return f"{self.field}: {text(self.current)} → {text(self.new)}"


def text(value: Value) -> str:
    """A value as a user writes it in a spec."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(map(text, value)) or "none"
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True)
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))


def in_spec_words(kind: Kind, differences: Sequence[Difference]) -> tuple[SpecChange, ...]:
    """Each difference once, in the order of the first that belongs to its field."""
    changes: dict[str, SpecChange] = {}
    for one in differences:
        change = _change(kind, one)
        changes.setdefault(change.field, change)
    return tuple(changes.values())


def _change(kind: Kind, one: Difference) -> SpecChange:
    for table in (_VM if kind is Kind.VM else {}, _ANY):
        for prefix, (field, value) in table.items():
            if one.path == prefix or one.path.startswith(f"{prefix}."):
                return SpecChange(field, value(one.found), value(one.wanted))
    if one.path.startswith("tags.") and one.path != f"tags.{BODY_HASH}":
        return SpecChange(one.path, one.found, one.wanted)
    return _other(kind, one)


def _other(kind: Kind, one: Difference) -> SpecChange:
    """What stands for no field alone: of a disk, of a rule, of the network."""
    parts = one.path.removeprefix("properties.").split(".")
    field = _words(parts[-1])
    match kind, parts:
        case Kind.VM, ["storageProfile", "dataDisks", name, *_]:
            return SpecChange(f"data_disks.{name}", _disk(one.found), _disk(one.wanted))
        case Kind.VM, ["tags", name] if name == BODY_HASH:
            return SpecChange("network interface", "made otherwise", "as the spec says")
        case Kind.VNET, ["subnets", _, "properties", "natGateway", *_]:
            return SpecChange("private", one.wanted is None, one.wanted is not None)
        case Kind.NSG, ["securityRules", "ssh", "properties", "sourceAddressPrefix"]:
            field = "ssh_from"
        case Kind.NSG, ["securityRules", name, "properties", _]:
            field = f"security rule {name}, {field}"
        case ((Kind.NSG | Kind.VNET), [("securityRules" | "subnets") as listed, name]):
            return SpecChange(f"{_words(listed)[:-1]} {name}", None, "as ccgpu makes it")
        case _:
            pass
    return SpecChange(field, one.found, one.wanted)


def _words(field: str) -> str:
    """`sourceAddressPrefix` as `source address prefix`."""
    return "".join(f" {one.lower()}" if one.isupper() else one for one in field)


def _same(value: Any) -> Value:
    return value


def _zone(zones: Any) -> Value:
    return zones[0] if zones else None


def _spot(priority: Any) -> Value:
    return str(priority).casefold() == "spot"


def _encryption(arm: Any) -> Value:
    words = {"diskwithvmgueststate": "full", "vmguestStateonly".casefold(): "state-only"}
    return words.get(str(arm).casefold(), arm)


def _image(reference: Any) -> Value:
    if not isinstance(reference, dict):
        return reference
    urn = [reference.get(part) for part in ("publisher", "offer", "sku", "version")]
    if all(urn):
        return ":".join(map(str, urn))
    return reference.get("communityGalleryImageId") or reference.get("id")


def _keys(public_keys: Any) -> Value:
    """Each key by its type, the end of its data and its comment."""
    lines = [str(one.get("keyData", "")).split() for one in public_keys or ()]
    return [" ".join([words[0], f"…{words[1][-8:]}", *words[2:]]) for words in lines if words[1:]]


def _identities(value: Any) -> Value:
    system = ["system"] if "systemassigned" in str(at(value, "type")).casefold() else []
    return [*system, *(name_of(id_) for id_ in at(value, "userAssignedIdentities") or ())]


def _disk(value: Any) -> Value:
    if isinstance(value, dict):
        type_ = (value.get("managedDisk") or {}).get("storageAccountType")
        return f"{value.get('diskSizeGB')} GiB {type_}"
    return value


def _subnet(id_: Any) -> Value:
    own = str(id_).casefold().endswith(f"-vnet/subnets/{SUBNET}")
    return "the deployment's own network" if own else id_


_Words = tuple[str, Callable[[Any], Value]]
_OS_DISK = "properties.storageProfile.osDisk"
_SECURITY = f"{_OS_DISK}.managedDisk.securityProfile"
_VM: dict[str, _Words] = {
    "zones": ("zone", _zone),
    "properties.hardwareProfile.vmSize": ("size", _same),
    "properties.storageProfile.imageReference": ("image", _image),
    f"{_OS_DISK}.diskSizeGB": ("os_disk.size_gib", _same),
    f"{_OS_DISK}.managedDisk.storageAccountType": ("os_disk.type", _same),
    f"{_SECURITY}.securityEncryptionType": ("os_disk.encryption", _encryption),
    f"{_SECURITY}.diskEncryptionSet": ("os_disk.encryption_set", _same),
    f"{_OS_DISK}.name": ("name of the OS disk", _same),
    "properties.securityProfile.uefiSettings.secureBootEnabled": ("secure_boot", _same),
    "properties.securityProfile.uefiSettings.vTpmEnabled": ("vTPM", _same),
    "properties.osProfile.adminUsername": ("admin_user", _same),
    "properties.osProfile.computerName": ("host name", _same),
    "properties.osProfile.linuxConfiguration.ssh.publicKeys": ("ssh_keys", _keys),
    "properties.diagnosticsProfile.bootDiagnostics.enabled": ("boot_diagnostics", _same),
    "properties.priority": ("spot", _spot),
    "properties.billingProfile.maxPrice": ("max_price", _same),
    "identity": ("identities", _identities),
    live_vm.PRIVATE: ("private", _same),
    live_vm.SUBNET: ("subnet", _subnet),
}
_ANY: dict[str, _Words] = {
    "location": ("region", _same),
    FAILED: ("state", _same),
    f"tags.{EXPIRES}": ("expires", _same),
}
