"""`ccgpu extend`: a deployment is wanted until another time, counted from Azure's now.

Whoever looks in between finds a lease at least as long as the shorter of the old and the new one:
it is the latest of all the tags. The VM, the first thing that `gc` would take, is the first to be
marked; one that is in motion cannot be yet, and then the rest speaks for it meanwhile.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from ccgpu.azure.context import AzureContext
from ccgpu.azure.long_running import tag_and_wait, wait_until_settled
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.events import Listener, ignore_event
from ccgpu.domain.lease import merge_tags
from ccgpu.domain.resource import (
    DEPLOYMENT,
    EXPIRES,
    ResourceId,
    key,
    own_group,
    state_of,
    tag,
    tags_of,
)
from ccgpu.domain.status import AT_REST
from ccgpu.domain.ttl import text
from ccgpu.errors import AlreadyExists, CcgpuError, Leftover, NotFound
from ccgpu.scheduling.clock import rfc3339
from ccgpu.scheduling.scheduler import Task
from ccgpu.workflows.discovery.leftovers import converting_interrupt, recall_leftovers
from ccgpu.workflows.discovery.owned_resources import OwnedResources, read_owned_resources
from ccgpu.workflows.discovery.search import opened_deployment

TIMEOUT = 1800.0
_TRIES = 5  # each further one is somebody else's write that came in between


@dataclass(frozen=True, slots=True)
class ExtendOutcome:
    """Until when it was wanted (None: without an end), and until when it is, by these tags."""

    name: str
    group: str
    before: str | None
    expires: str
    resources: tuple[ResourceId, ...]


def extend(
    cloud: AzureContext,
    name: str,
    ttl: timedelta,
    group: str | None = None,
    *,
    timeout: float = TIMEOUT,
    listen: Listener = ignore_event,
) -> ExtendOutcome:
    """Write the new time on every resource of the deployment; `NotFound` if there is none."""
    run = Run.begin(cloud, timeout, listen)
    there = Names(cloud.subscription, group or own_group(name), name)
    what = f"not all of {name} is marked with its new end"
    hint = f"`ccgpu extend {name} --ttl {text(ttl)}` continues"

    def seen() -> tuple[Leftover, ...]:
        return recall_leftovers(run, there)

    with (
        converting_interrupt(what, hint, seen),
        opened_deployment(run, name, group, whole=True) as found,
    ):
        there = found.names
        owned = read_owned_resources(run, found.names, found.kinds, found.snapshot)
        return _extend(run, owned, ttl)


def _extend(run: Run, found: OwnedResources, ttl: timedelta) -> ExtendOutcome:
    name = found.names.deployment
    if not _tagged(found):
        raise NotFound(
            f"there is no deployment {name}",
            code="ResourceNotFound",
            hint="`ccgpu list` shows every deployment",
        )
    expires = rfc3339(run.server_clock.now() + ttl.total_seconds())
    set_expiry(run, found, expires)
    marked = tuple(sorted(_tagged(found)))
    return ExtendOutcome(name, found.names.group, found.lease.expires, expires, marked)


def set_expiry(run: Run, found: OwnedResources, expires: str) -> None:
    """Write the end of the lease on every resource of the deployment that has another."""
    other = {
        id_: kind
        for id_, kind in _tagged(found).items()
        if tag(found.bodies[key(id_)], EXPIRES) != expires
    }
    for part in _in_order(found, other):
        _mark_all(run, part, expires)


def _tagged(found: OwnedResources) -> dict[ResourceId, Kind]:
    """What has our tags; the disks of a VM that is being made have not got them yet."""
    ours = (id_ for id_ in found.kinds if tag(found.bodies[key(id_)], DEPLOYMENT) is not None)
    return {id_: found.kinds[id_] for id_ in ours}


def _in_order(
    found: OwnedResources, marked: dict[ResourceId, Kind]
) -> list[dict[ResourceId, Kind]]:
    at = key(found.names.vm)
    vm = {id_: kind for id_, kind in marked.items() if key(id_) == at}
    rest = {id_: kind for id_, kind in marked.items() if key(id_) != at}
    resting = found.vm is None or state_of(found.vm) in AT_REST
    return [vm, rest] if resting else [rest, vm]


def _mark_all(run: Run, part: dict[ResourceId, Kind], expires: str) -> None:
    """All at once; the first failure, when all have ended."""
    failures: list[CcgpuError] = []

    def one(id_: ResourceId, kind: Kind) -> Task[None]:
        try:
            yield from _mark(run, id_, kind, expires)
        except CcgpuError as err:
            run.tell("failed", str(err), id_, kind, "update")
            failures.append(err)

    for id_, kind in part.items():
        run.cloud.scheduler.add(one(id_, kind))
    run.cloud.scheduler.run()
    if failures:
        raise failures[0]


def _mark(run: Run, id_: ResourceId, kind: Kind, expires: str) -> Task[None]:
    """Write the whole live tag map; again, where somebody else has written in between."""
    doing = f"extending {id_}"
    run.tell("begin", doing, id_, kind, "update")
    for attempt in range(_TRIES):
        body = yield from wait_until_settled(run, kind, id_, doing)
        if body is None:
            raise NotFound(f"{doing}: it no longer exists", code="ResourceNotFound")
        tags = merge_tags(tags_of(body), {EXPIRES: expires})
        etag = body.get("etag") if kind is Kind.VM else None
        put = partial(run.cloud.arm.tag, kind, id_, tags, etag=etag)
        try:
            yield from tag_and_wait(run, kind, id_, put, doing)
        except AlreadyExists:
            if attempt == _TRIES - 1:
                raise
        else:
            break
    run.tell("done", doing, id_, kind, "update")
