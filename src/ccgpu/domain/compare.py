"""Whether what Azure has is what is wanted.

Azure adds fields of its own, so found ⊇ wanted is enough. Write-only fields (flag 4 in ARM's
resource types) are never in a GET: they are compared through the tag `ccgpu-body`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import VOLATILE_TAGS, Body, location

# Fields that a GET does not give back, or gives back as something else (ARM resource types,
# Microsoft.Compute/virtualMachines: customData and networkInterfaceConfigurations are write-only;
# networkApiVersion goes with the latter).
_WRITE_ONLY = {
    Kind.VM: frozenset(
        {
            "properties.networkProfile.networkInterfaceConfigurations",
            "properties.networkProfile.networkApiVersion",
            "properties.osProfile.customData",
        }
    )
}
# A resource group can hold resources of any region; its own location says nothing.
_IGNORED = {Kind.GROUP: frozenset({"location"})}
# Fields whose absence is a wish too: found with another value than this, they differ.
_ABSENT: dict[Kind, dict[str, Any]] = {
    Kind.VNET: {"properties.subnets.default.properties.natGateway": None},
    Kind.VM: {"properties.priority": "Regular"},
}
_DATA_DISKS = "properties.storageProfile.dataDisks"
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
    skipped = _WRITE_ONLY.get(kind, frozenset()) | _IGNORED.get(kind, frozenset())
    rest = {name: value for name, value in wanted.items() if name != "tags"}
    ours = _without_attached(wanted, found) if kind is Kind.VM else found
    return (
        *_of(rest, ours, "", skipped),
        *_of_absent(wanted, found, _ABSENT.get(kind, {})),
        *_of_tags(wanted, found),
    )


def _of_absent(wanted: Body, found: Body, absent: dict[str, Any]) -> Iterator[Difference]:
    for path, default in absent.items():
        there = _at(found, path)
        if _at(wanted, path) is None and there not in (None, default):
            yield Difference(path, default, there)


def _without_attached(wanted: Body, found: Body) -> Body:
    """The VM without data disks that somebody has attached to it: theirs have other names."""
    os_disk = str(_at(wanted, "properties.storageProfile.osDisk.name"))
    prefix = os_disk.removesuffix("osdisk").casefold() + "data"
    disks = _at(found, _DATA_DISKS) or []
    ours = [disk for disk in disks if str(disk.get("name")).casefold().startswith(prefix)]
    properties = found.get("properties") or {}
    storage = (properties.get("storageProfile") or {}) | {"dataDisks": ours}
    return found | {"properties": properties | {"storageProfile": storage}}


def _at(body: Any, path: str) -> Any:
    """The field at a path; in a list, a segment is an item's name. None where there is none."""
    for segment in path.split("."):
        if isinstance(body, list):
            body = next((one for one in body if one.get("name") == segment), None)
        elif isinstance(body, dict):
            body = body.get(segment)
    return body


def _of_tags(wanted: Body, found: Body) -> tuple[Difference, ...]:
    mine: dict[str, str] = wanted.get("tags") or {}
    theirs: dict[str, str] = found.get("tags") or {}
    live = {name.casefold(): value for name, value in theirs.items()}
    changed = [
        Difference(f"tags.{name}", value, live.get(name.casefold()))
        for name, value in mine.items()
        if name.casefold() not in VOLATILE_TAGS and live.get(name.casefold()) != value
    ]
    return tuple(changed)


def _of(wanted: Any, found: Any, path: str, skipped: frozenset[str]) -> tuple[Difference, ...]:
    if path in skipped:
        return ()
    match wanted:
        case dict() if not wanted and not isinstance(found, dict):
            return (Difference(path, wanted, found),)  # an identity is a key without a value
        case dict():
            return tuple(
                difference
                for name, value in wanted.items()
                for difference in _of(value, _field(found, name), _join(path, name), skipped)
            )
        case list():
            return _of_lists(wanted, found, path, skipped)
        case _ if _equal(wanted, found, path.rsplit(".", 1)[-1]):
            return ()
        case _:
            return (Difference(path, wanted, found),)


def _of_lists(
    wanted: list[Any], found: Any, path: str, skipped: frozenset[str]
) -> tuple[Difference, ...]:
    """Lists are equal item by item; items with a name are paired by it."""
    theirs = found if isinstance(found, list) else []
    if len(theirs) != len(wanted):
        return (Difference(path, wanted, found),)
    if all(isinstance(one, dict) and "name" in one for one in (*wanted, *theirs)):
        by_name = {one["name"].casefold(): one for one in theirs}
        theirs = [by_name.get(one["name"].casefold()) for one in wanted]
    return tuple(
        difference
        for at, (mine, other) in enumerate(zip(wanted, theirs, strict=True))
        for difference in _of(mine, other, _join(path, str(at)), skipped)
    )


def _field(found: Any, name: str) -> Any:
    """A field of what was found; where the name is an id, without case."""
    if not isinstance(found, dict):
        return None
    if name.startswith("/"):
        return {key.casefold(): value for key, value in found.items()}.get(name.casefold())
    return found.get(name)


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
