"""The second stage of a create: journal what Azure named, tag the disks, wait for the guest."""

from collections.abc import Mapping

from ccgpu.azure.long_running import run_task, wait_until_settled
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.resource import BODY_HASH, Body, tags_of
from ccgpu.domain.status import State, power, state
from ccgpu.workflows.create.context import CreateContext
from ccgpu.workflows.create.readiness import GRACE, wait_for
from ccgpu.workflows.discovery.dependents import find_dependents
from ccgpu.workflows.discovery.snapshot import tag_disks
from ccgpu.workflows.journal_writer import JournalWriter


def boot(context: CreateContext) -> CreateContext:
    """The second stage of a create: wait for the guest; changes nothing when carried out again."""
    complete_boot(context.run, context.request.names, context.journal, booting=context.boots)
    return context


def complete_boot(run: Run, names: Names, journal: JournalWriter, *, booting: bool) -> None:
    """Journal what Azure named, tag the VM's disks, and wait until the guest is up.

    `booting`: the VM has just been created, and says that it is stopped until it boots. One that
    its user has stopped stays so.
    """
    settled = wait_until_settled(
        run, Kind.VM, names.vm, f"reading {names.vm}", expected=True, view=True
    )
    vm = run_task(run, settled) or {}
    dependents = run_task(run, find_dependents(run, names.vm, vm))
    journal.done((names.vm, Kind.VM), *dependents)
    tag_disks(run, {id_: kind for id_, kind in dependents if kind is Kind.DISK}, _disk_tags(vm))
    if state(vm) is not State.STOPPED or (booting and power(vm) != "deallocated"):
        run_task(run, wait_for(run, names.vm, State.READY, grace=GRACE))


def _disk_tags(vm: Body) -> Mapping[str, str]:
    return {name: value for name, value in tags_of(vm).items() if name != BODY_HASH}
