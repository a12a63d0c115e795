"""Checks of confidential VMs and of the disk profile that only they may have.

Sources: the quotes from issue threads in docs/fake-azure.md. Some rules are documented without the
text of their error; those texts are the fake's own.
"""

from ccgpu.fakearm import compute_errors, errors, images, kinds
from ccgpu.fakearm.images import Image
from ccgpu.fakearm.resources.tracked import PutRequest
from ccgpu.fakearm.skus import VmSize
from ccgpu.fakearm.vm.rules import required_value, value_at
from ccgpu.fakearm.wire import Body
from ccgpu.fakearm.world import World

CONFIDENTIAL = "ConfidentialVM"
_TYPES = ("Standard", "TrustedLaunch", CONFIDENTIAL)
_STATE_ONLY, _WHOLE_DISK = "VMGuestStateOnly", "DiskWithVMGuestState"
_ENCRYPTIONS = (_STATE_ONLY, _WHOLE_DISK, "NonPersistedTPM")
_REQUIRED_SET_TYPE = "ConfidentialVmEncryptedWithCustomerKey"


def check_confidential(world: World, wanted: PutRequest, size: VmSize) -> Image:
    """Size, security type, disk encryption and image must agree. Returns the image."""
    given = wanted.properties
    kind, encryption = value_at(given, "securityProfile", "securityType"), encryption_type(given)
    _check_enum(kind, _TYPES, "SecurityTypes", "properties.securityProfile.securityType")
    _check_enum(
        encryption,
        _ENCRYPTIONS,
        "SecurityEncryptionTypes",
        "properties.storageProfile.osDisk.managedDisk.securityProfile.securityEncryptionType",
    )
    _check_size(size, kind, encryption)
    if kind == CONFIDENTIAL:
        _check_encryption(given, encryption)
        _check_key(world, given, encryption, wanted.location)
    elif value_at(given, "storageProfile", "osDisk", "managedDisk", "securityProfile") is not None:
        raise errors.bad_request(
            "The parameter 'managedDisk.securityProfile' can only be set for Confidential VMs."
        )
    reference = required_value(given, "storageProfile", "imageReference")
    image = images.find_image(world, reference, wanted.location)
    if kind == CONFIDENTIAL and not image.confidential:
        raise errors.invalid_parameter(
            "securityProfile.securityType",
            f"SecurityType '{CONFIDENTIAL}' is not supported by given image.",
        )
    return image


def encryption_type(properties: Body) -> str | None:
    found: str | None = value_at(
        properties,
        "storageProfile",
        "osDisk",
        "managedDisk",
        "securityProfile",
        "securityEncryptionType",
    )
    return found


def encrypts_disk(properties: Body) -> bool:
    return encryption_type(properties) == _WHOLE_DISK


def _check_enum(value: object, known: tuple[str, ...], name: str, path: str) -> None:
    if value is not None and value not in known:
        raise errors.bad_request(
            f'Error converting value "{value}" to type \'System.Nullable`1[Microsoft.WindowsAzure.'
            f"ComputeResourceProvider.Common.{name}]'. Path '{path}'."
        )


def _check_size(size: VmSize, kind: str | None, encryption: str | None) -> None:
    prefix = (
        f"The VM size '{size.name}' is not supported for creation of VMs and Virtual Machine "
        "Scale Set with "
    )
    if size.confidential and kind != CONFIDENTIAL:
        raise errors.bad_request(f"{prefix}'{kind or '<NULL>'}' security type.")
    if kind == CONFIDENTIAL and not size.confidential:
        raise errors.bad_request(
            f"{prefix}'{CONFIDENTIAL}' security type and "
            "managedDisk.securityProfile.securityEncryptionType set as "
            f"'{encryption or '<NULL>'}'"
        )


def _check_encryption(given: Body, encryption: str | None) -> None:
    if encryption is None:
        raise errors.bad_request(
            "Required parameter for Confidential VMs "
            "'managedDisk.securityProfile.securityEncryptionType' is missing (null)."
        )
    firmware = value_at(given, "securityProfile", "uefiSettings") or {}
    if encryption not in (_STATE_ONLY, _WHOLE_DISK):
        raise errors.bad_request(
            f"The security encryption type '{encryption}' is not supported by this VM size."
        )
    if firmware.get("vTpmEnabled") is not True:
        raise errors.bad_request(
            "Confidential VMs require 'securityProfile.uefiSettings.vTpmEnabled' to be true."
        )
    if encryption == _WHOLE_DISK and firmware.get("secureBootEnabled") is not True:
        raise errors.bad_request(
            "'securityProfile.uefiSettings.secureBootEnabled' must be true when "
            f"'managedDisk.securityProfile.securityEncryptionType' is '{_WHOLE_DISK}'."
        )
    if encryption == _WHOLE_DISK and value_at(given, "securityProfile", "encryptionAtHost"):
        raise errors.bad_request(
            "'securityProfile.encryptionAtHost' cannot be true when "
            f"'managedDisk.securityProfile.securityEncryptionType' is '{_WHOLE_DISK}'."
        )


def _check_key(world: World, given: Body, encryption: str | None, location: str) -> None:
    disk = value_at(given, "storageProfile", "osDisk", "managedDisk")
    key = value_at(disk, "securityProfile", "diskEncryptionSet", "id")
    if key is None:
        return
    if encryption != _WHOLE_DISK:
        raise errors.bad_request(
            "'managedDisk.securityProfile.diskEncryptionSet' can only be set when "
            f"'securityEncryptionType' is '{_WHOLE_DISK}'."
        )
    if value_at(disk, "diskEncryptionSet", "id"):
        raise errors.bad_request(
            "'managedDisk.diskEncryptionSet' and 'managedDisk.securityProfile.diskEncryptionSet' "
            "cannot both be set."
        )
    found = world.find(str(key))
    if found is None or found.kind != kinds.DES or found.location != location:
        raise compute_errors.reference_not_found(str(key))
    if found.properties["encryptionType"] != _REQUIRED_SET_TYPE:
        raise errors.bad_request(
            f"The disk encryption set '{found.name}' must have the encryption type "
            f"'{_REQUIRED_SET_TYPE}'."
        )
