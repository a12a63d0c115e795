"""Undo what a run has made.

The journal says where to look and Azure's live tags say what is this run's; a resource that
another run has taken over meanwhile is left alone.
"""

from functools import partial

from ccgpu.azure.long_running import send_alone
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.journal import Journal
from ccgpu.domain.resource import DEPLOYMENT, RUN, ResourceId, key, kind_of, tag
from ccgpu.errors import CcgpuError
from ccgpu.workflows.journal_writer import JournalWriter
from ccgpu.workflows.removal import Owner, Removal, remove

# An undo has time of its own: it often begins because a create's time is over. A VM's delete
# takes a minute, a reserved NIC three (facts of Azure's latency recordings), each with retries.
_ALLOWED = 1200.0


def rollback(
    run: Run, keeper: JournalWriter, spared: frozenset[ResourceId] = frozenset()
) -> Removal:
    """Remove everything the journal's run has made; forget the journal if nothing is left.

    `spared`: by `key`, what stays and is remembered.
    """
    own = run.with_timeout(_ALLOWED)
    keeper.doubt()
    journal = keeper.journal
    made = [record for record in journal.of_run() if key(record.id) not in spared]
    targets = {record.id: record.kind for record in made}
    disks = frozenset(key(id_) for id_, kind in targets.items() if kind is Kind.DISK)
    new = frozenset(key(record.id) for record in made if record.state == "begun")
    owner = Owner(journal.deployment, journal.run, disks, made=new)
    result = Removal()
    try:
        if _is_taken_over(own, journal):
            own.tell("note", "another machine's VM uses the created resources: keeping them")
            result.foreign += targets
        else:
            result = remove(own, targets, owner, keeper.gone)
            _remove_late_arrivals(own, journal.run, owner, keeper, result)
    except CcgpuError as err:
        result.errors.append(err)
    kept = [] if result.errors else [id_ for id_, _ in result.kept]
    for id_ in (*result.foreign, *kept):
        keeper.gone(id_)  # not this run's (any more), or others live in it: not its to remember
    if not keeper.journal.records:
        keeper.forget()
    return result


def _remove_late_arrivals(
    run: Run, value: str, owner: Owner, keeper: JournalWriter, first: Removal
) -> None:
    """Remove what a lagging answer hid, and then a group that stayed because of it."""
    seen = first.seen()
    late = {id_: kind for id_, kind in _tagged_by_run(run, value).items() if key(id_) not in seen}
    if late:
        again = {id_: Kind.GROUP for id_, _ in first.kept}
        first.kept.clear()
        first.add(remove(run, late | again, owner, keeper.gone))


def _is_taken_over(run: Run, journal: Journal) -> bool:
    """Whether a run that this machine does not know has made the VM meanwhile.

    A VM of an earlier run of ours is known; what this run added to it can go.
    """
    names = Names(journal.subscription, journal.group, journal.deployment)
    get = partial(run.cloud.arm.get, Kind.VM, names.vm)
    vm = send_alone(run, get, f"reading {names.vm}")
    known = {record.run for record in journal.records} | {journal.run}
    return tag(vm, DEPLOYMENT) == journal.deployment and tag(vm, RUN) not in known


def _tagged_by_run(run: Run, value: str) -> dict[ResourceId, Kind]:
    """What carries the run's tag: NICs and public IPs outlive a VM that Azure rejected late."""
    listing = partial(run.cloud.queries.tagged, RUN, value)
    found = send_alone(run, listing, "looking for what is left")
    kinds = ((id_, kind_of(id_)) for id_ in found)
    return {id_: kind for id_, kind in kinds if kind is not None}
