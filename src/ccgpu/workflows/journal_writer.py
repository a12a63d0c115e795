"""The journal while a workflow runs: each change is on disk before the next request is sent."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from ccgpu.domain.catalog import Kind
from ccgpu.domain.given import RememberedSpec
from ccgpu.domain.journal import Journal, Record
from ccgpu.domain.resource import Resource, ResourceId, key
from ccgpu.errors import StateUnusable
from ccgpu.store.access import AccessRecords
from ccgpu.store.attestations import Attestations
from ccgpu.store.journals import JournalFile
from ccgpu.store.known_hosts import KnownHosts
from ccgpu.store.measured_records import MeasuredRecords
from ccgpu.store.workload_records import WorkloadRecords
from ccgpu.workflows.record_names import name_beside

Place = tuple[Path, str, str]


class JournalWriter:
    """A deployment's journal, open for writing; without a file, one that nothing remembers.

    unwritable: Gets the first error of a write, and the journal goes on in memory: what it names
        may be gone, and nothing is left out. None: each is raised, so that nothing is sent.
    records: The place of what is known of the deployment beside the journal: folder, subscription,
        name. None: that of the file.
    """

    def __init__(
        self,
        file: JournalFile | None,
        journal: Journal,
        unwritable: Callable[[StateUnusable], None] | None = None,
        records: Place | None = None,
    ) -> None:
        self._file = file
        self._records = records or (None if file is None else file.place)
        self._unwritable = unwritable
        self._warned = False
        self.journal = journal
        self._seen: set[ResourceId] = set()
        self._gone: set[ResourceId] = set()
        self.doubtful = False  # DELETEs have been sent

    def seen(self, id_: ResourceId) -> bool:
        """Whether this process has seen the resource, and has sent no DELETEs since."""
        return key(id_) in self._seen

    def is_gone(self, id_: ResourceId) -> bool:
        """Whether a GET has answered 404, and no PUT has begun since."""
        return key(id_) in self._gone

    def doubt(self) -> None:
        """Note that DELETEs will be sent: resources seen before may be gone."""
        self.doubtful = True
        self._seen.clear()

    def new_run(self, run: str, created: str) -> None:
        """Set the run and creation time of later records; written with the next of them."""
        self.journal = replace(self.journal, run=run, created=created)

    def begin(self, resource: Resource) -> None:
        """Record durably that a PUT is about to be sent; send it only after this has returned."""
        self._gone -= {key(resource.id), *map(key, resource.implicitly_created)}
        self._write(self.journal.begin(resource))

    def remember(self, spec: RememberedSpec) -> None:
        """Record the spec to carry out: an interrupted create continues with it."""
        self._write(replace(self.journal, spec=spec))

    def done(self, *resources: tuple[ResourceId, Kind]) -> None:
        """Record resources that were seen to exist."""
        self._seen |= {key(id_) for id_, _ in resources}
        self._gone -= self._seen
        self._write(self.journal.done(*resources))

    def adopt(self, *records: Record) -> None:
        """Record resources of the deployment that are not in the journal yet."""
        self._seen |= {key(record.id) for record in records}
        self._write(self.journal.adopt(*records))

    def gone(self, id_: ResourceId) -> None:
        """Drop a resource's record: a GET has answered 404."""
        self._gone.add(key(id_))
        self._seen.discard(key(id_))
        self._write(self.journal.gone(id_))

    def end_stage(self, name: str) -> None:
        """Record that a stage of the create has ended."""
        self._write(self.journal.end_stage(name))

    def forget(self) -> None:
        """Remove the journal: none of its resources exists and is the deployment's.

        The VM's host key and the way to it go first: without the journal nothing asks for them. So
        do those that were kept beside a journal of the name in another group.
        """
        self.journal = replace(self.journal, records=())
        if self._records is None:
            return
        folder, subscription, name = self._records
        beside = name_beside(self.journal.deployment, self.journal.group)
        changes: list[Callable[[], None]] = []
        for place in {(subscription, name): None, (subscription, beside): None}:
            changes += [
                partial(KnownHosts(folder).forget, *place),
                partial(AccessRecords(folder).forget, *place),
                partial(WorkloadRecords(folder).forget, *place),
                partial(MeasuredRecords(folder).forget, *place),
                partial(Attestations(folder).erase, *place),
            ]
        if self._file is not None:
            changes.append(self._file.remove)
        for change in changes:
            self._change_file(change)

    def _write(self, journal: Journal) -> None:
        if journal != self.journal:
            if self._file is not None:
                self._change_file(partial(self._file.write, journal))
            self.journal = journal

    def _change_file(self, change: Callable[[], None]) -> None:
        try:
            change()
        except StateUnusable as err:
            if self._unwritable is None:
                raise
            if not self._warned:
                self._unwritable(err)
            self._warned = True
