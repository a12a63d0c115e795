"""When a create fails: what it made is undone, or kept on request; what may be left is named."""

from typing import NoReturn

from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.plan import Action, Plan
from ccgpu.domain.resource import ResourceId, key
from ccgpu.errors import CcgpuError, Denied, LeftBehind
from ccgpu.workflows.create.rollback import rollback
from ccgpu.workflows.discovery.leftovers import left_behind_error, report_leftovers
from ccgpu.workflows.discovery.snapshot import possible_ids
from ccgpu.workflows.journal_writer import JournalWriter


def possible_resources(writer: JournalWriter, names: Names) -> dict[ResourceId, Kind]:
    """Where to look after a failure; nowhere, if this machine has made nothing."""
    made = {record.id: record.kind for record in writer.journal.records}
    return possible_ids(names) | made if made else {}


def run_resources(writer: JournalWriter) -> set[ResourceId]:
    """The `key`s of what this run may have made: a lagging answer does not make it absent."""
    return {key(record.id) for record in writer.journal.of_run()}


def rollback_and_raise(
    run: Run, writer: JournalWriter, err: CcgpuError, todo: Plan, *, keep: bool
) -> NoReturn:
    """Undo what this run made, and raise `err`; `LeftBehind` if something is left.

    `keep` undoes nothing. Disks that an update adds to a VM are the VM's from then on, and stay.
    """
    name = writer.journal.deployment
    if keep:
        _keep_and_raise(run, writer, err)
    if not writer.journal.of_run():
        raise err
    updated = [step.resource for step in todo.of(Action.UPDATE) if step.resource.kind is Kind.VM]
    run.tell("note", "rolling back")
    kept = frozenset(key(disk) for vm in updated for disk in vm.implicitly_created)
    if errors := rollback(run, writer, kept):
        raise left_behind_error(
            f"{err}\nand some of the created resources could not be deleted",
            (err, *errors),
            hint=f"`ccgpu delete {name}` tries again",
        ) from err
    raise err


def _keep_and_raise(run: Run, writer: JournalWriter, err: CcgpuError) -> NoReturn:
    """Raise `err` with what there is; `LeftBehind` if something that was made bills."""
    journal, mine = writer.journal, run_resources(writer)
    name = journal.deployment
    ids = possible_resources(writer, Names(journal.subscription, journal.group, name))
    err.resources = report_leftovers(run, ids, name, mine)
    made = [one for one in err.resources if key(one.id) in mine]
    if isinstance(err, Denied) or not any(one.billed for one in made):
        raise err
    raise LeftBehind(
        f"{err}\nand the created resources are kept (`--keep-on-failure`)",
        hint=f"`ccgpu create {name}` continues, `ccgpu delete {name}` deletes it",
        resources=err.resources,
    ) from err
