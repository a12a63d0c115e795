"""The table of spec fields and their ARM fields, used for live values and for differences."""

from collections.abc import Callable
from typing import Any, NamedTuple

from ccgpu.domain import image, live_vm, references, sshkey
from ccgpu.domain.catalog import Kind
from ccgpu.domain.compare import value_at
from ccgpu.domain.network import SUBNET
from ccgpu.domain.resource import Body, name_of
from ccgpu.domain.spec.os_disk import DiskEncryption
from ccgpu.domain.vm_view import reference_text

Value = Any  # a JSON value


def _unchanged(value: Value) -> Value:
    return value


class ArmField(NamedTuple):
    """A field of a spec (`field`) and the ARM field (`kind`, `path`) that stores it.

    read: Converts ARM's value to the spec's; None if the value is unknown.
    show: Formats ARM's value for a difference. Default: `read`.
    may_be_none: Whether None is a value of the field. Otherwise None means unknown.
    """

    kind: Kind
    path: str
    field: str
    read: Callable[[Value], Value] = _unchanged
    show: Callable[[Value], Value] | None = None
    may_be_none: bool = False

    def shown(self, value: Value) -> Value:
        """ARM's value, formatted for a difference."""
        return (self.show or self.read)(value)


def live_fields_of(kind: Kind, body: Body) -> dict[str, Value]:
    """The spec fields that the GET body of a resource holds, with their values."""
    values = {
        field: field.read(value_at(body, field.path)) for field in ARM_FIELDS if field.kind is kind
    }
    return {
        field.field: value
        for field, value in values.items()
        if value is not None or field.may_be_none
    }


def spec_field(kind: Kind, path: str) -> ArmField | None:
    """The spec field whose ARM field is at `path`, or contains `path`."""
    for field in ARM_FIELDS:
        if field.kind is kind and f"{path}.".startswith(f"{field.path}."):
            return field
    return None


def _zone(zones: Value) -> Value:
    return zones[0] if zones else None


def _is_spot(priority: Value) -> bool:
    return str(priority).casefold() == "spot"


def _encryption(value: Value) -> Value:
    known = {choice.arm.casefold(): choice.value for choice in DiskEncryption}
    return known.get(str(value).casefold())


def _encryption_shown(value: Value) -> Value:
    return _encryption(value) or value


def _image(reference: Value) -> Value:
    """The image with its exact version, in the spec's notation."""
    if not isinstance(reference, dict):
        return None
    version = reference.get("exactVersion") or reference.get("version")
    return next(iter(readable(image.parse, [reference_text(reference, version)])), None)


def _image_shown(reference: Value) -> Value:
    if not isinstance(reference, dict):
        return reference
    return reference_text(reference, reference.get("version"))


def _keys(public_keys: Value) -> Value:
    """The lines of all keys; None unless every line is also valid in a spec, unchanged."""
    lines = [str(public_key.get("keyData")).strip() for public_key in public_keys or ()]
    return lines if lines and readable(sshkey.parse, lines) == lines else None


def _keys_shown(public_keys: Value) -> Value:
    """Each key as its type, the end of its data, and its comment."""
    lines = [str(public_key.get("keyData", "")).split() for public_key in public_keys or ()]
    return [" ".join([words[0], f"…{words[1][-8:]}", *words[2:]]) for words in lines if words[1:]]


def _system_identity(identity: Value) -> list[str]:
    return ["system"] if "systemassigned" in str(value_at(identity, "type")).casefold() else []


def _identities(identity: Value) -> Value:
    ids = value_at(identity, "userAssignedIdentities") or ()
    user_identities = readable(
        lambda id_: references.canonical_id(id_, references.USER_IDENTITY), ids
    )
    return [*_system_identity(identity), *user_identities]


def _identities_shown(identity: Value) -> Value:
    return [
        *_system_identity(identity),
        *map(name_of, value_at(identity, "userAssignedIdentities") or ()),
    ]


def _subnet_shown(id_: Value) -> Value:
    own = str(id_).casefold().endswith(f"-vnet/subnets/{SUBNET}")
    return "the deployment's own network" if own else id_


def readable(parse: Callable[[str], Any], texts: Any) -> list[str]:
    """The texts that `parse` accepts, in the spec's notation."""
    parsed: list[str] = []
    for text in texts:
        try:
            parsed.append(str(parse(str(text).strip())))
        except ValueError:
            continue
    return parsed


OS_DISK = "properties.storageProfile.osDisk"
SSH_SOURCE = "properties.securityRules.ssh.properties.sourceAddressPrefix"
_DISK_SECURITY = f"{OS_DISK}.managedDisk.securityProfile"

ARM_FIELDS = (
    ArmField(Kind.VM, "zones", "zone", _zone, may_be_none=True),
    ArmField(Kind.VM, "properties.hardwareProfile.vmSize", "size"),
    ArmField(
        Kind.VM, "properties.storageProfile.imageReference", "image", _image, show=_image_shown
    ),
    ArmField(Kind.VM, f"{OS_DISK}.diskSizeGB", "os_disk.size_gib"),
    ArmField(Kind.VM, f"{OS_DISK}.managedDisk.storageAccountType", "os_disk.type"),
    ArmField(
        Kind.VM,
        f"{_DISK_SECURITY}.securityEncryptionType",
        "os_disk.encryption",
        _encryption,
        show=_encryption_shown,
    ),
    ArmField(
        Kind.VM,
        f"{_DISK_SECURITY}.diskEncryptionSet.id",
        "os_disk.encryption_set",
        may_be_none=True,
    ),
    ArmField(Kind.VM, "properties.securityProfile.uefiSettings.secureBootEnabled", "secure_boot"),
    ArmField(Kind.VM, "properties.osProfile.adminUsername", "admin_user"),
    ArmField(
        Kind.VM,
        "properties.osProfile.linuxConfiguration.ssh.publicKeys",
        "ssh_keys",
        _keys,
        show=_keys_shown,
    ),
    ArmField(Kind.VM, "properties.diagnosticsProfile.bootDiagnostics.enabled", "boot_diagnostics"),
    ArmField(Kind.VM, "properties.priority", "spot", _is_spot),
    ArmField(Kind.VM, "properties.billingProfile.maxPrice", "max_price", may_be_none=True),
    ArmField(Kind.VM, "identity", "identities", _identities, show=_identities_shown),
    # The inline interface is write-only: `live_vm` compares the interface itself.
    ArmField(Kind.VM, live_vm.PRIVATE, "private"),
    ArmField(Kind.VM, live_vm.SUBNET, "subnet", show=_subnet_shown),
    ArmField(Kind.NSG, SSH_SOURCE, "ssh_from"),
)
