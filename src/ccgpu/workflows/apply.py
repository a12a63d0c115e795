"""Carry out a plan: concurrently, in the order of dependencies, each intent journalled first.

Nothing is decided here that the plan does not contain. After a failure no further step begins. The
steps under way are followed to their end, so that their outcome is known.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from graphlib import TopologicalSorter

from ccgpu.azure.arm import Pending
from ccgpu.azure.long_running import run_task, send_with_retry, write_and_wait
from ccgpu.azure.run import Run
from ccgpu.domain.action import Action
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.plan import Plan, Step
from ccgpu.domain.removal import Fate, Ownership
from ccgpu.domain.resource import Resource, ResourceId, group_of, key, name_of
from ccgpu.errors import CcgpuError
from ccgpu.scheduling.scheduler import Task
from ccgpu.workflows.attestation_records import forget_verdict
from ccgpu.workflows.discovery.leftovers import left_behind_error
from ccgpu.workflows.journal_writer import JournalWriter
from ccgpu.workflows.removal import remove

# Adds the tags with the current time to a resource whose PUT is about to be sent.
TagAdder = Callable[[Resource], Resource]


def apply_plan(
    todo: Plan, run: Run, writer: JournalWriter, add_tags: TagAdder, *, wait_for_vm: bool = True
) -> Plan:
    """Carry out the plan `todo`. Returns the plan with the resources as they were sent.

    1. Delete the resources that are to be replaced.
    2. Create, update and replace, each resource after those it depends on. Raise the first error.
    3. Delete the resources that are no longer wanted.

    Nothing is rolled back here.

    Args:
        todo: The plan.
        run: The command under way.
        writer: The deployment's journal.
        add_tags: Tags a new resource whenever its PUT is sent, which may be long after planning.
        wait_for_vm: If false, return once Azure has accepted the VM's PUT.
    """
    sent: dict[ResourceId, Resource] = {}

    def add_tags_and_note(resource: Resource) -> Resource:
        sent[resource.id] = add_tags(resource)
        return sent[resource.id]

    _delete_resources(todo.of(Action.REPLACE), run, writer)
    changes = {s.resource.id: s for s in todo.of(Action.CREATE, Action.UPDATE, Action.REPLACE)}

    def carry_out(id_: ResourceId) -> Task[None]:
        step = changes[id_]
        run.tell("begin", f"{step.action} {id_}", id_, step.resource.kind, step.action)
        if step.action is not Action.UPDATE or step.change:  # a VM's update may create disks
            writer.begin(step.resource)
        if step.action is Action.UPDATE:
            yield from _update_resource(run, step)
        else:
            yield from _create_resource(run, step.resource, add_tags_and_note, wait_for_vm)
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
    run: Run, resource: Resource, add_tags: TagAdder, wait_for_vm: bool
) -> Task[None]:
    def put() -> Pending | None:
        return run.cloud.arm.put(add_tags(resource), new=resource.kind is Kind.VM)

    doing = f"creating {resource.id}"
    if resource.kind is Kind.VM and not wait_for_vm:
        yield from send_with_retry(run, put, doing, lag=True)
    else:
        yield from write_and_wait(run, resource.kind, resource.id, put, doing)


def _update_resource(run: Run, step: Step) -> Task[None]:
    """Change a resource in place; first recover a failed VM with the plan's action.

    The etag of the plan makes the update fail if the resource has changed since it was compared.
    A recovered VM is updated without one, because its recovery has changed its etag.
    """
    resource, doing = step.resource, f"updating {step.resource.id}"
    if step.recovery is not None:
        if resource.kind is Kind.VM:
            names = Names(run.cloud.subscription, group_of(resource.id), name_of(resource.id))
            forget_verdict(run.cloud, names, None)  # it is of the boot before
        act = partial(run.cloud.arm.act, resource.id, step.recovery)
        recovering = f"{step.recovery} of {resource.id}"
        yield from write_and_wait(run, resource.kind, resource.id, act, recovering)
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
    """Delete the resources of `steps`; raises `LeftBehind` if one of them remains."""
    if not steps:
        return
    writer.doubt()
    targets = {step.resource.id: step.resource.kind for step in steps}
    created = [item for step in steps for item in step.resource.implicitly_created.items()]
    targets |= dict(created)
    disks = frozenset(key(disk) for disk, _ in created)
    ownership = Ownership(writer.journal.deployment, disks=disks)
    result = run_task(run, remove(run, targets, ownership, writer.gone))
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
    """Run a task for each id once the tasks of the ids it needs are done; returns the errors."""
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
