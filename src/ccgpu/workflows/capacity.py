"""Where a VM could be created now, by Azure's lists of sizes, quota and images. It only reads."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ccgpu.azure.context import AzureContext
from ccgpu.azure.long_running import Answers, send_alone, send_together
from ccgpu.azure.run import Run
from ccgpu.domain.candidate import (
    Availability,
    CandidateVerdict,
    RegionFacts,
    WantedVm,
    judge_region,
    sort_key,
)
from ccgpu.domain.capacity import NO_SIZES, SizeOffers, not_a_region, offered_in
from ccgpu.domain.events import Listener, ignore_event
from ccgpu.domain.image import Image
from ccgpu.domain.price import Price, parts_of_spec
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.errors import (
    AzureRefused,
    CapacityUnavailable,
    CcgpuError,
    InvalidFile,
    NotFound,
    NotSignedIn,
    Problem,
    QuotaExceeded,
    TimedOut,
)

TIMEOUT = 300.0  # seconds, for reads alone
_NOT_CONFIDENTIAL = "NotConfidential"  # the code of `Queries.image`


def find_capacity(
    cloud: AzureContext,
    wanted: WantedVm,
    image: Image | None,
    regions: Iterable[str] | None,
    listen: Listener = ignore_event,
    within: float = TIMEOUT,
) -> list[CandidateVerdict]:
    """A verdict on each candidate, in the order of `regions`.

    1. Read which regions offer the size, from the cache if that is not old.
    2. For those that do, read quota and image.

    Args:
        cloud: The subscription.
        wanted: The VM.
        image: Its image; None: it is not looked up.
        regions: The regions to look at; None for all that offer the size.
        listen: Gets the retries.
        within: Seconds that it may take.

    Raises:
        NotSignedIn, TimedOut: Nothing can be read.
        InvalidFile: A region has no VM sizes: it is none.
    """
    run = Run.begin(cloud, min(TIMEOUT, within), listen)
    offers, problems = read_offers(run, wanted.size, regions)
    asked = sorted(offers.offered) if regions is None else list(dict.fromkeys(regions))
    requests: dict[str, Callable[[], Any]] = {}
    for region in asked:
        if region in offers.offers:
            requests[_usages_of(region)] = partial(cloud.queries.usages, region)
            if image is not None:
                requests[_image_of(region)] = partial(cloud.queries.image, region, image)
    answers = send_together(run, requests)
    return [
        verdict
        for region in asked
        for verdict in judge_region(
            region, wanted, _facts(region, offers, problems.get(region), answers)
        )
    ]


def priced_candidates(
    cloud: AzureContext,
    spec: VmSpec,
    regions: Iterable[str] | None,
    listen: Listener = ignore_event,
) -> list[tuple[CandidateVerdict, Price]]:
    """The candidates of a spec with the price of its VM there, the best first."""
    verdicts = find_capacity(cloud, wanted_vm(spec), spec.image_reference, regions, listen)
    found = cloud.prices.read([parts_of_spec(spec, one.region, spot=spec.spot) for one in verdicts])
    rows = list(enumerate(zip(verdicts, found, strict=True)))
    rows.sort(key=lambda row: sort_key(row[1][0], row[1][1], row[0]))
    return [row for _, row in rows]


def other_regions(run: Run, spec: VmSpec) -> list[str]:
    """The regions that offer the spec's size and are not in the spec, the cheapest first."""
    offers, _ = read_offers(run, spec.size, None)
    others = sorted(offers.offered - set(spec.regions))
    found = run.cloud.prices.read(
        [parts_of_spec(spec, one, spot=spec.spot) for one in others], within=run.deadline.left()
    )
    costs = {one: price.hourly for one, price in zip(others, found, strict=True)}
    known = [one for one in others if costs[one] is not None]
    return sorted(known, key=lambda one: costs[one] or 0) + [
        one for one in others if costs[one] is None
    ]


def read_quota(
    cloud: AzureContext,
    spec: VmSpec,
    regions: Iterable[str] | None,
    listen: Listener = ignore_event,
) -> list[CandidateVerdict]:
    """What quota the VM of a spec counts against, a verdict for each region."""
    wanted = replace(wanted_vm(spec), zone=None)
    verdicts = find_capacity(cloud, wanted, None, regions, listen)
    return [one for one in verdicts if one.zone is None]


def wanted_vm(spec: VmSpec) -> WantedVm:
    """What decides where the VM of a spec can be."""
    return WantedVm(spec.size, spec.zone, spec.spot)


def require_candidate(verdicts: Iterable[CandidateVerdict]) -> None:
    """Raise unless a candidate can hold the VM, or nothing is known about one.

    Raises:
        QuotaExceeded: Quota is all that lacks somewhere.
        CapacityUnavailable: No region can hold it.
    """
    kinds = {one.availability for one in verdicts}
    if kinds & {Availability.OK, Availability.UNKNOWN}:
        return
    if Availability.QUOTA in kinds:
        raise QuotaExceeded(
            "no region has enough quota for the VM",
            code="Preflight",
            hint="`ccgpu quota` tells what to ask for",
        )
    raise CapacityUnavailable("no region can hold the VM", code="Preflight")


def read_offers(
    run: Run, size: str, regions: Iterable[str] | None
) -> tuple[SizeOffers, Mapping[str, str]]:
    """The offers of a size; and for each region whose list cannot be read, why.

    Raises:
        AzureRefused: The list of all regions cannot be read.
        InvalidFile: A region has no VM sizes: it is none.
    """
    if regions is None:
        return _read_all_offers(run, size), {}
    found, problems, unread = SizeOffers(frozenset(), {}), {}, []
    for region in regions:
        kept = run.cloud.skus.get(size, region, run.cloud.now())
        if kept is None:
            unread.append(region)
        else:
            found |= kept
    query = run.cloud.queries.offers
    requests = {_sizes_of(region): partial(query, size, region) for region in unread}
    answers = send_together(run, requests)
    for region in unread:
        try:
            offers = answers[_sizes_of(region)]
        except CcgpuError as err:
            problems[region] = _reason(err)
            continue
        run.cloud.skus.put(size, region, offers, run.cloud.now())
        found |= offers
    empty = [one for one in unread if one not in found.known | problems.keys()]
    if empty and (everywhere := _read_all_offers(run, size)).known:
        _require_regions(everywhere, size, empty)
        found |= SizeOffers(frozenset(empty), {})
    return found, problems


def _require_regions(everywhere: SizeOffers, size: str, regions: Sequence[str]) -> None:
    """Raise `InvalidFile` for regions that the list of all regions' sizes does not have."""
    known, elsewhere = everywhere.known, offered_in(size, everywhere.offered)
    told = [not_a_region(one, NO_SIZES, known, elsewhere) for one in regions if one not in known]
    if told:
        raise InvalidFile("spec", [Problem("regions", one) for one in told])


def _read_all_offers(run: Run, size: str) -> SizeOffers:
    kept = run.cloud.skus.get(size, None, run.cloud.now())
    if kept is not None:
        return kept
    query = partial(run.cloud.queries.offers, size)
    offers = send_alone(run, query, f"looking where {size} is offered")
    run.cloud.skus.put(size, None, offers, run.cloud.now())
    return offers


def _facts(
    region: str, offers: SizeOffers, problem: str | None, answers: Answers[Any]
) -> RegionFacts:
    """What Azure has answered about a region. A request that failed makes it unknown."""
    unknown = [] if problem is None else [problem]
    usages, image_problem = None, None
    if _usages_of(region) in (answers.answers.keys() | answers.failures.keys()):
        try:
            usages = answers[_usages_of(region)]
        except CcgpuError as err:
            unknown.append(_reason(err))
    failure = answers.failures.get(_image_of(region))
    if isinstance(failure, NotFound) or getattr(failure, "code", None) == _NOT_CONFIDENTIAL:
        image_problem = str(failure)
    elif failure is not None:
        unknown.append(_reason(failure))
    return RegionFacts(offers, usages, image_problem, tuple(unknown))


def _reason(err: CcgpuError) -> str:
    """Why something is unknown; raises what makes everything unknown."""
    if isinstance(err, NotSignedIn | TimedOut) or not isinstance(err, AzureRefused):
        raise err
    return str(err)


def _sizes_of(region: str) -> str:
    return f"reading the sizes of {region}"


def _usages_of(region: str) -> str:
    return f"reading the quota of {region}"


def _image_of(region: str) -> str:
    return f"looking up the image in {region}"
