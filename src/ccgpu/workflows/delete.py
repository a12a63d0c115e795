"""`ccgpu delete`: everything a deployment owns, by id, each until a GET answers 404.

Works without a journal, on any machine: ids come from the journal, from the names we give, and
from the tags. Done again it finds nothing and says so.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from ccgpu.azure.context import AzureContext
from ccgpu.azure.long_running import run_task
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.events import Listener, ignore_event
from ccgpu.domain.journal import Journal
from ccgpu.domain.removal import Fate, Ownership
from ccgpu.domain.resource import ResourceId, group_of, key, own_group
from ccgpu.errors import Leftover
from ccgpu.store.journals import JournalFile
from ccgpu.workflows.discovery.leftovers import (
    converting_interrupt,
    first_denied,
    left_behind_error,
    recall_leftovers,
    report_leftovers,
    reporting_leftovers,
)
from ccgpu.workflows.discovery.search import FoundDeployment, find_deployment, list_tagged_ids
from ccgpu.workflows.discovery.snapshot import deployment_ids, possible_ids, read_now
from ccgpu.workflows.journal_writer import JournalWriter
from ccgpu.workflows.removal import remove, remove_late
from ccgpu.workflows.resource_groups import find_orphaned_group

TIMEOUT = 1800.0

# Shows what would be deleted; raises to refuse.
Approve = Callable[[list[ResourceId]], None]


@dataclass(frozen=True, slots=True)
class DeleteOutcome:
    """What a delete has done: gone, and kept with the reason."""

    name: str
    gone: tuple[ResourceId, ...]
    kept: tuple[tuple[ResourceId, str], ...]


def delete(
    cloud: AzureContext,
    name: str,
    group: str | None = None,
    *,
    timeout: float = TIMEOUT,
    listen: Listener = ignore_event,
    approve: Approve = lambda _: None,
) -> DeleteOutcome:
    """Remove the deployment; `LeftBehind` with the list if anything of it may still be there.

    `Denied` if it is gone, although a right was missing that it should have taken.
    """
    run = Run.begin(cloud, timeout, listen)
    work = _Deletion(run, name, group, approve)
    what, hint = f"{name} is not completely deleted", f"`ccgpu delete {name}` continues"
    locked = cloud.journals.locked(cloud.subscription, name, work.waiting)
    report = work.reported  # within the lock; and around it, because the disk may be full
    with converting_interrupt(what, hint, work.remembered), report(), locked as file, report():
        return work.carry_out(file)


class _Deletion:
    """One delete: where to look, and what is known of each id by now."""

    def __init__(self, run: Run, name: str, group: str | None, approve: Approve) -> None:
        self._run = run
        self._group = group
        self._approve = approve
        self._names = Names(run.cloud.subscription, group or own_group(name), name)
        self._writer: JournalWriter | None = None
        self._known = possible_ids(self._names)  # may be there
        self._present: dict[ResourceId, Kind] = {}  # are there, or were when they were looked at

    def waiting(self) -> None:
        """Say that another process has the deployment's lock."""
        name = self._names.deployment
        self._run.tell("note", f"another ccgpu is working on {name}: waiting for it")

    def reported(self) -> AbstractContextManager[None]:
        """What fails is told with what there is."""
        return reporting_leftovers(self._run, lambda: self._known, self._names.deployment)

    def remembered(self) -> tuple[Leftover, ...]:
        """What there is, without asking."""
        return recall_leftovers(self._run, self._names, self._writer, self._present)

    def carry_out(self, file: JournalFile) -> DeleteOutcome:
        """Find all of it, ask, remove it, and look once more."""
        name, subscription = self._names.deployment, self._names.subscription
        journal = file.read() or Journal(name, subscription, self._group or "", "", "")
        self._writer = writer = JournalWriter(file, journal)
        self._names = replace(self._names, group=self._group or journal.group or own_group(name))
        self._known |= possible_ids(self._names)
        self._known |= {record.id: record.kind for record in journal.records}
        found = find_deployment(self._run, name, self._group or journal.group or None)
        self._names = found.names
        targets, ownership = _find_targets(self._run, found, journal)
        self._known |= targets
        self._present |= _find_present(self._run, found, targets, ownership)
        if self._present:
            self._approve(sorted(self._present))
        writer.doubt()
        return self._removed(writer, targets, ownership)

    def _removed(
        self, writer: JournalWriter, targets: dict[ResourceId, Kind], ownership: Ownership
    ) -> DeleteOutcome:
        name = self._names.deployment
        result = remove(self._run, targets, ownership, self._gone)
        group = key(self._names.group)
        listed = list_tagged_ids(self._run, name, self._group)
        inside = [id_ for id_ in listed if key(group_of(id_)) == group]
        result = remove_late(self._run, inside, result, ownership, self._gone)
        kept = {key(id_) for id_, _ in result.kept}
        if result.errors:
            there = report_leftovers(self._run, self._known | result.left, name)
            if any(key(one.id) not in kept for one in there):
                raise left_behind_error(
                    f"{name} is not completely deleted: {result.errors[0]}",
                    result.errors,
                    hint=f"`ccgpu delete {name}` tries again",
                    resources=there,
                ) from result.errors[0]
        writer.forget()
        if missing := first_denied(result.errors):
            raise missing
        return DeleteOutcome(name, result.ids(Fate.GONE), result.kept)

    def _gone(self, id_: ResourceId) -> None:
        if self._writer is not None:
            self._writer.gone(id_)
        self._present.pop(id_, None)


def _find_targets(
    run: Run, found: FoundDeployment, journal: Journal
) -> tuple[dict[ResourceId, Kind], Ownership]:
    """All ids that may be the deployment's, and whose they must be to be removed."""
    names = found.names
    targets: dict[ResourceId, tuple[ResourceId, Kind]] = {}
    recorded = ((record.id, record.kind) for record in journal.records)
    for id_, kind in (*deployment_ids(names).items(), *recorded, *found.kinds.items()):
        targets.setdefault(key(id_), (id_, kind))
    disks = {key(r.id) for r in journal.records if r.kind is Kind.DISK}
    group = names.of(Kind.GROUP)
    left: Mapping[ResourceId, Mapping[str, str]] = {}
    if key(group) in found.bodies:  # in our own group its disk can only be ours
        targets.setdefault(key(names.os_disk), (names.os_disk, Kind.DISK))
        disks.add(key(names.os_disk))
    else:
        left = run_task(run, find_orphaned_group(run, names))
    ownership = Ownership(names.deployment, disks=frozenset(disks), orphaned=left)
    return dict(targets.values()), ownership


def _find_present(
    run: Run, found: FoundDeployment, targets: dict[ResourceId, Kind], ownership: Ownership
) -> dict[ResourceId, Kind]:
    """What of `targets` is there and would be removed."""
    there = read_now(run, targets, found.snapshot)
    ours = (
        id_ for id_ in targets if key(id_) in there and ownership.includes(id_, there[key(id_)])
    )
    return {id_: targets[id_] for id_ in ours}
