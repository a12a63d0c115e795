"""Where Azure offers a VM size, and the quota of a region: ARM's lists as values of `domain`."""

from collections.abc import Iterable, Mapping
from typing import Any

from ccgpu.domain.capacity import Offer, SizeOffers, Usage
from ccgpu.domain.resource import location


def parse_offers(skus: Iterable[Mapping[str, Any]], size: str, region: str | None) -> SizeOffers:
    """The offers of a VM size among the records of Microsoft.Compute/skus.

    region: that the list was filtered by; None if it is of all regions.
    """
    known: set[str] = set()
    found: dict[str, Offer] = {}
    for sku in skus:
        if str(sku["resourceType"]).casefold() != "virtualmachines":
            continue
        listed = [location(str(one)) for one in sku.get("locations") or ()]
        regions = listed if region is None else [region]
        known |= set(regions)
        if str(sku["name"]).casefold() == size.casefold():
            found |= {one: _parse_offer(one, sku) for one in regions}
    return SizeOffers(frozenset(known), found)


def parse_usage(line: Mapping[str, Any]) -> Usage:
    """One record of Microsoft.Compute usages."""
    name = line["name"]
    return Usage(
        name=str(name["value"]).strip(),
        shown=str(name.get("localizedValue") or name["value"]).strip(),
        used=int(line["currentValue"]),
        limit=int(line["limit"]),
    )


def _parse_offer(region: str, sku: Mapping[str, Any]) -> Offer:
    """A SKU's zones, capabilities and restrictions in one region."""
    capabilities = {str(c["name"]): str(c["value"]) for c in sku.get("capabilities") or ()}
    places = sku.get("locationInfo") or ()
    here = [one for one in places if location(str(one["location"])) == region]
    zones = tuple(sorted(str(z) for info in here for z in info.get("zones") or ()))
    barred: str | None = None
    barred_zones: dict[str, str] = {}
    for restriction in sku.get("restrictions") or ():
        reason = str(restriction.get("reasonCode") or "restricted")
        if str(restriction.get("type")).casefold() == "location":
            barred = reason
        else:
            info = restriction.get("restrictionInfo") or {}
            barred_zones |= {str(z): reason for z in info.get("zones") or ()}
    return Offer(
        region=region,
        zones=zones,
        family=str(sku["family"]),
        vcpus=int(capabilities.get("vCPUs", "0")),
        capabilities=capabilities,
        barred=barred,
        barred_zones=barred_zones,
    )
