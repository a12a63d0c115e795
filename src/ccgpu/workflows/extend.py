"""`ccgpu extend`: set the end of a deployment's lease, counted from Azure's current time.

The lease is the latest of the `ccgpu-expires` tags. So while the tags are being written, it ends no
earlier than the earlier of its old and its new end. `gc` deletes the VM first, so the VM is tagged
first. A VM with an operation in progress cannot be tagged yet; then it is tagged last, and the tags
of the other resources protect it meanwhile.
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
_TRIES = 5  # attempts to write a resource's tags; another client's write makes one fail


@dataclass(frozen=True, slots=True)
class ExtendOutcome:
    """The old end of the lease (None: it had none), its new end, and the tagged resources."""

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
    """Tag every resource of the deployment with its new end; raises `NotFound` if there is none."""
    run = Run.begin(cloud, timeout, listen)
    names = Names(cloud.subscription, group or own_group(name), name)
    what = f"not all of {name} is marked with its new end"
    hint = f"`ccgpu extend {name} --ttl {text(ttl)}` continues"

    def recall() -> tuple[Leftover, ...]:
        return recall_leftovers(run, names)

    with (
        converting_interrupt(what, hint, recall),
        opened_deployment(run, name, group, whole=True) as found,
    ):
        names = found.names
        owned = read_owned_resources(run, found.names, found.kinds, found.snapshot)
        return _extend_lease(run, owned, ttl)


def _extend_lease(run: Run, owned: OwnedResources, ttl: timedelta) -> ExtendOutcome:
    name = owned.names.deployment
    if not _tagged_resources(owned):
        raise NotFound(
            f"there is no deployment {name}",
            code="ResourceNotFound",
            hint="`ccgpu list` shows every deployment",
        )
    expires = rfc3339(run.server_clock.now() + ttl.total_seconds())
    set_expiry(run, owned, expires)
    ids = tuple(sorted(_tagged_resources(owned)))
    return ExtendOutcome(name, owned.names.group, owned.lease.expires, expires, ids)


def set_expiry(run: Run, owned: OwnedResources, expires: str) -> None:
    """Tag the deployment's resources with the end of the lease, except those that have it."""
    other = {
        id_: kind
        for id_, kind in _tagged_resources(owned).items()
        if tag(owned.bodies[key(id_)], EXPIRES) != expires
    }
    for part in _vm_first_if_at_rest(owned, other):
        _tag_all(run, part, expires)


def _tagged_resources(owned: OwnedResources) -> dict[ResourceId, Kind]:
    """The resources with the deployment tag; the disks of a VM under creation lack it."""
    ours = (id_ for id_ in owned.kinds if tag(owned.bodies[key(id_)], DEPLOYMENT) is not None)
    return {id_: owned.kinds[id_] for id_ in ours}


def _vm_first_if_at_rest(
    owned: OwnedResources, kinds: dict[ResourceId, Kind]
) -> list[dict[ResourceId, Kind]]:
    """The resources in two steps: the VM first if it is at rest, else last."""
    at = key(owned.names.vm)
    vm = {id_: kind for id_, kind in kinds.items() if key(id_) == at}
    others = {id_: kind for id_, kind in kinds.items() if key(id_) != at}
    is_at_rest = owned.vm is None or state_of(owned.vm) in AT_REST
    return [vm, others] if is_at_rest else [others, vm]


def _tag_all(run: Run, part: dict[ResourceId, Kind], expires: str) -> None:
    """Tag resources concurrently; raises the first error after all have ended."""
    failures: list[CcgpuError] = []

    def tag_or_note_error(id_: ResourceId, kind: Kind) -> Task[None]:
        try:
            yield from _tag_resource(run, id_, kind, expires)
        except CcgpuError as err:
            run.tell("failed", str(err), id_, kind, "update")
            failures.append(err)

    for id_, kind in part.items():
        run.cloud.scheduler.add(tag_or_note_error(id_, kind))
    run.cloud.scheduler.run()
    if failures:
        raise failures[0]


def _tag_resource(run: Run, id_: ResourceId, kind: Kind, expires: str) -> Task[None]:
    """Write the resource's tags with the new end; retry if another client wrote in between."""
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
