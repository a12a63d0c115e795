"""The content of a journal: the spec of a deployment's last create, and the resources it began.

A record is written before its PUT is sent, so the journal names every resource that may exist. If
the journal and Azure differ, Azure is right: the journal only provides ids to read. Pure values;
`store.journals` reads and writes the file.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ccgpu.domain.catalog import Kind
from ccgpu.domain.given import RememberedSpec
from ccgpu.domain.resource import Resource, ResourceId, key

RecordState = Literal["begun", "done"]
# The stages of a create, in order; `workflows.create.stages` says what each does.
STAGE_NAMES = ("provision", "boot", "set up", "attest", "release")


@dataclass(frozen=True, slots=True)
class Record:
    """One resource: begun (its PUT may have been sent) or done (it was seen to exist)."""

    id: ResourceId
    kind: Kind
    run: str
    state: RecordState


@dataclass(frozen=True, slots=True)
class Journal:
    """What this machine knows of one deployment in one subscription.

    stages: the names of the ended stages of the last create; empty once a resource is begun. If
    some are missing, the next create continues with the same run id and creation time, unless the
    VM exists. A restart opens the stage again that has looked into the guest.
    spec: the spec requested by the last create that began a resource; None in old journals.
    """

    deployment: str
    subscription: str
    group: str
    run: str
    created: str
    stages: tuple[str, ...] = ()
    records: tuple[Record, ...] = ()
    spec: RememberedSpec | None = None

    def begin(self, resource: Resource) -> "Journal":
        """The journal with this resource as begun, and those that its PUT creates implicitly."""
        ids = {resource.id: resource.kind, **resource.implicitly_created}
        begun = self._with_records(
            Record(id_, kind, self.run, "begun") for id_, kind in ids.items()
        )
        return replace(begun, stages=())

    def done(self, *resources: tuple[ResourceId, Kind]) -> "Journal":
        """The journal with these resources as done."""
        return self._with_records(Record(id_, kind, self.run, "done") for id_, kind in resources)

    def adopt(self, *records: Record) -> "Journal":
        """The journal with further resources that are the deployment's, by their tags."""
        known = {key(r.id) for r in self.records}
        new = tuple(r for r in records if key(r.id) not in known)
        return replace(self, records=(*self.records, *new))

    def gone(self, id_: ResourceId) -> "Journal":
        """The journal without this resource: a GET has answered 404."""
        remaining = tuple(r for r in self.records if key(r.id) != key(id_))
        return replace(self, records=remaining)

    def end_stage(self, name: str) -> "Journal":
        """The journal with the stage of that name as ended."""
        return self if name in self.stages else replace(self, stages=(*self.stages, name))

    def reopen_stage(self, name: str) -> "Journal":
        """The journal with the stage of that name as not ended."""
        return replace(self, stages=tuple(stage for stage in self.stages if stage != name))

    def next_stage(self, names: Sequence[str] = STAGE_NAMES) -> str | None:
        """The name of the stage that a create would continue with; None if all have ended."""
        return next((name for name in names if name not in self.stages), None)

    def of_run(self) -> tuple[Record, ...]:
        """The records of this run, in the order in which they were begun."""
        return tuple(r for r in self.records if r.run == self.run)

    def _with_records(self, new: Iterable[Record]) -> "Journal":
        records = {key(r.id): r for r in self.records}
        for record in new:
            old = records.get(key(record.id))
            run = old.run if old else record.run  # a rollback must not delete an updated resource
            records[key(record.id)] = replace(record, run=run)
        return replace(self, records=tuple(records.values()))
