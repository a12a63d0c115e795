"""Compares the wanted body of a resource with the live one, the body of its GET.

The live body may have more than the wanted one: Azure adds fields, and other people add subnets,
rules, disks and identities. List items are matched by name. For a VM, only fields that a spec can
express are compared. No GET returns write-only fields (flag 4 in ARM's resource types). The VM's
network interface is compared instead, or the tag `ccgpu-body` if the interface was not read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import (
    DEPLOYMENT,
    FIRST_BOOT_TAGS,
    VOLATILE_TAGS,
    Body,
    key,
    location,
    name_of,
    tag,
)

# Fields that are not compared. A VM's customData and networkInterfaceConfigurations are write-only
# (ARM resource types, Microsoft.Compute/virtualMachines; networkApiVersion goes with the latter).
# The others are not fields of a spec, so changing them outside ccgpu does not replace a VM.
_NOT_COMPARED = {
    Kind.GROUP: frozenset({"location"}),  # a group holds resources of any region
    Kind.VNET: frozenset({"properties.addressSpace"}),  # others may widen it
    Kind.VM: frozenset(
        {
            "properties.networkProfile.networkInterfaceConfigurations",
            "properties.networkProfile.networkApiVersion",
            "properties.osProfile.customData",
            "properties.userData",  # returned only to who asks; compared by its tag
            "properties.osProfile.allowExtensionOperations",  # of guest.lockdown: `guest_tag`
            "properties.osProfile.linuxConfiguration.provisionVMAgent",
            "properties.osProfile.linuxConfiguration.patchSettings",
            "properties.storageProfile.osDisk.createOption",
            "properties.storageProfile.osDisk.caching",
            "properties.storageProfile.osDisk.deleteOption",
            "properties.evictionPolicy",
        }
    ),
}
# The latter are compared by `guest_tag.guest_differences` and `measured_boot.measured_differences`.
_TAGS_NOT_COMPARED = VOLATILE_TAGS | FIRST_BOOT_TAGS
_DATA_DISKS = "properties.storageProfile.dataDisks"
_DISK_FIELDS = frozenset({"diskSizeGB", "managedDisk.storageAccountType"})
_OS_DISK = "properties.storageProfile.osDisk"
# A deallocated VM's GET leaves these fields out. Without them and without the disk resource, the
# values are unknown and are not compared.
_UNKNOWN_IF_ABSENT = frozenset(f"{_OS_DISK}.{name}" for name in _DISK_FIELDS)
_IDENTITY = "identity"
_PUBLIC_KEYS = "properties.osProfile.linuxConfiguration.ssh.publicKeys"
# Fields that are compared and reported as one value.
_COMPARED_WHOLE = frozenset(
    {
        "zones",
        _IDENTITY,
        "properties.storageProfile.imageReference",
        _PUBLIC_KEYS,
    }
)
_PRIORITY = "properties.priority"
_GATEWAY = "properties.subnets.default.properties.natGateway"
# Compared without case. ARM capitalises enumerations and changes the case of ids. Resource names
# are case-insensitive (Microsoft Learn, "Naming rules and restrictions for Azure resources").
_CASELESS = frozenset({"createOption", "caching", "deleteOption", "type", "id", "priority", "name"})


@dataclass(frozen=True, slots=True)
class Difference:
    """One field with its wanted value and its live one, `found`. None: the field is absent."""

    path: str
    wanted: Any
    found: Any


def differences(kind: Kind, wanted: Body, live: Body) -> tuple[Difference, ...]:
    """Every field and tag of `wanted` that is absent from `live` or has another value there."""
    rest = {name: value for name, value in wanted.items() if name != "tags"}
    return (
        *_compare(rest, live, "", _NOT_COMPARED.get(kind, frozenset())),
        *_compare_removed_fields(kind, wanted, live),
        *_compare_tags(wanted, live),
    )


def _compare_removed_fields(kind: Kind, wanted: Body, live: Body) -> Iterator[Difference]:
    """Live fields that must be removed because `wanted` leaves them out."""
    if kind is Kind.VM and value_at(wanted, _PRIORITY) is None:
        priority = value_at(live, _PRIORITY)
        if priority not in (None, "Regular"):
            yield Difference(_PRIORITY, "Regular", priority)
    if kind is Kind.VNET and value_at(wanted, _GATEWAY) is None:
        gateway = value_at(live, _GATEWAY)
        if is_own_gateway(tag(live, DEPLOYMENT), gateway):
            yield Difference(_GATEWAY, None, gateway)


def is_own_gateway(deployment: str | None, gateway: Any) -> bool:
    """Whether a subnet's NAT gateway is the one that ccgpu creates for this deployment."""
    id_ = gateway.get("id") if isinstance(gateway, dict) else None
    return deployment is not None and name_of(str(id_)).casefold() == f"{deployment}-nat".casefold()


def value_at(body: Any, path: str) -> Any:
    """The field at a dotted path, or None. In a list, a segment is the name of an item."""
    for segment in path.split("."):
        if isinstance(body, list):
            body = next((item for item in body if _has_name(item, segment)), None)
        elif isinstance(body, dict):
            body = body.get(segment)
        else:
            return None
    return body


def _has_name(item: Any, name: str) -> bool:
    return isinstance(item, dict) and str(item.get("name")).casefold() == name.casefold()


def _compare_tags(wanted: Body, live: Body) -> tuple[Difference, ...]:
    wanted_tags: dict[str, str] = wanted.get("tags") or {}
    live_tags: dict[str, str] = live.get("tags") or {}
    live_values = {name.casefold(): value for name, value in live_tags.items()}
    changed = [
        Difference(f"tags.{name}", value, live_values.get(name.casefold()))
        for name, value in wanted_tags.items()
        if name.casefold() not in _TAGS_NOT_COMPARED and live_values.get(name.casefold()) != value
    ]
    return tuple(changed)


def _compare(wanted: Any, live: Any, path: str, skipped: frozenset[str]) -> tuple[Difference, ...]:
    if path in skipped or _is_unknown(path, live):
        return ()
    if path not in _COMPARED_WHOLE and isinstance(wanted, list):
        return _compare_lists(wanted, live, path, skipped)
    if (
        path not in _COMPARED_WHOLE
        and isinstance(wanted, dict)
        and (wanted or isinstance(live, dict))
    ):
        return tuple(
            difference
            for name, value in wanted.items()
            for difference in _compare(value, _member(live, name), _join_path(path, name), skipped)
        )
    return () if _satisfies(wanted, live, path) else (Difference(path, wanted, live),)


def _satisfies(wanted: Any, live: Any, path: str) -> bool:
    """Whether `live` satisfies `wanted`: a text, a number, or a field compared as one value."""
    if path == _IDENTITY:
        users = "userAssignedIdentities"
        live_users = {key(id_) for id_ in value_at(live, users) or ()}
        types = _identity_types(value_at(wanted, "type")) <= _identity_types(value_at(live, "type"))
        return types and {key(id_) for id_ in value_at(wanted, users) or ()} <= live_users
    if path == _PUBLIC_KEYS:
        return _key_data(wanted) == _key_data(live)
    return _has_every_part(wanted, live, path.rsplit(".", 1)[-1])


def _key_data(public_keys: Any) -> set[tuple[str, ...]]:
    """Type and data of each public key, without its comment and path."""
    return {tuple(str(public_key.get("keyData")).split()[:2]) for public_key in public_keys or ()}


def _is_unknown(path: str, live: Any) -> bool:
    return live is None and path in _UNKNOWN_IF_ABSENT


def _has_every_part(wanted: Any, live: Any, name: str) -> bool:
    """Whether `live` has every part of `wanted`. Lists are compared item by item."""
    if isinstance(wanted, dict):
        parts = all(
            _has_every_part(value, _member(live, name), name) for name, value in wanted.items()
        )
        return isinstance(live, dict) and parts
    if isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        pairs = zip(wanted, live, strict=True)
        return all(
            _has_every_part(wanted_item, live_item, name) for wanted_item, live_item in pairs
        )
    return _equal_in_arm(wanted, live, name)


def _identity_types(identity_type: Any) -> set[str]:
    """ARM's text `SystemAssigned, UserAssigned` as a set. Others may have added one of the two."""
    return {part.strip().casefold() for part in str(identity_type or "").split(",")}


def _compare_lists(
    wanted: list[Any], live: Any, path: str, skipped: frozenset[str]
) -> tuple[Difference, ...]:
    """Compare named items by name and ignore extra ones; compare other lists by position."""
    live_items = live if isinstance(live, list) else []
    if all(isinstance(item, dict) and "name" in item for item in wanted):
        return tuple(
            difference
            for item in wanted
            for difference in _compare_item(item, live_items, path, skipped)
        )
    if len(live_items) != len(wanted):
        return (Difference(path, wanted, live),)
    return tuple(
        difference
        for index, (wanted_item, live_item) in enumerate(zip(wanted, live_items, strict=True))
        for difference in _compare(wanted_item, live_item, _join_path(path, str(index)), skipped)
    )


def _compare_item(
    wanted: Body, live_items: list[Any], path: str, skipped: frozenset[str]
) -> tuple[Difference, ...]:
    name = wanted["name"]
    live = next((item for item in live_items if _has_name(item, name)), None)
    item_path = _join_path(path, name)
    if live is None:
        return (Difference(item_path, wanted, None),)
    if path == _DATA_DISKS:
        return tuple(
            Difference(f"{item_path}.{field}", value_at(wanted, field), live_value)
            for field in sorted(_DISK_FIELDS)
            if (live_value := value_at(live, field)) not in (None, value_at(wanted, field))
        )
    return _compare(wanted, live, item_path, skipped)


def _member(live: Any, name: str) -> Any:
    return live.get(name) if isinstance(live, dict) else None


def _equal_in_arm(wanted: Any, live: Any, name: str) -> bool:
    if isinstance(wanted, str) and isinstance(live, str):
        if name == "location":
            return location(wanted) == location(live)
        if name in _CASELESS:
            return wanted.casefold() == live.casefold()
        return wanted.strip() == live.strip()  # ARM may append a newline to keyData
    return bool(wanted == live)


def _join_path(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
