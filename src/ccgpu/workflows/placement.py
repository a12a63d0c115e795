"""Where a VM can go: the regions of the user's order, asked one by one before the first PUT.

Every region that cannot hold it is remembered with its reason, so that a refusal names them all.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ccgpu.domain import capacity
from ccgpu.domain.capacity import Need
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Placement
from ccgpu.domain.image import LATEST, Community, Image, Marketplace
from ccgpu.domain.resource import Body, ResourceId, location
from ccgpu.domain.spec import VmSpec
from ccgpu.errors import (
    CapacityUnavailable,
    CcgpuError,
    InvalidFile,
    NotFound,
    Problem,
    QuotaExceeded,
)
from ccgpu.workflows.requests import Run, ask, complete


@dataclass(frozen=True, slots=True)
class Candidate:
    """A placement, and what its quota lines would say afterwards."""

    placement: Placement
    needs: tuple[Need, ...] = ()


def of_existing(vm: Body, spec: VmSpec) -> Placement | None:
    """The placement of the VM that is there, where the spec agrees with it; else None."""
    region = location(vm["location"])
    zone = next(iter(vm.get("zones") or ()), None)
    storage = (vm.get("properties") or {}).get("storageProfile") or {}
    image = _same_image(storage.get("imageReference") or {}, spec.image_reference)
    if region not in spec.regions or (spec.zone and zone != spec.zone) or image is None:
        return None
    return Placement(region, zone, image)


def candidates(
    run: Run, spec: VmSpec, *, skip_preflight: bool = False, leaves: str | None = None
) -> Iterator[Candidate]:
    """Placements in the user's order; if there is none, an error with every region's reason.

    `skip_preflight` does not look at sizes and quota; the image's version is needed all the same.
    `leaves`: the region of a VM of this deployment that is to be replaced.
    """
    refusals: list[CcgpuError] = []
    found = False
    fixed = _fixed_regions(run, spec)
    for region in spec.regions:
        try:
            _require_same(region, fixed)
            needs = () if skip_preflight else _needs(run, spec, region, region == leaves)
            image = complete(
                run,
                ask(
                    run,
                    partial(run.cloud.queries.image, region, spec.image_reference),
                    f"looking up the image in {region}",
                ),
            )
        except (NotFound, QuotaExceeded, CapacityUnavailable, InvalidFile) as err:
            refusals.append(err)
            continue
        found = True
        yield Candidate(Placement(region, spec.zone, image), needs)
    if not found:
        raise combined(refusals)


def _require_same(region: str, fixed: Mapping[str, str]) -> None:
    elsewhere = [
        Problem(field, f"is in {there}, not in {region}")
        for field, there in fixed.items()
        if there != region
    ]
    if elsewhere:
        raise InvalidFile("spec", elsewhere)


def _needs(run: Run, spec: VmSpec, region: str, frees: bool) -> tuple[Need, ...]:
    queries, doing = run.cloud.queries, f"looking for capacity in {region}"
    offer = complete(run, ask(run, partial(queries.offer, region, spec.size), doing))
    usages = complete(run, ask(run, partial(queries.usages, region), doing))
    verdict = capacity.judge(region, spec.size, spec.zone, spec.spot, offer, usages, frees=frees)
    if verdict.refusal is None:
        return verdict.needs
    refused = QuotaExceeded if verdict.quota else CapacityUnavailable
    raise refused(verdict.refusal, code="Preflight")


def _fixed_regions(run: Run, spec: VmSpec) -> dict[str, str]:
    """The regions of what the spec refers to: the VM must be where they are."""
    found: dict[str, str] = {}
    if spec.subnet:
        vnet = ResourceId(spec.subnet.rsplit("/subnets/", 1)[0])
        get = partial(run.cloud.arm.get, Kind.VNET, vnet)
        body = complete(run, ask(run, get, f"reading {vnet}"))
        names = {s["name"].casefold() for s in _subnets(body)}
        if body is None or spec.subnet.rsplit("/", 1)[-1].casefold() not in names:
            raise NotFound(f"there is no subnet {spec.subnet}", code="ResourceNotFound")
        found["subnet"] = location(body["location"])
    if spec.os_disk.encryption_set:
        id_ = ResourceId(spec.os_disk.encryption_set)
        get_set = partial(run.cloud.queries.encryption_set, id_)
        found["os_disk.encryption_set"] = location(
            complete(run, ask(run, get_set, f"reading {id_}"))["location"]
        )
    return found


def _subnets(vnet: Body | None) -> list[Body]:
    return ((vnet or {}).get("properties") or {}).get("subnets") or []


def combined(refusals: Sequence[CcgpuError]) -> CcgpuError:
    """One error for all regions; quota outranks capacity, because it is the user's to change."""
    if len(refusals) == 1:
        return refusals[0]
    text = "no region can hold the VM:\n" + "\n".join(f"  {err}" for err in refusals)
    if any(isinstance(err, QuotaExceeded) for err in refusals):
        return QuotaExceeded(text, code="Preflight")
    return CapacityUnavailable(text, code="Preflight")


def _same_image(found: Body, wanted: Image) -> dict[str, str] | None:
    """The exact reference of the VM's image, if it is what the spec asks for.

    `latest` is whatever was the newest when the VM was made: a newer one is no change of the spec.
    """
    match wanted:
        case Marketplace(publisher, offer, sku, version):
            names = ("publisher", "offer", "sku")
            exact = found.get("exactVersion") or found.get("version")
            alike = [str(found.get(n, "")).casefold() for n in names] == [
                publisher.casefold(),
                offer.casefold(),
                sku.casefold(),
            ]
            if alike and version in (LATEST, exact):
                return {n: str(found[n]) for n in names} | {"version": str(found.get("version"))}
        case Community(gallery, image, version):
            id_ = str(found.get("communityGalleryImageId", ""))
            prefix = str(Community(gallery, image, "")).casefold()
            exact = id_.rsplit("/", 1)[-1]
            if id_.casefold().startswith(prefix) and version in (LATEST, exact):
                return {"communityGalleryImageId": id_}
        case _:
            if str(found.get("id", "")).casefold() == wanted.id.casefold():
                return {"id": str(found["id"])}
    return None
