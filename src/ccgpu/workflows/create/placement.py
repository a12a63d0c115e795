"""Placement: find a region that can host the VM, before the first PUT.

The regions of the spec are checked in the user's order. The reason against each unsuitable region
is kept, so that the final error names them all.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from ccgpu.azure.long_running import Answers, send_together
from ccgpu.azure.run import Run
from ccgpu.domain import capacity
from ccgpu.domain.capacity import QuotaNeed, SizeOffers, Usage
from ccgpu.domain.desired import Placement
from ccgpu.domain.image import LATEST, Community, Image, Marketplace
from ccgpu.domain.resource import Body, location
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.domain.vm_view import image_reference
from ccgpu.errors import (
    CapacityUnavailable,
    CcgpuError,
    InvalidFile,
    NotFound,
    Problem,
    QuotaExceeded,
)
from ccgpu.workflows.capacity import other_regions
from ccgpu.workflows.create.measured_source import image_lookup
from ccgpu.workflows.create.prerequisites import (
    Regions,
    provider_requests,
    require_registered,
)
from ccgpu.workflows.create.references import read_references, require_same_region
from ccgpu.workflows.create.refusals import PREFLIGHT, Refusal, combined_refusal

_OFFER, _USAGES = "looking for the size in {}", "looking for capacity in {}"
_IMAGE = "looking up the image in {}"
_SKIP_HINT = "`--skip-preflight` asks Azure all the same"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible placement.

    needs: the quota it would use. checked: whether the resources that the spec refers to have been
    read.
    """

    placement: Placement
    needs: tuple[QuotaNeed, ...] = ()
    checked: bool = False


def existing_placement(vm: Body, spec: VmSpec) -> Placement | None:
    """The placement of the existing VM if the spec allows it, else None."""
    region = location(vm["location"])
    zone = next(iter(vm.get("zones") or ()), None)
    image = _same_image(image_reference(vm), spec.image_reference)
    allowed = spec.any_region or region in spec.regions
    if not allowed or (spec.zone and zone != spec.zone) or image is None:
        return None
    return Placement(region, zone, image)


def find_candidates(
    run: Run,
    spec: VmSpec,
    refusals: list[Refusal],
    *,
    skip_preflight: bool = False,
    replaced_vm_region: str | None = None,
) -> Iterator[Candidate]:
    """The possible placements, in the user's order.

    1. Check that the providers are registered and that the regions exist. What is read about the
       first region is read at the same time.
    2. Read the resources that the spec refers to.
    3. For each region: compare it with theirs, then check size and quota, and look up the image.
       If the spec names no zone, Azure chooses one; after that, each zone is a candidate.
    4. If the spec allows it, the same for the other regions that offer the size.

    Args:
        run: The command under way.
        spec: The spec.
        refusals: Gets the error of each region that is passed over; the caller adds those of Azure.
        skip_preflight: Do not check size and quota. The image is looked up in any case.
        replaced_vm_region: The region of a VM that is to be replaced, and so releases its cores.

    Raises:
        CcgpuError: No region can host the VM; one error with the reasons of all regions.
    """
    about = partial(_region_requests, run, spec, skip_preflight=skip_preflight)
    first = {region: about(region) for region in spec.regions[:1]}
    read: Answers[Any] = send_together(run, _merged(provider_requests(run), *first.values()))
    regions = Regions(run, spec.size, require_registered(run, read))
    regions.require(spec.regions)
    bound = read_references(run, spec)
    any_suitable = False
    for region in _regions_to_try(run, spec):
        try:
            require_same_region(region, bound)
            told = read if region in first else send_together(run, about(region))
            answers = _RegionAnswers(region, told)
            needs: tuple[QuotaNeed, ...] = ()
            if not skip_preflight:
                needs = answers.quota_needs(spec, regions, region == replaced_vm_region)
            zones, image = answers.zones_to_try(spec), answers.image
        except (NotFound, QuotaExceeded, CapacityUnavailable, InvalidFile) as err:
            refusals.append(Refusal(err))
            continue
        any_suitable = True
        for zone in zones:
            yield Candidate(Placement(region, zone, image), needs, checked=True)
    if not any_suitable:
        raise combined_refusal(refusals)


def _regions_to_try(run: Run, spec: VmSpec) -> Iterator[str]:
    """The spec's regions; then, if it allows any, the others that offer the size by price."""
    yield from spec.regions
    if spec.any_region:
        yield from other_regions(run, spec)


def _merged(*requests: Mapping[str, Callable[[], Any]]) -> dict[str, Callable[[], Any]]:
    return {doing: request for some in requests for doing, request in some.items()}


def _region_requests(
    run: Run, spec: VmSpec, region: str, *, skip_preflight: bool
) -> dict[str, Callable[[], Any]]:
    """The requests about one region, which are sent concurrently."""
    queries = run.cloud.queries
    requests: dict[str, Callable[[], Any]] = {
        _OFFER.format(region): partial(queries.offers, spec.size, region),
        _USAGES.format(region): partial(queries.usages, region),
        _IMAGE.format(region): partial(image_lookup(run, spec), region),
    }
    if skip_preflight:
        return {doing: requests[doing] for doing in [_IMAGE.format(region)]}
    return requests


@dataclass(frozen=True, slots=True)
class _RegionAnswers:
    """Azure's answers about one region; a failed request raises when its answer is used."""

    name: str
    answers: Answers[Any]

    @property
    def image(self) -> Mapping[str, str]:
        reference: Mapping[str, str] = self.answers[_IMAGE.format(self.name)]
        return reference

    def zones_to_try(self, spec: VmSpec) -> tuple[str | None, ...]:
        """The spec's zone; else none, and then each zone that is open for the size.

        Without an answer about the size, no zone is known.
        """
        offers: SizeOffers | None = self.answers.answers.get(_OFFER.format(self.name))
        offer = None if offers is None else offers.offers.get(self.name)
        if spec.zone is not None or offer is None:
            return (spec.zone,)
        closed = offer.barred_zones or {}
        return (None, *(zone for zone in offer.zones if zone not in closed))

    def quota_needs(
        self, spec: VmSpec, regions: Regions, cores_released: bool
    ) -> tuple[QuotaNeed, ...]:
        """The quota that the VM would use.

        Raises:
            InvalidFile: The region does not offer the spec's size or zone.
            QuotaExceeded: The quota is too small.
            CapacityUnavailable: The size is not available there.
        """
        offers: SizeOffers = self.answers[_OFFER.format(self.name)]
        if self.name not in offers.known and not regions.any_listed:
            return ()  # lists that are empty everywhere say nothing: Azure decides at the PUT
        offer = offers.offers.get(self.name)
        if offer is None:
            raise InvalidFile("spec", [regions.problem(self.name)], hint=_SKIP_HINT)
        usages: tuple[Usage, ...] = self.answers[_USAGES.format(self.name)]
        check = capacity.assess_capacity(
            self.name, spec.size, spec.zone, spec.spot, offer, usages, cores_released=cores_released
        )
        if check.refusal is None:
            return check.needs
        if check.field:
            raise InvalidFile("spec", [Problem(check.field, check.refusal)])
        error = QuotaExceeded if check.quota else CapacityUnavailable
        raise error(check.refusal, code=PREFLIGHT)


@contextmanager
def locating_capacity_errors(vm: Body) -> Iterator[None]:
    """Add the region and zone of `vm` to each capacity or quota error that leaves the block."""
    try:
        yield
    except (CapacityUnavailable, QuotaExceeded) as err:
        zone = next(iter(vm.get("zones") or ()), None)
        raise with_location(err, location(vm["location"]), zone) from err


def with_location(err: CcgpuError, region: str, zone: str | None) -> CcgpuError:
    """A capacity or quota error with its region and zone in the message; other errors as is."""
    if not isinstance(err, CapacityUnavailable | QuotaExceeded):
        return err
    where = capacity.place_name(region, zone)
    if str(err).startswith(f"{where}: "):
        return err
    located = type(err)(f"{where}: {err}", code=err.code, hint=err.hint)
    located.resources, located.signed_in_with = err.resources, err.signed_in_with
    located.__cause__ = err
    return located


def _same_image(live: Body, wanted: Image) -> dict[str, str] | None:
    """The exact reference of the VM's image, if it matches the spec's image; else None.

    `latest` matches every version: a version published later does not change the spec.
    """
    match wanted:
        case Marketplace(publisher, offer, sku, version):
            names = ("publisher", "offer", "sku")
            exact = live.get("exactVersion") or live.get("version")
            alike = [str(live.get(n, "")).casefold() for n in names] == [
                publisher.casefold(),
                offer.casefold(),
                sku.casefold(),
            ]
            if alike and version in (LATEST, exact):
                return {n: str(live[n]) for n in names} | {"version": str(live.get("version"))}
        case Community(gallery, image, version):
            id_ = str(live.get("communityGalleryImageId", ""))
            prefix = str(Community(gallery, image, "")).casefold()
            exact = id_.rsplit("/", 1)[-1]
            if id_.casefold().startswith(prefix) and version in (LATEST, exact):
                return {"communityGalleryImageId": id_}
        case _:
            id_ = str(live.get("id", "")).casefold()
            if f"{id_}/".startswith(f"{wanted.id}/".casefold()):
                return {"id": str(live["id"])}
    return None
