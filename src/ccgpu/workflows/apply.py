"""Carry out a plan: as much at once as `needs` allows, each intent on disk before its PUT.

Only the plan is obeyed. A failure stops what needs the failed resource, and is reported once; what
is under way is followed to its end, so that its outcome is known.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from graphlib import TopologicalSorter

from ccgpu.azure.arm import Pending
from ccgpu.azure.long_running import send_with_retry, write_and_wait
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.plan import Action, Plan, Step
from ccgpu.domain.removal import Fate, Ownership
from ccgpu.domain.resource import Resource, ResourceId, key
from ccgpu.errors import CcgpuError
from ccgpu.scheduling.scheduler import Task
from ccgpu.workflows.discovery.leftovers import left_behind_error
from ccgpu.workflows.journal_writer import JournalWriter
from ccgpu.workflows.removal import remove

# Marks what is made with the time at which its PUT is sent.
Stamping = Callable[[Resource], Resource]


def apply_plan(
    todo: Plan, run: Run, writer: JournalWriter, stamp: Stamping, *, wait_for_vm: bool = True
) -> Plan:
    """Carry out `todo`, or raise the first failure; nothing is undone here. The plan as sent.

    Each new resource goes through `stamp` whenever its PUT is sent: that may be long after the plan
    was made. Without `wait_for_vm` the VM's PUT is the last thing done: Azure has accepted it.
    """
    sent: dict[ResourceId, Resource] = {}

    def stamped(resource: Resource) -> Resource:
        sent[resource.id] = stamp(resource)
        return sent[resource.id]

    _delete_resources(todo.of(Action.REPLACE), run, writer)
    changes = {s.resource.id: s for s in todo.of(Action.CREATE, Action.UPDATE, Action.REPLACE)}

    def carry_out(id_: ResourceId) -> Task[None]:
        step = changes[id_]
        run.tell("begin", f"{step.action} {id_}", id_, step.resource.kind, step.action)
        if step.action is not Action.UPDATE or step.change:  # new disks come to be with a change
            writer.begin(step.resource)
        if step.action is Action.UPDATE:
            yield from _update_resource(run, step)
        else:
            yield from _create_resource(run, step.resource, stamped, wait_for_vm)
        if wait_for_vm or step.resource.kind is not Kind.VM:
            writer.done((id_, step.resource.kind))
        run.tell("done", f"{step.action} {id_}", id_, step.resource.kind, step.action)

    needs = {id_: step.resource.depends_on & changes.keys() for id_, step in changes.items()}
    failures = _run_in_order(needs, carry_out, run, changes)
    if failures:
        raise failures[0]
    _delete_resources(todo.of(Action.DELETE), run, writer)
    return Plan(tuple(replace(s, resource=sent.get(s.resource.id, s.resource)) for s in todo.steps))


def _create_resource(
    run: Run, resource: Resource, stamp: Stamping, wait_for_vm: bool
) -> Task[None]:
    def put() -> Pending | None:
        return run.cloud.arm.put(stamp(resource), new=resource.kind is Kind.VM)

    doing = f"creating {resource.id}"
    if resource.kind is Kind.VM and not wait_for_vm:
        yield from send_with_retry(run, put, doing, lag=True)
    else:
        yield from write_and_wait(run, resource.kind, resource.id, put, doing)


def _update_resource(run: Run, step: Step) -> Task[None]:
    """Change a resource in place; a failed VM is brought back first. Only what was planned from.

    A VM that had to be brought back is no longer what was compared: its etag has changed with it.
    """
    resource, doing = step.resource, f"updating {step.resource.id}"
    if step.recovery is not None:
        act = partial(run.cloud.arm.act, resource.id, step.recovery)
        again = f"{step.recovery} of {resource.id}"
        yield from write_and_wait(run, resource.kind, resource.id, act, again)
    etag = None if step.recovery else step.etag
    match step.request:
        case "PATCH", body:
            start = partial(run.cloud.arm.patch, resource.kind, resource.id, body, etag=etag)
        case "PUT", _:
            start = partial(run.cloud.arm.put, resource, etag=etag)
        case _:
            return
    yield from write_and_wait(run, resource.kind, resource.id, start, doing)


def _delete_resources(steps: tuple[Step, ...], run: Run, writer: JournalWriter) -> None:
    """Remove what is replaced or no longer wanted; whatever stays in the way is an error."""
    if not steps:
        return
    writer.doubt()
    targets = {step.resource.id: step.resource.kind for step in steps}
    created = [item for step in steps for item in step.resource.implicitly_created.items()]
    targets |= dict(created)
    disks = frozenset(key(disk) for disk, _ in created)
    ownership = Ownership(writer.journal.deployment, disks=disks)
    result = remove(run, targets, ownership, writer.gone)
    foreign = result.ids(Fate.FOREIGN)
    if result.left or foreign:
        why = str(result.errors[0]) if result.errors else f"not ours: {', '.join(foreign)}"
        raise left_behind_error(f"what was to be replaced is still there: {why}", result.errors)


def _run_in_order(
    needs: Mapping[ResourceId, frozenset[ResourceId]],
    carry_out: Callable[[ResourceId], Task[None]],
    run: Run,
    steps: Mapping[ResourceId, Step],
) -> list[CcgpuError]:
    """Run a task for each id as soon as those it needs are done; collect what failed."""
    order = TopologicalSorter(needs)
    order.prepare()
    failures: list[CcgpuError] = []

    def follow(id_: ResourceId) -> Task[None]:
        try:
            yield from carry_out(id_)
        except CcgpuError as err:
            failures.append(err)
            run.tell("failed", str(err), id_, steps[id_].resource.kind, steps[id_].action)
            return
        order.done(id_)
        start_ready()

    def start_ready() -> None:
        if failures:
            return
        for id_ in order.get_ready():
            run.cloud.scheduler.add(follow(id_))

    start_ready()
    run.cloud.scheduler.run()
    return failures
