"""Whether what Azure has is what is wanted.

Azure adds fields of its own, so found ⊇ wanted is enough. Write-only fields (flag 4 in ARM's
resource types) are never in a GET: they are compared through the tag `ccgpu-body`.
"""

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
# Spellings that ARM changes: it capitalises enumerations, and returns ids in its own case.
_CASELESS = frozenset({"createOption", "caching", "deleteOption", "type", "id", "priority"})


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
    return (*_of(rest, found, "", skipped), *_of_tags(wanted, found))


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
