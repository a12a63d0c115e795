"""After a failed create: roll back what it created, or keep it on request; report what is left."""

from typing import NoReturn

from ccgpu.azure.run import Run
from ccgpu.domain.action import Action
from ccgpu.domain.advice import own_hint, then_try_again
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.plan import Plan
from ccgpu.domain.resource import ResourceId, key
from ccgpu.domain.time_limits import UNDO
from ccgpu.errors import CcgpuError, Denied, GuestNotReady, HostKeyMismatch, LeftBehind
from ccgpu.scheduling.durations import in_words
from ccgpu.workflows.create.rollback import rollback
from ccgpu.workflows.discovery.leftovers import left_behind_error, report_leftovers
from ccgpu.workflows.discovery.snapshot import possible_ids
from ccgpu.workflows.journal_writer import JournalWriter


def possible_resources(writer: JournalWriter, names: Names) -> dict[ResourceId, Kind]:
    """The ids that may exist after a failure; none if this machine has created nothing."""
    recorded = {record.id: record.kind for record in writer.journal.records}
    return possible_ids(names) | recorded if recorded else {}


def run_resources(writer: JournalWriter) -> set[ResourceId]:
    """The `key`s of resources that this run may have created, which a GET may not show yet."""
    return {key(record.id) for record in writer.journal.of_run()}


def rollback_and_raise(
    run: Run, writer: JournalWriter, err: CcgpuError, todo: Plan, *, keep: bool
) -> NoReturn:
    """Delete what this run created, and raise `err`; raise `LeftBehind` if some of it is left.

    With `keep`, nothing is deleted. Disks that an update added to an existing VM are kept, because
    the VM uses them.
    """
    name = writer.journal.deployment
    if keep:
        _keep_and_raise(run, writer, err)
    if not writer.journal.of_run():
        raise err
    updated = [step.resource for step in todo.of(Action.UPDATE) if step.resource.kind is Kind.VM]
    run.tell("note", f"rolling back, within {in_words(UNDO)}")
    kept = frozenset(key(disk) for vm in updated for disk in vm.implicitly_created)
    if errors := rollback(run, writer, kept):
        raise left_behind_error(
            f"{err}\nand some of the created resources could not be deleted",
            (err, *errors),
            hint=then_try_again([own_hint(errors[0])], f"`ccgpu delete {name}` tries again"),
        ) from err
    raise err


def _keep_and_raise(run: Run, writer: JournalWriter, err: CcgpuError) -> NoReturn:
    """Raise `err` with the leftovers; raise `LeftBehind` if this run created a billed resource.

    What is denied, and what is dangerous, stays what it is.
    """
    journal, of_run = writer.journal, run_resources(writer)
    name = journal.deployment
    ids = possible_resources(writer, Names(journal.subscription, journal.group, name))
    err.resources = report_leftovers(run, ids, name, of_run)
    created = [one for one in err.resources if key(one.id) in of_run]
    hint = f"`ccgpu create {name}` continues, `ccgpu delete {name}` deletes it"
    if isinstance(err, GuestNotReady):
        hint = f"`ccgpu doctor {name}` and `ccgpu logs {name} --serial` look into it; {hint}"
    if isinstance(err, HostKeyMismatch):
        err.hint = hint
    if isinstance(err, Denied | HostKeyMismatch) or not any(one.billed for one in created):
        raise err
    raise LeftBehind(
        f"{err}\nand the created resources are kept (`--keep-on-failure`)",
        hint=hint,
        resources=err.resources,
    ) from err
