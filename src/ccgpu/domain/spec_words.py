"""Converts differences from ARM's paths to the spec's fields: `os_disk.size_gib: 256 → 512`.

A difference without a field in the spec gets a readable name, derived from ARM's path.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ccgpu.domain.arm_fields import OS_DISK, spec_field
from ccgpu.domain.catalog import Kind
from ccgpu.domain.compare import Difference
from ccgpu.domain.guest_tag import PREFIX as GUEST_FIELDS
from ccgpu.domain.in_place import FAILED
from ccgpu.domain.resource import BODY_HASH, EXPIRES

Value = Any  # a JSON value


@dataclass(frozen=True, slots=True)
class SpecChange:
    """One field of the spec: its current value and the new one (None: nothing)."""

    field: str
    current: Value
    new: Value

    def __str__(self) -> str:
        return f"{self.field}: {text(self.current)} → {text(self.new)}"


def text(value: Value) -> str:
    """A value in the notation of a spec."""
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
    """The changed fields, each once, in the order of the differences."""
    changes: dict[str, SpecChange] = {}
    for difference in differences:
        change = _change(kind, difference)
        changes.setdefault(change.field, change)
    return tuple(changes.values())


def _change(kind: Kind, difference: Difference) -> SpecChange:
    if field := spec_field(kind, difference.path):
        return SpecChange(
            field.field, field.shown(difference.found), field.shown(difference.wanted)
        )
    if difference.path.startswith(GUEST_FIELDS):
        return SpecChange(difference.path, difference.found, difference.wanted)
    if difference.path in _OTHER_WORDS:
        return SpecChange(_OTHER_WORDS[difference.path], difference.found, difference.wanted)
    if difference.path.startswith("tags.") and difference.path != f"tags.{BODY_HASH}":
        return SpecChange(difference.path, difference.found, difference.wanted)
    return _other_change(kind, difference)


def _other_change(kind: Kind, difference: Difference) -> SpecChange:
    """The change for a part of a disk, of a security rule or of a network."""
    parts = difference.path.removeprefix("properties.").split(".")
    field = _split_words(parts[-1])
    match kind, parts:
        case Kind.VM, ["storageProfile", "dataDisks", name, *_]:
            return SpecChange(
                f"data_disks.{name}", _disk_text(difference.found), _disk_text(difference.wanted)
            )
        case Kind.VM, ["tags", name] if name == BODY_HASH:
            return SpecChange("network interface", "made otherwise", "as the spec says")
        case Kind.VNET, ["subnets", _, "properties", "natGateway", *_]:
            return SpecChange("private", difference.wanted is None, difference.wanted is not None)
        case Kind.NSG, ["securityRules", name, "properties", _]:
            field = f"security rule {name}, {field}"
        case ((Kind.NSG | Kind.VNET), [("securityRules" | "subnets") as listed, name]):
            return SpecChange(f"{_split_words(listed)[:-1]} {name}", None, "as ccgpu makes it")
        case _:
            pass
    return SpecChange(field, difference.found, difference.wanted)


def _split_words(field: str) -> str:
    """`sourceAddressPrefix` as `source address prefix`."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in field)


def _disk_text(value: Any) -> Value:
    if isinstance(value, dict):
        type_ = (value.get("managedDisk") or {}).get("storageAccountType")
        return f"{value.get('diskSizeGB')} GiB {type_}"
    return value


# Names of ARM fields that are not in a spec, by path.
_OTHER_WORDS = {
    f"{OS_DISK}.name": "name of the OS disk",
    "properties.securityProfile.uefiSettings.vTpmEnabled": "vTPM",
    "properties.osProfile.computerName": "host name",
    "location": "region",
    "image.measured": "image.measured (SHA-256 of the manifest)",
    "image.config": "config of the measured image (SHA-256)",
    FAILED: "state",
    f"tags.{EXPIRES}": "expires",
}
