"""Where a VM can go: the regions of the user's order, asked one by one before the first PUT.

Every region that cannot hold it is remembered with its reason, so that a refusal names them all.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from ccgpu.azure.long_running import Answers, send_together
from ccgpu.azure.run import Run
from ccgpu.domain import capacity
from ccgpu.domain.capacity import Offer, QuotaNeed, Usage
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
from ccgpu.workflows.create.prerequisites import Regions, require_providers
from ccgpu.workflows.create.references import read_references, require_same_region

# The code of what was found before anything was sent.
PREFLIGHT = "Preflight"
_OFFER, _USAGES = "looking for the size in {}", "looking for capacity in {}"
_IMAGE = "looking up the image in {}"
_ANYWAY = "`--skip-preflight` asks Azure all the same"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A placement, and what its quota lines would say afterwards.

    `checked`: whether what the spec refers to has been read.
    """

    placement: Placement
    needs: tuple[QuotaNeed, ...] = ()
    checked: bool = False


def existing_placement(vm: Body, spec: VmSpec) -> Placement | None:
    """The placement of the VM that is there, where the spec agrees with it; else None."""
    region = location(vm["location"])
    zone = next(iter(vm.get("zones") or ()), None)
    image = _same_image(image_reference(vm), spec.image_reference)
    if region not in spec.regions or (spec.zone and zone != spec.zone) or image is None:
        return None
    return Placement(region, zone, image)


def find_candidates(
    run: Run,
    spec: VmSpec,
    refusals: list[CcgpuError],
    *,
    skip_preflight: bool = False,
    replaced_vm_region: str | None = None,
) -> Iterator[Candidate]:
    """Placements in the user's order; if there is none, an error with every region's reason.

    Why a region is passed over is added to `refusals`, as its caller adds what Azure refuses there.
    `skip_preflight` does not look at sizes and quota; the image's version is needed all the same.
    `replaced_vm_region`: the region of a VM of this deployment that is to be replaced.
    """
    regions = Regions(run, spec.size, require_providers(run))
    regions.require(spec.regions)
    bound = read_references(run, spec)
    found = False
    for region in spec.regions:
        try:
            require_same_region(region, bound)
            told = _read_region(run, spec, region, skip_preflight=skip_preflight)
            needs = (
                ()
                if skip_preflight
                else told.quota_needs(spec, regions, region == replaced_vm_region)
            )
            image = told.image
        except (NotFound, QuotaExceeded, CapacityUnavailable, InvalidFile) as err:
            refusals.append(err)
            continue
        found = True
        yield Candidate(Placement(region, spec.zone, image), needs, checked=True)
    if not found:
        raise combined_refusal(refusals)


def _read_region(run: Run, spec: VmSpec, region: str, *, skip_preflight: bool) -> "_Region":
    """What Azure tells of one region, all of it asked at once."""
    queries = run.cloud.queries
    requests: dict[str, Callable[[], Any]] = {
        _OFFER.format(region): partial(queries.offer, region, spec.size),
        _USAGES.format(region): partial(queries.usages, region),
        _IMAGE.format(region): partial(queries.image, region, spec.image_reference),
    }
    if skip_preflight:
        requests = {doing: requests[doing] for doing in [_IMAGE.format(region)]}
    return _Region(region, send_together(run, requests))


@dataclass(frozen=True, slots=True)
class _Region:
    """What Azure has answered about one region; an answer that failed raises when it is needed."""

    name: str
    answers: Answers[Any]

    @property
    def image(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self.answers[_IMAGE.format(self.name)]
        return found

    def quota_needs(
        self, spec: VmSpec, regions: Regions, cores_released: bool
    ) -> tuple[QuotaNeed, ...]:
        """What the VM would take of the quota; raises for a region that cannot hold it."""
        offer: Offer | None = self.answers[_OFFER.format(self.name)]
        if offer is None:
            raise InvalidFile("spec", [regions.problem(self.name)], hint=_ANYWAY)
        usages: tuple[Usage, ...] = self.answers[_USAGES.format(self.name)]
        verdict = capacity.assess_capacity(
            self.name, spec.size, spec.zone, spec.spot, offer, usages, cores_released=cores_released
        )
        if verdict.refusal is None:
            return verdict.needs
        if verdict.field:
            raise InvalidFile("spec", [Problem(verdict.field, verdict.refusal)])
        refused = QuotaExceeded if verdict.quota else CapacityUnavailable
        raise refused(verdict.refusal, code=PREFLIGHT)


@contextmanager
def locating_capacity_errors(vm: Body) -> Iterator[None]:
    """A lack of capacity or quota that Azure finds inside names the region and zone of `vm`."""
    try:
        yield
    except (CapacityUnavailable, QuotaExceeded) as err:
        zone = next(iter(vm.get("zones") or ()), None)
        raise with_location(err, location(vm["location"]), zone) from err


def with_location(err: CcgpuError, region: str, zone: str | None) -> CcgpuError:
    """A lack of capacity or quota that Azure found, with the region and zone it is of."""
    if not isinstance(err, CapacityUnavailable | QuotaExceeded):
        return err
    where = capacity.place_name(region, zone)
    if str(err).startswith(f"{where}: "):
        return err
    told = type(err)(f"{where}: {err}", code=err.code, hint=err.hint)
    told.resources, told.signed_in_with = err.resources, err.signed_in_with
    told.__cause__ = err
    return told


def combined_refusal(refusals: Sequence[CcgpuError]) -> CcgpuError:
    """One error for all regions: of the kind that the user can do most about.

    Quota can be raised, capacity comes back, the spec can be changed. Its code is Azure's own where
    Azure has refused; `Preflight` where only what was looked at before says no.
    """
    if len(refusals) == 1:
        return refusals[0]
    text = "no region can host the VM:\n" + "\n".join(f"  {_line(err)}" for err in refusals)
    for kind in (QuotaExceeded, CapacityUnavailable, NotFound):
        codes = [err.code for err in refusals if isinstance(err, kind)]
        if codes:
            return kind(text, code=next((one for one in codes if one != PREFLIGHT), PREFLIGHT))
    problems = [one for err in refusals if isinstance(err, InvalidFile) for one in err.problems]
    hints = [err.hint for err in refusals if err.hint]
    return InvalidFile("spec", list(dict.fromkeys(problems)), hint=hints[0] if hints else None)


def _line(err: CcgpuError) -> str:
    """One region's reason, with its code."""
    if isinstance(err, InvalidFile):
        text = "; ".join(f"{one.path}: {one.message}" for one in err.problems)
    else:
        text = str(err)
    return text if f"[{err.code}]" in text else f"{text} [{err.code}]"


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
