"""The journal while a workflow runs: every change is on disk before the next request leaves."""

from dataclasses import replace

from ccgpu.domain.catalog import Kind
from ccgpu.domain.given import RememberedSpec
from ccgpu.domain.journal import Journal, Record
from ccgpu.domain.resource import Resource, ResourceId, key
from ccgpu.store.journals import JournalFile


class JournalWriter:
    """A deployment's journal, open for writing."""

    def __init__(self, file: JournalFile, journal: Journal) -> None:
        self._file = file
        self.journal = journal
        self._seen: set[ResourceId] = set()
        self._gone: set[ResourceId] = set()
        self.doubtful = False  # DELETEs have been sent

    def seen(self, id_: ResourceId) -> bool:
        """Whether this process has seen it, and has done nothing since that may have removed it."""
        return key(id_) in self._seen

    def is_gone(self, id_: ResourceId) -> bool:
        """Whether a GET has answered 404, and nothing has been done since to make it."""
        return key(id_) in self._gone

    def doubt(self) -> None:
        """From here on DELETEs are sent: what was seen may be gone."""
        self.doubtful = True
        self._seen.clear()

    def new_run(self, run: str, created: str) -> None:
        """From here on, what is made is made by another run; written with the next record."""
        self.journal = replace(self.journal, run=run, created=created)

    def begin(self, resource: Resource) -> None:
        """Record the intent, durably: the PUT may be sent when this has returned."""
        self._gone -= {key(resource.id), *map(key, resource.implicitly_created)}
        self._write(self.journal.begin(resource))

    def remember(self, spec: RememberedSpec) -> None:
        """Keep the spec that is carried out from here on: an interrupted create goes on with it."""
        self._write(replace(self.journal, spec=spec))

    def done(self, *found: tuple[ResourceId, Kind]) -> None:
        """Record what was seen to exist."""
        self._seen |= {key(id_) for id_, _ in found}
        self._gone -= self._seen
        self._write(self.journal.done(*found))

    def adopt(self, *found: Record) -> None:
        """Record what is the deployment's, and this machine did not know of."""
        self._seen |= {key(record.id) for record in found}
        self._write(self.journal.adopt(*found))

    def gone(self, id_: ResourceId) -> None:
        """Record that a GET has answered 404."""
        self._gone.add(key(id_))
        self._seen.discard(key(id_))
        self._write(self.journal.gone(id_))

    def end_stage(self, name: str) -> None:
        """Record that a stage of the create has ended."""
        self._write(self.journal.end_stage(name))

    def forget(self) -> None:
        """Remove the journal: nothing that it names is left, or is ours."""
        self.journal = replace(self.journal, records=())
        self._file.remove()

    def _write(self, journal: Journal) -> None:
        if journal != self.journal:
            self._file.write(journal)
            self.journal = journal
