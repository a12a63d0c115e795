"""Differences in the words of the spec: `os_disk.size_gib: 256 → 512`, not ARM's paths and hashes.

What has no field in a spec is named in plain words made of ARM's.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ccgpu.domain.arm_fields import OS_DISK, spec_field
from ccgpu.domain.catalog import Kind
from ccgpu.domain.compare import Difference
from ccgpu.domain.in_place import FAILED
from ccgpu.domain.resource import BODY_HASH, EXPIRES

Value = Any  # as JSON has it


@dataclass(frozen=True, slots=True)
class SpecChange:
    """One field of the spec: its current value and the new one (None: nothing)."""

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
    if field := spec_field(kind, one.path):
        return SpecChange(field.field, field.shown(one.found), field.shown(one.wanted))
    if one.path in _OTHER_WORDS:
        return SpecChange(_OTHER_WORDS[one.path], one.found, one.wanted)
    if one.path.startswith("tags.") and one.path != f"tags.{BODY_HASH}":
        return SpecChange(one.path, one.found, one.wanted)
    return _other(kind, one)


def _other(kind: Kind, one: Difference) -> SpecChange:
    """A part of a disk, of a security rule or of a network."""
    parts = one.path.removeprefix("properties.").split(".")
    field = _words(parts[-1])
    match kind, parts:
        case Kind.VM, ["storageProfile", "dataDisks", name, *_]:
            return SpecChange(f"data_disks.{name}", _disk(one.found), _disk(one.wanted))
        case Kind.VM, ["tags", name] if name == BODY_HASH:
            return SpecChange("network interface", "made otherwise", "as the spec says")
        case Kind.VNET, ["subnets", _, "properties", "natGateway", *_]:
            return SpecChange("private", one.wanted is None, one.wanted is not None)
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


def _disk(value: Any) -> Value:
    if isinstance(value, dict):
        type_ = (value.get("managedDisk") or {}).get("storageAccountType")
        return f"{value.get('diskSizeGB')} GiB {type_}"
    return value


# What has no field in a spec, by the path in ARM.
_OTHER_WORDS = {
    f"{OS_DISK}.name": "name of the OS disk",
    "properties.securityProfile.uefiSettings.vTpmEnabled": "vTPM",
    "properties.osProfile.computerName": "host name",
    "location": "region",
    FAILED: "state",
    f"tags.{EXPIRES}": "expires",
}
