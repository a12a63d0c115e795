"""Resource groups: what a group contains, and when it is deleted with a deployment.

A group that ccgpu created carries its deployment's tags. If other deployments are in the group when
that deployment is deleted, the group stays. Its tags are replaced by `ccgpu-made-for`, and it is
deleted with the last deployment in it. A group with neither tag belongs to the user and is never
deleted.

A list of a group's contents may lag behind. A listed resource counts as present until its own GET
answers 404. A resource in this machine's journals is also checked, even if no list contains it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial

from ccgpu.azure.long_running import send_with_retry
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.lease import assess_lease, lease_of, merge_tags
from ccgpu.domain.resource import (
    CREATED,
    DEPLOYMENT,
    EXPIRES,
    MADE_FOR,
    RUN,
    Body,
    ResourceId,
    holder_of,
    key,
    kind_of,
    name_of,
    tag,
    tags_of,
)
from ccgpu.errors import CcgpuError, Denied
from ccgpu.net.retry import reread_delay
from ccgpu.scheduling.scheduler import Task, together

# Consecutive 404s after which a listed resource counts as gone: a replica of ARM may lag behind.
_READS_UNTIL_GONE = 3


@dataclass(frozen=True, slots=True)
class ForeignContents:
    """The resources in a group that are not the deployment's.

    names: Their names. deployments: Whether some belong to another deployment of ccgpu.
    """

    names: tuple[str, ...] = ()
    deployments: bool = False

    @property
    def reason(self) -> str | None:
        """Why the group is kept; None if it contains nothing else."""
        return f"there is more in it: {', '.join(self.names)}" if self.names else None


def find_foreign_contents(
    run: Run,
    group: ResourceId,
    deployment: str,
    *,
    own_ids: Collection[ResourceId] = (),
    gone: Collection[ResourceId] = (),
) -> Task[ForeignContents]:
    """The resources in `group` that are not this deployment's.

    Args:
        run: The command under way.
        group: The id of the group.
        deployment: The name of the deployment that is to be deleted.
        own_ids: The `key`s of resources known to be the deployment's; they are not read.
        gone: The `key`s of resources just deleted; one more 404 suffices to ignore them.
    """
    listing = partial(run.cloud.queries.inside, name_of(group))
    listed = (yield from send_with_retry(run, listing, f"listing what is in {group}")) or ()
    recorded = _ids_in_other_journals(run, group, deployment)
    holders: dict[ResourceId, ResourceId] = {}
    for id_ in (*listed, *recorded):
        if key(id_) not in own_ids and key(holder_of(id_)) not in own_ids:
            holders.setdefault(key(holder_of(id_)), holder_of(id_))
    read = yield from together(
        _read_owner(run, holder, 1 if at in gone else _READS_UNTIL_GONE)
        for at, holder in holders.items()
    )
    results = dict(zip(holders, read, strict=True))  # whether each exists, and its owner
    ids = {key(holder_of(id_)): id_ for id_ in (*recorded, *listed)}
    names = sorted(name_of(ids[at]) for at, (exists, _) in results.items() if exists)
    owners = {owner for exists, owner in results.values() if exists} - {None, deployment}
    return ForeignContents(tuple(names), bool(owners))


def _read_owner(run: Run, id_: ResourceId, reads: int) -> Task[tuple[bool, str | None]]:
    """Whether a resource exists, and its deployment tag. If it cannot be read, it exists."""
    kind = kind_of(id_)
    if kind is None:
        return True, None
    get = partial(run.cloud.arm.get, kind, id_)
    for attempt in range(reads):
        try:
            body = yield from send_with_retry(run, get, f"reading {id_}")
        except Denied:
            return True, None
        if body is not None:
            return True, tag(body, DEPLOYMENT)
        if attempt < reads - 1:
            yield from run.pause(reread_delay(attempt), f"reading {id_}")
    return False, None


def _ids_in_other_journals(run: Run, group: ResourceId, deployment: str) -> list[ResourceId]:
    """The ids in the group that this machine's journals record for other deployments."""
    journals = run.cloud.journals.every(run.cloud.subscription)
    others = [one for one in journals if one.deployment != deployment]
    ids = (record.id for one in others for record in one.records)
    inside = f"{key(group)}/providers/"
    return [id_ for id_ in ids if key(id_).startswith(inside)]


def find_orphaned_group(run: Run, names: Names) -> Task[Mapping[ResourceId, Mapping[str, str]]]:
    """The tags of the deployment's group by its `key`, if the group is orphaned; else empty.

    A group is orphaned if ccgpu created it for another deployment that was since deleted
    (`ccgpu-made-for`), or whose lease is over by `gc`'s rules. It is deleted with this deployment.
    """
    group = names.of(Kind.GROUP)
    body = yield from send_with_retry(
        run, partial(run.cloud.arm.get, Kind.GROUP, group), f"reading {group}"
    )
    owner = tag(body, DEPLOYMENT)
    if body is None or owner == names.deployment:
        return {}
    disowned = owner is None and tag(body, MADE_FOR) is not None
    ours = owner is not None and None not in (tag(body, RUN), tag(body, CREATED))
    over = ours and assess_lease(lease_of([body]), None, run.server_clock.now()).why is not None
    return {key(group): tags_of(body)} if disowned or over else {}


def disown_group(run: Run, group: ResourceId, body: Body, deployment: str) -> Task[None]:
    """Replace a group's deployment tags by `ccgpu-made-for`: other deployments are still in it.

    If that fails, the group stays until it is empty; then `gc` deletes it as orphaned.
    """
    removed = {DEPLOYMENT: None, RUN: None, EXPIRES: None}
    tags = merge_tags(tags_of(body), {**removed, MADE_FOR: deployment})
    try:
        put = partial(run.cloud.arm.tag, Kind.GROUP, group, tags)
        yield from send_with_retry(run, put, f"tagging {group}")
    except CcgpuError as err:
        run.tell("note", f"the group keeps its tags: {err}", group, Kind.GROUP)
