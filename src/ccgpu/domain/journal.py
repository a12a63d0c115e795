"""What a journal says: the spec of a deployment's last create, and which resources it began.

A record is written before its PUT is sent, so that journal ⊇ cloud at every instant. Where the
journal and Azure differ, Azure is right; the journal only says where to look. Pure values: the
file is `store.journal`'s.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from ccgpu.domain.catalog import Kind
from ccgpu.domain.given import RememberedSpec
from ccgpu.domain.resource import Resource, ResourceId, key

RecordState = Literal["begun", "done"]


@dataclass(frozen=True, slots=True)
class Record:
    """One resource: begun (its PUT may have been sent) or done (it was seen to exist)."""

    id: ResourceId
    kind: Kind
    run: str
    state: RecordState


@dataclass(frozen=True, slots=True)
class Journal:
    """All that is known on this machine of one deployment in one subscription.

    stages: the names of the stages of the last create that have ended, in their order. None has
    from the moment that a resource is begun; a create that finds some missing goes on with the same
    run id and the same creation time.
    spec: what the last create that began anything was asked for; None in old journals.
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
        """The journal with this resource, and what its PUT makes besides, as begun."""
        ids = {resource.id: resource.kind, **resource.implicitly_created}
        begun = self._with(Record(id_, kind, self.run, "begun") for id_, kind in ids.items())
        return replace(begun, stages=())

    def done(self, *found: tuple[ResourceId, Kind]) -> "Journal":
        """The journal with these resources as done."""
        return self._with(Record(id_, kind, self.run, "done") for id_, kind in found)

    def adopt(self, *found: Record) -> "Journal":
        """The journal with resources that were found to be this deployment's, by their tags."""
        known = {key(r.id) for r in self.records}
        new = tuple(r for r in found if key(r.id) not in known)
        return replace(self, records=(*self.records, *new))

    def gone(self, id_: ResourceId) -> "Journal":
        """The journal without this resource: a GET has answered 404."""
        left = tuple(r for r in self.records if key(r.id) != key(id_))
        return replace(self, records=left)

    def end_stage(self, name: str) -> "Journal":
        """The journal of a create whose stage of that name has ended."""
        return self if name in self.stages else replace(self, stages=(*self.stages, name))

    def of_run(self) -> tuple[Record, ...]:
        """What this run has begun or done, in that order."""
        return tuple(r for r in self.records if r.run == self.run)

    def _with(self, new: Iterable[Record]) -> "Journal":
        records = {key(r.id): r for r in self.records}
        for record in new:
            old = records.get(key(record.id))
            run = old.run if old else record.run  # an update does not make a resource ours to undo
            records[key(record.id)] = replace(record, run=run)
        return replace(self, records=tuple(records.values()))
