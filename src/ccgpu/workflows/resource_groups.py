"""Resource groups: what is in one, and when one goes with a deployment.

A group that ccgpu made carries its deployment's tags. When that deployment goes and others live in
the group, the group stays and is marked with `ccgpu-made-for` instead: it goes with the last of
them. A group without one of these tags is its user's, and never deleted.

A list of what is in a group may lag behind. What it names counts until its own GET says 404; and
what this machine's journals name counts although no list names it yet.
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
from ccgpu.net.retry import poll_delay
from ccgpu.scheduling.scheduler import Call, Task

# So often a listed resource must be answered with 404 to be gone: a replica may lag behind.
_LOOKS = 3


@dataclass(frozen=True, slots=True)
class ForeignContents:
    """What else is in a group: its names, and whether a deployment of ccgpu is among it."""

    names: tuple[str, ...] = ()
    deployments: bool = False

    @property
    def reason(self) -> str | None:
        """Why the group stays; None where nothing keeps it."""
        return f"there is more in it: {', '.join(self.names)}" if self.names else None


def find_foreign_contents(
    run: Run,
    group: ResourceId,
    deployment: str,
    *,
    mine: Collection[ResourceId] = (),
    gone: Collection[ResourceId] = (),
) -> Task[ForeignContents]:
    """What is in `group` besides this deployment's; both sets hold `key`s.

    `mine` is not looked at. Of what is `gone`, one more 404 is enough.
    """
    listing = partial(run.cloud.queries.inside, name_of(group))
    listed = (yield from send_with_retry(run, listing, f"listing what is in {group}")) or ()
    recorded = _recorded(run, group, deployment)
    looked: dict[ResourceId, tuple[bool, str | None]] = {}
    for id_ in (*listed, *recorded):
        at = key(holder_of(id_))
        if key(id_) not in mine and at not in mine and at not in looked:
            looked[at] = yield from _look(run, holder_of(id_), 1 if at in gone else _LOOKS)
    there = {key(holder_of(id_)): id_ for id_ in (*recorded, *listed)}
    names = sorted(name_of(there[at]) for at, (exists, _) in looked.items() if exists)
    owners = {owner for exists, owner in looked.values() if exists} - {None, deployment}
    return ForeignContents(tuple(names), bool(owners))


def _look(run: Run, id_: ResourceId, looks: int) -> Task[tuple[bool, str | None]]:
    """Whether it is there, and whose; what cannot be looked at is there."""
    kind = kind_of(id_)
    if kind is None:
        return True, None
    get = partial(run.cloud.arm.get, kind, id_)
    for look in range(looks):
        try:
            body = yield from send_with_retry(run, get, f"reading {id_}")
        except Denied:
            return True, None
        if body is not None:
            return True, tag(body, DEPLOYMENT)
        if look < looks - 1:
            yield Call(lambda: None, run.deadline.require(poll_delay(look, None), f"reading {id_}"))
    return False, None


def _recorded(run: Run, group: ResourceId, deployment: str) -> list[ResourceId]:
    """What this machine has made in the group for other deployments."""
    journals = run.cloud.journals.every(run.cloud.subscription)
    others = [one for one in journals if one.deployment != deployment]
    ids = (record.id for one in others for record in one.records)
    inside = f"{key(group)}/providers/"
    return [id_ for id_ in ids if key(id_).startswith(inside)]


def find_orphaned_group(run: Run, names: Names) -> Task[Mapping[ResourceId, Mapping[str, str]]]:
    """The deployment's group, by `key`, with its tags, if its maker is gone: it goes with this one.

    Gone is the maker that has left the mark, and one that is over as `gc` judges it.
    """
    group = names.of(Kind.GROUP)
    body = yield from send_with_retry(
        run, partial(run.cloud.arm.get, Kind.GROUP, group), f"reading {group}"
    )
    owner = tag(body, DEPLOYMENT)
    if body is None or owner == names.deployment:
        return {}
    left = owner is None and tag(body, MADE_FOR) is not None
    ours = owner is not None and None not in (tag(body, RUN), tag(body, CREATED))
    over = ours and assess_lease(lease_of([body]), None, run.server_clock.now()).why is not None
    return {key(group): tags_of(body)} if left or over else {}


def disown_group(run: Run, group: ResourceId, body: Body, deployment: str) -> Task[None]:
    """Mark a group of ours that stays because other deployments live in it.

    Where that fails the group only stays longer: `gc` takes it as an orphan when it is empty.
    """
    gone = {DEPLOYMENT: None, RUN: None, EXPIRES: None}
    tags = merge_tags(tags_of(body), {**gone, MADE_FOR: deployment})
    try:
        put = partial(run.cloud.arm.tag, Kind.GROUP, group, tags)
        yield from send_with_retry(run, put, f"tagging {group}")
    except CcgpuError as err:
        run.tell("note", f"the group keeps its tags: {err}", group, Kind.GROUP)
