"""The journal while a workflow runs: every change is on disk before the next request leaves."""

from dataclasses import replace

from ccgpu.domain.catalog import Kind
from ccgpu.domain.journal import Journal, Record
from ccgpu.domain.resource import Resource, ResourceId
from ccgpu.store.journals import JournalFile


class Keeper:
    """A deployment's journal, open for writing."""

    def __init__(self, file: JournalFile, journal: Journal) -> None:
        self._file = file
        self.journal = journal

    def begin(self, resource: Resource) -> None:
        """Record the intent, durably: the PUT may be sent when this has returned."""
        self._write(self.journal.begin(resource))

    def done(self, *found: tuple[ResourceId, Kind]) -> None:
        """Record what was seen to exist."""
        self._write(self.journal.done(*found))

    def adopt(self, *found: Record) -> None:
        """Record what is the deployment's, and this machine did not know of."""
        self._write(self.journal.adopt(*found))

    def gone(self, id_: ResourceId) -> None:
        """Record that a GET has answered 404."""
        self._write(self.journal.gone(id_))

    def ended(self) -> None:
        """Record that the create has ended well."""
        self._write(self.journal.ended())

    def forget(self) -> None:
        """Remove the journal: nothing that it names is left, or is ours."""
        self.journal = replace(self.journal, records=())
        self._file.remove()

    def _write(self, journal: Journal) -> None:
        if journal != self.journal:
            self._file.write(journal)
            self.journal = journal
