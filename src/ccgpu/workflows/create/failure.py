"""When a create fails: what it made is undone, or kept on request; what may be left is named."""

from typing import NoReturn

from ccgpu.azure.long_running import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.plan import Action, Plan
from ccgpu.domain.resource import ResourceId, key
from ccgpu.errors import CcgpuError, Denied, LeftBehind
from ccgpu.workflows.create.rollback import undo
from ccgpu.workflows.discovery.leftovers import inventory, left_behind
from ccgpu.workflows.discovery.snapshot import nameable_ids
from ccgpu.workflows.journal_writer import Keeper


def where_to_look(keeper: Keeper, names: Names) -> dict[ResourceId, Kind]:
    """Where to look after a failure; nowhere, if this machine has made nothing."""
    made = {record.id: record.kind for record in keeper.journal.records}
    return nameable_ids(names) | made if made else {}


def begun(keeper: Keeper) -> set[ResourceId]:
    """The `key`s of what this run may have made: a lagging answer does not make it absent."""
    return {key(record.id) for record in keeper.journal.of_run()}


def fail(run: Run, keeper: Keeper, err: CcgpuError, todo: Plan, *, keep: bool) -> NoReturn:
    """Undo what this run made, and raise `err`; `LeftBehind` if something is left.

    `keep` undoes nothing. Disks that an update adds to a VM are the VM's from then on, and stay.
    """
    name = keeper.journal.deployment
    if keep:
        _keep(run, keeper, err)
    if not keeper.journal.of_run():
        raise err
    updated = [step.resource for step in todo.of(Action.UPDATE) if step.resource.kind is Kind.VM]
    run.tell("note", "undoing what was made")
    spared = frozenset(key(disk) for vm in updated for disk in vm.promises)
    if errors := undo(run, keeper, spared).errors:
        raise left_behind(
            f"{err}\nand not everything that was made could be removed",
            (err, *errors),
            hint=f"`ccgpu delete {name}` tries again",
        ) from err
    raise err


def _keep(run: Run, keeper: Keeper, err: CcgpuError) -> NoReturn:
    """Raise `err` with what there is; `LeftBehind` if something that was made bills."""
    journal, mine = keeper.journal, begun(keeper)
    name = journal.deployment
    ids = where_to_look(keeper, Names(journal.subscription, journal.group, name))
    err.resources = inventory(run, ids, name, mine)
    made = [one for one in err.resources if key(one.id) in mine]
    if isinstance(err, Denied) or not any(one.billed for one in made):
        raise err
    raise LeftBehind(
        f"{err}\nand what was made is kept, as `--keep-on-failure` says",
        hint=f"`ccgpu create {name}` goes on, `ccgpu delete {name}` removes it",
        resources=err.resources,
    ) from err
