"""Write the end of a lease on resources. Each is read immediately before its tags are written.

That read decides whether the resource is the deployment's, and has the tags that stay. A VM's write
carries the ETag of the read (`If-Match`); the other kinds have no such condition.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from ccgpu.azure.long_running import tag_and_wait, wait_until_settled
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.events import EventKind
from ccgpu.domain.extension import LeaseTarget
from ccgpu.domain.lease import merge_tags
from ccgpu.domain.resource import DEPLOYMENT, EXPIRES, Body, ResourceId, key, state_of, tag, tags_of
from ccgpu.domain.status import AT_REST
from ccgpu.errors import AlreadyExists, CcgpuError, NotFound
from ccgpu.scheduling.scheduler import Task
from ccgpu.workflows.discovery.owned_resources import OwnedResources

_TRIES = 5  # attempts to write a resource's tags; another client's write makes one fail


@dataclass(frozen=True, slots=True)
class ReadResource:
    """A resource of the deployment as it was last read, and whether it was then `written`."""

    id: ResourceId
    body: Body
    written: bool


# By `key`; None for a target that is absent, or not the deployment's.
ReadResources = dict[ResourceId, ReadResource | None]


@dataclass(frozen=True, slots=True)
class ExpiryWriter:
    """Writes the end of one deployment's lease."""

    run: Run
    deployment: str
    expires: str

    def write_each(self, targets: Iterable[LeaseTarget]) -> ReadResources:
        """Write `targets` concurrently; raises the first error after all have ended.

        A target that is not the deployment's is left alone.
        """
        read: ReadResources = {}
        failures: list[CcgpuError] = []

        def write_or_note_error(target: LeaseTarget) -> Task[None]:
            try:
                read[key(target.id)] = yield from self.write(target)
            except CcgpuError as err:
                self._tell("failed", target, str(err))
                failures.append(err)

        self.run.cloud.scheduler.gather(write_or_note_error(target) for target in targets)
        if failures:
            raise failures[0]
        return read

    def write(self, target: LeaseTarget, body: Body | None = None) -> Task[ReadResource | None]:
        """Write a resource's tags with the new end; retry if another client wrote in between.

        `body`: the resource, if it has just been read and is settled.

        Returns None if the resource is absent, or not the deployment's.
        """
        doing = f"extending {target.id}"
        if target.must_exist:
            self._tell("begin", target, doing)
        for attempt in range(_TRIES):
            body = body or (yield from self._read_own(target, doing))
            if body is None:
                return None
            if not target.needs(body, self.expires):
                return ReadResource(target.id, body, written=False)
            try:
                yield from self._write_tags(target, body, doing)
            except AlreadyExists:
                if attempt == _TRIES - 1:
                    raise
                body = None
            else:
                break
        self._tell("done", target, doing)
        return ReadResource(target.id, body or {}, written=True)

    def _read_own(self, target: LeaseTarget, doing: str) -> Task[Body | None]:
        """The settled resource; None if it is absent, or not the deployment's."""
        body = yield from wait_until_settled(self.run, target.kind, target.id, doing)
        if body is None and target.must_exist:
            raise NotFound(f"{doing}: it no longer exists", code="ResourceNotFound")
        return body if tag(body, DEPLOYMENT) == self.deployment else None

    def _write_tags(self, target: LeaseTarget, body: Body, doing: str) -> Task[None]:
        id_, kind = target.id, target.kind
        tags = merge_tags(tags_of(body), {EXPIRES: self.expires})
        etag = body.get("etag") if kind is Kind.VM else None
        put = partial(self.run.cloud.arm.tag, kind, id_, tags, etag=etag)
        yield from tag_and_wait(self.run, kind, id_, put, doing)

    def _tell(self, what: EventKind, target: LeaseTarget, text: str) -> None:
        self.run.tell(what, text, target.id, target.kind, "update")


def set_expiry(run: Run, owned: OwnedResources, expires: str) -> None:
    """Write the end of the lease on all resources of the deployment, except those that have it.

    `gc` deletes the VM first, so the VM is written first. While an operation on it is in progress,
    it cannot be written; then it is last, and the tags of the other resources protect it meanwhile.
    """
    other = [
        LeaseTarget(id_, kind)
        for id_, kind in tagged_resources(owned).items()
        if tag(owned.bodies[key(id_)], EXPIRES) != expires
    ]
    at = key(owned.names.vm)
    vm = [one for one in other if key(one.id) == at]
    rest = [one for one in other if key(one.id) != at]
    is_at_rest = owned.vm is None or state_of(owned.vm) in AT_REST
    writer = ExpiryWriter(run, owned.names.deployment, expires)
    for part in (vm, rest) if is_at_rest else (rest, vm):
        writer.write_each(part)


def tagged_resources(owned: OwnedResources) -> dict[ResourceId, Kind]:
    """The resources with the deployment tag; the disks of a VM under creation lack it."""
    ours = (id_ for id_ in owned.kinds if tag(owned.bodies[key(id_)], DEPLOYMENT) is not None)
    return {id_: owned.kinds[id_] for id_ in ours}
