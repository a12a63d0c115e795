"""Roll back a run: delete the resources that it created.

The journal provides their ids. The tags in a GET decide whether a resource is still this run's; one
that another run has taken over is not deleted.
"""

from dataclasses import replace
from functools import partial

from ccgpu.azure.long_running import run_task, send_alone
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.journal import Journal
from ccgpu.domain.removal import Fate, Ownership
from ccgpu.domain.resource import DEPLOYMENT, RUN, ResourceId, key, tag
from ccgpu.domain.time_limits import REPORT_NEW, UNDO
from ccgpu.errors import CcgpuError
from ccgpu.workflows.discovery.search import list_ids_with_tag
from ccgpu.workflows.journal_writer import JournalWriter
from ccgpu.workflows.removal import Outcome, Removal, remove, remove_late

# Of the time to undo a create, the last part is for naming what is left.
_TIMEOUT = UNDO - REPORT_NEW


def rollback(
    run: Run, journal: JournalWriter, keep: frozenset[ResourceId] = frozenset()
) -> tuple[CcgpuError, ...]:
    """Delete everything the journal's run has created; returns the errors.

    1. If another machine's run has taken over the VM, delete nothing.
    2. Else delete the resources in the journal, then those that a later list adds.
    3. Drop from the journal what is not this run's; remove a journal without records.

    `keep`: the `key`s of resources that are neither deleted nor dropped from the journal.
    """
    run = run.with_timeout(_TIMEOUT, "undoing what was created")
    journal.doubt()
    state = journal.journal
    created = [record for record in state.of_run() if key(record.id) not in keep]
    targets = {record.id: record.kind for record in created}
    disks = frozenset(key(id_) for id_, kind in targets.items() if kind is Kind.DISK)
    recent = frozenset(key(record.id) for record in created if record.state == "begun")
    ownership = Ownership(state.deployment, state.run, disks, recent=recent)
    result = Removal()
    try:
        if _is_taken_over(run, state):
            run.tell("note", "another machine's VM uses the created resources: keeping them")
            result = Removal(
                tuple(Outcome(id_, kind, Fate.FOREIGN) for id_, kind in targets.items())
            )
        else:
            result = run_task(run, remove(run, targets, ownership, journal.gone))
            listed = _tagged_by_run(run, state.run)
            late = remove_late(run, listed, result, ownership, journal.gone)
            result = run_task(run, late)
    except CcgpuError as err:  # what is known by then still counts
        result = replace(result, failures=(*result.failures, err))
    forgotten = [*result.ids(Fate.FOREIGN)]  # not this run's, or not any more
    if not result.errors:
        forgotten += result.ids(Fate.KEPT)  # others use it
    for id_ in forgotten:
        journal.gone(id_)
    if not journal.journal.records:
        journal.forget()
    return result.errors


def _is_taken_over(run: Run, journal: Journal) -> bool:
    """Whether a run that is not in this machine's journal has created the VM meanwhile.

    If an earlier run in the journal created it, what this run added to it can be deleted.
    """
    names = Names(journal.subscription, journal.group, journal.deployment)
    get = partial(run.cloud.arm.get, Kind.VM, names.vm)
    vm = send_alone(run, get, f"reading {names.vm}")
    known = {record.run for record in journal.records} | {journal.run}
    return tag(vm, DEPLOYMENT) == journal.deployment and tag(vm, RUN) not in known


def _tagged_by_run(run: Run, value: str) -> tuple[ResourceId, ...]:
    """The ids with the run's tag; after a late failure of a VM its NICs and public IPs remain."""
    return run_task(run, list_ids_with_tag(run, RUN, value))
