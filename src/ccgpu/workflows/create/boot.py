"""The second stage of a create: journal the ids Azure chose, tag the disks, wait for the guest."""

from collections.abc import Mapping
from dataclasses import replace

from ccgpu.azure.long_running import run_task, wait_until_settled
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.journal import Record
from ccgpu.domain.resource import (
    BODY_HASH,
    DEPLOYMENT,
    FIRST_BOOT_TAGS,
    RUN,
    Body,
    ResourceId,
    key,
    tag,
    tags_of,
)
from ccgpu.domain.status import State, vm_state
from ccgpu.domain.vm_view import network_interface_ids, power_state
from ccgpu.scheduling.scheduler import Task
from ccgpu.workflows.create.context import CreateContext
from ccgpu.workflows.create.readiness import GRACE, wait_for
from ccgpu.workflows.discovery.dependents import find_dependents, vm_disk_ids
from ccgpu.workflows.discovery.snapshot import Snapshot, read_now, tag_disks
from ccgpu.workflows.journal_writer import JournalWriter


def boot(context: CreateContext) -> CreateContext:
    """The second stage of a create. Idempotent: a second call changes nothing."""
    outcome = context.provisioned
    snapshot = complete_boot(context.run, outcome.snapshot, context.journal, booting=context.boots)
    return replace(context, outcome=replace(outcome, snapshot=snapshot))


def complete_boot(run: Run, known: Snapshot, journal: JournalWriter, *, booting: bool) -> Snapshot:
    """Complete a create once its VM exists.

    1. Read the VM's dependents, and journal the ids that Azure chose.
    2. Tag the VM's disks.
    3. Wait until the guest is up. A VM that its user has stopped is not waited for.

    Args:
        run: The command under way.
        known: What has been read before and is not read again.
        journal: The deployment's journal.
        booting: Whether the VM has just been created: it reports that it is stopped until it boots.
    """
    names = known.names
    vm = known.vm or run_task(run, _read_vm(run, names.vm))
    disks = vm_disk_ids(names.vm, vm)
    in_vm = dict.fromkeys(disks, Kind.DISK)
    in_vm |= dict.fromkeys(network_interface_ids(vm), Kind.NIC)
    read = run_task(run, read_now(run, in_vm, known))
    known = replace(known, bodies={**known.bodies, **read})
    dependents = run_task(run, find_dependents(run, names.vm, vm, known.bodies))
    of_vm = tag(vm, RUN) or journal.journal.run  # a rollback of another run must not count them
    journal.adopt(*(Record(id_, kind, of_vm, "done") for id_, kind in dependents))
    journal.done((names.vm, Kind.VM), *dependents)
    tag_disks(run, disks, _disk_tags(vm), known)
    if vm_state(vm) is not State.STOPPED or (booting and power_state(vm) != "deallocated"):
        run_task(run, wait_for(run, names.vm, State.READY, grace=GRACE, known=vm))
    untagged = {key(id_) for id_ in disks if tag(known.bodies.get(key(id_)), DEPLOYMENT) is None}
    bodies = {at: body for at, body in known.bodies.items() if at not in untagged}
    return replace(known, bodies=bodies).after_reading(run, [names.vm])


def _read_vm(run: Run, id_: ResourceId) -> Task[Body]:
    doing = f"reading {id_}"
    return (yield from wait_until_settled(run, Kind.VM, id_, doing, expected=True, view=True)) or {}


def _disk_tags(vm: Body) -> Mapping[str, str]:
    own = {BODY_HASH, *FIRST_BOOT_TAGS}
    return {name: value for name, value in tags_of(vm).items() if name.casefold() not in own}
