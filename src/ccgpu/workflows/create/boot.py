"""The end of a create: what Azure named is journalled, disks are tagged, and the guest is up."""

from collections.abc import Mapping

from ccgpu.azure.long_running import run_task, wait_until_settled
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.resource import BODY_HASH, Body, tags_of
from ccgpu.domain.status import State, power, state
from ccgpu.workflows.create.readiness import GRACE, wait_for
from ccgpu.workflows.discovery.dependents import find_dependents
from ccgpu.workflows.discovery.snapshot import tag_disks
from ccgpu.workflows.journal_writer import JournalWriter


def complete_boot(run: Run, names: Names, keeper: JournalWriter, *, made: bool) -> None:
    """Bring a VM that is there to the end of its create; changes nothing when run again.

    `made`: it has been made just now, and says that it is stopped until it boots. One that its user
    has stopped stays so.
    """
    doing = f"reading {names.vm}"
    vm = (
        run_task(run, wait_until_settled(run, Kind.VM, names.vm, doing, expected=True, view=True))
        or {}
    )
    found = run_task(run, find_dependents(run, names.vm, vm))
    keeper.done((names.vm, Kind.VM), *found)
    tag_disks(run, {id_: kind for id_, kind in found if kind is Kind.DISK}, _disk_tags(vm))
    if state(vm) is not State.STOPPED or (made and power(vm) != "deallocated"):
        run_task(run, wait_for(run, names.vm, State.READY, grace=GRACE))
    keeper.ended()


def authorized_keys(vm: Body) -> tuple[str, ...]:
    """The SSH public keys that a VM was made with."""
    profile = (vm.get("properties") or {}).get("osProfile") or {}
    ssh = (profile.get("linuxConfiguration") or {}).get("ssh") or {}
    return tuple(str(one["keyData"]) for one in ssh.get("publicKeys") or ())


def _disk_tags(vm: Body) -> Mapping[str, str]:
    return {name: value for name, value in tags_of(vm).items() if name != BODY_HASH}
