"""`ccgpu delete`: delete every resource of a deployment, each until a GET answers 404.

The ids come from the journal, from the names that ccgpu gives, and from the tags; so it works on a
machine without a journal, too. A second delete finds nothing to delete, and succeeds.
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

# Gets the ids that would be deleted; raises an error to refuse.
Approve = Callable[[list[ResourceId]], None]


@dataclass(frozen=True, slots=True)
class DeleteOutcome:
    """The resources that a delete has deleted, and those it has kept, with the reasons."""

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
    """Delete the deployment.

    Raises:
        LeftBehind: Some of its resources exist or may exist; the error lists them.
        Denied: All is deleted, although a permission was missing.
    """
    run = Run.begin(cloud, timeout, listen)
    work = _Deletion(run, name, group, approve)
    what, hint = f"{name} is not completely deleted", f"`ccgpu delete {name}` continues"
    locked = cloud.journals.locked(cloud.subscription, name, work.announce_waiting)
    # Errors are reported within the lock, and around it too: opening the journal may fail.
    report = work.reporting
    with converting_interrupt(what, hint, work.recall), report(), locked as file, report():
        return work.carry_out(file)


class _Deletion:
    """One delete under way, with the ids that may exist and those that do."""

    def __init__(self, run: Run, name: str, group: str | None, approve: Approve) -> None:
        self._run = run
        self._group = group
        self._approve = approve
        self._names = Names(run.cloud.subscription, group or own_group(name), name)
        self._writer: JournalWriter | None = None
        self._known = possible_ids(self._names)  # ids that may exist
        self._present: dict[ResourceId, Kind] = {}  # resources that existed when they were read

    def announce_waiting(self) -> None:
        """Emit a note that another process has the deployment's lock."""
        name = self._names.deployment
        self._run.tell("note", f"another ccgpu is working on {name}: waiting for it")

    def reporting(self) -> AbstractContextManager[None]:
        """A context manager that adds the leftovers to each error."""
        return reporting_leftovers(self._run, lambda: self._known, self._names.deployment)

    def recall(self) -> tuple[Leftover, ...]:
        """The leftovers, without a request to Azure."""
        return recall_leftovers(self._run, self._names, self._writer, self._present)

    def carry_out(self, file: JournalFile) -> DeleteOutcome:
        """Delete the deployment, with its journal locked.

        1. Open the journal, which may name another group.
        2. Find all ids that may be the deployment's, and which of them exist.
        3. Ask for approval.
        4. Delete them, then those that a later list adds.
        """
        name, subscription = self._names.deployment, self._names.subscription
        journal = file.read() or Journal(name, subscription, self._group or "", "", "")
        self._writer = writer = JournalWriter(file, journal)
        self._names = replace(self._names, group=self._group or journal.group or own_group(name))
        self._known |= possible_ids(self._names)
        self._known |= {record.id: record.kind for record in journal.records}
        deployment = find_deployment(self._run, name, self._group or journal.group or None)
        self._names = deployment.names
        targets, ownership = _find_targets(self._run, deployment, journal)
        self._known |= targets
        self._present |= _find_present(self._run, deployment, targets, ownership)
        if self._present:
            self._approve(sorted(self._present))
        writer.doubt()
        return self._remove(writer, targets, ownership)

    def _remove(
        self, writer: JournalWriter, targets: dict[ResourceId, Kind], ownership: Ownership
    ) -> DeleteOutcome:
        """Delete `targets` and what a later list adds; raise an error if some of it is left."""
        name = self._names.deployment
        result = run_task(self._run, remove(self._run, targets, ownership, self._record_gone))
        group = key(self._names.group)
        listed = list_tagged_ids(self._run, name, self._group)
        inside = [id_ for id_ in listed if key(group_of(id_)) == group]
        late = remove_late(self._run, inside, result, ownership, self._record_gone)
        result = run_task(self._run, late)
        kept = {key(id_) for id_, _ in result.kept}
        if result.errors:
            leftovers = report_leftovers(self._run, self._known | result.left, name)
            if any(key(one.id) not in kept for one in leftovers):
                raise left_behind_error(
                    f"{name} is not completely deleted: {result.errors[0]}",
                    result.errors,
                    hint=f"`ccgpu delete {name}` tries again",
                    resources=leftovers,
                ) from result.errors[0]
        writer.forget()
        if missing := first_denied(result.errors):
            raise missing
        return DeleteOutcome(name, result.ids(Fate.GONE), result.kept)

    def _record_gone(self, id_: ResourceId) -> None:
        if self._writer is not None:
            self._writer.gone(id_)
        self._present.pop(id_, None)


def _find_targets(
    run: Run, deployment: FoundDeployment, journal: Journal
) -> tuple[dict[ResourceId, Kind], Ownership]:
    """All ids that may be the deployment's, and the ownership that allows deleting them."""
    names = deployment.names
    targets: dict[ResourceId, tuple[ResourceId, Kind]] = {}
    recorded = ((record.id, record.kind) for record in journal.records)
    for id_, kind in (*deployment_ids(names).items(), *recorded, *deployment.kinds.items()):
        targets.setdefault(key(id_), (id_, kind))
    disks = {key(r.id) for r in journal.records if r.kind is Kind.DISK}
    group = names.of(Kind.GROUP)
    orphaned: Mapping[ResourceId, Mapping[str, str]] = {}
    if key(group) in deployment.bodies:  # in a group that ccgpu created, ccgpu created this disk
        targets.setdefault(key(names.os_disk), (names.os_disk, Kind.DISK))
        disks.add(key(names.os_disk))
    else:
        orphaned = run_task(run, find_orphaned_group(run, names))
    ownership = Ownership(names.deployment, disks=frozenset(disks), orphaned=orphaned)
    return dict(targets.values()), ownership


def _find_present(
    run: Run, deployment: FoundDeployment, targets: dict[ResourceId, Kind], ownership: Ownership
) -> dict[ResourceId, Kind]:
    """The `targets` that exist and would be deleted."""
    bodies = run_task(run, read_now(run, targets, deployment.snapshot))
    return {
        id_: kind
        for id_, kind in targets.items()
        if key(id_) in bodies and ownership.includes(id_, bodies[key(id_)])
    }
