"""Checks before a create whether a region offers the VM's size and has quota for it.

Only an allocation proves capacity. Azure's lists of SKUs and usages have refused VMs that could be
created, so `--skip-preflight` skips this check. The functions are pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from ccgpu.domain.quota_request import QuotaShortage

REGIONAL_CORES = "cores"
SPOT_CORES = "lowPriorityCores"
# What a region is not, by the provider's list of regions, and by the list of all VM sizes.
NO_REGION, NO_SIZES = "is not an Azure region", "is not a region with VM sizes"


@dataclass(frozen=True, slots=True)
class Offer:
    """A VM size in a region: one record of Microsoft.Compute/skus."""

    region: str
    zones: tuple[str, ...]
    family: str
    vcpus: int
    capabilities: Mapping[str, str]
    barred: str | None = None  # the reason code if the whole region is restricted
    barred_zones: Mapping[str, str] | None = None  # zone → reason code


@dataclass(frozen=True, slots=True)
class SizeOffers:
    """The regions that offer any VM size (`known`), and the offers of one size by region.

    A region that is not `known` has an empty list of sizes: nothing is said about it.
    """

    known: frozenset[str]
    offers: Mapping[str, Offer]

    @property
    def offered(self) -> frozenset[str]:
        """The regions that offer the size."""
        return frozenset(self.offers)

    def __or__(self, other: "SizeOffers") -> "SizeOffers":
        """What both lists say."""
        return SizeOffers(self.known | other.known, {**self.offers, **other.offers})


@dataclass(frozen=True, slots=True)
class Usage:
    """A region's quota (one record of Microsoft.Compute usages); `shown` is its display name."""

    name: str
    shown: str
    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class QuotaNeed:
    """A quota that a VM counts against; `after` is the usage with the VM."""

    shown: str
    used: int
    limit: int
    after: int

    @property
    def met(self) -> bool:
        """Whether the usage with the VM is within the limit."""
        return self.after <= self.limit


@dataclass(frozen=True, slots=True)
class CapacityCheck:
    """Whether a region can hold the VM. `refusal` is the reason if not.

    `quota`: the quota is too small. `field`: the spec's field whose value the region never offers.
    """

    region: str
    needs: tuple[QuotaNeed, ...]
    refusal: str | None = None
    quota: bool = False
    field: str | None = None


def not_a_region(region: str, what: str, known: Iterable[str], elsewhere: str = "") -> str:
    """That a region is not among the `known`, with the nearest of them.

    what: what the region is not. elsewhere: where the VM can be.
    """
    near = get_close_matches(region, sorted(known), n=1, cutoff=0.7)
    meant = f", did you mean {near[0]}?" if near else ":" if elsewhere else ""
    return f"{region} {what}{meant} {elsewhere}".rstrip()


def offered_in(size: str, regions: Iterable[str]) -> str:
    """Where a size is offered, as a sentence."""
    where = ", ".join(sorted(regions))
    return f"{size} is offered {f'in {where}' if where else 'nowhere'}"


def place_name(region: str, zone: str | None) -> str:
    """Region and zone as text for people."""
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
    """Whether `region` can hold one more VM of `size`, according to Azure's lists.

    Args:
        region: the region.
        size: the VM size.
        zone: the availability zone, or None.
        spot: whether the VM is a Spot VM.
        offer: the size in that region; None if the region does not offer it.
        usages: the region's quotas.
        cores_released: whether a VM of the same size is deleted there first.
    """
    # 1. The region offers the size, in this zone, and as Spot if wanted.
    if offer is None:
        return CapacityCheck(region, (), f"{region} does not offer {size}", field="regions")
    if permanent := _permanent_refusal(region, size, zone, spot, offer):
        return permanent
    # 2. The subscription may use the size there.
    where = place_name(region, zone)
    if refusal := _restriction(size, zone, offer):
        return CapacityCheck(region, (), f"{where}: {refusal}")
    # 3. Every quota that the VM counts against is large enough.
    needs = _quota_needs(offer, spot, usages, 0 if cores_released else offer.vcpus)
    short = [need for need in needs if not need.met]
    if short:
        lacks = "; ".join(
            QuotaShortage(need.shown, need.used, need.limit, need.after - need.used).text
            for need in short
        )
        return CapacityCheck(region, needs, f"{where}: quota is too small ({lacks})", quota=True)
    return CapacityCheck(region, needs)


def _permanent_refusal(
    region: str, size: str, zone: str | None, spot: bool, offer: Offer
) -> CapacityCheck | None:
    """The refusal of a zone or a Spot VM that the region never offers for this size."""
    if zone and zone not in offer.zones:
        offered = f"zones {', '.join(offer.zones)}" if offer.zones else "no zones"
        text = f"{region}: zone {zone} does not have {size} ({offered})"
        return CapacityCheck(region, (), text, field="zone")
    if spot and offer.capabilities.get("LowPriorityCapable", "True") != "True":
        return CapacityCheck(
            region, (), f"{region}: {size} is not offered as Spot there", field="spot"
        )
    return None


def _restriction(size: str, zone: str | None, offer: Offer) -> str | None:
    if offer.barred:
        return f"{size} is closed to this subscription ({offer.barred})"
    if zone and zone in (offer.barred_zones or {}):
        return f"{size} is closed in zone {zone} ({(offer.barred_zones or {})[zone]})"
    return None


def _quota_needs(
    offer: Offer, spot: bool, usages: Sequence[Usage], cores: int
) -> tuple[QuotaNeed, ...]:
    """The quotas that count: Spot's own one, else those of the family and of the region.

    A quota that Azure does not list is skipped: ARM decides at the PUT.
    """
    names = (SPOT_CORES,) if spot else (offer.family, REGIONAL_CORES)
    by_name = {_plain_name(usage.name): usage for usage in usages}
    listed = [by_name[_plain_name(name)] for name in names if _plain_name(name) in by_name]
    return tuple(QuotaNeed(u.shown, u.used, u.limit, u.used + cores) for u in listed)


def _plain_name(name: str) -> str:
    """A quota's name without spaces and case: Azure spells the names in several ways."""
    return name.replace(" ", "").casefold()
