"""Candidates: regions and zones that could hold a VM, each with a verdict. Pure.

Azure's lists of sizes and quota can be wrong; only an allocation proves capacity. What they do not
tell is `unknown`, not a no.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ccgpu.domain.capacity import (
    Offer,
    QuotaNeed,
    SizeOffers,
    Usage,
    assess_capacity,
    place_name,
)
from ccgpu.domain.price import Price


class Availability(StrEnum):
    """Whether a candidate could hold the VM, by Azure's lists; in order of hope."""

    OK = "ok"
    UNKNOWN = "unknown"
    QUOTA = "quota"
    RESTRICTED = "restricted"
    NO_IMAGE = "no_image"
    NOT_OFFERED = "not_offered"


_ORDER = {availability: place for place, availability in enumerate(Availability)}


@dataclass(frozen=True, slots=True)
class WantedVm:
    """What decides where a VM can be: its size, the zone if one is wanted, whether it is Spot."""

    size: str
    zone: str | None = None
    spot: bool = False


@dataclass(frozen=True, slots=True)
class RegionFacts:
    """What Azure says about a region.

    offers: the list of sizes. usages: None if they could not be read. image_problem: why the image
    cannot be used. unknown: what could not be read, and why.
    """

    offers: SizeOffers
    usages: tuple[Usage, ...] | None = None
    image_problem: str | None = None
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CandidateVerdict:
    """Whether a region, or one of its zones, could hold the VM; and if not, why."""

    region: str
    zone: str | None
    availability: Availability
    reason: str | None = None
    needs: tuple[QuotaNeed, ...] = ()

    @property
    def place(self) -> str:
        """Region and zone, for people."""
        return place_name(self.region, self.zone)


def judge_region(region: str, wanted: WantedVm, facts: RegionFacts) -> tuple[CandidateVerdict, ...]:
    """The verdicts on a region without a zone, and on each zone that offers the size.

    If a zone is wanted, the verdict on that zone alone.
    """
    offer = facts.offers.offers.get(region)
    zones: Sequence[str | None] = (None, *(offer.zones if offer else ()))
    if wanted.zone is not None:
        zones = (wanted.zone,)
    return tuple(_judge(region, zone, wanted, facts, offer) for zone in zones)


def sort_key(verdict: CandidateVerdict, price: Price, wish: int) -> tuple[float, float, int]:
    """Orders verdicts: by availability, then by price, then by the user's own order."""
    hourly = float("inf") if price.hourly is None else float(price.hourly)
    return _ORDER[verdict.availability], hourly, wish


def _judge(
    region: str, zone: str | None, wanted: WantedVm, facts: RegionFacts, offer: Offer | None
) -> CandidateVerdict:
    if region not in facts.offers.known:
        why = "; ".join(facts.unknown) or "Azure lists no VM sizes there"
        return CandidateVerdict(region, zone, Availability.UNKNOWN, why)
    check = assess_capacity(region, wanted.size, zone, wanted.spot, offer, facts.usages or ())
    if check.refusal is not None:
        kind = Availability.QUOTA if check.quota else Availability.RESTRICTED
        kind = Availability.NOT_OFFERED if check.field else kind
        reason = check.refusal.removeprefix(f"{place_name(region, zone)}: ")
        return CandidateVerdict(region, zone, kind, reason, check.needs)
    if facts.image_problem is not None:
        no_image = Availability.NO_IMAGE
        return CandidateVerdict(region, zone, no_image, facts.image_problem, check.needs)
    if facts.unknown:
        why = "; ".join(facts.unknown)
        return CandidateVerdict(region, zone, Availability.UNKNOWN, why, check.needs)
    return CandidateVerdict(region, zone, Availability.OK, None, check.needs)
