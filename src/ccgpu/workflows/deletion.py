"""The deletion of one deployment: what is found of it, what is deleted, and what is left."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Literal

from ccgpu.azure.run import Run
from ccgpu.domain.advice import own_hint, then_try_again
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.journal import Journal
from ccgpu.domain.removal import Fate, Ownership
from ccgpu.domain.resource import ResourceId, group_of, key, own_group
from ccgpu.errors import CcgpuError, Denied, Leftover
from ccgpu.scheduling.scheduler import Task
from ccgpu.store.journals import JournalFile
from ccgpu.workflows.discovery.leftovers import (
    find_leftovers,
    first_denied,
    left_behind_error,
    recall_leftovers,
    reporting_leftovers,
)
from ccgpu.workflows.discovery.search import FoundDeployment, find_deployment, list_tagged_ids
from ccgpu.workflows.discovery.snapshot import deployment_ids, possible_ids, read_now
from ccgpu.workflows.journal_lock import warn_not_recorded
from ccgpu.workflows.journal_writer import JournalWriter, Place
from ccgpu.workflows.record_names import name_beside
from ccgpu.workflows.removal import remove, remove_late
from ccgpu.workflows.resource_groups import find_orphaned_group


@dataclass(frozen=True, slots=True)
class DeleteOutcome:
    """The resources that a delete has deleted, and those it has kept, with the reasons."""

    name: str
    gone: tuple[ResourceId, ...]
    kept: tuple[tuple[ResourceId, str], ...]


Standing = Literal["deleted", "left", "under way", "untouched"]  # how far a deletion has come
# What an interrupted command tells of deployments: `{}` is "one is", or "one, two are".
STANDINGS: Mapping[Standing, str] = {
    "deleted": "{} deleted",
    "left": "{} not completely deleted",
    "under way": "{} perhaps not completely deleted",
    "untouched": "{} not deleted: that was not begun",
}


def not_deleted(name: str) -> str:
    """The beginning of the error's message."""
    return f"{name} is not completely deleted"


class Deletion:
    """One deployment's deletion under way.

    present: its resources that existed when they were read.
    outcome: what `remove` has returned; None before.
    """

    def __init__(self, run: Run, name: str, group: str | None) -> None:
        self.name = name
        self.present: dict[ResourceId, Kind] = {}
        self.outcome: DeleteOutcome | CcgpuError | None = None
        self._run = run
        self._group = group
        self._names = Names(run.cloud.subscription, group or own_group(name), name)
        self._writer: JournalWriter | None = None
        self._known = possible_ids(self._names)  # ids that may exist
        self._targets: dict[ResourceId, Kind] = {}
        self._ownership = Ownership(name)

    @property
    def standing(self) -> Standing:
        """How far the deletion has come."""
        if isinstance(self.outcome, (DeleteOutcome, Denied)):  # gone, although a right was missing
            return "deleted"
        if self._writer is None or not self._writer.doubtful:
            return "untouched"
        return "under way" if self.outcome is None else "left"

    def reporting(self) -> AbstractContextManager[None]:
        """A context manager that adds the leftovers to each error."""
        return reporting_leftovers(self._run, lambda: self._known, self.name)

    def with_leftovers(self, err: CcgpuError) -> CcgpuError:
        """The error with the leftovers."""
        try:
            with self.reporting():
                raise err
        except CcgpuError as reported:
            return reported

    def recall(self) -> tuple[Leftover, ...]:
        """The leftovers, without a request to Azure."""
        return recall_leftovers(self._run, self._names, self._writer, self.present)

    def open(self, file: JournalFile) -> None:
        """Open the locked journal. It may name another group, and what it names may exist.

        If a group was asked for, the journal of a deployment in another one is left alone. One that
        cannot be written is read, and deleting goes on.
        """
        name, asked = self.name, self._group
        written = file if file.locked else None  # another process may write it meanwhile
        journal = file.read()
        records = None
        if journal and asked and journal.group and key(journal.group) != key(asked):
            self._run.tell("note", f"{name} in the resource group {journal.group} is left alone")
            records = self._own_records(asked) if file.locked else None
            written = journal = None
        journal = journal or Journal(name, self._names.subscription, asked or "", "", "")
        self._writer = JournalWriter(written, journal, warn_not_recorded(self._run, name), records)
        self._names = replace(self._names, group=asked or journal.group or own_group(name))
        self._known |= possible_ids(self._names)
        self._known |= {record.id: record.kind for record in journal.records}

    def _own_records(self, group: str) -> Place:
        """The place of the records that are not those of the deployment in the journal."""
        cloud = self._run.cloud
        return cloud.journals.folder, cloud.subscription, name_beside(self.name, group)

    def prepare(self) -> Task[CcgpuError | None]:
        """Find all ids that may be the deployment's, and which exist; an error is returned."""
        try:
            yield from self._prepare()
        except CcgpuError as err:
            return err
        return None

    def _prepare(self) -> Task[None]:
        journal = self._opened.journal
        deployment = yield from find_deployment(
            self._run, self.name, self._group or journal.group or None
        )
        self._names = deployment.names
        self._targets, self._ownership = yield from _find_targets(self._run, deployment, journal)
        self._known |= self._targets
        self.present |= yield from _find_present(
            self._run, deployment, self._targets, self._ownership
        )

    @property
    def _opened(self) -> JournalWriter:
        if self._writer is None:
            raise RuntimeError("not opened")
        return self._writer

    def remove(self) -> Task[DeleteOutcome | CcgpuError]:
        """Delete what `prepare` has found, and what a later list adds; an error is returned."""
        try:
            self.outcome = yield from self._remove()
        except CcgpuError as err:
            self.outcome = err
        return self.outcome

    def _remove(self) -> Task[DeleteOutcome]:
        run, name, ownership = self._run, self.name, self._ownership
        writer = self._opened
        on_gone, on_write = self._record_gone, writer.doubt
        result = yield from remove(run, self._targets, ownership, on_gone, on_write)
        group = key(self._names.group)
        listed = yield from list_tagged_ids(run, name, self._group)
        inside = [id_ for id_ in listed if key(group_of(id_)) == group]
        result = yield from remove_late(run, inside, result, ownership, on_gone, on_write)
        kept = {key(id_) for id_, _ in result.kept}
        if result.errors:
            leftovers = yield from find_leftovers(run, self._known | result.left, name)
            if any(key(one.id) not in kept for one in leftovers):
                raise left_behind_error(
                    f"{not_deleted(name)}: {result.errors[0]}",
                    result.errors,
                    hint=then_try_again(
                        [own_hint(result.errors[0])], f"`ccgpu delete {name}` tries again"
                    ),
                    resources=leftovers,
                ) from result.errors[0]
        writer.forget()
        if missing := first_denied(result.errors):
            raise missing
        return DeleteOutcome(name, result.ids(Fate.GONE), result.kept)

    def _record_gone(self, id_: ResourceId) -> None:
        if self._writer is not None:
            self._writer.gone(id_)
        self.present.pop(id_, None)


def _find_targets(
    run: Run, deployment: FoundDeployment, journal: Journal
) -> Task[tuple[dict[ResourceId, Kind], Ownership]]:
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
        orphaned = yield from find_orphaned_group(run, names)
    ownership = Ownership(
        names.deployment,
        disks=frozenset(disks),
        orphaned=orphaned,
        recorded=frozenset(key(record.id) for record in journal.records),
    )
    return dict(targets.values()), ownership


def _find_present(
    run: Run, deployment: FoundDeployment, targets: dict[ResourceId, Kind], ownership: Ownership
) -> Task[dict[ResourceId, Kind]]:
    """The `targets` that exist and would be deleted."""
    bodies = yield from read_now(run, targets, deployment.snapshot)
    return {
        id_: kind
        for id_, kind in targets.items()
        if key(id_) in bodies and ownership.includes(id_, bodies[key(id_)])
    }
