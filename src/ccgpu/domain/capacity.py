"""Whether a region can hold the VM, from what Azure says of sizes and quota.

Only an allocation proves capacity: the SKU and usage lists have been seen to say no where a
create went through, so the caller can skip this. What is decided here is pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

REGIONAL_CORES = "cores"
SPOT_CORES = "lowPriorityCores"


@dataclass(frozen=True, slots=True)
class Offer:
    """A size as a region offers it (one record of Microsoft.Compute/skus)."""

    region: str
    zones: tuple[str, ...]
    family: str
    vcpus: int
    capabilities: Mapping[str, str]
    barred: str | None = None  # reason code of a restriction of the whole region
    barred_zones: Mapping[str, str] | None = None  # zone → reason code


@dataclass(frozen=True, slots=True)
class SizeRegions:
    """The regions that offer some size (`known`), and those that offer this one."""

    known: frozenset[str]
    offered: frozenset[str]


@dataclass(frozen=True, slots=True)
class Usage:
    """One line of a region's quota: what is used of what limit."""

    name: str
    shown: str
    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class QuotaNeed:
    """What a VM takes out of a quota line, and what is left then."""

    shown: str
    used: int
    limit: int
    after: int

    @property
    def met(self) -> bool:
        """Whether the limit holds it."""
        return self.after <= self.limit


@dataclass(frozen=True, slots=True)
class CapacityCheck:
    """Whether the region can hold the VM; if not, why, and which kind of no it is.

    `field`: the spec asks for what this region never has, and there it says so.
    """

    region: str
    needs: tuple[QuotaNeed, ...]
    refusal: str | None = None
    quota: bool = False
    field: str | None = None


def place_name(region: str, zone: str | None) -> str:
    """Where, as people read it."""
    return f"{region}, zone {zone}" if zone else region


def assess_capacity(
    region: str,
    size: str,
    zone: str | None,
    spot: bool,
    offer: Offer | None,
    usages: Sequence[Usage],
    *,
    cores_released: bool = False,
) -> CapacityCheck:
    """Whether `region` can hold one more VM of `size`, as far as Azure tells before the PUT.

    `cores_released`: a VM of the same size goes there first, and gives its cores back.
    """
    if offer is None:
        return CapacityCheck(region, (), f"{region} does not offer {size}", field="regions")
    if found := _permanent_refusal(region, size, zone, spot, offer):
        return found
    where = place_name(region, zone)
    if refusal := _closed_refusal(size, zone, offer):
        return CapacityCheck(region, (), f"{where}: {refusal}")
    needs = _quota_needs(offer, spot, usages, 0 if cores_released else offer.vcpus)
    short = [need for need in needs if not need.met]
    if short:
        lacks = "; ".join(
            f"{need.shown}: {need.used} of {need.limit} used, {need.after - need.used} more needed"
            for need in short
        )
        return CapacityCheck(region, needs, f"{where}: quota is too small ({lacks})", quota=True)
    return CapacityCheck(region, needs)


def _permanent_refusal(
    region: str, size: str, zone: str | None, spot: bool, offer: Offer
) -> CapacityCheck | None:
    """What waiting does not change."""
    if zone and zone not in offer.zones:
        offered = f"zones {', '.join(offer.zones)}" if offer.zones else "no zones"
        text = f"{region}: zone {zone} does not have {size} ({offered})"
        return CapacityCheck(region, (), text, field="zone")
    if spot and offer.capabilities.get("LowPriorityCapable", "True") != "True":
        return CapacityCheck(
            region, (), f"{region}: {size} is not offered as Spot there", field="spot"
        )
    return None


def _closed_refusal(size: str, zone: str | None, offer: Offer) -> str | None:
    if offer.barred:
        return f"{size} is closed to this subscription ({offer.barred})"
    if zone and zone in (offer.barred_zones or {}):
        return f"{size} is closed in zone {zone} ({(offer.barred_zones or {})[zone]})"
    return None


def _quota_needs(
    offer: Offer, spot: bool, usages: Sequence[Usage], more: int
) -> tuple[QuotaNeed, ...]:
    """Spot has one quota of its own; else the family's and the region's both count.

    A line that Azure does not list is not held against the VM: ARM has the last word.
    """
    names = (SPOT_CORES,) if spot else (offer.family, REGIONAL_CORES)
    by_name = {_plain_name(usage.name): usage for usage in usages}
    found = [by_name[_plain_name(name)] for name in names if _plain_name(name) in by_name]
    return tuple(QuotaNeed(u.shown, u.used, u.limit, u.used + more) for u in found)


def _plain_name(name: str) -> str:
    """Usage names come in several spellings, some with stray spaces."""
    return name.replace(" ", "").casefold()
