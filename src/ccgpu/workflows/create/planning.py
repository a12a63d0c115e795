"""The plan of a create: the placement of the VM, the changes to make, and the lease."""

from collections.abc import Iterator

from ccgpu.azure.context import AzureContext
from ccgpu.azure.run import Run
from ccgpu.domain.access import Access
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import RunTags, desired_resources
from ccgpu.domain.events import ignore_event
from ccgpu.domain.forecast import ExpectedEnd
from ccgpu.domain.journal import Journal
from ccgpu.domain.lease import with_run_tags
from ccgpu.domain.plan import ForeignResource, Plan, make_plan
from ccgpu.domain.renewal import renew_leases
from ccgpu.domain.resource import DEPLOYMENT, Resource, ResourceId, key, location, tag
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.domain.vm_view import ssh_public_keys
from ccgpu.errors import UsageProblem
from ccgpu.scheduling.clock import rfc3339
from ccgpu.workflows.create.attested import way_warnings
from ccgpu.workflows.create.context import CreateOptions, CreateOutcome, CreateRequest
from ccgpu.workflows.create.effective_spec import renewal_mode
from ccgpu.workflows.create.existing_group import with_existing_group
from ccgpu.workflows.create.first_boot import (
    boot_data,
    require_complete,
    require_known_image,
    warnings,
)
from ccgpu.workflows.create.measured_source import measured_file
from ccgpu.workflows.create.placement import Candidate, existing_placement, find_candidates
from ccgpu.workflows.create.references import require_new_references
from ccgpu.workflows.create.refusals import Refusal
from ccgpu.workflows.create.released import source_warnings
from ccgpu.workflows.discovery.snapshot import (
    Actual,
    Snapshot,
    read_deployment_settled,
    unwanted_resources,
)
from ccgpu.workflows.forecast import forecast


def preview(
    cloud: AzureContext, spec: VmSpec, options: CreateOptions, access: Access | None = None
) -> CreateOutcome:
    """The plan of a create, without writing anything to disk or to Azure.

    access: how the VM is reached at the end; None if it is not attested.
    """
    return preview_during(Run.begin(cloud, options.timeout, ignore_event), spec, options, access)


def preview_with_forecast(
    cloud: AzureContext, spec: VmSpec, options: CreateOptions, access: Access | None = None
) -> tuple[CreateOutcome, tuple[ExpectedEnd, ...]]:
    """As `preview`, and what of the VM will stop working, and when."""
    run = Run.begin(cloud, options.timeout, ignore_event)
    planned = preview_during(run, spec, options, access)
    place = planned.candidate.placement
    return planned, forecast(run, planned.effective_spec.spec, place.region, place.image)


def preview_during(
    run: Run, spec: VmSpec, options: CreateOptions, access: Access | None = None
) -> CreateOutcome:
    """As `preview`, as a part of the command `run`."""
    cloud = run.cloud
    unfitted = CreateRequest(run, with_existing_group(run, spec, options.given), options)
    actual = read_actual(unfitted)
    request = unfitted.fitted_to(actual)
    candidate = next(possible_placements(request, actual, []))
    tags = RunTags("preview", rfc3339(run.server_clock.now()), expiry(request))
    todo = plan_create(request, candidate, actual, tags)
    journal = cloud.journals.peek(cloud.subscription, spec.name)
    todo = with_lease(request, todo, actual, journal)
    known = Snapshot(request.names, actual)
    warned = warnings_of(request, todo)
    if access is not None:
        found = (*way_warnings(request.spec, access), *source_warnings(request.spec, options))
        warned = (*warned, *found)
    return CreateOutcome(todo, candidate, request.effective, known, warned)


def read_actual(request: CreateRequest) -> Actual:
    """The existing resources that the spec is compared with, once they are settled."""
    cloud, disks = request.run.cloud, len(request.spec.data_disks)
    journal = cloud.journals.peek(cloud.subscription, request.spec.name)
    begun = journal is not None and bool(journal.records)
    return read_deployment_settled(request.run, request.names, disks, begun=begun)


def possible_placements(
    request: CreateRequest, actual: Actual, refusals: list[Refusal]
) -> Iterator[Candidate]:
    """The existing VM's placement if the spec allows it, else the possible placements.

    The error of each region that is passed over is added to `refusals`.
    """
    vm = actual.get(key(request.names.vm))
    if vm is not None and (placement := existing_placement(vm, request.spec)):
        return iter([Candidate(placement)])
    return find_candidates(
        request.run,
        _begun_region_first(request, actual),
        refusals,
        skip_preflight=request.options.skip_preflight,
        replaced_vm_region=location(vm["location"]) if vm else None,
    )


def plan_create(
    request: CreateRequest, candidate: Candidate, actual: Actual, tags: RunTags
) -> Plan:
    """The plan that makes Azure's resources match the spec.

    Raises:
        UsageProblem: A resource with one of the deployment's names is not the deployment's.
        InvalidFile: The first boot of a new VM is too large, or not fully known.
    """
    spec, names = request.spec, request.names
    keyed = _with_ssh_keys(request, actual)
    file = measured_file(spec)
    boot = boot_data(keyed, None if file is None else file.sha256)
    wanted = desired_resources(keyed, names.subscription, candidate.placement, tags, boot)
    try:
        todo = make_plan(
            wanted,
            actual,
            spec.name,
            extra=unwanted_resources(names, actual),
            begun=_begun_disks(request),
        )
    except ForeignResource as err:
        whose = (
            f"it is the deployment {err.owner}'s" if err.owner else f"it has no tag {DEPLOYMENT}"
        )
        raise UsageProblem(
            f"{err.id} already exists, and is not {spec.name}'s: {whose}",
            hint="give the deployment another name, or another `--resource-group`",
        ) from err
    vm = actual.get(key(names.vm))
    require_known_image(spec, todo, vm)
    require_complete(spec, todo)
    if not candidate.checked:
        require_new_references(request.run, spec, candidate.placement.region, todo, vm)
    return todo


def with_lease(request: CreateRequest, todo: Plan, actual: Actual, journal: Journal | None) -> Plan:
    """The plan with the lease that the request asks for."""
    mode = renewal_mode(request.requested, request.effective.given, journal)
    now = rfc3339(request.run.server_clock.now())
    return renew_leases(todo, actual, now, expiry(request), mode)


def warnings_of(request: CreateRequest, todo: Plan) -> tuple[str, ...]:
    """What to say ahead of carrying out the plan."""
    now, given = request.run.server_clock.now(), request.effective.given.now
    return warnings(request.spec, todo, now, given)


def with_current_tags(request: CreateRequest, resource: Resource) -> Resource:
    """The resource with the tags of the current time: its `ttl` counts from its PUT."""
    return with_run_tags(resource, rfc3339(request.run.server_clock.now()), expiry(request))


def expiry(request: CreateRequest) -> str | None:
    """The end of the lease, counted from Azure's current time; None if it has no end."""
    ttl = request.spec.ttl
    now = request.run.server_clock.now
    return rfc3339(now() + ttl.total_seconds()) if ttl else request.effective.expires


def _begun_region_first(request: CreateRequest, actual: Actual) -> VmSpec:
    """The spec with the region first in which an unfinished create began, if it is allowed."""
    shared = set(map(key, request.names.shared))
    begun = {
        location(body["location"])
        for id_, body in actual.items()
        if id_ in shared and tag(body, DEPLOYMENT) == request.spec.name
    }
    regions = sorted(request.spec.regions, key=lambda region: region not in begun)
    return request.spec.model_copy(update={"regions": tuple(regions)})


def _begun_disks(request: CreateRequest) -> frozenset[ResourceId]:
    """The `key`s of the disks that a VM's PUT of this machine was to make, and was not seen to."""
    journal = request.run.cloud.journals.peek(request.names.subscription, request.spec.name)
    records = () if journal is None else journal.records
    return frozenset(
        key(one.id) for one in records if one.kind is Kind.DISK and one.state == "begun"
    )


def _with_ssh_keys(request: CreateRequest, actual: Actual) -> VmSpec:
    """The spec with SSH keys: its own, else those of the existing VM, else the user's defaults."""
    if request.spec.ssh_keys:
        return request.spec
    vm = actual.get(key(request.names.vm))
    keys = ssh_public_keys(vm) if vm else request.options.default_keys()
    return request.spec.model_copy(update={"ssh_keys": keys})
