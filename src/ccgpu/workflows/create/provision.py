"""The first stage of a create: place → plan → apply, region by region.

What this run created is rolled back when it fails; what cannot be removed, or is not known,
outranks the cause.
"""

import secrets
from collections.abc import Iterator
from dataclasses import replace

from ccgpu.azure.long_running import NOT_FOUND_CODES
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names, RunTags
from ccgpu.domain.given import RememberedSpec
from ccgpu.domain.in_place import never_provisioned
from ccgpu.domain.journal import Record
from ccgpu.domain.live_spec import resumable
from ccgpu.domain.plan import Action, Plan
from ccgpu.domain.resource import DEPLOYMENT, EXPIRES, RUN, Resource, key, tag
from ccgpu.errors import AlreadyExists, CapacityUnavailable, CcgpuError, LeftBehind
from ccgpu.scheduling.clock import rfc3339
from ccgpu.workflows.apply import apply_plan
from ccgpu.workflows.create.context import (
    CreateContext,
    CreateOutcome,
    CreateRequest,
)
from ccgpu.workflows.create.effective_spec import announce_defaults
from ccgpu.workflows.create.failure import rollback_and_raise
from ccgpu.workflows.create.placement import Candidate, combined_refusal, with_location
from ccgpu.workflows.create.planning import (
    expiry,
    plan_create,
    possible_placements,
    read_actual,
    with_current_tags,
    with_lease,
)
from ccgpu.workflows.create.replacement import needs_approval, refuse_replacing
from ccgpu.workflows.discovery.owned_resources import read_owned_resources
from ccgpu.workflows.discovery.snapshot import (
    Actual,
    Snapshot,
    deployment_ids,
    possible_ids,
)
from ccgpu.workflows.extend import set_expiry

_MAX_PLANS = 3  # each further one is another machine's create that came in between


def provision(context: CreateContext) -> CreateContext:
    """Create or update the deployment's resources, in the first region that can hold the VM.

    1. Read what is there, and fit the spec to it.
    2. Begin a new run where a VM is there already.
    3. For each possible placement: plan, ask for approval, apply. A region without capacity leads
       to the next; whatever else fails is rolled back and ends the create.
    4. Write a new end of the lease on what Azure created along with the VM.
    """
    actual = read_actual(context.request)
    context = replace(context, request=context.request.fitted_to(actual))
    announce_defaults(context.run, context.request.effective)
    unfinished = _begin_new_run(context, actual)
    refusals: list[CcgpuError] = []
    first = True
    for candidate in possible_placements(context.request, actual, refusals):
        if not first:
            actual = read_actual(context.request)
        try:
            outcome = _plan_and_apply(context, candidate, actual)
        except CapacityUnavailable as err:
            if context.request.options.keep_on_failure or context.journal.journal.of_run():
                raise
            refusals.append(err)
            first = False
            context.run.tell("note", f"{candidate.placement.region} has no capacity")
            continue
        outcome = _extend_implicit_resources(context.request, outcome)
        boots = unfinished or _creates_vm(outcome.plan)
        return replace(context, outcome=outcome, boots=boots)
    raise combined_refusal(refusals)


def _begin_new_run(context: CreateContext, actual: Actual) -> bool:
    """Begin a new run where a VM is there already; whether a run of ours may have left it booting.

    What this command creates is its own to roll back; a VM that was there before it is not.
    """
    request, writer = context.request, context.journal
    vm = actual.get(key(request.names.vm))
    if vm is None or never_provisioned(vm) or tag(vm, DEPLOYMENT) != request.spec.name:
        return False
    unfinished = tag(vm, RUN) == writer.journal.run  # that of a create that ended well is another
    writer.new_run(secrets.token_hex(8), rfc3339(context.run.cloud.now()))
    return unfinished


def _extend_implicit_resources(request: CreateRequest, outcome: CreateOutcome) -> CreateOutcome:
    """Write a new end of the lease on what Azure created with the VM, too: the latest counts."""
    ends = {
        one.wanted
        for step in outcome.plan.of(Action.UPDATE)
        for one in step.reasons
        if one.path == f"tags.{EXPIRES}"
    }
    if len(ends) != 1 or _creates_vm(outcome.plan):
        return outcome
    owned = read_owned_resources(request.run, request.names, {})
    set_expiry(request.run, owned, ends.pop())
    return replace(outcome, snapshot=Snapshot(request.names, {}))  # the tags are others now


def _creates_vm(done: Plan) -> bool:
    steps = done.of(Action.CREATE, Action.REPLACE)
    return any(step.resource.kind is Kind.VM for step in steps)


def _plan_and_apply(context: CreateContext, candidate: Candidate, actual: Actual) -> CreateOutcome:
    """Plan and apply; and again if somebody else's create came in between."""
    request, writer = context.request, context.journal
    options = request.options

    def with_tags(resource: Resource) -> Resource:
        return with_current_tags(request, resource)

    for _ in range(_MAX_PLANS):
        writer.adopt(*_known_records(request.names, actual))
        tags = RunTags(writer.journal.run, writer.journal.created, expiry(request))
        todo = plan_create(request, candidate, actual, tags)
        refuse_replacing(todo, asked=options.replace)
        todo = with_lease(request, todo, actual, writer.journal)
        if needs_approval(todo):
            context.approve(todo)
        writer.remember(_resumable_spec(request, todo))
        try:
            done = apply_plan(todo, request.run, writer, with_tags, wait_for_vm=options.wait)
        except CcgpuError as err:
            changed = _changed_meanwhile(request, actual, err)
            if changed is None:
                place = candidate.placement
                located = with_location(err, place.region, place.zone)
                rollback_and_raise(request.run, writer, located, todo, keep=options.keep_on_failure)
            request.run.tell("note", f"someone else has changed it in the meantime: {err}")
            actual, request = changed, request.fitted_to(changed)
            candidate = next(possible_placements(request, changed, []))
        else:
            writer.remember(request.to_remember())
            snapshot = _snapshot_after(request, done, actual)
            return CreateOutcome(done, candidate, request.effective, snapshot)
    raise LeftBehind(f"{request.spec.name} keeps being changed by someone else")


def _snapshot_after(request: CreateRequest, done: Plan, actual: Actual) -> Snapshot:
    """What is known once a plan has been carried out: what it kept, and what it waited for."""
    run, names = request.run, request.names
    changed = {step.resource.id for step in done.steps if step.action is not Action.KEEP}
    disks = {names.data_disk(lun) for lun in range(len(request.spec.data_disks))}
    touched = {key(id_) for id_ in changed}
    if key(names.vm) in touched:
        touched |= {key(names.os_disk), *map(key, disks)}
    kept = {at: body for at, body in actual.items() if at not in touched}
    absent = {key(id_) for id_ in (*possible_ids(names), *disks)} - actual.keys() - touched
    written = {step.resource.id for step in done.of(Action.CREATE, Action.UPDATE, Action.REPLACE)}
    if not request.options.wait:
        written -= {names.vm}
    return Snapshot(names, kept, frozenset(absent)).after_reading(run, written)


def _resumable_spec(request: CreateRequest, todo: Plan) -> RememberedSpec:
    """What was asked for; and while a VM is replaced, what it was like."""
    if todo.of(Action.REPLACE):
        return resumable(request.asked, request.effective.given, request.spec)
    return request.to_remember()


def _changed_meanwhile(request: CreateRequest, actual: Actual, err: CcgpuError) -> Actual | None:
    """What there is now, if `err` is another machine's doing: it created it first, or removed some.

    What the plan kept may have been collected as garbage before it was renewed.
    """
    if isinstance(err, AlreadyExists):
        return read_actual(request)
    if err.code not in NOT_FOUND_CODES or request.options.keep_on_failure:
        return None
    found = read_actual(request)
    return None if found.keys() >= actual.keys() else found


def _known_records(names: Names, actual: Actual) -> Iterator[Record]:
    """What is there already, with the run that created it, which may be another machine's."""
    for id_, kind in deployment_ids(names).items():
        body = actual.get(key(id_))
        if tag(body, DEPLOYMENT) == names.deployment:
            yield Record(id_, kind, tag(body, RUN) or "", "done")
