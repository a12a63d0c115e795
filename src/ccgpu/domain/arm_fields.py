"""Which ARM field is which field of a spec: the one table for live values and for differences."""

from collections.abc import Callable
from typing import Any, NamedTuple

from ccgpu.domain import image, live_vm, references, sshkey
from ccgpu.domain.catalog import Kind
from ccgpu.domain.compare import value_at
from ccgpu.domain.network import SUBNET
from ccgpu.domain.resource import Body, name_of
from ccgpu.domain.spec.os_disk import DiskEncryption

Value = Any  # as JSON has it


def _same(value: Value) -> Value:
    return value


class ArmField(NamedTuple):
    """A field of a spec, and the field of an ARM resource that it becomes.

    read: ARM's value as a spec has it; None if it says nothing.
    show: ARM's value as a difference shows it, where that is not what `read` returns.
    may_be_none: whether None is a value of the field, rather than nothing known.
    """

    kind: Kind
    path: str
    field: str
    read: Callable[[Value], Value] = _same
    show: Callable[[Value], Value] | None = None
    may_be_none: bool = False

    def shown(self, value: Value) -> Value:
        """ARM's value as a difference shows it."""
        return (self.show or self.read)(value)


def live_fields_of(kind: Kind, body: Body) -> dict[str, Value]:
    """What the GET body of a resource says, by the fields of a spec."""
    read = {one: one.read(value_at(body, one.path)) for one in ARM_FIELDS if one.kind is kind}
    return {one.field: value for one, value in read.items() if value is not None or one.may_be_none}


def spec_field(kind: Kind, path: str) -> ArmField | None:
    """The field of a spec that the field at `path` is, or is a part of."""
    for one in ARM_FIELDS:
        if one.kind is kind and f"{path}.".startswith(f"{one.path}."):
            return one
    return None


def _zone(zones: Value) -> Value:
    return zones[0] if zones else None


def _is_spot(priority: Value) -> bool:
    return str(priority).casefold() == "spot"


def _encryption(value: Value) -> Value:
    known = {one.arm.casefold(): one.value for one in DiskEncryption}
    return known.get(str(value).casefold())


def _encryption_shown(value: Value) -> Value:
    return _encryption(value) or value


def _image(reference: Value) -> Value:
    """The exact image, as a spec names it."""
    if not isinstance(reference, dict):
        return None
    version = reference.get("exactVersion") or reference.get("version")
    return next(iter(readable(image.parse, [_image_text(reference, version)])), None)


def _image_shown(reference: Value) -> Value:
    if not isinstance(reference, dict):
        return reference
    return _image_text(reference, reference.get("version"))


def _image_text(reference: Body, version: Value) -> Value:
    urn = [*(reference.get(part) for part in ("publisher", "offer", "sku")), version]
    if all(urn):
        return ":".join(map(str, urn))
    return reference.get("communityGalleryImageId") or reference.get("id")


def _keys(public_keys: Value) -> Value:
    """All of the keys, if a spec can name each of them exactly so."""
    lines = [str(one.get("keyData")).strip() for one in public_keys or ()]
    return lines if lines and readable(sshkey.parse, lines) == lines else None


def _keys_shown(public_keys: Value) -> Value:
    """Each key by its type, the end of its data and its comment."""
    lines = [str(one.get("keyData", "")).split() for one in public_keys or ()]
    return [" ".join([words[0], f"…{words[1][-8:]}", *words[2:]]) for words in lines if words[1:]]


def _system(identity: Value) -> list[str]:
    return ["system"] if "systemassigned" in str(value_at(identity, "type")).casefold() else []


def _identities(identity: Value) -> Value:
    ids = value_at(identity, "userAssignedIdentities") or ()
    found = readable(lambda id_: references.canonical_id(id_, references.USER_IDENTITY), ids)
    return [*_system(identity), *found]


def _identities_shown(identity: Value) -> Value:
    return [*_system(identity), *map(name_of, value_at(identity, "userAssignedIdentities") or ())]


def _subnet_shown(id_: Value) -> Value:
    own = str(id_).casefold().endswith(f"-vnet/subnets/{SUBNET}")
    return "the deployment's own network" if own else id_


def readable(parse: Callable[[str], Any], texts: Any) -> list[str]:
    """The texts that can be parsed, in the form that a spec has."""
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
