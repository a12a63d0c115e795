"""Checks of a VM's body before anything is created: size, zone, sign-in.

docs/fake-azure.md names the source of each error text and marks inferred ones. The checks of
confidential VMs are in `confidential`.
"""

import base64
import binascii
import re
from typing import Any

from ccgpu.fakearm import compute_errors, errors, skus
from ccgpu.fakearm.resources.tracked import PutRequest
from ccgpu.fakearm.skus import VmSize
from ccgpu.fakearm.wire import Body, FakeGap
from ccgpu.fakearm.world import World


def value_at(body: Any, *path: str) -> Any:
    """The value at `path`; None as soon as a step is missing or null."""
    for key in path:
        body = body.get(key) if isinstance(body, dict) else None
        if body is None:
            return None
    return body


def required_value(body: Any, *path: str) -> Any:
    """Like `value_at`, but refuses a missing value."""
    value = value_at(body, *path)
    if value in (None, ""):
        name = ".".join(path)
        raise errors.invalid_parameter(name, f"Required parameter '{name}' is missing (null).")
    return value


# Names: Microsoft Learn, "Naming rules and restrictions for Azure resources", and the error
# texts of the compute provider.
_NAME = re.compile(r"(?!_)[^\\/\"\[\]:|<>+=;,?*@&~!#$%^()_{}' ]{1,64}(?<![.-])")
_HOST_NAME = re.compile(r"[^`~!@#$%^&*()=+_\[\]{}\\|;:'\",<>/? ]{1,64}")


def check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise errors.invalid_parameter(
            "vmName",
            f"The entity name '{name}' is invalid according to its validation rule: at most 64 "
            "characters, no special characters, not starting with '_' and not ending with '.' or "
            "'-'.",
        )


_KNOWN_FIELDS = frozenset(
    ["id", "name", "type", "etag", "location", "tags", "properties", "zones", "identity"]
)
_KNOWN_PROPERTIES = frozenset(
    [
        "hardwareProfile",
        "storageProfile",
        "osProfile",
        "networkProfile",
        "securityProfile",
        "diagnosticsProfile",
        "additionalCapabilities",
        "priority",
        "evictionPolicy",
        "billingProfile",
        "licenseType",
        "provisioningState",
        "vmId",
        "timeCreated",
        "instanceView",
        "userData",
    ]
)


def check_known(wanted: PutRequest) -> None:
    """Properties that the fake would ignore, such as availability sets, are a gap."""
    unknown = (wanted.body.keys() - _KNOWN_FIELDS) | (wanted.properties.keys() - _KNOWN_PROPERTIES)
    if unknown:
        raise FakeGap(f"a VM with {sorted(unknown)}")


def check_size(world: World, wanted: PutRequest) -> VmSize:
    """The size, if region and requested zone offer it to this subscription."""
    name = required_value(wanted.properties, "hardwareProfile", "vmSize")
    size = skus.SIZES.get(str(name).lower())
    if size is None:
        listed = ", ".join(sorted(one.name for one in skus.SIZES.values()))
        raise errors.invalid_parameter(
            "vmSize",
            f"The value {name} provided for the VM size is not valid. The valid sizes in the "
            f"current region are: {listed}.",
        )
    zones = [str(zone) for zone in wanted.body.get("zones") or ()]
    _check_zones(wanted, zones)
    offered = skus.offered_zones(world.settings, size, wanted.location)
    if offered is None or _is_restricted(world, size, wanted.location, zones):
        raise compute_errors.sku_not_available(size.name, wanted.location)
    if not set(zones) <= set(offered):
        raise compute_errors.size_not_in_zone(
            wanted.id, wanted.location, zones[0], world.subscription
        )
    return size


def _check_zones(wanted: PutRequest, zones: list[str]) -> None:
    if len(zones) > 1 or not set(zones) <= {"1", "2", "3"}:
        raise errors.Refused(
            400,
            "AvailabilityZoneNotSupported",
            f"The zone(s) '{','.join(zones)}' for resource "
            f"'Microsoft.Compute/virtualMachines/{wanted.name}' is not supported. The supported "
            f"zones for location '{wanted.location}' are '1,2,3'",
        )


def _is_restricted(world: World, size: VmSize, region: str, zones: list[str]) -> bool:
    for one in world.settings.value("restrictions", size.name, region, default=()):
        if one["type"] == "Location" or set(zones) & set(one.get("zones", ())):
            return True
    return False


# User names that the compute provider refuses, as listed in azurerm and azure-cli.
_RESERVED_USERS = frozenset(
    [
        "administrator",
        "admin",
        "user",
        "user1",
        "test",
        "user2",
        "test1",
        "user3",
        "admin1",
        "1",
        "123",
        "a",
        "actuser",
        "adm",
        "admin2",
        "aspnet",
        "backup",
        "console",
        "david",
        "guest",
        "john",
        "owner",
        "root",
        "server",
        "sql",
        "support",
        "support_388945a0",
        "sys",
        "test2",
        "test3",
        "user4",
        "user5",
    ]
)
_CUSTOM_DATA = 65_535  # decoded bytes: Microsoft Learn, "Custom data and cloud-init"


def check_sign_in(wanted: PutRequest) -> None:
    profile = required_value(wanted.properties, "osProfile")
    user = str(required_value(profile, "adminUsername"))
    if user.lower() in _RESERVED_USERS or len(user) > 64:
        raise errors.invalid_parameter(
            "adminUsername",
            "The Admin Username specified is not allowed. For more information about disallowed "
            "usernames, see https://aka.ms/vmosprofile",
        )
    if not _HOST_NAME.fullmatch(str(value_at(profile, "computerName") or wanted.name)):
        raise errors.invalid_parameter(
            "computerName",
            "Linux host name cannot exceed 64 characters in length or contain the following "
            "characters: ` ~ ! @ # $ % ^ & * ( ) = + _ [ ] { } \\ | ; : ' \" , < > / ?.",
        )
    _check_custom_data(value_at(profile, "customData"))
    check_extensions(profile)
    if value_at(profile, "linuxConfiguration", "disablePasswordAuthentication"):
        _check_keys(user, value_at(profile, "linuxConfiguration", "ssh", "publicKeys") or [])
    elif not value_at(profile, "adminPassword"):
        raise errors.invalid_parameter(
            "adminPassword", "Required parameter 'adminPassword' is missing (null)."
        )


def _check_custom_data(text: str | None) -> None:
    if text is None:
        return
    try:
        size = len(base64.b64decode(text, validate=True))
    except binascii.Error:
        size = _CUSTOM_DATA + 1
    if size > _CUSTOM_DATA:
        raise errors.invalid_parameter(
            "customData",
            "Custom data in OSProfile must be in Base64 encoding and with a maximum length of "
            "87380 characters.",
        )


def check_extensions(profile: Body) -> None:
    """Extensions need an agent that Azure provisions (azurerm#8001 quotes the refusal)."""
    allowed = profile.get("allowExtensionOperations", False)
    agent = [
        value_at(profile, system, "provisionVMAgent")
        for system in ("linuxConfiguration", "windowsConfiguration")
    ]
    if not isinstance(allowed, bool) or (allowed and False in agent):
        raise errors.invalid_parameter(
            "allowExtensionOperations",
            "The value of parameter allowExtensionOperations is invalid.",
        )


def _check_keys(user: str, keys: list[Body]) -> None:
    if not keys:
        raise errors.invalid_parameter(
            "linuxConfiguration",
            "Authentication using either SSH or by user name and password must be enabled in "
            "Linux profile.",
        )
    for key in keys:
        home = f"/home/{user}/.ssh/authorized_keys"
        if key.get("path") != home:
            raise errors.invalid_parameter(
                "linuxConfiguration.ssh.publicKeys.path",
                "Destination path for SSH public keys is currently limited to its default value "
                f"{home} due to a known issue in Linux provisioning agent.",
            )
        if not _is_public_key(str(key.get("keyData", ""))):
            raise errors.invalid_parameter(
                "linuxConfiguration.ssh.publicKeys.keyData",
                "The value of parameter linuxConfiguration.ssh.publicKeys.keyData is invalid.",
            )


def _is_public_key(text: str) -> bool:
    """ssh-ed25519, or ssh-rsa of at least 2048 bits (azurerm, ssh_key.go)."""
    words = text.split()
    if len(words) < 2 or words[0] not in ("ssh-rsa", "ssh-ed25519"):
        return False
    try:
        fields = _ssh_fields(base64.b64decode(words[1], validate=True))
    except (binascii.Error, ValueError):
        return False
    if not fields or fields[0] != words[0].encode():
        return False
    if words[0] == "ssh-ed25519":
        return len(fields) == 2 and len(fields[1]) == 32
    return len(fields) == 3 and int.from_bytes(fields[2], "big").bit_length() >= 2048


def _ssh_fields(blob: bytes) -> list[bytes]:
    """The length-prefixed strings of an SSH public key (RFC 4253, section 6.6)."""
    fields = []
    while blob:
        size = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + size:
            raise ValueError("cut short")
        fields.append(blob[4 : 4 + size])
        blob = blob[4 + size :]
    return fields
