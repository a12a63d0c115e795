"""The preflight of `create`, as it is; and each of its parts alone, so that no part hides another.

The exit code of a preflight that fails is that of `create`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from ccgpu.azure.long_running import send_together
from ccgpu.azure.run import Run
from ccgpu.domain.candidate import Availability, CandidateVerdict
from ccgpu.domain.finding import Finding, failed, good, unknown, warned
from ccgpu.domain.given import RequestedSpec
from ccgpu.domain.policy import Policy
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.errors import (
    AzureRefused,
    CapacityUnavailable,
    CcgpuError,
    InvalidFile,
    Problem,
    QuotaExceeded,
)
from ccgpu.workflows.capacity import find_capacity, wanted_vm
from ccgpu.workflows.create.context import CreateOptions, CreateOutcome
from ccgpu.workflows.create.effective_spec import with_ssh_source
from ccgpu.workflows.create.later_stages import require_later_stages
from ccgpu.workflows.create.measured_source import image_lookup
from ccgpu.workflows.create.planning import preview_during
from ccgpu.workflows.create.references import read_references
from ccgpu.workflows.guest_access import GuestOptions


@dataclass(frozen=True, slots=True)
class Preflight:
    """The preflight of a create: its outcome, or its error."""

    finding: Finding
    planned: CreateOutcome | None = None

    @classmethod
    def run(
        cls, run: Run, requested: RequestedSpec, guest: Callable[[], GuestOptions], policy: Policy
    ) -> "Preflight":
        """Make the plan of a create; nothing is written."""
        try:
            options = guest()
            request = CreateOptions(options.keys.planned, given=requested.given)
            planned = preview_during(run, requested.spec, request)
            require_later_stages(planned.effective_spec.spec, planned.plan, options, policy)
        except CcgpuError as err:
            return cls(failed("preflight", err))
        place = planned.candidate.placement
        zone = f", zone {place.zone}" if place.zone else ""
        text = f"`create` would pass, and use {place.region}{zone}"
        return cls(good("preflight", text), planned)


def check_references(run: Run, spec: VmSpec) -> Finding:
    """Whether the resources that the spec refers to can be read and used."""
    named = [spec.subnet, spec.os_disk.encryption_set, *spec.identities]
    count = len([one for one in named if one and one != "system"])
    if not count:
        return good("references", "the spec refers to no existing resource")
    read_references(run, spec)
    return good("references", f"the {count} that the spec refers to can be read")


def check_regions(run: Run, spec: VmSpec, *, passes: bool) -> Iterator[Finding]:
    """What Azure's lists say of each region of the spec: sizes, restrictions, quota.

    A region that cannot hold the VM is a failure only if the preflight does not pass.
    """
    left = run.deadline.left()
    verdicts = find_capacity(run.cloud, wanted_vm(spec), None, spec.regions, run.listen, left)
    for one in verdicts:
        if one.zone != spec.zone:
            continue
        if one.availability is Availability.OK:
            yield good("region", f"{one.place}: {spec.size} and its quota")
        elif one.availability is Availability.UNKNOWN:
            hint = "`ccgpu create --skip-preflight` asks Azure all the same"
            yield unknown("region", f"{one.place}: {one.reason}", hint)
        else:
            error = _region_error(one)
            yield warned("region", str(error), error.hint) if passes else failed("region", error)


def check_images(run: Run, spec: VmSpec, planned: CreateOutcome | None) -> Iterator[Finding]:
    """The image: its exact version in the region that would be used, else in each of the spec."""
    if planned is not None:
        place = planned.candidate.placement
        exact = ":".join(place.image.values())
        yield good("image", f"{place.region} has {exact}")
        return
    lookup = image_lookup(run, spec)
    requests = {one: partial(lookup, one) for one in spec.regions}
    answers = send_together(run, requests)
    for region in spec.regions:
        try:
            yield good("image", f"{region} has {':'.join(answers[region].values())}")
        except (AzureRefused, InvalidFile) as err:
            err.hint = err.hint or _image_hint(spec, region)
            yield failed("image", err)


def check_ssh_source(run: Run, spec: VmSpec) -> Finding:
    """The address from which SSH would be allowed."""
    if spec.private:
        return good("ssh-from", "the VM is private: no address is opened")
    return good("ssh-from", f"SSH would be allowed from {with_ssh_source(run, spec).ssh_from}")


def _region_error(verdict: CandidateVerdict) -> CcgpuError:
    text, region = f"{verdict.place}: {verdict.reason}", verdict.region
    elsewhere = "`ccgpu capacity --all-regions` shows where it can be"
    match verdict.availability:
        case Availability.QUOTA:
            hint = f"`ccgpu quota --region {region}` prints what to ask for, and where"
            return QuotaExceeded(text, code="Preflight", hint=hint)
        case Availability.NOT_OFFERED:
            return InvalidFile("spec", [Problem("regions", text)], hint=elsewhere)
        case _:
            return CapacityUnavailable(text, code="Preflight", hint=elsewhere)


def _image_hint(spec: VmSpec, region: str) -> str:
    if spec.image.count(":") == 3:
        publisher, offer, sku, _ = spec.image.split(":")
        what = f"--publisher {publisher} --offer {offer} --sku {sku}"
        return f"`az vm image list --all --location {region} {what}` lists its versions"
    return "give another image: `--image IMAGE`"
