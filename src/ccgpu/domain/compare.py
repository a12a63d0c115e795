"""Compares a resource at Azure with the wanted one.

Azure adds fields of its own, and other people add subnets, rules, disks and identities, so the
found resource may have more than the wanted one. Elements of a list are ours by their names. Only
fields that a spec can express are compared for a VM. No GET returns write-only fields (flag 4 in
ARM's resource types): the VM's interface is compared instead, or without it the tag `ccgpu-body`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import DEPLOYMENT, VOLATILE_TAGS, Body, key, location, name_of, tag

# Fields that are not compared. A VM's customData and networkInterfaceConfigurations are write-only
# (ARM resource types, Microsoft.Compute/virtualMachines; networkApiVersion goes with the latter).
# The others are not fields of a spec, so a change of them by somebody does not replace a VM.
_SKIPPED = {
    Kind.GROUP: frozenset({"location"}),  # it can hold resources of any region
    Kind.VNET: frozenset({"properties.addressSpace"}),  # set once; widened by others
    Kind.VM: frozenset(
        {
            "properties.networkProfile.networkInterfaceConfigurations",
            "properties.networkProfile.networkApiVersion",
            "properties.osProfile.customData",
            "properties.osProfile.linuxConfiguration.provisionVMAgent",
            "properties.osProfile.linuxConfiguration.patchSettings",
            "properties.storageProfile.osDisk.createOption",
            "properties.storageProfile.osDisk.caching",
            "properties.storageProfile.osDisk.deleteOption",
            "properties.evictionPolicy",
        }
    ),
}
_DATA_DISKS = "properties.storageProfile.dataDisks"
_DISK_FIELDS = frozenset({"diskSizeGB", "managedDisk.storageAccountType"})
_OS_DISK = "properties.storageProfile.osDisk"
# A deallocated VM's GET leaves these out. Where its disk resource cannot be read either, they are
# unknown, and are not compared.
_UNKNOWN_IF_ABSENT = frozenset(f"{_OS_DISK}.{name}" for name in _DISK_FIELDS)
_IDENTITY = "identity"
_PUBLIC_KEYS = "properties.osProfile.linuxConfiguration.ssh.publicKeys"
# Compared and reported as one value.
_WHOLE = frozenset(
    {
        "zones",
        _IDENTITY,
        "properties.storageProfile.imageReference",
        _PUBLIC_KEYS,
    }
)
_PRIORITY = "properties.priority"
_GATEWAY = "properties.subnets.default.properties.natGateway"
# Spellings that ARM changes: it capitalises enumerations, and returns ids in its own case; names
# compare without case (Microsoft Learn, "Naming rules and restrictions for Azure resources").
_CASELESS = frozenset({"createOption", "caching", "deleteOption", "type", "id", "priority", "name"})


@dataclass(frozen=True, slots=True)
class Difference:
    """One field: what is wanted, and what was found (None: nothing)."""

    path: str
    wanted: Any
    found: Any


def differences(kind: Kind, wanted: Body, found: Body) -> tuple[Difference, ...]:
    """Every field and tag of `wanted` that `found` lacks or has otherwise."""
    rest = {name: value for name, value in wanted.items() if name != "tags"}
    return (
        *_compare(rest, found, "", _SKIPPED.get(kind, frozenset())),
        *_unwanted(kind, wanted, found),
        *_compare_tags(wanted, found),
    )


def _unwanted(kind: Kind, wanted: Body, found: Body) -> Iterator[Difference]:
    """What exists although `wanted` leaves it out, where leaving it out means it must go."""
    if kind is Kind.VM and value_at(wanted, _PRIORITY) is None:
        priority = value_at(found, _PRIORITY)
        if priority not in (None, "Regular"):
            yield Difference(_PRIORITY, "Regular", priority)
    if kind is Kind.VNET and value_at(wanted, _GATEWAY) is None:
        gateway = value_at(found, _GATEWAY)
        if is_own_gateway(tag(found, DEPLOYMENT), gateway):
            yield Difference(_GATEWAY, None, gateway)


def is_own_gateway(deployment: str | None, gateway: Any) -> bool:
    """Whether a subnet's NAT gateway is the one that ccgpu makes for this deployment."""
    id_ = gateway.get("id") if isinstance(gateway, dict) else None
    return deployment is not None and name_of(str(id_)).casefold() == f"{deployment}-nat".casefold()


def value_at(body: Any, path: str) -> Any:
    """The field at a path, None if there is none; in a list, a segment is the name of an item."""
    for segment in path.split("."):
        if isinstance(body, list):
            body = next((one for one in body if _has_name(one, segment)), None)
        elif isinstance(body, dict):
            body = body.get(segment)
        else:
            return None
    return body


def _has_name(item: Any, name: str) -> bool:
    return isinstance(item, dict) and str(item.get("name")).casefold() == name.casefold()


def _compare_tags(wanted: Body, found: Body) -> tuple[Difference, ...]:
    mine: dict[str, str] = wanted.get("tags") or {}
    theirs: dict[str, str] = found.get("tags") or {}
    live = {name.casefold(): value for name, value in theirs.items()}
    changed = [
        Difference(f"tags.{name}", value, live.get(name.casefold()))
        for name, value in mine.items()
        if name.casefold() not in VOLATILE_TAGS and live.get(name.casefold()) != value
    ]
    return tuple(changed)


def _compare(wanted: Any, found: Any, path: str, skipped: frozenset[str]) -> tuple[Difference, ...]:
    if path in skipped or _is_unknown(path, found):
        return ()
    if path not in _WHOLE and isinstance(wanted, list):
        return _compare_lists(wanted, found, path, skipped)
    if path not in _WHOLE and isinstance(wanted, dict) and (wanted or isinstance(found, dict)):
        return tuple(
            difference
            for name, value in wanted.items()
            for difference in _compare(value, _get(found, name), _join(path, name), skipped)
        )
    return () if _covers(wanted, found, path) else (Difference(path, wanted, found),)


def _covers(wanted: Any, found: Any, path: str) -> bool:
    """Whether `found` has one wanted value: a text, a number, or what is compared as a whole."""
    if path == _IDENTITY:
        users = "userAssignedIdentities"
        there = {key(id_) for id_ in value_at(found, users) or ()}
        types = _parts(value_at(wanted, "type")) <= _parts(value_at(found, "type"))
        return types and {key(id_) for id_ in value_at(wanted, users) or ()} <= there
    if path == _PUBLIC_KEYS:
        return _keys(wanted) == _keys(found)
    return _covers_whole(wanted, found, path.rsplit(".", 1)[-1])


def _keys(public_keys: Any) -> set[tuple[str, ...]]:
    """Type and data of each key. Its comment and its path do not matter."""
    return {tuple(str(one.get("keyData")).split()[:2]) for one in public_keys or ()}


def _is_unknown(path: str, found: Any) -> bool:
    return found is None and path in _UNKNOWN_IF_ABSENT


def _covers_whole(wanted: Any, found: Any, name: str) -> bool:
    """Whether one value covers another, part by part; lists item by item."""
    if isinstance(wanted, dict):
        parts = all(_covers_whole(value, _get(found, name), name) for name, value in wanted.items())
        return isinstance(found, dict) and parts
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = zip(wanted, found, strict=True)
        return all(_covers_whole(mine, other, name) for mine, other in pairs)
    return _equal(wanted, found, name)


def _parts(identity_type: Any) -> set[str]:
    """`SystemAssigned, UserAssigned` as a set: others may have added one of them."""
    return {part.strip().casefold() for part in str(identity_type or "").split(",")}


def _compare_lists(
    wanted: list[Any], found: Any, path: str, skipped: frozenset[str]
) -> tuple[Difference, ...]:
    """Items with names are compared by name, whatever others there are; other lists one by one."""
    theirs = found if isinstance(found, list) else []
    if all(isinstance(one, dict) and "name" in one for one in wanted):
        return tuple(
            difference for one in wanted for difference in _compare_item(one, theirs, path, skipped)
        )
    if len(theirs) != len(wanted):
        return (Difference(path, wanted, found),)
    return tuple(
        difference
        for place, (mine, other) in enumerate(zip(wanted, theirs, strict=True))
        for difference in _compare(mine, other, _join(path, str(place)), skipped)
    )


def _compare_item(
    wanted: Body, theirs: list[Any], path: str, skipped: frozenset[str]
) -> tuple[Difference, ...]:
    name = wanted["name"]
    found = next((one for one in theirs if _has_name(one, name)), None)
    here = _join(path, name)
    if found is None:
        return (Difference(here, wanted, None),)
    if path == _DATA_DISKS:
        return tuple(
            Difference(f"{here}.{field}", value_at(wanted, field), there)
            for field in sorted(_DISK_FIELDS)
            if (there := value_at(found, field)) not in (None, value_at(wanted, field))
        )
    return _compare(wanted, found, here, skipped)


def _get(found: Any, name: str) -> Any:
    return found.get(name) if isinstance(found, dict) else None


def _equal(wanted: Any, found: Any, name: str) -> bool:
    if isinstance(wanted, str) and isinstance(found, str):
        if name == "location":
            return location(wanted) == location(found)
        if name in _CASELESS:
            return wanted.casefold() == found.casefold()
        return wanted.strip() == found.strip()  # ARM may give keyData back with a newline
    return bool(wanted == found)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
