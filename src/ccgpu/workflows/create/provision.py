"""The first stage of a create: for each possible region, plan and apply.

A failed run is rolled back: what it created is deleted. If that fails, too, the error is
`LeftBehind`, with the first error as its cause.
"""

import secrets
from collections.abc import Iterator
from dataclasses import replace

from ccgpu.azure.long_running import run_task
from ccgpu.domain.action import Action
from ccgpu.domain.capacity import place_name
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names, RunTags
from ccgpu.domain.given import RememberedSpec
from ccgpu.domain.in_place import never_provisioned
from ccgpu.domain.journal import Record
from ccgpu.domain.live_spec import resumable
from ccgpu.domain.measured_boot import given_config
from ccgpu.domain.plan import Plan
from ccgpu.domain.resource import DEPLOYMENT, EXPIRES, RUN, Resource, key, tag
from ccgpu.domain.tries import FailedTry
from ccgpu.errors import CapacityUnavailable, CcgpuError
from ccgpu.scheduling.clock import rfc3339
from ccgpu.workflows.apply import apply_plan
from ccgpu.workflows.create.capacity_wait import CapacityWait
from ccgpu.workflows.create.changed_meanwhile import changed_or_undone
from ccgpu.workflows.create.context import (
    CreateContext,
    CreateOutcome,
    CreateRequest,
)
from ccgpu.workflows.create.effective_spec import announce_defaults
from ccgpu.workflows.create.failure import rollback_and_raise
from ccgpu.workflows.create.later_stages import (
    created_vm,
    require_later_stages,
    require_policy_of_image,
)
from ccgpu.workflows.create.measured_source import measured_file
from ccgpu.workflows.create.placement import Candidate, with_location
from ccgpu.workflows.create.planning import (
    expiry,
    plan_create,
    possible_placements,
    read_actual,
    warnings_of,
    with_current_tags,
    with_lease,
)
from ccgpu.workflows.create.refusals import Refusal, combined_refusal, lacks_capacity
from ccgpu.workflows.create.released import require_sources
from ccgpu.workflows.create.replacement import needs_approval, refuse_replacing
from ccgpu.workflows.discovery.owned_resources import read_owned_resources
from ccgpu.workflows.discovery.snapshot import (
    Actual,
    Snapshot,
    deployment_ids,
    possible_ids,
)
from ccgpu.workflows.expiry_tags import set_expiry
from ccgpu.workflows.journal_writer import JournalWriter
from ccgpu.workflows.measured_deployment import record_boot
from ccgpu.workflows.prices import announce_price


def provision(context: CreateContext) -> CreateContext:
    """Create or update the deployment's resources, where Azure has room for the VM.

    1. Read the existing resources, and adapt the spec to them.
    2. Begin a new run if the VM already exists.
    3. Try the possible placements in order. If none has room, try all of them again later, as long
       as the user wants to wait.
    4. Write a new end of the lease on what Azure created along with the VM.
    """
    actual = read_actual(context.request)
    context = replace(context, request=context.request.fitted_to(actual))
    announce_defaults(context.run, context.request.effective)
    unfinished = _begin_new_run(context, actual)
    waiting = CapacityWait.begin(context.run, context.request.options.wait_for_capacity)
    tries: list[FailedTry] = []
    while True:
        refusals: list[Refusal] = []
        outcome = _provision_somewhere(context, actual, refusals)
        tries += [one.tried for one in refusals if one.tried is not None]
        if outcome is not None:
            break
        if not lacks_capacity(refusals) or not waiting.pause():
            raise combined_refusal(refusals)
        actual = read_actual(context.request)
    outcome = _extend_implicit_resources(context.request, outcome)
    boots = unfinished or _creates_vm(outcome.plan)
    return replace(context, outcome=replace(outcome, tries=tuple(tries)), boots=boots)


def _provision_somewhere(
    context: CreateContext, actual: Actual, refusals: list[Refusal]
) -> CreateOutcome | None:
    """Plan, ask for approval and apply for each possible placement until one has room.

    A VM that Azure had no room for is gone before the next placement is tried. After any error but
    a lack of capacity, the run is rolled back and the create ends.
    """
    run = context.run
    for candidate in possible_placements(context.request, actual, refusals):
        began = run.deadline.elapsed()
        if any(one.tried for one in refusals):
            actual = read_actual(context.request)
        try:
            return _plan_and_apply(context, candidate, actual)
        except CapacityUnavailable as err:
            if context.request.options.keep_on_failure or context.journal.journal.of_run():
                raise
            place, took = candidate.placement, run.deadline.elapsed() - began
            where = place_name(place.region, place.zone)
            said = str(err).removeprefix(f"{where}: creating {context.request.names.vm}: ")
            tried = FailedTry(place.region, place.zone, err.code, said, took)
            refusals.append(Refusal(err, tried))
            run.tell("note", f"{tried.place} has no capacity [{err.code}]")
    return None


def _begin_new_run(context: CreateContext, actual: Actual) -> bool:
    """Begin a new run if the VM already exists, so that a rollback does not delete the VM.

    Returns whether the VM may still be booting, because the journal's unfinished run created it.
    """
    request, writer = context.request, context.journal
    vm = actual.get(key(request.names.vm))
    if vm is None or never_provisioned(vm) or tag(vm, DEPLOYMENT) != request.spec.name:
        return False
    unfinished = tag(vm, RUN) == writer.journal.run  # a create after a finished one has a new run
    writer.new_run(secrets.token_hex(8), rfc3339(context.run.cloud.now()))
    return unfinished


def _extend_implicit_resources(request: CreateRequest, outcome: CreateOutcome) -> CreateOutcome:
    """Write a new end of the lease on the VM's dependents, too: the latest of all tags counts."""
    ends = {
        one.wanted
        for step in outcome.plan.of(Action.UPDATE)
        for one in step.reasons
        if one.path == f"tags.{EXPIRES}"
    }
    if len(ends) != 1 or _creates_vm(outcome.plan):
        return outcome
    owned = run_task(request.run, read_owned_resources(request.run, request.names, {}))
    set_expiry(request.run, owned, ends.pop())
    return replace(outcome, snapshot=Snapshot(request.names, {}))  # the tags read are outdated


def _creates_vm(done: Plan) -> bool:
    return created_vm(done) is not None


def _plan_and_apply(context: CreateContext, candidate: Candidate, actual: Actual) -> CreateOutcome:
    """Plan and apply; if another client changes the resources in between, plan again.

    After any other error, also one of a later plan, what the run has made is rolled back.
    """
    request, writer = context.request, context.journal
    keep = request.options.keep_on_failure
    warned: tuple[str, ...] = ()
    applied: list[Plan] = []  # each was stopped by another client's change
    while True:
        try:
            if applied:
                request = request.fitted_to(actual)
                candidate = next(possible_placements(request, actual, []))
            todo, warned = _decide(context, request, candidate, actual, warned)
        except CcgpuError as err:
            if not applied:
                raise
            rollback_and_raise(request.run, writer, err, applied[-1], keep=keep)
        try:
            done = _apply(request, todo, writer)
        except CcgpuError as err:
            applied.append(todo)
            place = candidate.placement
            located = with_location(err, place.region, place.zone)
            actual = changed_or_undone(request, writer, actual, applied, located)
        else:
            writer.remember(request.to_remember())
            snapshot = _snapshot_after(request, done, actual)
            return CreateOutcome(done, candidate, request.effective, snapshot, warned)


def _decide(
    context: CreateContext,
    request: CreateRequest,
    candidate: Candidate,
    actual: Actual,
    warned: tuple[str, ...],
) -> tuple[Plan, tuple[str, ...]]:
    """The plan to apply, and its warnings; those in `warned` are not told again.

    1. Journal the existing resources of the deployment.
    2. Plan, refuse a forbidden replacement, and ask for approval.
    3. Remember the spec, so that an interrupted create can continue with it.
    """
    writer = context.journal
    writer.adopt(*_existing_records(request.names, actual))
    tags = RunTags(writer.journal.run, writer.journal.created, expiry(request))
    todo = plan_create(request, candidate, actual, tags)
    refuse_replacing(todo, allowed=request.options.replace)
    todo = with_lease(request, todo, actual, writer.journal)
    if needs_approval(todo):
        context.approve(todo)
    _require_later_stages(request, todo)
    warned = _warn_once(request, todo, warned)
    writer.remember(_resumable_spec(request, todo))
    _record_image(request, todo)
    if _creates_vm(todo):
        region = candidate.placement.region
        warned = (*warned, *announce_price(request.run, request.spec, region))
    return todo, warned


def _apply(request: CreateRequest, todo: Plan, writer: JournalWriter) -> Plan:
    """Carry out the plan; returns what was done."""

    def with_tags(resource: Resource) -> Resource:
        return with_current_tags(request, resource)

    wait = request.options.wait
    return apply_plan(todo, request.run, writer, with_tags, wait_for_vm=wait)


def _require_later_stages(request: CreateRequest, todo: Plan) -> None:
    options = request.options
    if options.guest is not None and options.wait:
        policy = None if options.attest is None else options.attest.policy
        if policy is not None and options.attest is not None and options.attest.chosen:
            require_policy_of_image(request.spec, policy)
        require_later_stages(request.spec, todo, options.guest, policy)
        if _creates_vm(todo):
            require_sources(request.spec, options)


def _record_image(request: CreateRequest, todo: Plan) -> None:
    """Record what a new VM boots before it is made: no later command holds it to less.

    Of an existing VM that is as the spec says, too: another machine may have made it.
    """
    file = measured_file(request.spec)
    vm = next((step.resource for step in todo.steps if step.resource.kind is Kind.VM), None)
    if vm is not None and (file is not None or _creates_vm(todo)):
        record_boot(request.run.cloud, request.spec.name, file, given_config(vm.body))


def _warn_once(request: CreateRequest, todo: Plan, warned: tuple[str, ...]) -> tuple[str, ...]:
    """Emit the plan's warnings that are not in `warned`; returns all of them."""
    for text in (found := warnings_of(request, todo)):
        if text not in warned:
            request.run.tell("note", text)
    return found


def _snapshot_after(request: CreateRequest, done: Plan, actual: Actual) -> Snapshot:
    """What is known after a plan: the resources it kept, and those it waited for."""
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
    """The requested spec; while a VM is replaced, with the values of the old VM."""
    if todo.of(Action.REPLACE):
        return resumable(request.requested, request.effective.given, request.spec)
    return request.to_remember()


def _existing_records(names: Names, actual: Actual) -> Iterator[Record]:
    """Journal records of the existing resources, with the run in their tags."""
    for id_, kind in deployment_ids(names).items():
        body = actual.get(key(id_))
        if tag(body, DEPLOYMENT) == names.deployment:
            yield Record(id_, kind, tag(body, RUN) or "", "done")
