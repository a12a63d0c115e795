"""Remove what a run has created.

The journal says where to look and Azure's live tags say what is this run's; a resource that
another run has taken over meanwhile is left alone.
"""

from functools import partial

from ccgpu.azure.long_running import send_alone
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.journal import Journal
from ccgpu.domain.removal import Fate, Ownership
from ccgpu.domain.resource import DEPLOYMENT, RUN, ResourceId, key, tag
from ccgpu.errors import CcgpuError
from ccgpu.workflows.discovery.search import list_ids_with_tag
from ccgpu.workflows.journal_writer import JournalWriter
from ccgpu.workflows.removal import Outcome, Removal, remove, remove_late

# A rollback has time of its own: it often begins because a create's time is over. A VM's delete
# takes a minute, a reserved NIC three (facts of Azure's latency recordings), each with retries.
_TIMEOUT = 1200.0


def rollback(
    run: Run, journal: JournalWriter, keep: frozenset[ResourceId] = frozenset()
) -> tuple[CcgpuError, ...]:
    """Remove everything the journal's run has created; why that did not succeed, if it did not.

    keep: by `key`, what stays and is remembered. A journal that names nothing any more is removed.
    """
    run = run.with_timeout(_TIMEOUT)
    journal.doubt()
    state = journal.journal
    created = [record for record in state.of_run() if key(record.id) not in keep]
    targets = {record.id: record.kind for record in created}
    disks = frozenset(key(id_) for id_, kind in targets.items() if kind is Kind.DISK)
    recent = frozenset(key(record.id) for record in created if record.state == "begun")
    ownership = Ownership(state.deployment, state.run, disks, recent=recent)
    try:
        if _is_taken_over(run, state):
            run.tell("note", "another machine's VM uses the created resources: keeping them")
            result = Removal(
                tuple(Outcome(id_, kind, Fate.FOREIGN) for id_, kind in targets.items())
            )
        else:
            result = remove(run, targets, ownership, journal.gone)
            listed = _tagged_by_run(run, state.run)
            result = remove_late(run, listed, result, ownership, journal.gone)
    except CcgpuError as err:
        return (err,)
    forgotten = [*result.ids(Fate.FOREIGN)]  # not this run's (any more)
    if not result.errors:
        forgotten += result.ids(Fate.KEPT)  # others live in it
    for id_ in forgotten:
        journal.gone(id_)
    if not journal.journal.records:
        journal.forget()
    return result.errors


def _is_taken_over(run: Run, journal: Journal) -> bool:
    """Whether a run that this machine does not know has made the VM meanwhile.

    A VM of an earlier run of ours is known; what this run added to it can go.
    """
    names = Names(journal.subscription, journal.group, journal.deployment)
    get = partial(run.cloud.arm.get, Kind.VM, names.vm)
    vm = send_alone(run, get, f"reading {names.vm}")
    known = {record.run for record in journal.records} | {journal.run}
    return tag(vm, DEPLOYMENT) == journal.deployment and tag(vm, RUN) not in known


def _tagged_by_run(run: Run, value: str) -> tuple[ResourceId, ...]:
    """What carries the run's tag: NICs and public IPs outlive a VM that Azure rejected late."""
    return list_ids_with_tag(run, RUN, value)
